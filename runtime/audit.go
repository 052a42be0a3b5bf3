package runtime

import (
	"fmt"
	"slices"

	"github.com/ichor-go/ichor/internal/arena"
	"github.com/ichor-go/ichor/internal/fault"
)

// AuditError lists what an audit has found wrong.
type AuditError struct{ Findings []string }

func (e *AuditError) Error() string {
	n := len(e.Findings)
	s := fmt.Sprintf("%saudit: %d findings", fault.Prefix, n)
	for _, f := range e.Findings[:min(n, 10)] {
		s += "\n  " + f
	}
	return s
}

// Audit adds up every reference in the heap, with the world stopped, and compares the sums with
// the counts:
//
//	local + shared count = references in objects + in scopes + of finalizers + on hold + held
//
// This holds for every mortal object. The references of finalizers are one for each object
// whose finalizer is due or running. On hold are the references that calls of the library in
// progress hold, on any thread (a loop over a List or a Dict, FromJSON, Freeze, a collection
// that runs finalizers), and those announced by Thread.Hold. held are the other references that
// the program owns, which Audit borrows, one entry for each count.
//
// Audit also finds references that do not lead to objects, and blocks that belong to no object
// or to two, and it checks the arena. It releases retired references first. The error is an
// *AuditError. A safe point. Attached thread.
func (t *Thread) Audit(held ...Ref) error {
	a := audit{t: t, sums: map[Ref]int64{}, blocks: map[Ref]Ref{}}
	t.StopTheWorld(func() {
		t.settle()
		a.run(held)
	})
	if len(a.findings) > 0 {
		slices.Sort(a.findings)
		return &AuditError{a.findings}
	}
	return nil
}

type audit struct {
	t        *Thread
	sums     map[Ref]int64 // number of references found, by mortal object
	blocks   map[Ref]Ref   // owner of each block
	findings []string
}

func (a *audit) run(held []Ref) {
	t := a.t
	t.rt.space.Check()
	t.rt.eachObject(func(r Ref) {
		if t.header(r).Owner() >= 0 {
			a.sums[r] += 0
		}
	})
	t.rt.eachObject(func(r Ref) {
		y := typeOf(t.header(r).Meta())
		if y == nil {
			a.find("%s has an unknown type", r)
			return
		}
		if y.Block != nil {
			a.addBlock(r, y.Block(t.Body(r)))
		}
		if y.Traverse != nil {
			from := func() string { return y.String() + " " + r.String() }
			y.Traverse(t.Heap, t.Body(r), func(c Ref) { a.add(c, from) })
		}
	})
	t.rt.space.Walk(arena.Blocks, func(h uint32) bool {
		if _, ok := a.blocks[refAt(h)]; !ok {
			a.find("block %s belongs to no object", refAt(h))
		}
		return true
	})
	for _, x := range t.rt.threadsAnd(t) {
		for _, r := range x.owned {
			a.add(r, said("a scope"))
		}
		a.add(x.finalizing, said("a finalizer that is running"))
		for _, h := range x.holds {
			h.held(func(r Ref) { a.add(r, said("a call under way")) })
		}
	}
	for _, x := range a.waiting() {
		a.add(x.ref, said("a waiting finalizer"))
	}
	for _, r := range held {
		a.add(r, said("the caller"))
	}
	for r, sum := range a.sums {
		h := t.header(r)
		if n, ok := h.Count(); ok && n != sum && !h.IsSticky() {
			a.find("%s %s counts %d references, found %d", typeOf(h.Meta()), r, n, sum)
		}
	}
}

// waiting returns the user code that is due.
func (a *audit) waiting() (all []pending) {
	l := &a.t.rt.left
	l.mu.Lock()
	all = slices.Clone(l.list)
	l.mu.Unlock()
	for _, x := range a.t.rt.threadsAnd(a.t) {
		all = append(all, x.pending...)
	}
	return all
}

// add notes a reference to r. from says where it is, and is called for a finding only.
func (a *audit) add(r Ref, from func() string) {
	if r.IsFrozen() && a.t.rt.frozenAt(r) == nil {
		a.find("%s refers to %s, in a graph that was unloaded", from(), r)
	}
	if r.IsNil() || r.Handle >= Limit {
		return
	}
	if _, ok := a.sums[r]; ok {
		a.sums[r]++
		return
	}
	if p, _, ok := a.t.rt.space.Block(uint32(r.Handle)); !ok || p > arena.Containers || a.t.header(r).Owner() >= 0 {
		a.find("%s refers to %s, which is not a live object", from(), r)
	}
}

// said returns a constant text, for add.
func said(text string) func() string { return func() string { return text } }

// addBlock notes that block b belongs to the object r.
func (a *audit) addBlock(r, b Ref) {
	if b.IsNil() || b.Handle >= Limit {
		return
	}
	if other, ok := a.blocks[b]; ok {
		a.find("block %s belongs to %s and to %s", b, other, r)
	}
	a.blocks[b] = r
	if p, _, ok := a.t.rt.space.Block(uint32(b.Handle)); !ok || p != arena.Blocks {
		a.find("%s has its contents in %s, which is not a live block", r, b)
	}
}

func (a *audit) find(format string, args ...any) {
	a.findings = append(a.findings, fmt.Sprintf(format, args...))
}
