package property

import (
	"runtime/debug"

	"github.com/puzpuzpuz/xsync/v3"
)

// Programs run on goroutines that turn a panic into a failure: the panic's value, or a failure of
// property (c). A memory fault breaks property (c) as well, unless it is in a region that another
// property has claimed.

// Must returns v, or panics with err. It is for errors that no program may cause.
func Must[T any](v T, err error) T {
	Check(err)
	return v
}

// Check is Must for a call without a result.
func Check(err error) {
	if err != nil {
		panic(err)
	}
}

// Catch recovers from a panic, and stores its failure in err. Defer it.
func Catch(err *error) {
	if p := recover(); p != nil {
		*err = FailureOf(p)
	}
}

// FailureOf returns the failure that the value of a panic stands for.
func FailureOf(p any) *Failure {
	if f, ok := p.(*Failure); ok {
		return f
	}
	broken := Alive
	if fault, ok := p.(interface{ Addr() uintptr }); ok {
		broken = claimant(fault.Addr())
	}
	return broken.Broken("a panic: %v\n%s", p, debug.Stack())
}

// Guarded turns memory faults of this goroutine into panics: freed memory may no longer be
// mapped.
func Guarded() (undo func()) {
	old := debug.SetPanicOnFault(true)
	return func() { debug.SetPanicOnFault(old) }
}

// region is memory to which nobody may store.
type region struct {
	bytes   uintptr
	forbids Property
}

// regions holds the claimed regions by the address at which they begin.
var regions = xsync.NewMapOf[uintptr, region]()

// Claim makes a fault in a region a failure of p.
func (p Property) Claim(start, bytes uintptr) { regions.Store(start, region{bytes, p}) }

// Disclaim ends the claim to the region that begins at start.
func Disclaim(start uintptr) { regions.Delete(start) }

// claimant returns the property that a fault at an address breaks.
func claimant(addr uintptr) Property {
	broken := Alive
	regions.Range(func(start uintptr, r region) bool {
		if addr-start < r.bytes {
			broken = r.forbids
		}
		return broken == Alive
	})
	return broken
}

// Parallel runs f on n guarded goroutines, and waits for all of them. After a failure it does
// not wait, because the failure may keep the other goroutines from ever ending: it abandons
// them.
func Parallel(n int, f func(worker int) error) error {
	ended := make(chan error, n)
	for i := range n {
		go func() {
			var err error
			defer func() { ended <- err }()
			defer Catch(&err)
			defer Guarded()()
			err = f(i)
		}()
	}
	for range n {
		if err := <-ended; err != nil {
			return err
		}
	}
	return nil
}
