package runtime

import (
	"testing"
)

// TestAuditKnowsHolds checks that an audit on any thread knows the counts that the library
// holds, wherever it holds counts while other threads may run.
func TestAuditKnowsHolds(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		r := newRuntime(t, o)
		audits := 0
		audit := func(held ...Ref) func(th *Thread) { // on a thread of its own, while th is outside
			return func(th *Thread) {
				audits++
				must0(t, th.Audit(held...))
				th.Blocking(func() {
					must0(t, r.Do(func(other *Thread) error { return other.Audit(held...) }))
				})
			}
		}
		must0(t, r.Do(func(th *Thread) error {
			// Finalizers: the one that runs, those that wait, and orphans.
			finalized = func(th *Thread, _ Ref) { audit()(th) }
			th.DecRefs([]Ref{newFinal(th, newLeaf(th)), newFinal(th, newLeaf(th))})
			must0(t, th.Audit())
			th.Checkpoint()

			// Finalizers of garbage.
			x := newFinal(th, Nil)
			th.Body(x).StoreRef(0, newFinal(th, newNode(th, x, newLeaf(th))))
			th.Collect()
			if audits != 4 {
				t.Errorf("%d audits, want 4", audits)
			}

			// References that other code has announced, which ends in any order.
			a, b := []Ref{newLeaf(th)}, []Ref{newLeaf(th), newLeaf(th)}
			th.Hold(&a)
			th.Hold(&b)
			b = append(b, newLeaf(th))
			audit()(th)
			th.IncRef(a[0])
			th.Hold(&a) // twice
			audit()(th)
			th.Unhold(&a)
			th.DecRef(a[0])
			audit()(th)
			th.Unhold(&a)
			th.Unhold(&a)
			if err := th.Audit(); err == nil {
				t.Error("a reference that is on hold no more was not missed")
			}
			audit(a...)(th)
			th.Unhold(&b)
			audit(append(a, b...)...)(th)
			th.DecRefs(append(a, b...))
			return nil
		}))
		// A thread that has detached, and left a finalizer.
		must0(t, r.Do(func(th *Thread) error {
			finalized = func(th *Thread, _ Ref) { must0(t, th.Audit()) } // also in Close
			th.Later(func(th *Thread) { th.DecRef(newFinal(th, newFinal(th, Nil))) })
			return nil
		}))
		must0(t, r.Close())
	})
}

// TestAuditInFreeze checks the references that Freeze holds at its safe points.
func TestAuditInFreeze(t *testing.T) {
	defer func(n int) { restEvery = n }(restEvery)
	restEvery = 2
	forModes(t, func(t *testing.T, o Options) {
		r := newRuntime(t, o)
		must0(t, r.Do(func(th *Thread) error {
			var refs []Ref
			for range 7 {
				refs = append(refs, newWide(th, newWide(th), newWide(th, newWide(th))))
			}
			root, audits := newWide(th, refs...), 0
			var again func(th *Thread)
			again = func(th *Thread) {
				audits++
				must0(t, th.Audit(root))
				for _, h := range th.holds { // at a safe point, every object still to be copied has a count
					if z := h.(*freezer); z.counted != len(z.stack) {
						t.Errorf("%d of %d objects that are to be copied are counted", z.counted, len(z.stack))
					}
				}
				th.Later(again)
			}
			th.Later(again)
			f, err := th.Freeze(root)
			if err != nil {
				return err
			}
			if audits < 10 {
				t.Errorf("%d audits", audits)
			}
			th.pending = nil
			must0(t, th.Unload(f))
			th.DecRef(root)
			return th.Audit()
		}))
		must0(t, r.Close())
	})
}

// wideType is a node that can be frozen.
var wideType = must(DefineType(Type{
	Name:     "wide",
	Slots:    func(_ Heap, o Body) (Body, int, int) { return o, 1, int(o.Word(0)) },
	Freezing: &Freezing{Copy: CopySlots},
}))

func newWide(t *Thread, slots ...Ref) Ref {
	r, o, err := t.New(wideType, 4*(1+len(slots)))
	if err != nil {
		panic(err)
	}
	o.SetWord(0, uint32(len(slots)))
	copy(o.Refs(1, len(slots)), slots)
	return r
}
