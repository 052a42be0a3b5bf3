//go:build explore

package explore

import (
	"errors"
	"fmt"
	"slices"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

var scenarios = slices.Concat(countScenarios, stopScenarios, listScenarios, dictScenarios, dictCallScenarios, cellScenarios, freezeScenarios, leaseScenarios)

// leafType is the type of objects without references.
var leafType = must(rt.DefineType(rt.Type{Name: "explored leaf"}))

// leaf makes an object that thread 0 owns, with one reference for each entry of the
// result.
func (s *stage) leaf(refs int) rt.Ref {
	r, _, err := s.t[0].New(leafType, 4)
	ok(err)
	for range refs - 1 {
		s.t[0].IncRef(r)
	}
	return r
}

// phoenixType is the type of objects whose finalizer keeps them, in a list that the object holds.
var phoenixType = must(rt.DefineType(rt.Type{
	Name: "explored phoenix", Mutable: true,
	Traverse: func(_ rt.Heap, o rt.Body, visit func(rt.Ref)) { visit(o.LoadRef(0)) },
	Finalize: func(t *rt.Thread, r rt.Ref) {
		ok(objects.List(t.Body(r).LoadRef(0)).Append(t, r))
	},
}))

// phoenix makes an object whose finalizer must be called once in the scenario. The caller owns
// its first reference, and thread 0 owns the object.
func (s *stage) phoenix() rt.Ref {
	l := must(objects.NewList(s.t[0]))
	s.own(l)
	r, o, err := s.t[0].New(phoenixType, 4)
	ok(err)
	s.t[0].IncRef(l)
	o.SetRef(0, l)
	s.last = func(t *rt.Thread) error { // the object and the list form a cycle
		t.Checkpoint()
		if n := objects.List(l).Len(t); n != 1 {
			return fmt.Errorf("the finalizer was called %d times", n)
		}
		return objects.List(l).Clear(t)
	}
	return r
}

// weakOf makes a weak reference to r, which the test holds.
func (s *stage) weakOf(r rt.Ref) objects.Weak {
	w := must(objects.NewWeak(s.t[0], r))
	s.own(w)
	return objects.Weak(w)
}

// mournedType is the type of objects that may refer to themselves, and count their finalizations.
var (
	mournedType = must(rt.DefineType(rt.Type{
		Name: "explored mourned", Mutable: true,
		Traverse: func(_ rt.Heap, o rt.Body, visit func(rt.Ref)) { visit(o.LoadRef(0)) },
		Finalize: func(t *rt.Thread, r rt.Ref) {
			mourned++
			t.DecRef(t.Body(r).SwapRef(0, rt.Nil))
		},
	}))
	mourned int
)

// mourned makes an object with a weak reference to it. The check fails if a thread has got the
// object from the weak reference and keeps it, although it was finalized.
func (s *stage) mourned() (x rt.Ref, w objects.Weak, check func() error) {
	mourned = 0
	x, _, err := s.t[0].New(mournedType, 4)
	ok(err)
	w = s.weakOf(x)
	return x, w, func() error {
		for _, r := range s.held {
			if r == x && mourned > 0 {
				return fmt.Errorf("Weak.Get returned %s, which is held, and was finalized", r)
			}
		}
		return nil
	}
}

// keep follows w and keeps the reference.
func (s *stage) keep(t *rt.Thread, w objects.Weak) {
	if r, found := w.Get(t); found {
		s.own(r)
	}
}

// getsTheLiving makes thread i give up an object with a finalizer, while thread i+1 follows a
// weak reference to it.
func (s *stage) getsTheLiving(i int, die func(t *rt.Thread, x rt.Ref)) rt.Ref {
	x, w, check := s.mourned()
	s.also = check
	s.run(i, func(t *rt.Thread) { die(t, x) })
	s.run(i+1, func(t *rt.Thread) { s.keep(t, w) })
	return x
}

// got follows w and gives the reference up. It reports whether there was one.
func got(t *rt.Thread, w objects.Weak) bool {
	r, found := w.Get(t)
	if found {
		t.DecRef(r)
	}
	return found
}

// Every pair of an operation that changes a header and one that can run concurrently.
var countScenarios = []scenario{
	{"inc and dec against inc and dec", "abg", func(s *stage) {
		s.enter(2)
		x := s.leaf(2)
		s.own(x, x)
		for i := range 2 {
			s.run(i, func(t *rt.Thread) { t.IncRef(x); t.DecRef(x) })
		}
	}},
	{"two last references", "ab", func(s *stage) {
		s.enter(2)
		x := s.leaf(2)
		for i := range 2 {
			s.run(i, func(t *rt.Thread) { t.DecRef(x) })
		}
	}},
	{"three last references", "ab", func(s *stage) {
		s.enter(3)
		x := s.leaf(3)
		for i := range 3 {
			s.run(i, func(t *rt.Thread) { t.DecRef(x) })
		}
	}},
	{"births where others have died, against a count", "ab", func(s *stage) {
		s.enter(2)
		x := s.leaf(0)
		s.run(0, func(t *rt.Thread) {
			for range 2 { // a float, an object without references, and a container with a block
				f, l := must(objects.NewFloat(t, 1.5)), must(objects.NewList(t))
				ok(objects.List(l).AppendSteal(t, boxed(t, 1)))
				t.IncRef(f)
				t.DecRefs([]rt.Ref{l, f, f})
			}
		})
		s.run(1, func(t *rt.Thread) { t.IncRef(x); t.DecRef(x) })
		s.own(x)
	}},
	{"the first births of a thread, against a checkpoint", "ab", func(s *stage) {
		s.enter(2)
		s.run(0, func(t *rt.Thread) {
			for range 2 { // the second ones where the first have died, before the thread has magazines
				f, n := must(objects.NewFloat(t, 1.5)), boxed(t, 1)
				t.IncRefs([]rt.Ref{f, n})
				t.DecRefs([]rt.Ref{f, n, f, n})
			}
		})
		s.run(1, func(t *rt.Thread) { t.Checkpoint() })
	}},
	{"slices of references", "ab", func(s *stage) {
		s.enter(2)
		x, y := s.leaf(2), s.leaf(2)
		for i := range 2 {
			s.run(i, func(t *rt.Thread) { t.IncRefs([]rt.Ref{x, y}); t.DecRefs([]rt.Ref{x, y, x, y}) })
		}
	}},
	{"queue against the owner's last reference", "b", func(s *stage) {
		s.enter(2)
		x := s.leaf(3)
		s.run(0, func(t *rt.Thread) { t.DecRef(x) })
		s.run(1, func(t *rt.Thread) { t.DecRef(x); t.DecRef(x) })
	}},
	{"queue against the owner's checkpoint", "b", func(s *stage) {
		s.enter(2)
		x := s.leaf(2)
		s.own(x)
		s.run(0, func(t *rt.Thread) { t.Checkpoint(); t.IncRef(x); t.DecRef(x) })
		s.run(1, func(t *rt.Thread) { t.DecRef(x) })
	}},
	{"two threads that queue", "b", func(s *stage) {
		s.enter(3)
		x := s.leaf(3)
		s.run(0, func(t *rt.Thread) { t.DecRef(x); t.Checkpoint() })
		s.run(1, func(t *rt.Thread) { t.DecRef(x) })
		s.run(2, func(t *rt.Thread) { t.DecRef(x) })
	}},
	{"queue against inc by another", "b", func(s *stage) {
		s.enter(3)
		x := s.leaf(3)
		s.own(x, x)
		s.run(0, func(t *rt.Thread) { t.Checkpoint() })
		s.run(1, func(t *rt.Thread) { t.DecRef(x) })
		s.run(2, func(t *rt.Thread) { t.IncRef(x); t.DecRef(x) })
	}},
	{"queue against the owner's end", "b", func(s *stage) {
		s.enter(2)
		x := s.leaf(2)
		s.own(x)
		s.run(0, func(t *rt.Thread) { t.Detach(); s.t[0] = nil })
		s.run(1, func(t *rt.Thread) { t.DecRef(x) })
	}},
	{"queue against the owner's end, with a finalizer", "b", func(s *stage) {
		s.enter(2)
		r := s.phoenix()
		s.t[0].IncRef(r)
		s.run(0, func(t *rt.Thread) { t.DecRef(r); t.Detach(); s.t[0] = nil })
		s.run(1, func(t *rt.Thread) { t.DecRef(r) })
	}},
	{"queue against a merge by the owner's last reference", "b", func(s *stage) {
		// Thread 2 hands over references that are counted in the shared word. So the owner
		// gives up more references than are counted in the local word, and the object has no
		// owner when it gets to the queue.
		s.enter(3)
		x := s.leaf(3)
		s.own(x)
		given := &tally{}
		s.run(0, func(t *rt.Thread) {
			t.DecRef(x)
			for ; given.add(0) > 0; given.add(-1) {
				s.disown(x)
				t.DecRef(x)
			}
		})
		s.run(1, func(t *rt.Thread) { t.DecRef(x) })
		s.run(2, func(t *rt.Thread) {
			t.IncRef(x)
			t.IncRef(x)
			s.own(x, x)
			given.add(2)
		})
	}},
	{"disowning against counts by another", "b", func(s *stage) {
		s.enter(2)
		x := s.leaf(2)
		s.run(0, func(t *rt.Thread) { t.Disown(x); t.IncRef(x); t.DecRef(x); t.DecRef(x) })
		s.run(1, func(t *rt.Thread) { t.IncRef(x); t.DecRef(x); t.DecRef(x) })
	}},
	{"disowning against the queue", "b", func(s *stage) {
		s.enter(2)
		x := s.leaf(2)
		s.run(0, func(t *rt.Thread) { t.Disown(x); t.Checkpoint(); t.Disown(x); t.DecRef(x) })
		s.run(1, func(t *rt.Thread) { t.DecRef(x) })
	}},
	{"merge for an owner that is away", "b", func(s *stage) {
		s.enter(3)
		x := s.leaf(2)
		s.t[0].Detach()
		s.t[0] = nil
		s.run(1, func(t *rt.Thread) { t.DecRef(x) })
		s.run(2, func(t *rt.Thread) { t.DecRef(x) })
	}},
	{"merge for an owner that comes back", "b", func(s *stage) {
		s.enter(2)
		x := s.leaf(2)
		s.own(x)
		s.t[0].Detach()
		s.t[0] = nil
		s.threads = append(s.threads, func() { s.t[0] = must(s.r.Attach()); s.t[0].IncRef(x); s.t[0].DecRef(x) })
		s.run(1, func(t *rt.Thread) { t.DecRef(x) })
	}},
	{"a death against a reference to a child", "ab", func(s *stage) {
		s.enter(2)
		x := s.leaf(2)
		l := must(objects.NewListSteal(s.t[0], x))
		s.run(0, func(t *rt.Thread) { t.DecRef(l) })
		s.run(1, func(t *rt.Thread) { t.DecRef(x) })
	}},
	{"weak get against the last reference", "ab", func(s *stage) {
		s.enter(2)
		x := s.leaf(1)
		w := s.weakOf(x)
		s.run(0, func(t *rt.Thread) { t.DecRef(x) })
		s.run(1, func(t *rt.Thread) { got(t, w) })
	}},
	{"weak get against a foreign last reference", "ab", func(s *stage) {
		s.enter(3)
		x := s.leaf(1)
		w := s.weakOf(x)
		s.run(1, func(t *rt.Thread) { t.DecRef(x) })
		s.run(2, func(t *rt.Thread) { got(t, w) })
	}},
	{"weak get against weak get and a death", "ab", func(s *stage) {
		s.enter(3)
		x := s.leaf(1)
		w := s.weakOf(x)
		s.run(0, func(t *rt.Thread) { t.DecRef(x) })
		s.run(1, func(t *rt.Thread) { got(t, w) })
		s.run(2, func(t *rt.Thread) { got(t, w) })
	}},
	{"a new weak reference against a death", "ab", func(s *stage) {
		s.enter(2)
		x := s.leaf(2)
		s.run(0, func(t *rt.Thread) { t.DecRef(x) })
		s.run(1, func(t *rt.Thread) { s.own(must(objects.NewWeak(t, x))); t.DecRef(x) })
	}},
	{"the death of a weak reference against its target's", "ab", func(s *stage) {
		s.enter(2)
		x := s.leaf(1)
		w := must(objects.NewWeak(s.t[0], x))
		s.run(0, func(t *rt.Thread) { t.DecRef(x) })
		s.run(1, func(t *rt.Thread) { t.DecRef(w) })
	}},
	{"resurrection against weak get", "ab", func(s *stage) {
		s.enter(2)
		r := s.phoenix()
		w := s.weakOf(r)
		s.run(0, func(t *rt.Thread) { t.DecRef(r); t.Checkpoint() })
		s.run(1, func(t *rt.Thread) { got(t, w) })
	}},
	{"weak get against a death with a finalizer", "ab", func(s *stage) {
		s.enter(2)
		s.getsTheLiving(0, func(t *rt.Thread, x rt.Ref) { t.DecRef(x); t.Checkpoint() })
	}},
	{"weak get against a foreign death with a finalizer", "a", func(s *stage) {
		s.enter(3)
		s.getsTheLiving(1, func(t *rt.Thread, x rt.Ref) { t.DecRef(x); t.Checkpoint() })
	}},
	{"weak get against a merge that leads to a finalizer", "b", func(s *stage) {
		s.enter(2)
		x := s.getsTheLiving(0, func(t *rt.Thread, x rt.Ref) { t.Checkpoint() })
		s.t[1].DecRef(x) // queued for thread 0
	}},
	{"weak get by the owner against a foreign death with a finalizer", "b", func(s *stage) {
		s.enter(2)
		x, w, check := s.mourned()
		s.also = check
		s.run(0, func(t *rt.Thread) { s.keep(t, w); t.Checkpoint() })
		s.run(1, func(t *rt.Thread) { t.DecRef(x); t.Checkpoint() })
	}},
	{"interning one text", "ab", func(s *stage) {
		s.enter(2)
		var refs [2]rt.Ref
		for i := range 2 {
			s.run(i, func(t *rt.Thread) { refs[i] = must(objects.Intern(t, "text")); s.own(refs[i]) })
		}
		s.also = func() error {
			if refs[0] != refs[1] {
				return errors.New("one text has been interned twice")
			}
			return nil
		}
	}},
	{"interning against the text's death", "ab", func(s *stage) {
		s.enter(2)
		x := must(objects.Intern(s.t[0], "text"))
		s.run(0, func(t *rt.Thread) { t.DecRef(x) })
		s.run(1, func(t *rt.Thread) { s.own(must(objects.Intern(t, "text"))) })
	}},
}
