package parts

import (
	"runtime/debug"

	"github.com/puzpuzpuz/xsync/v3"
)

// A program runs on goroutines that turn whatever goes wrong into a failure. A panic breaks
// property (c), unless its value is a failure. So does a memory fault, unless it is in a region
// that another property has claimed.

// Must returns v, and panics with err. Use it where an error breaks property (c).
func Must[T any](v T, err error) T {
	Check(err)
	return v
}

// Check panics with err, if there is one.
func Check(err error) {
	if err != nil {
		panic(err)
	}
}

// catch recovers from a panic, and stores it as a failure.
func catch(err *error) {
	if p := recover(); p != nil {
		*err = failureOf(p)
	}
}

// failureOf returns the failure that the value of a panic stands for.
func failureOf(p any) *failure {
	if f, ok := p.(*failure); ok {
		return f
	}
	broken := propAlive
	if fault, ok := p.(interface{ Addr() uintptr }); ok {
		broken = claimant(fault.Addr())
	}
	return broken.broken("a panic: %v\n%s", p, debug.Stack())
}

// guarded turns memory faults of this goroutine into panics: freed memory may no longer be
// mapped.
func guarded() (undo func()) {
	old := debug.SetPanicOnFault(true)
	return func() { debug.SetPanicOnFault(old) }
}

// region is memory to which nobody may store.
type region struct {
	bytes   uintptr
	forbids property
}

// regions holds the regions by address.
var regions = xsync.NewMapOf[uintptr, region]()

// claim makes a fault in a region a failure of p.
func (p property) claim(start, bytes uintptr) { regions.Store(start, region{bytes, p}) }

// disclaim ends the claim to the region that begins at start.
func disclaim(start uintptr) { regions.Delete(start) }

// claimant returns the property that a fault at an address breaks.
func claimant(addr uintptr) property {
	broken := propAlive
	regions.Range(func(start uintptr, r region) bool {
		if addr-start < r.bytes {
			broken = r.forbids
		}
		return broken == propAlive
	})
	return broken
}

// parallel runs f on n guarded goroutines, and waits for all of them. After a failure it does
// not wait, because the failure may keep the other goroutines from ever ending: it abandons
// them.
func parallel(n int, f func(worker int) error) error {
	ended := make(chan error, n)
	for i := range n {
		go func() {
			var err error
			defer func() { ended <- err }()
			defer catch(&err)
			defer guarded()()
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
