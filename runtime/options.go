package runtime

import (
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"time"

	"github.com/ichor-go/ichor/internal/arena"
)

// Mode says how threads share a runtime.
type Mode uint8

const (
	LockFree Mode = iota // threads run at the same time; counting is atomic
	GIL                  // one thread runs at a time, under a global lock; counting is plain
)

var modeNames = [...]string{"lockfree", "gil"}

func (m Mode) String() string {
	if int(m) < len(modeNames) {
		return modeNames[m]
	}
	return fmt.Sprintf("Mode(%d)", uint8(m))
}

// Counting says how a lock-free runtime counts. It has no meaning under the GIL,
// where all counting is plain.
type Counting uint8

const (
	AutoCounting Counting = iota // Atomic, until measurements on many cores say otherwise
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

// Backing says what memory objects lie in.
type Backing = arena.Backing

const (
	AutoBacking   = arena.Auto     // system memory, but Go memory under the race detector or without mmap
	SystemBacking = arena.System   // anonymous memory of the operating system
	GoBacking     = arena.GoMemory // Go memory, which the race detector sees
	MemfdBacking  = arena.Memfd    // a file in memory, which processes can share: see Share; Linux
)

// Options are what New needs to know. The zero value works.
type Options struct {
	Mode Mode

	// Counting is how objects are counted in lock-free mode.
	Counting Counting

	// MemoryLimit bounds the memory for objects, in bytes, rounded down to
	// spans of 64 KiB. An allocation beyond it returns ErrMemoryLimit, and
	// everything goes on. 0 is no limit.
	MemoryLimit int64

	// AddressSpace is how much of the address space to reserve, rounded up to a
	// power of two. Half of it is for mortal objects. 0 is 64 GiB of system
	// memory, or 256 MiB where the system refuses that, and of Go memory; on a
	// 32-bit machine 256 MiB, and 64 MiB of Go memory.
	AddressSpace int64

	// Backing is what memory objects lie in.
	Backing Backing

	// SwitchInterval is how long a thread keeps the GIL while another one
	// waits for it; it gives it up at its next safe point after that. 0 is
	// 5 ms, as in CPython.
	SwitchInterval time.Duration

	// DeferredBytes is how much memory a thread may hold back for grace periods
	// before its checkpoints begin to wait for one. 0 is 1 MiB.
	DeferredBytes int64

	// CollectAfter is how many more containers than after the last collection of
	// cycles there must be before a safe point begins the next one by itself: at
	// least, for a collection is also put off until there are half as many again as
	// it left alive. 0 is 20,000. Negative: only Collect collects.
	CollectAfter int

	// PauseBudget is the share of time for which collections that begin by
	// themselves may stop the world. One that would go over it is put off, but not
	// beyond four times the containers that make it due. 0 is 0.1.
	PauseBudget float64

	// CollectWorkers is how many goroutines trace when the heap is large. 0 is
	// GOMAXPROCS.
	CollectWorkers int

	// Name tells the runtime from others of the process in logs, errors, reports of stalls,
	// and where it is printed. Empty: a number.
	Name string

	// Logger gets what OnError and OnStall would be told of, if they are nil. Nil is
	// slog.Default().
	Logger *slog.Logger

	// StallAfter is how long a thread may keep others waiting before that is reported. It
	// is reported again after twice that time, four times, and so on. 0 is a second.
	// Negative: never.
	StallAfter time.Duration

	// OnStall is told of a thread that keeps others waiting, by a goroutine of its own. The
	// thread that waits goes on when it returns. Nil is a warning to Logger.
	OnStall func(StallReport)

	// OnError is told of panics of finalizers, callbacks and releases, and of calls of
	// runtime.Goexit in them, as a *PanicError: by the thread that ran them, at a safe
	// point, with no lock held. It must not use objects. If it panics itself, or ends
	// its goroutine, so does the call that is the safe point. Nil is an
	// error to Logger.
	OnError func(error)

	// Checked turns on checked mode: every access is validated, freed objects
	// are poisoned and kept for a while, and misuse panics with the object's
	// history. Some fifty times slower.
	Checked bool

	// Inject is for tests of what happens when memory runs out: it is called before each
	// allocation of an object or a block, and before each call to the system for memory.
	// What it returns is the error of that. It needs Checked, and may be called by several
	// goroutines at once. See proptest.Faults.
	Inject func(what Injection) error
}

// String returns the options that are set, in one line.
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

// Injection says what is about to be done.
type Injection = arena.Call

// What can fail.
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
		return wrong("MemoryLimit", o.MemoryLimit, fmt.Sprintf("0 for no limit, or a span of %d bytes at least", arena.SpanSize))
	case o.AddressSpace < 0:
		return wrong("AddressSpace", o.AddressSpace, "0 for the default, or a number of bytes")
	case o.SwitchInterval < 0:
		return wrong("SwitchInterval", o.SwitchInterval, "0 for the default, or a time")
	case o.PauseBudget < 0 || o.PauseBudget > 1 || o.PauseBudget != o.PauseBudget:
		return wrong("PauseBudget", o.PauseBudget, "a share of time, from 0 to 1")
	case o.CollectWorkers < 0:
		return wrong("CollectWorkers", o.CollectWorkers, "0 for GOMAXPROCS, or a number of goroutines")
	case o.Inject != nil && !o.Checked:
		return wrong("Inject", "set", "Checked with it")
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
