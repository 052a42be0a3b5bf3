package runtime

import (
	"errors"
	"fmt"
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

	// OnError is told of panics of finalizers, callbacks and releases, and of calls of
	// runtime.Goexit in them, as a *PanicError: by the thread that ran them, at a safe
	// point, with no lock held. It must not use objects. If it panics itself, or ends
	// its goroutine, so does the call that is the safe point. Nil is slog.
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

// Injection says what is about to be done.
type Injection = arena.Call

// What can fail.
const (
	AllocateObject = arena.Allocate // of an object or a block, frozen ones too
	CommitMemory   = arena.Commit
	SealMemory     = arena.SealCall
	MapMemory      = arena.Map
)

// Errors of a runtime.
var (
	ErrMemoryLimit = errors.New("ichor: memory limit reached")
	ErrClosed      = errors.New("ichor: runtime is closed")
)

func (o *Options) validate() error {
	switch {
	case int(o.Mode) >= len(modeNames):
		return fmt.Errorf("ichor: options: unknown mode %s", o.Mode)
	case int(o.Counting) >= len(countingNames):
		return fmt.Errorf("ichor: options: unknown counting %s", o.Counting)
	case o.Backing > MemfdBacking:
		return fmt.Errorf("ichor: options: unknown backing %s", o.Backing)
	case o.MemoryLimit < 0:
		return fmt.Errorf("ichor: options: memory limit of %d bytes is negative", o.MemoryLimit)
	case o.MemoryLimit > 0 && o.MemoryLimit < arena.SpanSize:
		return fmt.Errorf("ichor: options: memory limit of %d bytes is less than one span of %d", o.MemoryLimit, arena.SpanSize)
	case o.AddressSpace < 0:
		return fmt.Errorf("ichor: options: address space of %d bytes is negative", o.AddressSpace)
	case o.SwitchInterval < 0:
		return fmt.Errorf("ichor: options: switch interval of %s is negative", o.SwitchInterval)
	case o.PauseBudget < 0 || o.PauseBudget > 1 || o.PauseBudget != o.PauseBudget:
		return fmt.Errorf("ichor: options: pause budget of %v is no share of time: want 0 to 1", o.PauseBudget)
	case o.CollectWorkers < 0:
		return fmt.Errorf("ichor: options: %d collect workers is negative", o.CollectWorkers)
	case o.Inject != nil && !o.Checked:
		return errors.New("ichor: options: Inject needs Checked")
	case o.DeferredBytes < 0:
		return fmt.Errorf("ichor: options: %d deferred bytes is negative", o.DeferredBytes)
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
	return nil
}
