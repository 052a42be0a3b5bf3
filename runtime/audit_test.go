package runtime

import (
	"errors"
	"slices"
	"testing"
)

// TestAuditFindings breaks a heap in one way after the other, repairs it each time, and
// compares what the audit has found, sorted.
func TestAuditFindings(t *testing.T) {
	clean(t, Options{}, func(t *testing.T, th *Thread) {
		leaf := newLeaf(th)
		box := newBox(th, None)
		w := newWide(th)
		held := []Ref{leaf, box}
		for range 20 {
			held = append(held, newNode(th, None))
		}
		f, err := th.Freeze(w)
		must0(t, err)
		th.DecRef(w)
		gone := f.Root()
		must0(t, th.Unload(f))
		want := func(parts ...string) {
			t.Helper()
			err := th.Audit(held...)
			var e *AuditError
			if !errors.As(err, &e) || len(e.Findings) != len(parts) || !slices.IsSorted(e.Findings) {
				t.Fatalf("audit: %v", err)
			}
			wantIn(t, err.Error(), parts...)
		}
		must0(t, th.Audit(held...))

		node := th.Body(held[2])
		node.SetRef(1, gone)
		want("node " + held[2].String() + " refers to " + gone.String() + ", in a graph that was unloaded")
		node.SetRef(1, None)

		meta := th.header(leaf).Meta()
		th.header(leaf).Birth(th.stamp, 12345)
		want(leaf.String() + " has an unknown type")
		th.header(leaf).Birth(th.stamp, meta)

		own := th.Body(box).LoadRef(0)
		th.Body(box).SetRef(0, leaf)
		want("block "+own.String()+" belongs to no object", box.String()+" has its contents in "+leaf.String()+", which is not a live block")
		th.Body(box).SetRef(0, own)

		var parts []string
		for _, x := range held[2:] {
			th.IncRef(x)
			parts = append(parts, "counts 2 references, found 1")
		}
		want(parts...)
		th.DecRefs(held[2:])
		must0(t, th.Audit(held...))
		th.DecRefs(held)
	})
}

// TestAuditKnowsWhatIsLeft checks that an audit finds the pending finalizers of a thread that
// goes outside while another one waits to stop the world.
func TestAuditKnowsWhatIsLeft(t *testing.T) {
	needsThreads(t)
	forLockFree(t, func(t *testing.T, o Options) {
		r := newRuntime(t, o)
		calls := 0
		finalized = func(*Thread, Ref) { calls++ }
		inside, audited := make(chan bool), make(chan error)
		go func() {
			audited <- r.Do(func(th *Thread) error {
				<-inside
				return th.Audit()
			})
		}()
		must0(t, r.Do(func(x *Thread) error {
			close(inside)
			for !x.member.Stopping() {
			}
			x.DecRef(newFinal(x, Nil))
			x.outside(func() {}) // Blocking without its safe point
			return nil
		}))
		must0(t, <-audited)
		must0(t, r.Close())
		if calls != 1 {
			t.Errorf("%d finalizers were called", calls)
		}
	})
}
