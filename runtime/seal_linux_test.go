package runtime

import (
	"runtime/debug"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ichor-go/ichor/internal/arena"
)

// TestCollectWritesNothing seals the pages of all live objects while a collection frees garbage
// beside them: a store to one of them would be a fault.
func TestCollectWritesNothing(t *testing.T) {
	aloneInModes(t, func(t *testing.T, o Options) {
		o.CollectWorkers, o.CollectAfter = 1, -1 // faults are caught on this goroutine
		r := newRuntime(t, o)
		must0(t, r.Do(func(th *Thread) error {
			const n = 3000
			all := make([]Ref, n) // a ring, with leaves and boxes
			for i := range all {
				all[i] = newNode(th, Nil, newLeaf(th), newBox(th, newLeaf(th)))
			}
			for i, x := range all {
				setSlot(th, x, 0, all[(i+1)%n])
			}
			th.DecRefs(all[1:])
			must0(t, th.Immortalize(newNode(th, Nil, Nil, Nil)))
			watch := newWatch(th, all[7], nil)
			th.Collect() // settles

			live := map[uint32]bool{}
			for _, p := range []arena.Purpose{arena.Leaves, arena.Containers, arena.Blocks} {
				r.space.Walk(p, func(h uint32) bool {
					live[h/arena.SpanGranules] = true
					return true
				})
			}
			protect := func(prot int) {
				for sp := range live {
					must0(t, unix.Mprotect(r.space.Bytes(sp*arena.SpanGranules, arena.SpanSize), prot))
				}
			}
			slots := make([]Ref, 100) // of another size class, in pages of its own
			var garbage []Ref
			for range 1000 {
				g := newNode(th, slots...)
				th.Body(g).StoreRef(1, g)
				th.IncRef(all[0])
				th.Body(g).StoreRef(2, all[0]) // given up when g is freed: all[0]'s page stays open
				garbage = append(garbage, g)
			}
			delete(live, uint32(all[0].Handle)/arena.SpanGranules)
			if live[uint32(garbage[0].Handle)/arena.SpanGranules] || len(live) < 5 {
				t.Fatalf("%d pages to seal, garbage among them", len(live))
			}

			protect(unix.PROT_READ)
			defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
			faults := func(f func()) (fault bool) {
				defer func() { fault = recover() != nil }()
				f()
				return false
			}
			var got Collected
			if faults(func() { got = th.Collect() }) {
				t.Error("the collection wrote to a page of live objects")
			}
			if got.Freed != len(garbage) || got.Candidates < 2*n {
				t.Errorf("collected %+v", got)
			}
			if !faults(func() { th.header(all[n-1]).SetLink(7) }) {
				t.Error("a store to a sealed page does not fault, so the test shows nothing")
			}
			protect(unix.PROT_READ | unix.PROT_WRITE)

			setSlot(th, all[0], 0, Nil)
			th.DecRefs([]Ref{all[0], watch})
			th.Collect()
			return nil
		}))
		must0(t, r.Close())
	})
}
