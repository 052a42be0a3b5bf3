package runtime

import (
	"fmt"
	"math/bits"
	"math/rand/v2"

	"github.com/puzpuzpuz/xsync/v3"
	"go.uber.org/atomic"

	"github.com/ichor-go/ichor/internal/aligned"
	"github.com/ichor-go/ichor/internal/arena"
	"github.com/ichor-go/ichor/internal/durations"
	"github.com/ichor-go/ichor/internal/fault"
	"github.com/ichor-go/ichor/internal/header"
	"github.com/ichor-go/ichor/internal/point"
	"github.com/ichor-go/ichor/locks"
	"github.com/ichor-go/ichor/sched"
)

// Ids of threads: all of a GIL runtime share one; in lock-free mode each pooled
// state has its own, for good.
const (
	gilOwner int32 = 1
	firstID  int32 = 2
)

// Runtime is one heap with the threads that use it. Runtimes share nothing: a
// reference means something to its own runtime only.
//
//	state — condition — transition (who)
//	open — Attach works — Close (any goroutine)
//	closing — Attach gives ErrClosed — closed, or open again: if threads are attached (Close),
//	          or when the context ends before they detach (CloseContext)
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
	intern  *xsync.MapOf[uint64, Ref]    // weak: holds no counts
	weak    *xsync.MapOf[Ref, weakRefs]  // weak references, by what they lead to
	foreign *xsync.MapOf[Ref, any]       // Go values that objects hold
	frozen  atomic.Pointer[[]*Frozen]    // by address; replaced as a whole under mu
	seed    [2]uint64                    // see builtin.HashSeed
	left    leftovers
	ending  bool // Close gives up what immortals hold: nothing is finalized any more

	collector collector

	// Every stop: until the world stood still, and while it did; and for each
	// collection the latter, added up.
	stopping, pauses, collectorPauses durations.Histogram

	adopted  bool          // another process has made what is shared
	inPlace  aligned.Int64 // objects made immortal in place
	freezing atomic.Int32  // calls of Freeze under way

	mu struct {
		point.Mutex
		closing bool
		threads map[*Thread]string // attached, and their names
		gone    chan struct{}      // CloseContext waits for it: there are no threads
		idle    []*Thread          // pooled states, by falling id
		states  int32              // that were made
		tallies []*tally           // of all states
		regions []*region
		opening int // images that are being opened
	}
	orphans orphans
}

// New makes a runtime. Close it in the end. Any goroutine.
func New(opts Options) (*Runtime, error) {
	if err := opts.validate(); err != nil {
		return nil, err
	}
	cfg := arena.Config{Backing: opts.Backing, Reserve: opts.AddressSpace, Limit: opts.MemoryLimit, Inject: opts.Inject}
	if opts.Checked {
		cfg.Start, cfg.Readable = nextCheckedStart(opts), true
	}
	space, err := arena.New(cfg)
	if err != nil {
		return nil, fault.Errorf("new runtime: %w", err)
	}
	r := makeRuntime(space, opts)
	r.plan(0)
	return r, nil
}

// makeRuntime makes a runtime of a space. The options are valid.
func makeRuntime(space *arena.Space, opts Options) *Runtime {
	r := &Runtime{
		Heap:    Heap{space.Base(), space.Mask()},
		opts:    opts,
		space:   space,
		intern:  xsync.NewMapOfWithHasher[uint64, Ref](internHash),
		weak:    xsync.NewMapOf[Ref, weakRefs](),
		foreign: xsync.NewMapOf[Ref, any](),
		seed:    [2]uint64{rand.Uint64(), rand.Uint64()},
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
	r.mu.threads = make(map[*Thread]string)
	r.queues.Store(new([]*mergeQueue))
	r.frozen.Store(new([]*Frozen))
	r.makeSingletons()
	return r
}

// makeSingletons writes the objects at fixed references, and the header of
// granule 0, which lets Nil be counted like an immortal.
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
			continue // package objects is not part of the program
		}
		r.header(s.ref).Birth(header.Immortal, y.meta)
		if y.singleton != nil {
			y.singleton(r.Body(s.ref))
		}
	}
}

// runtimes counts those that have no name of their own.
var runtimes atomic.Int64

// Name returns Options.Name, or the number that the runtime has instead. Any goroutine.
func (r *Runtime) Name() string { return r.label }

// name is the runtime as reports call it.
func (r *Runtime) name() string { return fmt.Sprintf("runtime %q", r.label) }

// String says which runtime it is, and how many threads are attached. Any goroutine.
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

// Mode returns the mode that the runtime was made with. Any goroutine.
func (r *Runtime) Mode() Mode { return r.opts.Mode }

// Memory is what a runtime has in use.
type Memory struct {
	Objects      int64 // objects on the counted heap
	ObjectBytes  int64 // their slots
	Containers   int64 // those of them that can hold references
	Blocks       int64 // storage of containers
	BlockBytes   int64
	Immortals    int64 // objects born immortal
	RegionBytes  int64 // their memory and that of their blocks
	Frozen       int64 // frozen objects
	FrozenBytes  int64 // their memory
	FrozenGraphs int64 // that are loaded
	MappedBytes  int64 // what of it belongs to files, and not to Committed
	SharedBytes  int64 // addresses that processes share, see Share; not in Committed
	InPlace      int64 // objects made immortal in place; they are among Objects
	Committed    int64 // memory taken from the system, all in all
	Limit        int64 // what Committed stays within
	Backing      Backing
	Attached     int // threads
}

// Memory adds up what is in use. Each thread's share is as of the last time that
// it took a new span, released what was retired, was blocked or stopped, or gave up the
// GIL, so the sum is exact when no thread is running. Any goroutine.
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

// WorldStats returns how often and for how long the world was stopped; zero
// under the GIL, where holding the GIL stops the world. Any goroutine.
func (r *Runtime) WorldStats() locks.WorldStats {
	if r.world == nil {
		return locks.WorldStats{}
	}
	return r.world.Stats()
}

// internHash is the hash of a text's hash in the table of equal strings. Texts may have been
// chosen so that bits of theirs agree: the seed decides where they go.
func internHash(h, seed uint64) uint64 {
	hi, lo := bits.Mul64(h^seed, 0x9e3779b97f4a7c15)
	return hi ^ lo
}
