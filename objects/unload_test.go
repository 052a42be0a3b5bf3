package objects

import (
	"errors"
	"io"
	goruntime "runtime"
	"strings"
	"sync"
	"testing"
	"time"

	rt "github.com/ichor-go/ichor/runtime"
)

// unloadElsewhere unloads f on another goroutine, which is not attached.
func unloadElsewhere(r *rt.Runtime, f *rt.Frozen) error {
	done := make(chan error)
	go func() { done <- r.Unload(f) }()
	return <-done
}

// TestUnloadWhileACallHolds: a frozen graph stays loaded while a call of the library holds
// references into it that no object has any more, whether the call traverses that graph or
// one that leads to it.
func TestUnloadWhileACallHolds(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			l := must(NewList(th, smallInt(1)))
			d := must(NewDict(th))
			must0(t, d.Set(th, smallInt(1), l))
			f, g := must(th.Freeze(l)), must(th.Freeze(d))
			inUse := func(f *rt.Frozen) {
				t.Helper()
				if err := th.Unload(f); !errors.Is(err, rt.ErrInUse) {
					t.Fatalf("unload: %v, want ErrInUse", err)
				}
			}
			must0(t, d.Set(th, smallInt(1), f.Root()))
			must0(t, d.Set(th, smallInt(2), rt.None))
			for _, v := range d.All(th) {
				must0(t, d.Clear(th))
				inUse(f)
				if v != rt.None && List(v).Len(th) != 1 {
					t.Error("an item of the loop has changed")
				}
			}
			for range Dict(g.Root()).All(th) {
				inUse(g)
			}
			for range List(f.Root()).All(th) {
				inUse(f)
				break // ends the loop early, as a panic does
			}
			must0(t, th.Scope(func(s *rt.Scope) {
				must0(t, d.Set(th, smallInt(1), f.Root()))
				x := s.Own(must(d.Get(th, smallInt(1))), nil)
				must0(t, d.Clear(th))
				inUse(f)
				if s.Len() != 1 || List(x).Len(th) != 1 {
					t.Error("an object that a scope owns has changed")
				}
			}))
			written := false
			must0(t, ToJSON(th, writerFunc(func(b []byte) (int, error) {
				written = true
				if err := unloadElsewhere(th.Runtime(), f); !errors.Is(err, rt.ErrInUse) {
					t.Errorf("unload: %v, want ErrInUse", err)
				}
				return len(b), nil
			}), f.Root()))
			if !written {
				t.Error("nothing was written")
			}
			th.DecRefs([]rt.Ref{l, d})
			must0(t, errors.Join(th.Unload(f), th.Unload(g)))
		})
	})
}

// trapCopy is called when a trap is copied. A test sets it.
var trapCopy func()

var trap = must(rt.DefineType(rt.Type{Name: "trap", Freezing: &rt.Freezing{
	Copy: func(c *rt.Copy) error {
		if trapCopy != nil {
			trapCopy()
		}
		_, err := c.Alloc(8)
		return err
	},
}}))

// TestUnloadWhileItIsFrozen: Freeze meets a frozen graph in a list, and then another thread
// empties the list and unloads the graph.
func TestUnloadWhileItIsFrozen(t *testing.T) {
	for name, o := range map[string]rt.Options{
		"atomic": {Mode: rt.LockFree}, "biased": {Mode: rt.LockFree, Counting: rt.Biased}, // under the GIL no thread comes in between
	} {
		t.Run(name, func(t *testing.T) {
			if goruntime.GOOS == "js" {
				t.Skip("SKIPPED: needs several threads, and there is only one here")
			}
			defer func() { trapCopy = nil }()
			stopping := make(chan rt.StallReport, 10) // worker 1 waits for worker 0
			o.StallAfter, o.OnStall = time.Millisecond, func(s rt.StallReport) { stopping <- s }
			withRuntime(t, o, func(r *rt.Runtime) {
				var f *rt.Frozen
				var list rt.Ref
				must0(t, r.Do(func(th *rt.Thread) error {
					inner := must(NewList(th, smallInt(1)))
					f = must(th.Freeze(inner))
					th.DecRef(inner)
					list = must(NewList(th))
					x, _, err := th.New(trap, 8)
					must0(t, err)
					must0(t, List(list).AppendSteal(th, x))
					for range 40_000 { // Freeze reaches safe points on its way
						must0(t, List(list).AppendSteal(th, must(NewFloat(th, 1))))
					}
					return List(list).Append(th, f.Root())
				}))
				trapped, emptied := make(chan bool), make(chan bool)
				var once sync.Once
				trapCopy = func() { once.Do(func() { close(trapped); <-emptied; <-stopping }) }
				var unload error
				run(t, r, 2, func(th *rt.Thread, worker int) error {
					if worker == 0 {
						g, err := th.Freeze(list)
						if err != nil {
							return err
						}
						if n := List(g.Root()).Len(th); n != 0 {
							t.Errorf("the copy has %d items", n)
						}
						return th.Unload(g)
					}
					_, _, _ = rt.RecvContext(t.Context(), th, trapped)
					err := List(list).Clear(th)
					close(emptied)
					unload = th.Unload(f)
					return err
				})
				if !errors.Is(unload, rt.ErrInUse) {
					t.Errorf("unload: %v, want ErrInUse", unload)
				}
				must0(t, r.Do(func(th *rt.Thread) error {
					th.DecRef(list)
					return th.Unload(f)
				}))
			})
		})
	}
}

// TestUnloadTheRootOfFreeze: Freeze of a frozen object keeps it loaded from the beginning.
// Its first safe point runs a callback that would unload it.
func TestUnloadTheRootOfFreeze(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			l := must(NewList(th, smallInt(1)))
			f := must(th.Freeze(l))
			err := errors.New("not called")
			w := must(NewWeak(th, l, func(th *rt.Thread) { err = th.Unload(f) }))
			th.DecRef(l)
			g := must(th.Freeze(f.Root()))
			if !errors.Is(err, rt.ErrInUse) {
				t.Errorf("unload: %v, want ErrInUse", err)
			}
			th.DecRef(w)
			must0(t, errors.Join(th.Unload(f), th.Unload(g)))
		})
	})
}

// TestToJSONPieceByPiece: a frozen graph cannot be unloaded while it is written in pieces.
// A graph that is not frozen is written at once, and may change afterwards.
func TestToJSONPieceByPiece(t *testing.T) {
	clean(t, rt.Options{}, func(th *rt.Thread) {
		l := must(NewList(th))
		for range 20 {
			must0(t, l.AppendSteal(th, must(NewString(th, strings.Repeat("text ", 4000)))))
		}
		f := must(th.Freeze(l))
		pieces := 0
		must0(t, ToJSON(th, writerFunc(func(b []byte) (int, error) {
			if pieces++; pieces == 2 {
				if err := unloadElsewhere(th.Runtime(), f); !errors.Is(err, rt.ErrInUse) {
					t.Errorf("unload: %v, want ErrInUse", err)
				}
			}
			return len(b), nil
		}), f.Root()))
		if pieces < 3 {
			t.Errorf("%d pieces", pieces)
		}
		broken := errors.New("broken")
		if err := ToJSON(th, writerFunc(func([]byte) (int, error) { return 0, broken }), f.Root()); !errors.Is(err, broken) {
			t.Error(err)
		}
		must0(t, ToJSON(th, io.Discard, l))
		th.DecRef(l)
		must0(t, th.Unload(f)) // nothing holds it after the error
	})
}
