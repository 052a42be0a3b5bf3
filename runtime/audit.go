package runtime

import (
	"fmt"
	"slices"

	"github.com/ichor-go/ichor/internal/arena"
	"github.com/ichor-go/ichor/internal/fault"
	"github.com/ichor-go/ichor/internal/heapfile"
	"github.com/ichor-go/ichor/internal/heapgraph"
	"github.com/ichor-go/ichor/sched"
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
	for _, h := range t.findRoots().holders {
		for _, handle := range h.Handles {
			a.add(refAt(handle), said(h.Name))
		}
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

// roots are the counts that neither objects nor Go variables hold.
type roots struct {
	holders []heapfile.Holder
	dead    map[Ref]struct{} // memory that waits for a grace period
}

// findRoots returns all roots, of attached threads and of what absent ones have left. World
// stopped.
func (t *Thread) findRoots() roots {
	all := roots{dead: map[Ref]struct{}{}}
	add := func(kind heapgraph.Kind, name string, each func(add func(Ref))) {
		h := heapfile.Holder{Kind: kind, Name: name}
		each(func(r Ref) {
			if !r.IsNil() && r.Handle < selfBase {
				h.Handles = append(h.Handles, uint32(r.Handle))
			}
		})
		if len(h.Handles) > 0 {
			all.holders = append(all.holders, h)
		}
	}
	waiting := func(name string, lists ...*sched.Deferred[retired]) {
		add(heapgraph.Retired, name, func(add func(Ref)) {
			for _, l := range lists {
				l.Each(func(x retired) {
					switch x.kind {
					case aCount:
						add(x.ref)
					case aMemory:
						all.dead[x.ref] = struct{}{}
					}
				})
			}
		})
	}
	due := func(list []pending) func(add func(Ref)) {
		return func(add func(Ref)) {
			for _, p := range list {
				add(p.ref)
			}
		}
	}
	for _, x := range t.rt.threadsAnd(t) {
		name := x.name()
		add(heapgraph.Scope, "a scope of "+name, func(add func(Ref)) {
			for _, r := range x.owned {
				add(r)
			}
		})
		add(heapgraph.Call, "a call in progress on "+name, func(add func(Ref)) {
			for _, h := range x.holds {
				h.held(add)
			}
		})
		add(heapgraph.Call, "a lease of "+name, func(add func(Ref)) {
			for _, l := range x.leases {
				add(Ref{l.f.start})
			}
		})
		add(heapgraph.Finalizer, "a running finalizer of "+name, func(add func(Ref)) { add(x.finalizing) })
		add(heapgraph.Finalizer, "a finalizer that is due on "+name, due(x.pending))
		if t.rt.gil == nil {
			waiting("the grace period of what "+name+" has retired", x.retired, x.memory)
		}
	}
	l := &t.rt.left
	l.mu.Lock()
	add(heapgraph.Finalizer, "a finalizer that is due on any thread", due(l.list))
	l.mu.Unlock()
	if t.rt.gil != nil {
		return all
	}
	t.rt.orphans.change(func(list *sched.Deferred[retired]) {
		waiting("the grace period of what absent threads have retired", list)
	})
	for i, q := range *t.rt.queues.Load() {
		name := fmt.Sprintf("the merge queue of thread %d", firstID+int32(i))
		add(heapgraph.Queued, name, func(add func(Ref)) { q.each(add) })
	}
	return all
}
