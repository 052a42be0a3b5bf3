package runtime

import (
	"fmt"
	"log/slog"
	"math/bits"
	"math/rand/v2"
	"reflect"
	"strings"
	"time"

	"github.com/puzpuzpuz/xsync/v3"
	"go.uber.org/atomic"

	"github.com/ichor-go/ichor/internal/aligned"
	"github.com/ichor-go/ichor/internal/arena"
	"github.com/ichor-go/ichor/internal/durations"
	"github.com/ichor-go/ichor/internal/fault"
	"github.com/ichor-go/ichor/internal/header"
	"github.com/ichor-go/ichor/internal/point"
	"github.com/ichor-go/ichor/internal/profile"
	"github.com/ichor-go/ichor/locks"
	"github.com/ichor-go/ichor/sched"
)

// Mode says how threads share a runtime.
type Mode uint8

const (
	LockFree Mode = iota // threads run in parallel; counting is atomic
	GIL                  // one thread runs at a time, under a global lock; counting is plain
)

var modeNames = [...]string{"lockfree", "gil"}

func (m Mode) String() string {
	if int(m) < len(modeNames) {
		return modeNames[m]
	}
	return fmt.Sprintf("Mode(%d)", uint8(m))
}

// Counting says how a lock-free runtime counts. It has no effect under the GIL, where all
// counting is plain.
type Counting uint8

const (
	AutoCounting Counting = iota // Atomic in this version; a later one may choose Biased
	Atomic                       // every count is an atomic add
	Biased                       // the thread that made an object counts it plainly, the others atomically
)

var countingNames = [...]string{"auto", "atomic", "biased"}

func (c Counting) String() string {
	if int(c) < len(countingNames) {
		return countingNames[c]
	}
	return fmt.Sprintf("Counting(%d)", uint8(c))
}

// Backing selects the memory that objects lie in.
type Backing = arena.Backing

const (
	AutoBacking   = arena.Auto     // system memory; Go memory under the race detector or without mmap
	SystemBacking = arena.System   // anonymous memory of the operating system
	GoBacking     = arena.GoMemory // Go memory, which the race detector sees
	MemfdBacking  = arena.Memfd    // an in-memory file, which processes can share: see Share; Linux only
)

// Options configure a runtime. The zero value works.
type Options struct {
	Mode Mode

	// Counting selects the way of counting in lock-free mode.
	Counting Counting

	// MemoryLimit bounds the memory for objects, in bytes, rounded down to spans of 64 KiB. An
	// allocation beyond it returns ErrMemoryLimit, and the runtime goes on. 0 is no limit.
	MemoryLimit int64

	// AddressSpace is how much address space to reserve, in bytes, rounded up to a power of
	// two, and at most 64 GiB. Half of it is for mortal objects. 0 is 64 GiB of system memory,
	// or 256 MiB where the system refuses that and for Go memory. On a 32-bit machine it is
	// 256 MiB, or 64 MiB of Go memory.
	AddressSpace int64

	// Backing selects the memory that objects lie in.
	Backing Backing

	// SwitchInterval is how long a thread keeps the GIL while another one waits for it. The
	// thread gives it up at the first safe point after that time. 0 is 5 ms, as in CPython.
	SwitchInterval time.Duration

	// DeferredBytes is how much memory a thread may hold back for grace periods before its
	// checkpoints begin to wait for one. 0 is 1 MiB.
	DeferredBytes int64

	// CollectAfter is how many more containers there must be than after the last collection of
	// cycles before a safe point starts the next one by itself. If half of the containers that
	// the collection left alive is a larger number, that number applies. 0 is 20,000. If
	// negative, only Collect collects.
	CollectAfter int

	// PauseBudget is the share of time for which automatic collections may stop the world. A
	// collection that would exceed it is put off until the number of containers has grown by
	// four times as much as makes it due. 0 is 0.1.
	PauseBudget float64

	// CollectWorkers is how many goroutines trace when the heap is large. 0 is GOMAXPROCS.
	CollectWorkers int

	// Name distinguishes the runtime from others of the process in logs, errors, stall reports
	// and printed values. If empty, the runtime has a number.
	Name string

	// Logger receives the reports for OnError and OnStall if they are nil. Nil is
	// slog.Default().
	Logger *slog.Logger

	// StallAfter is how long a thread may keep others waiting before that is reported. It is
	// reported again after twice that time, four times, and so on. 0 is a second. If negative,
	// it is never reported.
	StallAfter time.Duration

	// OnStall is called with a report of a thread that keeps others waiting, on a goroutine of
	// its own. The waiting thread goes on when it returns. Nil is a warning to Logger.
	OnStall func(StallReport)

	// OnError is called with a *PanicError after a panic or a call of runtime.Goexit in a
	// finalizer, a callback or a release. The thread that ran the function calls it, at a safe
	// point, with no lock held. It must not use objects. If it panics itself, or ends its
	// goroutine, so does the call that is the safe point. Nil is an error to Logger.
	OnError func(error)

	// HeapProfileRate is how many bytes are allocated from one object or block that the heap
	// profile records to the next, on average: see HeapProfile. If a thread allocates so fast
	// that it would record more than some 30 a second, it records fewer, each of which stands
	// for more, unless the rate is below 8 KiB. DefaultHeapProfileRate is a good value. 0 is no
	// heap profile, at no cost.
	HeapProfileRate int64

	// ContentionProfileRate has the contention profile record each wait of a thread for others
	// that lasts as long, and of shorter ones a share: see ContentionProfile. A microsecond is a
	// good value. 0 is no contention profile, at no cost.
	ContentionProfileRate time.Duration

	// Checked turns on checked mode: every access is validated, freed objects are poisoned and
	// kept for a while, and misuse panics with the object's history. It is about fifty times
	// slower.
	Checked bool

	// Inject is for tests of running out of memory. It is called before each allocation of an
	// object or a block, and before each call to the system for memory. If it returns an error,
	// the allocation or the call fails with that error. It needs Checked. Several goroutines
	// may call it at the same time. See proptest.Faults.
	Inject func(what Injection) error
}

// String returns the options that differ from zero, in one line.
func (o Options) String() string {
	var set []string
	v := reflect.ValueOf(o)
	for i := range v.NumField() {
		f := v.Field(i)
		switch {
		case f.IsZero():
		case f.Kind() == reflect.Func || f.Kind() == reflect.Pointer:
			set = append(set, v.Type().Field(i).Name+": set")
		default:
			set = append(set, fmt.Sprintf("%s: %v", v.Type().Field(i).Name, f))
		}
	}
	return "Options{" + strings.Join(set, ", ") + "}"
}

// Injection names the operation that is about to be done.
type Injection = arena.Call

// The operations that can fail.
const (
	AllocateObject = arena.Allocate // of an object or a block, frozen ones too
	CommitMemory   = arena.Commit
	SealMemory     = arena.SealCall
	MapMemory      = arena.Map
)

func (o *Options) validate() error {
	wrong := func(option string, value any, want string) error { return &OptionsError{option, value, want} }
	switch {
	case int(o.Mode) >= len(modeNames):
		return wrong("Mode", o.Mode, "LockFree or GIL")
	case int(o.Counting) >= len(countingNames):
		return wrong("Counting", o.Counting, "AutoCounting, Atomic or Biased")
	case o.Backing > MemfdBacking:
		return wrong("Backing", o.Backing, "AutoBacking, SystemBacking, GoBacking or MemfdBacking")
	case o.MemoryLimit < 0 || o.MemoryLimit > 0 && o.MemoryLimit < arena.SpanSize:
		return wrong("MemoryLimit", o.MemoryLimit, fmt.Sprintf("0 for no limit, or at least a span of %d bytes", arena.SpanSize))
	case o.AddressSpace < 0 || o.AddressSpace > arena.MaxReserve:
		return wrong("AddressSpace", o.AddressSpace, fmt.Sprintf("0 for the default, or 1 to %d bytes", arena.MaxReserve))
	case o.SwitchInterval < 0:
		return wrong("SwitchInterval", o.SwitchInterval, "0 for the default, or a duration")
	case o.PauseBudget < 0 || o.PauseBudget > 1 || o.PauseBudget != o.PauseBudget:
		return wrong("PauseBudget", o.PauseBudget, "a share of time, from 0 to 1")
	case o.CollectWorkers < 0:
		return wrong("CollectWorkers", o.CollectWorkers, "0 for GOMAXPROCS, or a number of goroutines")
	case o.Inject != nil && !o.Checked:
		return wrong("Inject", "set", "Checked with it")
	case o.HeapProfileRate < 0:
		return wrong("HeapProfileRate", o.HeapProfileRate, "0 for no profile, or a number of bytes")
	case o.ContentionProfileRate < 0:
		return wrong("ContentionProfileRate", o.ContentionProfileRate, "0 for no profile, or a duration")
	case o.DeferredBytes < 0:
		return wrong("DeferredBytes", o.DeferredBytes, "0 for the default, or a number of bytes")
	}
	if o.DeferredBytes == 0 {
		o.DeferredBytes = 1 << 20
	}
	if o.CollectAfter == 0 {
		o.CollectAfter = 20_000
	}
	if o.PauseBudget == 0 {
		o.PauseBudget = 0.1
	}
	if o.Counting == AutoCounting {
		o.Counting = Atomic
	}
	if o.StallAfter == 0 {
		o.StallAfter = stallWarning
	}
	return nil
}

// Ids of threads. All threads of a GIL runtime share one. In lock-free mode each pooled state
// has its own, for good.
const (
	gilOwner int32 = 1
	firstID  int32 = 2
)

// Runtime is one heap with the threads that use it. Runtimes share nothing: a reference is
// valid only in its own runtime.
//
//	state — condition — transition (by)
//	open — Attach works — closing (Close or CloseContext, any goroutine)
//	closing — Attach gives ErrClosed — closed; or open again, if threads are attached (Close)
//	          or the context ends before they detach (CloseContext)
//	closed — the memory is gone
type Runtime struct {
	Heap
	opts  Options
	label string // opts.Name, or a number
	space *arena.Space
	check *checker // nil unless Options.Checked

	gil   *locks.GIL   // GIL mode
	cache *arena.Cache // GIL mode: the one cache of all threads
	world *locks.World // lock-free mode
	grace *sched.Grace // lock-free mode

	queues  point.Pointer[[]*mergeQueue] // by id; replaced as a whole under mu
	intern  *xsync.MapOf[uint64, Ref]    // equal strings, by hash; holds no counts
	weak    *xsync.MapOf[Ref, weakRefs]  // weak references, by their target
	foreign *xsync.MapOf[Ref, any]       // Go values that objects hold
	frozen  atomic.Pointer[[]*Frozen]    // by address; replaced as a whole under mu
	seed    [2]uint64                    // see builtin.HashSeed
	left    leftovers
	ending  bool // Close is giving up what immortals hold: nothing is finalized any more

	collector  collector
	heap       *profile.Heap  // nil if Options.HeapProfileRate is 0
	contention *profile.Waits // nil if Options.ContentionProfileRate is 0

	// stopping and pauses have an entry for each stop: until the world stood still, and while
	// it did. collectorPauses has an entry for each collection: the sum of its pauses.
	stopping, pauses, collectorPauses durations.Histogram

	blind    bool          // new threads are blind: see Thread. Under mu
	adopted  bool          // another process has made the shared part
	inPlace  aligned.Int64 // objects made immortal in place
	freezing atomic.Int32  // calls of Freeze in progress

	mu struct {
		point.Mutex
		closing bool
		threads []*Thread     // attached ones: see Thread.place
		gone    chan struct{} // CloseContext waits for it: closed when no thread is left
		idle    []*Thread     // pooled states, in descending order of id
		states  int32         // how many were made
		tallies []*tally      // of all states
		regions []*region
		opening int // images that are being opened
	}
	orphans orphans
}

// New makes a runtime. The caller has to call Close in the end. Any goroutine.
func New(opts Options) (*Runtime, error) {
	if err := opts.validate(); err != nil {
		return nil, err
	}
	cfg := arena.Config{Backing: opts.Backing, Reserve: opts.AddressSpace, Limit: opts.MemoryLimit, Inject: opts.Inject}
	if opts.Checked {
		cfg.Start, cfg.Readable, cfg.Direct = nextCheckedStart(opts), true, true
	}
	heap := newHeapProfile(opts.HeapProfileRate, &cfg)
	space, err := arena.New(cfg)
	if err != nil {
		return nil, fault.Errorf("new runtime: %w", err)
	}
	r := makeRuntime(space, opts)
	r.heap = heap
	r.blind = opts.Mode == LockFree && opts.Counting != Biased && !opts.Checked
	r.plan(0)
	return r, nil
}

// makeRuntime makes a runtime on a space. The options are valid.
func makeRuntime(space *arena.Space, opts Options) *Runtime {
	r := &Runtime{
		Heap:       Heap{space.Base(), space.Mask()},
		opts:       opts,
		space:      space,
		intern:     xsync.NewMapOfWithHasher[uint64, Ref](internHash),
		weak:       xsync.NewMapOf[Ref, weakRefs](),
		foreign:    xsync.NewMapOf[Ref, any](),
		seed:       [2]uint64{rand.Uint64(), rand.Uint64()},
		contention: newContentionProfile(opts.ContentionProfileRate),
	}
	if r.label = opts.Name; r.label == "" {
		r.label = fmt.Sprint(runtimes.Inc())
	}
	if opts.Checked {
		r.check = newChecker(r)
	}
	if opts.Mode == GIL {
		r.gil = locks.NewGIL(opts.SwitchInterval)
		if opts.StallAfter > 0 {
			r.gil.OnStall(opts.StallAfter, r.warnOfHolder)
		}
		r.cache = space.NewCache()
	} else {
		r.world = locks.NewWorld()
		r.world.OnStall(opts.StallAfter, r.warnOfMember)
		r.grace = sched.NewGrace()
		r.orphans.list = sched.NewDeferred[retired](r.grace, opts.DeferredBytes)
	}
	r.queues.Store(new([]*mergeQueue))
	r.frozen.Store(new([]*Frozen))
	r.makeSingletons()
	return r
}

// makeSingletons writes the singletons, and the header of granule 0, which lets Nil be counted
// like an immortal.
func (r *Runtime) makeSingletons() {
	r.header(Nil).Birth(header.Immortal, 0)
	for _, s := range [...]struct {
		ref Ref
		id  TypeID
	}{
		{None, TypeNone}, {True, TypeBool}, {False, TypeBool},
		{EmptyString, TypeString}, {EmptyBytes, TypeBytes}, {EmptyTuple, TypeTuple},
	} {
		y := types.table[s.id].Load()
		if y == nil {
			continue // package objects is not linked into the program
		}
		r.header(s.ref).Birth(header.Immortal, y.meta)
		if y.singleton != nil {
			y.singleton(r.Body(s.ref))
		}
	}
}

// runtimes counts the runtimes that have no name of their own.
var runtimes atomic.Int64

// Name returns Options.Name, or the number that takes its place. Any goroutine.
func (r *Runtime) Name() string { return r.label }

// name returns the runtime's name as reports print it.
func (r *Runtime) name() string { return fmt.Sprintf("runtime %q", r.label) }

// String returns the runtime's name and how many threads are attached. Any goroutine.
func (r *Runtime) String() string {
	mode := r.opts.Mode.String()
	if r.gil == nil {
		mode += ", " + r.opts.Counting.String()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	state := fmt.Sprintf("%d threads attached", len(r.mu.threads))
	if r.mu.closing {
		state = "closed"
	}
	return fmt.Sprintf("%s (%s, %s)", r.name(), mode, state)
}

// Mode returns the runtime's mode. Any goroutine.
func (r *Runtime) Mode() Mode { return r.opts.Mode }

// Memory says how much a runtime has in use.
type Memory struct {
	Objects      int64 // objects on the counted heap
	ObjectBytes  int64 // the slots that they occupy
	Containers   int64 // the objects among them that can hold references
	Blocks       int64 // storage of containers
	BlockBytes   int64
	Immortals    int64 // objects born immortal
	RegionBytes  int64 // the memory of these and of their blocks
	Frozen       int64 // frozen objects
	FrozenBytes  int64 // the memory of these
	FrozenGraphs int64 // Frozens that are loaded
	MappedBytes  int64 // the part of FrozenBytes that belongs to files, and is not in Committed
	SharedBytes  int64 // memory that processes share: see Share; not in Committed
	InPlace      int64 // objects made immortal in place, which are among Objects
	Committed    int64 // all memory taken from the system
	Limit        int64 // the bound on Committed
	Backing      Backing
	Attached     int // attached threads
}

// Memory returns how much is in use. A thread's share is updated when the thread takes a new
// span, releases retired objects, is blocked or stopped, or gives up the GIL. So the sum is
// exact when no thread is running. Any goroutine.
func (r *Runtime) Memory() Memory {
	u := r.space.Usage()
	shared := r.sharedBytes()
	r.mu.Lock()
	defer r.mu.Unlock()
	m := Memory{
		SharedBytes: shared,
		Objects:     u.Count[arena.Leaves] + u.Count[arena.Containers],
		ObjectBytes: u.Bytes[arena.Leaves] + u.Bytes[arena.Containers],
		Containers:  u.Count[arena.Containers],
		Blocks:      u.Count[arena.Blocks], BlockBytes: u.Bytes[arena.Blocks],
		Immortals: u.Count[arena.Immortal], RegionBytes: u.Bytes[arena.Immortal],
		InPlace: r.inPlace.Load(), Committed: u.Committed, Limit: u.Limit,
		Backing: r.space.Backing(), Attached: len(r.mu.threads),
	}
	for _, f := range *r.frozen.Load() {
		m.FrozenGraphs++
		m.Frozen += f.Objects()
		m.FrozenBytes += f.Bytes()
		if f.Mapped() {
			m.MappedBytes += f.Bytes()
		}
	}
	return m
}

// GILStats returns how the GIL was used; zero in lock-free mode. Any goroutine.
func (r *Runtime) GILStats() locks.GILStats {
	if r.gil == nil {
		return locks.GILStats{}
	}
	return r.gil.Stats()
}

// WorldStats returns how often and for how long the world was stopped. It is zero under the
// GIL, where holding the GIL stops the world. Any goroutine.
func (r *Runtime) WorldStats() locks.WorldStats {
	if r.world == nil {
		return locks.WorldStats{}
	}
	return r.world.Stats()
}

// internHash hashes the keys of the table of equal strings, which are hashes of texts. An
// attacker may choose texts whose hashes agree in some bits, so the seed decides where they go.
func internHash(h, seed uint64) uint64 {
	hi, lo := bits.Mul64(h^seed, 0x9e3779b97f4a7c15)
	return hi ^ lo
}
