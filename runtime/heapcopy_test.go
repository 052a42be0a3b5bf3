package runtime

import (
	"fmt"
	"math/rand/v2"
	goruntime "runtime"
	"sync"
	"testing"

	"github.com/ichor-go/ichor/internal/heapfile"
	"github.com/ichor-go/ichor/internal/heapgraph"
)

// sound fails unless all references lead to objects, and no mortal counts fewer references than
// objects and roots hold.
func sound(t *testing.T, s *HeapSnapshot) {
	t.Helper()
	g := s.g
	roots := make([]uint32, g.Len())
	for _, r := range g.Roots {
		roots[r.Node]++
	}
	for n := range heapgraph.Node(g.Len()) {
		for _, to := range g.Edges(n) {
			if to == heapgraph.None {
				t.Fatalf("%s %s refers to no object", g.Name(n), s.ref(n))
			}
		}
		if found := uint32(len(g.Sources(n))) + roots[n]; g.Flags[n] == 0 && g.Counts[n] < found {
			t.Fatalf("%s %s counts %d references, found %d", g.Name(n), s.ref(n), g.Counts[n], found)
		}
	}
}

// Threads change a shared graph in every way while snapshots are taken.
func TestSnapshotBesideWriters(t *testing.T) {
	needsThreads(t)
	forModes(t, func(t *testing.T, o Options) {
		o.CollectAfter = 200
		r := newRuntime(t, o)
		const slots = 8
		var shared Ref
		must0(t, r.Do(func(th *Thread) error {
			shared = newNode(th, make([]Ref, slots)...)
			return nil
		}))
		var group sync.WaitGroup
		stop := make(chan struct{})
		for seed := range uint64(2) {
			group.Go(func() {
				rnd := rand.New(rand.NewPCG(seed, 1))
				_ = r.Do(func(th *Thread) error {
					for {
						select {
						case <-stop:
							return nil
						default:
						}
						th.Checkpoint()
						i := rnd.IntN(slots)
						was := Nil
						if rnd.IntN(4) > 0 { // else chains would grow without end
							was = th.Body(shared).LoadRef(1 + i)
							th.IncRef(was)
						}
						made := newNode(th, newBox(th, newLeaf(th)), was) // steals was
						switch rnd.IntN(4) {
						case 0:
							setSlot(th, shared, i, Nil)
						case 1:
							setSlot(th, made, 0, made) // a cycle
						default:
							setSlot(th, shared, i, made)
						}
						th.DecRef(made)
					}
				})
			})
		}
		for i := range 8 {
			s := must(r.HeapSnapshot())
			sound(t, s)
			if p := s.Paths(shared, 1); len(p) != 1 || p[0].Holder != "Go code" {
				t.Fatalf("snapshot %d: %v", i, p)
			}
		}
		close(stop)
		group.Wait()
		must0(t, r.Do(func(th *Thread) error {
			th.DecRef(shared)
			return nil
		}))
		must0(t, r.Close())
	})
}

// Several goroutines copy the same as one.
func TestSnapshotInParallel(t *testing.T) {
	was := parallelFrom
	defer func() { parallelFrom = was }()
	clean(t, Options{Mode: LockFree, Counting: Biased, CollectWorkers: 3, CollectAfter: -1}, func(t *testing.T, th *Thread) {
		list := Nil
		for i := range 40_000 { // more than one task
			list = newNode(th, append(make([]Ref, i%50), newLeaf(th), list)...)
		}
		var texts []string
		for _, from := range []int64{1 << 40, 0} {
			parallelFrom = from
			s := must(th.HeapSnapshot())
			sound(t, s)
			if s.Objects() != 80_000 {
				t.Errorf("%d objects", s.Objects())
			}
			if n := len(th.rt.space.ObjectSpans(nil)); n <= copySpans {
				t.Errorf("only %d spans, which is one task", n)
			}
			texts = append(texts, fmt.Sprint(s.g.Handles, s.g.Counts, s.g.Sizes, s.g.To, s.Types()))
		}
		if texts[0] != texts[1] {
			t.Error("the copies differ")
		}
		th.DecRef(list)
	})
}

// A merge queue, finalizers and what a detached thread has left hold objects.
func TestRootsOfOtherThreads(t *testing.T) {
	needsThreads(t)
	r := newRuntime(t, Options{Mode: LockFree, Counting: Biased, OnError: func(err error) { t.Error(err) }})
	var inside *HeapSnapshot
	final := must(DefineType(Type{Name: "watched", Finalize: func(th *Thread, _ Ref) { inside = must(th.HeapSnapshot()) }}))
	owner := must(r.Attach())
	merged, orphan, left := newLeaf(owner), newLeaf(owner), newLeaf(owner)
	node := newNode(owner, orphan)
	finalized, _, err := owner.New(final, 8)
	must0(t, err)
	owner.Checkpoint() // and no safe point from here on, which would release or run what waits
	owner.DecRef(finalized)
	r.left.list = []pending{{ref: left}}
	taken := make(chan *HeapSnapshot)
	go func() {
		_ = r.Do(func(th *Thread) error {
			th.DecRef(merged) // this thread has counted none, so the owner has to merge
			setSlot(th, node, 0, Nil)
			return nil
		})
		taken <- must(r.HeapSnapshot())
	}()
	for !owner.member.Stopping() {
		goruntime.Gosched()
	}
	owner.Checkpoint() // waits for the end of the stop first
	s := <-taken
	r.left.list = nil
	for of, want := range map[Ref]string{
		merged:    fmt.Sprintf("the merge queue of thread %d → leaf X", owner.ID()),
		finalized: "a finalizer that is due on " + owner.name() + " → watched X",
		orphan:    "the grace period of what absent threads have retired → leaf X",
		left:      "a finalizer that is due on any thread → leaf X",
	} {
		wantLines(t, texts(s.Paths(of, 9), map[Ref]string{of: "X"}), want)
	}
	wantLines(t, texts(inside.Paths(finalized, 9), map[Ref]string{finalized: "X"}), "a running finalizer of "+owner.name()+" → watched X")
	owner.DecRefs([]Ref{node, left})
	owner.Detach()
	must0(t, r.Close())
}

// Regions that grow in turns lie among each other in memory.
func TestSnapshotOfTwinRegions(t *testing.T) {
	clean(t, Options{Mode: LockFree}, func(t *testing.T, one *Thread) {
		two := must(one.rt.Attach())
		var a, b Ref
		must0(t, one.Immortally(func() error {
			return two.Immortally(func() error {
				for range 9000 { // two spans and more of each
					a, b = newNode(one, a), newNode(two, b)
				}
				return nil
			})
		}))
		two.Detach()
		s := must(one.HeapSnapshot())
		sound(t, s)
		if got, all := s.Retained(a)+s.Retained(b), one.rt.Memory().RegionBytes; s.Objects() != 18_000 || got != all {
			t.Errorf("%d objects retain %d bytes of %d", s.Objects(), got, all)
		}
	})
}

// Buffers are ready before the stop, for about as many bytes as the objects need, and there are
// more if these are not enough.
func TestSnapshotBuffers(t *testing.T) {
	clean(t, Options{Mode: LockFree}, func(t *testing.T, th *Thread) {
		const n = 100_000
		nodes := make([]Ref, n)
		for i := range nodes {
			nodes[i] = newNode(th, Nil)
		}
		th.Checkpoint()
		th.StopTheWorld(func() {
			c := heapCopy{t: th}
			c.makeBuffers()
			ready := len(c.buffers)
			if want := n * (copyRecordBytes + copySlotsBytes) / heapfile.BufferBytes; ready != want || c.objects != n {
				t.Errorf("%d buffers for %d objects, want %d for %d", ready, c.objects, want, n)
			}
			for i := range ready + 1 {
				if b := c.buffer(); len(b) != 0 || cap(b) != heapfile.BufferBytes || i < ready && &b[:1][0] != &c.buffers[i][:1][0] {
					t.Errorf("buffer %d has %d of %d bytes", i, len(b), cap(b))
				}
			}
		})
		th.DecRefs(nodes)
	})
}

// What a panic has left half freed on another thread is freed before the copy.
func TestSnapshotAfterPanic(t *testing.T) {
	needsThreads(t)
	y := must(DefineType(Type{Name: "panics", Drop: func(*Thread, Ref, Body) { panic("drop") }}))
	r := newRuntime(t, Options{Mode: LockFree})
	th := must(r.Attach())
	x, _, err := th.New(y, 8)
	must0(t, err)
	if msg := panics(t, func() { th.DecRef(x) }); msg != "drop" {
		t.Fatal(msg)
	}
	taken := make(chan *HeapSnapshot)
	go func() { taken <- must(r.HeapSnapshot()) }()
	for !th.member.Stopping() {
		goruntime.Gosched()
	}
	th.Checkpoint()
	if s := <-taken; s.Objects() != 0 {
		t.Errorf("%d objects: %v", s.Objects(), s.Types())
	}
	th.Detach()
	must0(t, r.Close())
}

// A slot gets a name only if it is still there: the object may have died since, and another one
// may have taken its place.
func TestNameSlot(t *testing.T) {
	y := must(DefineType(Type{
		Name: "named", Slots: func(_ Heap, o Body) (Body, int, int) { return o, 0, 2 },
		Freezing: &Freezing{Copy: CopySlots, Label: func(_ *Thread, _ Ref, i int) string { return fmt.Sprint("slot ", i) }},
	}))
	clean(t, Options{Mode: LockFree}, func(t *testing.T, th *Thread) {
		newNamed := func(a, b Ref) Ref {
			r, o, err := th.New(y, 8)
			must0(t, err)
			o.SetRef(0, a)
			o.SetRef(1, b)
			return r
		}
		leaf, other := newLeaf(th), newLeaf(th)
		live := newNamed(other, leaf)
		var born Ref
		must0(t, th.Immortally(func() error {
			born = newNamed(None, None)
			return nil
		}))
		plain := newNamed(None, None)
		frozen := must(th.Freeze(plain))
		inner := must(th.Freeze(plain))
		into := newNamed(None, inner.Root())
		outer := newNamed(plain, None)
		both := must(th.Freeze(outer))
		behind := newNamed(None, th.Slot(both.Root(), th.Body(both.Root()), 0))
		node, wide, box := newNode(th, Nil), newWide(th, leaf), newBox(th, None)
		th.IncRef(leaf)
		block, words, err := th.NewBlock(box, 16+8)
		must0(t, err)
		for i := range 4 { // what looks like an object
			words.SetWord(i, th.Block(live).Word(i))
		}
		words.SetRef(4, None)
		gone := newNamed(None, None)
		th.DecRef(gone)
		for i, c := range []struct {
			from, to Ref
			typ      string
			want     string
		}{
			{live, leaf, "named", "slot 1"},
			{live, other, "named", "slot 0"},
			{into, Ref{inner.start}, "named", "slot 1"},
			{into, Ref{frozen.start}, "named", ""},
			{live, live, "named", ""},
			{live, leaf, "other", ""},
			{born, None, "named", "slot 0"},
			{Ref{born.Handle + 1}, None, "named", ""},
			{behind, Ref{both.start}, "named", "slot 1"},
			{behind, Ref{inner.start}, "named", ""},
			{wide, leaf, "wide", ""},
			{block, None, "named", ""},
			{gone, None, "named", ""},
			{Nil, Nil, "named", ""}, // stands for one whose memory waits for a grace period
			{leaf, Nil, "leaf", ""},
			{node, Nil, "node", ""},
			{frozen.Root(), None, "named", ""},
		} {
			if c.from == Nil {
				c.from = newNamed(Nil, Nil)
				th.SetWeak(c.from)
				th.DecRef(c.from)
			}
			steps := []HeapStep{{Ref: c.from, Type: c.typ}, {Ref: c.to}}
			if th.nameSlots([]HeapPath{{Steps: steps}}); steps[0].Slot != "" || steps[1].Slot != c.want {
				t.Errorf("case %d: %q, want %q", i, steps[1].Slot, c.want)
			}
		}
		if paths := must(th.Paths(leaf)); len(paths) != 2 || paths[0].Steps[1].Slot+paths[1].Steps[1].Slot != "slot 1<0>" && paths[0].Steps[1].Slot+paths[1].Steps[1].Slot != "<0>slot 1" {
			t.Errorf("paths %v", paths)
		}
		th.FreeBlock(block)
		th.DecRefs([]Ref{live, into, behind, outer, node, wide, box})
	})
}
