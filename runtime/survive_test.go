package runtime

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	goruntime "runtime"
	"sync"
	"testing"
	"time"
)

// ends are the ways in which user code ends other than by returning.
var ends = map[string]func(){
	"panic":  func() { panic("mine") },
	"Goexit": goruntime.Goexit,
}

// A faulty object has two slots and a block. The functions of its type do what trap says.
var (
	faultyType   = must(DefineType(faulty("faulty", nil)))
	tableType    = must(DefineType(faulty("faulty, in tables", func(*Thread, Ref, Body) { trap.step("Forget") })))
	uncopiedType = must(DefineType(Type{
		Name:     "uncopied",
		Freezing: &Freezing{Copy: func(*Copy) error { trap.step("Copy"); return nil }},
	}))
	trap trapdoor
)

func faulty(name string, forget func(*Thread, Ref, Body)) Type {
	return Type{
		Name:    name,
		Mutable: true,
		Traverse: func(_ Heap, o Body, visit func(Ref)) {
			visit(o.LoadRef(0))
			trap.step("Traverse")
			visit(o.LoadRef(1))
		},
		Block:  func(o Body) Ref { return o.LoadRef(2) },
		Forget: forget,
		Drop:   func(*Thread, Ref, Body) { trap.step("Drop") },
	}
}

// trapdoor calls end at the n-th visit of a place.
type trapdoor struct {
	place string
	n     int
	end   func()
}

func (d *trapdoor) step(place string) {
	if d.place != place {
		return
	}
	if d.n--; d.n == 0 {
		d.end()
	}
}

// newFaulty returns a new reference to a faulty object, and steals the slots.
func newFaulty(t *Thread, a, b Ref) Ref { return newFaultyOf(t, faultyType, a, b) }

func newFaultyOf(t *Thread, y *Type, a, b Ref) Ref {
	r, o, err := t.New(y, 12)
	if err != nil {
		panic(err)
	}
	block, _, err := t.NewBlock(r, 16)
	if err != nil {
		panic(err)
	}
	o.SetRef(0, a)
	o.SetRef(1, b)
	o.SetRef(2, block)
	return r
}

// faultyTree returns a node that holds a faulty object, and another one behind it.
func faultyTree(t *Thread) Ref {
	return newNode(t, newNode(t, newLeaf(t)), newFaulty(t, newLeaf(t), newLeaf(t)), newNode(t, newLeaf(t)))
}

// strike is a place in which a call does not return. do leads there. leaks is how many objects
// are left, since a dead object has given up only half of its references.
type strike struct {
	name  string
	leaks int
	modes string // letters: g is the GIL, a atomic counts, b biased ones; c is checked mode only
	do    func(th *Thread, end func())
}

var strikes = []strike{
	{"the function of Do", 0, "gab", func(th *Thread, end func()) { end() }},
	{"scopes", 0, "gab", func(th *Thread, end func()) {
		_ = th.Scope(func(s *Scope) {
			s.Own(newLeaf(th), nil)
			_ = th.Scope(func(s *Scope) { s.Own(newLeaf(th), nil); end() })
		})
	}},
	{"Blocking", 0, "gab", func(th *Thread, end func()) { th.Blocking(end) }},
	{"StopTheWorld", 0, "gab", func(th *Thread, end func()) { th.StopTheWorld(end) }},
	{"Immortally", 0, "gab", func(th *Thread, end func()) {
		x := newLeaf(th)
		_ = th.Immortally(func() error { newNode(th, x); end(); return nil })
	}},
	{"Traverse of an object that Immortally discards", 2, "gab", func(th *Thread, end func()) {
		a, b := newLeaf(th), newLeaf(th)
		_ = th.Immortally(func() error {
			newFaulty(th, newNode(th), a)
			newNode(th, b)
			trap = trapdoor{"Traverse", 1, end}
			return errors.New("discard")
		})
	}},
	{"a finalizer at a checkpoint", 0, "gab", func(th *Thread, end func()) {
		finalized = func(*Thread, Ref) { end() }
		th.DecRef(newFinal(th, newLeaf(th)))
		th.Checkpoint()
	}},
	{"finalizers at Detach", 0, "gab", func(th *Thread, end func()) {
		finalized = func(*Thread, Ref) { end() }
		th.DecRefs([]Ref{newFinal(th, newFinal(th, Nil)), newFinal(th, Nil)})
	}},
	{"a finalizer that is due by detaching", 0, "ab", func(th *Thread, end func()) {
		finalized = func(*Thread, Ref) { end() }
		n := newNode(th, newFinal(th, newLeaf(th)))
		setSlot(th, n, 0, Nil)
		th.DecRef(n)
	}},
	{"a finalizer in a collection", 0, "gab", func(th *Thread, end func()) {
		finalized = func(*Thread, Ref) { end() }
		x := newFinal(th, Nil)
		th.Body(x).StoreRef(0, newFinal(th, x))
		th.Collect()
	}},
	{"a finalizer in a collection, and a death as it ends", 1, "gab", func(th *Thread, end func()) {
		endings = 2
		finalized = func(th *Thread, r Ref) {
			th.DecRef(th.Body(r).SwapRef(0, Nil)) // the collection has the last reference
			panic("reported")
		}
		onError = func(error) { trap = trapdoor{"Traverse", 1, end}; end() }
		x := newFinal(th, Nil)
		th.Body(x).StoreRef(0, newFaulty(th, x, newLeaf(th)))
		th.Collect()
	}},
	{"a callback, in a scope", 0, "gab", func(th *Thread, end func()) {
		x := newLeaf(th)
		w := newWatch(th, x, func(th *Thread) {
			_ = th.Scope(func(s *Scope) { s.Own(newLeaf(th), nil); end() })
		})
		defer th.DecRef(w)
		th.DecRef(x)
		th.Checkpoint()
	}},
	{"a callback, in Immortally", 0, "gab", func(th *Thread, end func()) {
		_ = th.Immortally(func() error { th.Later(func(*Thread) { end() }); th.Checkpoint(); newLeaf(th); return nil })
	}},
	{"a callback that releases too much", 0, "c", func(th *Thread, end func()) {
		th.Later(func(*Thread) { n := faultyNode(th); th.DecRef(n) })
		th.Checkpoint()
	}},
	{"calls outside the world", 0, "gab", func(th *Thread, end func()) {
		done := 0
		for range 3 {
			th.LaterBlocking(func() { done++; end() })
		}
		th.Later(func(*Thread) {
			if done != 3 {
				strikeError = fmt.Errorf("%d of 3 calls came before", done)
			}
		})
		th.Checkpoint()
	}},
	{"OnError", 0, "gab", func(th *Thread, end func()) {
		onError = func(error) { end() }
		finalized = func(*Thread, Ref) { panic("reported") }
		th.DecRefs([]Ref{newFinal(th, newLeaf(th)), newFinal(th, newLeaf(th))})
		th.Checkpoint()
	}},
	{"OnError at Detach", 0, "gab", func(th *Thread, end func()) {
		onError = func(error) { end() }
		th.Later(func(*Thread) { panic("reported") })
	}},
	{"Traverse in a death", 1, "gab", func(th *Thread, end func()) {
		trap = trapdoor{"Traverse", 1, end}
		th.DecRef(faultyTree(th))
	}},
	{"Traverse in a death, and another death before a checkpoint", 1, "gab", func(th *Thread, end func()) {
		trap = trapdoor{"Traverse", 1, end}
		defer func() {
			th.DecRef(newNode(th, newLeaf(th)))
			if th.Checkpoint(); th.dying != Nil || th.deadTop != Nil {
				strikeError = errors.New("a safe point did not free the dead objects")
			}
		}()
		th.DecRef(faultyTree(th))
	}},
	{"Traverse in a death, while others run", 1, "gab", func(th *Thread, end func()) {
		trap = trapdoor{"Traverse", 1, end}
		th.Later(func(*Thread) { th.DecRef(faultyTree(th)) })
		th.LaterBlocking(func() {
			if _, err := th.rt.Collect(); err != nil || th.dying != Nil {
				strikeError = fmt.Errorf("a stop did not free the dead objects: %v", err)
			}
		})
		th.Checkpoint()
	}},
	{"a death twice, and another birth there", 0, "a", func(th *Thread, _ func()) {
		n := newNode(th, Nil)
		th.DecRef(n)
		func() {
			defer func() { _ = recover() }()
			th.DecRef(n)
		}()
		strikeError = errors.New("the new object was freed")
		x := newNode(th, Nil)
		th.Checkpoint()
		th.DecRef(x)
		strikeError = nil
	}},
	{"Traverse in four deaths of one cascade", 4, "gab", func(th *Thread, end func()) {
		endings = 4
		trap = trapdoor{"Traverse", 1, func() { trap.n = 1; end() }}
		th.DecRef(newNode(th, faultyTree(th), faultyTree(th), newNode(th, faultyTree(th), faultyTree(th))))
	}},
	{"Traverse in the death of a target", 1, "gab", func(th *Thread, end func()) {
		trap = trapdoor{"Traverse", 1, end}
		x := newFaulty(th, newLeaf(th), newLeaf(th))
		th.DecRef(newWatch(th, x, nil))
		defer func() {
			if th.Checkpoint(); th.LockFree() && th.memory.Len() == 0 {
				strikeError = errors.New("the memory of an object from a table waits for no grace period")
			}
		}()
		th.DecRef(newNode(th, x, newNode(th, newLeaf(th))))
	}},
	{"Drop in a death", 2, "gab", func(th *Thread, end func()) {
		trap = trapdoor{"Drop", 1, end}
		th.DecRef(faultyTree(th))
	}},
	{"Forget in a death", 2, "gab", func(th *Thread, end func()) {
		trap = trapdoor{"Forget", 1, end}
		x := newFaultyOf(th, tableType, newLeaf(th), newLeaf(th))
		th.SetWeak(x)
		defer func() {
			if th.Checkpoint(); th.header(x).Meta()&metaPoison == 0 {
				strikeError = errors.New("the memory of an object in a table is free")
			}
		}()
		th.DecRef(newNode(th, x, newNode(th, newLeaf(th))))
	}},
	{"Traverse in a collection's stop", 0, "gab", func(th *Thread, end func()) {
		trap = trapdoor{"Traverse", 1, end}
		x := newFaulty(th, Nil, newLeaf(th))
		defer th.DecRef(x)
		th.Collect()
	}},
	{"Traverse of garbage", 1, "gab", func(th *Thread, end func()) {
		x := newFaulty(th, Nil, newLeaf(th))
		th.Body(x).StoreRef(0, newNode(th, x, newLeaf(th), newNode(th, newLeaf(th))))
		trap = trapdoor{"Traverse", 2, end} // the first call counts
		th.Collect()
	}},
	{"Traverse in an audit", 0, "gab", func(th *Thread, end func()) {
		trap = trapdoor{"Traverse", 1, end}
		x := newFaulty(th, Nil, newLeaf(th))
		defer th.DecRef(x)
		_ = th.Audit(x)
	}},
	{"Traverse in Immortalize", 0, "gab", func(th *Thread, end func()) {
		trap = trapdoor{"Traverse", 1, end}
		x := newFaulty(th, newLeaf(th), newLeaf(th))
		defer th.DecRef(x)
		_ = th.Immortalize(x)
	}},
	{"Copy in Freeze", 0, "gab", func(th *Thread, end func()) {
		trap = trapdoor{"Copy", 1, end}
		x, _, _ := th.New(uncopiedType, 4)
		defer th.DecRef(x)
		_, _ = th.Freeze(x)
	}},
	{"a deferred death", 1, "ab", func(th *Thread, end func()) {
		trap = trapdoor{"Traverse", 1, end}
		n := newNode(th, faultyTree(th), newNode(th, newLeaf(th)))
		setSlot(th, n, 0, Nil)
		setSlot(th, n, 1, Nil)
		th.DecRef(n)
	}},
	{"a deferred death, followed by the death of an object from a table", 1, "ab", func(th *Thread, end func()) {
		trap = trapdoor{"Traverse", 1, end}
		x := newLeaf(th)
		th.SetWeak(x) // its memory waits for a grace period
		n := newNode(th, faultyTree(th), newNode(th, x))
		setSlot(th, n, 0, Nil)
		setSlot(th, n, 1, Nil)
		th.DecRef(n)
	}},
	{"a death among orphans", 1, "ab", func(th *Thread, end func()) {
		trap = trapdoor{"Traverse", 1, end}
		other := must(th.rt.Attach())
		n := newNode(other, faultyTree(other), newNode(other, newLeaf(other)))
		setSlot(other, n, 0, Nil) // not due before th has been at a safe point
		setSlot(other, n, 1, Nil)
		other.DecRef(n)
		other.Detach()
		th.Checkpoint()
		th.Checkpoint()
	}},
	{"a death for an absent owner", 1, "b", func(th *Thread, end func()) {
		trap = trapdoor{"Traverse", 1, end}
		other := must(th.rt.Attach())
		n, x := newNode(other, faultyTree(other), newNode(other, newLeaf(other))), newNode(other, newLeaf(other))
		other.Detach()
		th.DecRef(x)
		th.DecRef(n)
	}},
	{"a death by merging what others have dropped", 1, "b", func(th *Thread, end func()) {
		trap = trapdoor{"Traverse", 1, end}
		refs := []Ref{faultyTree(th), newNode(th, newLeaf(th)), newNode(th, newLeaf(th))}
		other := must(th.rt.Attach())
		other.DecRefs(refs)
		other.Detach()
		th.Checkpoint()
	}},
	{"a death by merging at Detach", 1, "b", func(th *Thread, end func()) {
		refs := []Ref{faultyTree(th), newNode(th, newLeaf(th)), newNode(th, newLeaf(th))}
		th.Later(func(*Thread) { // the checkpoint of Detach has merged
			trap = trapdoor{"Traverse", 1, end}
			other := must(th.rt.Attach())
			other.DecRefs(refs)
			other.Detach()
		})
	}},
	{"a death by merging at Blocking", 1, "b", func(th *Thread, end func()) {
		refs := []Ref{faultyTree(th), newNode(th, newLeaf(th)), newNode(th, newLeaf(th))}
		th.Later(func(*Thread) {
			trap = trapdoor{"Traverse", 1, end}
			other := must(th.rt.Attach())
			other.DecRefs(refs)
			other.Detach()
		})
		defer func() {
			if th.queue.state.Load() != attached {
				strikeError = errors.New("the thread is attached, and its queue is not")
			}
		}()
		th.Blocking(func() { strikeError = errors.New("Blocking has gone on") })
	}},
	{"two deaths by merging at Detach", 2, "b", func(th *Thread, end func()) {
		refs := []Ref{faultyTree(th), newNode(th, newLeaf(th)), faultyTree(th), newNode(th, newLeaf(th))}
		endings = 2
		th.Later(func(*Thread) {
			trap = trapdoor{"Traverse", 1, func() { trap.n = 1; end() }}
			other := must(th.rt.Attach())
			other.DecRefs(refs)
			other.Detach()
		})
	}},
	{"a reference released twice, once retired", 0, "c", func(th *Thread, end func()) {
		th.DecRef(faultyNode(th))
	}},
	{"a child released twice, and another one behind it", 1, "c", func(th *Thread, end func()) {
		x := newLeaf(th)
		n := newNode(th, newNode(th, newLeaf(th)), x, newLeaf(th))
		th.DecRef(x)
		th.DecRef(n)
	}},
}

// faultyNode returns a node that holds a dead object.
func faultyNode(th *Thread) Ref {
	x := newLeaf(th)
	n := newNode(th, x)
	th.DecRef(x)
	return n
}

var (
	onError     func(error)
	strikeError error
	endings     int // how often end has to end a call
)

// TestSurvives has user code panic or end its goroutine, or misuse show, in every possible
// place between attach and detach. The thread is detached all the same, no lock is held, and
// other threads and Close go on as usual. The references that a strike has kept from being
// given up are leaks, and nothing else is.
func TestSurvives(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		for _, s := range strikes {
			letter := map[bool]rune{true: 'g'}[o.Mode == GIL]
			if o.Mode == LockFree {
				letter = map[Counting]rune{Atomic: 'a', Biased: 'b'}[o.Counting]
			}
			if !containsRune(s.modes, letter) && !(o.Checked && s.modes == "c") {
				continue
			}
			for name, end := range ends {
				t.Run(s.name+"/"+name, func(t *testing.T) { survives(t, o, s, end) })
			}
		}
	})
}

func containsRune(s string, r rune) bool {
	for _, x := range s {
		if x == r {
			return true
		}
	}
	return false
}

func survives(t *testing.T, o Options, s strike, end func()) {
	endings = 1
	once := func() {
		if endings--; endings >= 0 {
			end()
		}
	}
	finalized, onError, strikeError, trap = func(*Thread, Ref) {}, func(error) {}, nil, trapdoor{}
	o.OnError = func(err error) { onError(err) }
	o.CollectAfter = -1
	r := newRuntime(t, o)
	within(t, "the thread", func() {
		defer func() { _ = recover() }()
		_ = r.Do(func(th *Thread) error { s.do(th, once); return nil })
	})
	onError, trap = func(error) {}, trapdoor{}
	for _, x := range r.mu.idle {
		if x.dying != Nil || x.deadTop != Nil || len(x.pending)+len(x.holds)+len(x.owned)+x.depth > 0 || x.running || x.stopped || x.region != nil {
			t.Errorf("thread %d is in the middle of something, although it is in the pool", x.owner)
		}
		if o.Mode == LockFree && x.waits() {
			t.Errorf("thread %d has retired something, although it is in the pool", x.owner)
		}
	}
	if n := r.Memory().Attached; n != 0 {
		t.Fatalf("%d threads are attached", n)
	}
	within(t, "another thread", func() {
		must0(t, r.Run(context.Background(), 2, func(_ context.Context, th *Thread, _ int) error {
			for range 3 {
				th.Collect()
				th.DecRef(newNode(th, newLeaf(th)))
			}
			return nil
		}))
		if s.leaks == 0 && s.modes != "c" {
			must0(t, r.Do(func(th *Thread) error { return th.Audit() }))
		}
	})
	within(t, "Close", func() {
		leaks := 0
		var leak *LeakError
		if err := r.Close(); errors.As(err, &leak) {
			for _, x := range leak.Types {
				leaks += x.Count
			}
		} else if err != nil {
			t.Error(err)
		}
		if leaks != s.leaks {
			t.Errorf("%d objects are left, want %d", leaks, s.leaks)
		}
	})
	if strikeError != nil {
		t.Error(strikeError)
	}
}

// within runs f on another goroutine, which f may end, and fails the test if f takes far longer
// than it should.
func within(t *testing.T, what string, f func()) {
	t.Helper()
	over := make(chan struct{})
	go func() { defer close(over); f() }()
	select {
	case <-over:
	case <-time.After(time.Minute):
		t.Fatalf("%s: no end", what)
	}
}

// TestCloseSurvives checks that Close completes even if user code ends its goroutine.
func TestCloseSurvives(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		for name, end := range ends {
			t.Run(name, func(t *testing.T) {
				o.OnError = func(error) { end() }
				r := newRuntime(t, o)
				must0(t, r.Do(func(th *Thread) error {
					l := newNode(th, Nil)
					must0(t, th.Immortalize(l))
					x := newLeaf(th)
					w := newWatch(th, x, func(*Thread) { end() })
					must0(t, th.Immortalize(w))
					setSlot(th, l, 0, x)
					th.DecRef(x)
					return nil
				}))
				within(t, "Close", func() {
					defer func() { _ = recover() }()
					_ = r.Close()
				})
				if !r.ending || o.Mode == GIL && r.gil.Holder() != nil || o.Mode == LockFree && len(r.world.Members()) > 0 {
					t.Error("Close has stopped half-way")
				}
				if err := r.Close(); err != ErrClosed {
					t.Errorf("another Close: %v", err)
				}
			})
		}
	})
}

// endHandler is a log handler that ends in the given way.
type endHandler struct{ end func() }

func (endHandler) Enabled(context.Context, slog.Level) bool    { return true }
func (h endHandler) Handle(context.Context, slog.Record) error { h.end(); return nil }
func (h endHandler) WithAttrs([]slog.Attr) slog.Handler        { return h }
func (h endHandler) WithGroup(string) slog.Handler             { return h }

// TestLogSurvives checks that a log that panics, or ends its goroutine, does not prevent a stop
// of the world, or a switch of the GIL.
func TestLogSurvives(t *testing.T) {
	needsThreads(t)
	defer func(d time.Duration, l *slog.Logger) { stallWarning = d; slog.SetDefault(l) }(stallWarning, slog.Default())
	stallWarning = time.Millisecond
	for name, end := range ends {
		for _, m := range []Mode{GIL, LockFree} {
			t.Run(m.String()+"/"+name, func(t *testing.T) {
				told := make(chan struct{})
				var once sync.Once
				slog.SetDefault(slog.New(endHandler{func() { once.Do(func() { close(told) }); end() }}))
				r := newRuntime(t, Options{Mode: m})
				th := must(r.Attach())
				stopped := make(chan error)
				go func() { _, err := r.Collect(); stopped <- err }()
				<-told
				th.Detach()
				must0(t, <-stopped)
				must0(t, r.Close())
			})
		}
	}
}
