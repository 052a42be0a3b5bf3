package objects

import (
	"fmt"
	"math/rand/v2"
	goruntime "runtime"
	"testing"
	"time"

	"go.uber.org/atomic"

	"github.com/ichor-go/ichor/internal/aligned"
	rt "github.com/ichor-go/ichor/runtime"
)

// TestWeakRaces has one thread make objects and drop the last reference to them, while
// others reach them through weak references, and intern their text. A thread that gets a
// reference finds the object intact, and each object dies once.
func TestWeakRaces(t *testing.T) {
	if goruntime.GOOS == "js" {
		t.Skip("SKIPPED: needs several threads, and there is only one here")
	}
	forModes(t, func(t *testing.T, o rt.Options) {
		o.SwitchInterval = 10 * time.Microsecond // so that other threads get the GIL
		withRuntime(t, o, func(r *rt.Runtime) {
			var c Cell // holds a weak reference
			var weaks []rt.Ref
			var calls, found aligned.Int64
			var over atomic.Bool
			must0(t, r.Do(func(th *rt.Thread) error {
				c = must(NewCell(th, rt.None))
				return nil
			}))
			n := scaled(60_000)
			run(t, r, 4, func(th *rt.Thread, w int) error {
				rnd := rand.New(rand.NewPCG(7, uint64(w)))
				if w == 0 {
					defer over.Store(true)
					// The other threads may start late, or miss every object.
					for i := 0; i < n || found.Load() == 0 && i < 20*n; i++ {
						weak, err := dropWatched(th, rnd, c, i, func(*rt.Thread) { calls.Inc() })
						if err != nil {
							return err
						}
						weaks = append(weaks, weak)
						if rnd.IntN(8) == 0 {
							th.Checkpoint()
						}
					}
					return nil
				}
				var held []rt.Ref
				for i := 0; !over.Load(); i++ {
					weak, _ := c.At(th)
					if r, alive := Weak(weak).Get(th); alive {
						found.Inc()
						if err := wantIntact(th, r); err != nil {
							return err
						}
						held = append(held, r) // give it up some time later
					}
					if rnd.IntN(8) == 0 {
						th.DecRefs(held)
						held = held[:0]
					}
					if rnd.IntN(32) == 0 {
						th.Checkpoint()
					}
				}
				th.DecRefs(held)
				return nil
			})
			t.Logf("others found an object %d times", found.Load())
			if found.Load() == 0 {
				t.Error("no thread ever found an object, so the test shows nothing")
			}
			must0(t, r.Do(func(th *rt.Thread) error {
				audit(t, th, append(weaks, c)...)
				th.Checkpoint()
				// Several weak references may lead to one interned text: all callbacks are called.
				if got := calls.Load(); got != int64(len(weaks)) {
					t.Errorf("%d callbacks, want %d", got, len(weaks))
				}
				for _, w := range weaks {
					if _, found := Weak(w).Get(th); found {
						t.Fatal("a weak reference refers to a dead object")
					}
				}
				th.DecRefs(append(weaks, c))
				return nil
			}))
			if n := core.Interned(r).Size(); n != 0 {
				t.Errorf("%d strings are interned that no reference holds", n)
			}
		})
	})
}

// dropWatched makes an object with the mark i, shows other threads a weak reference to it,
// and gives up the object. It returns a new reference to the weak one.
func dropWatched(th *rt.Thread, rnd *rand.Rand, c Cell, i int, fn func(*rt.Thread)) (rt.Ref, error) {
	var x rt.Ref
	switch rnd.IntN(3) {
	case 0:
		x = must(Intern(th, fmt.Sprint("text ", rnd.IntN(3))))
	case 1:
		x = newBig(th, i)
	case 2:
		a, b := newBig(th, i), newBig(th, i)
		x = must(NewTuple(th, a, b))
		th.DecRefs([]rt.Ref{a, b})
	}
	weak, err := NewWeak(th, x, fn)
	if err == nil {
		err = c.Store(th, weak)
	}
	for range rnd.IntN(64) { // a chance for other threads to reach it
		if _, found := c.At(th); !found {
			break
		}
	}
	if rnd.IntN(4) == 0 {
		th.Checkpoint()
	}
	th.DecRef(x)
	return weak, err
}

// wantIntact checks an object of dropWatched, to which the caller holds a reference.
func wantIntact(th *rt.Thread, r rt.Ref) error {
	if text, found := String(r).View(th); found {
		s, err := Intern(th, text)
		if err == nil && s != r {
			err = fmt.Errorf("another object for %q while one is held", text)
		}
		th.DecRef(s)
		return err
	}
	if Tuple(r).Len(th) == 2 {
		a, _ := Tuple(r).At(th, 0)
		b, _ := Tuple(r).At(th, 1)
		if n := bigOf(th, a); n < 0 || bigOf(th, b) != n {
			return fmt.Errorf("a tuple of %s and %s", Format(th, a), Format(th, b))
		}
		return nil
	}
	if bigOf(th, r) < 0 {
		return fmt.Errorf("got %s, which no thread made", Format(th, r))
	}
	return nil
}
