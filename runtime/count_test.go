package runtime

import (
	"context"
	"errors"
	"math/bits"
	"os"
	"os/exec"
	goruntime "runtime"
	"strings"
	"testing"

	"github.com/ichor-go/ichor/internal/header"
)

func count(t *Thread, r Ref) int64 {
	n, _ := t.header(r).Count()
	return n
}

func TestCounting(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		clean(t, o, func(t *testing.T, th *Thread) {
			a, b := newLeaf(th), newLeaf(th)
			rs := []Ref{a, Nil, None, b, a, must1(Int(5))}
			for range 3 {
				th.IncRef(a)
				th.IncRefs(rs)
			}
			if count(th, a) != 10 || count(th, b) != 4 {
				t.Errorf("counts are %d and %d, want 10 and 4", count(th, a), count(th, b))
			}
			for range 3 {
				th.DecRef(a)
				th.DecRefs(rs)
			}
			if count(th, a) != 1 || count(th, b) != 1 {
				t.Errorf("counts are %d and %d, want 1 and 1", count(th, a), count(th, b))
			}
			th.DecRefs([]Ref{a, b}) // the last references
			th.Runtime().mustHold(t, th, 0)
		})
	})
}

func must1(r Ref, ok bool) Ref {
	if !ok {
		panic("not ok")
	}
	return r
}

// mustHold fails unless n objects are alive.
func (r *Runtime) mustHold(t *testing.T, th *Thread, n int) {
	t.Helper()
	got := 0
	r.eachObject(func(Ref) { got++ })
	if got != n {
		t.Errorf("%d objects are alive, want %d", got, n)
	}
}

// TestDeepFree frees a chain of nodes that is too long for recursion.
func TestDeepFree(t *testing.T) {
	littleStack(t)
	forModes(t, func(t *testing.T, o Options) {
		clean(t, o, func(t *testing.T, th *Thread) {
			chain := newLeaf(th)
			for range levels {
				chain = newNode(th, chain)
			}
			th.DecRef(chain)
			th.Runtime().mustHold(t, th, 0)
		})
	})
}

// TestSmallest makes objects without bodies: a leaf takes one granule, and a container two,
// since the collector's words are that far apart.
func TestSmallest(t *testing.T) {
	empty := must(DefineType(Type{Name: "empty"}))
	hollow := must(DefineType(Type{Name: "hollow", Traverse: func(Heap, Body, func(Ref)) {}}))
	forModes(t, func(t *testing.T, o Options) {
		clean(t, o, func(t *testing.T, th *Thread) {
			var rs []Ref
			for range 1000 {
				for _, y := range []*Type{empty, hollow} {
					r, _, err := th.New(y, 0)
					must0(t, err)
					rs = append(rs, r)
				}
			}
			if a, b := th.sizeOf(rs[0]), th.sizeOf(rs[1]); a != 16 || b != 32 {
				t.Errorf("an empty leaf takes %d bytes and a container %d", a, b)
			}
			if c := th.Collect(); c.Candidates != 1000 || c.Garbage != 0 {
				t.Errorf("the collector sees %+v", c)
			}
			th.DecRefs(rs)
			th.Runtime().mustHold(t, th, 0)
		})
	})
}

// TestManyThreads has threads count one object, and create and hand over others.
func TestManyThreads(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		r := newRuntime(t, o)
		rounds := 20_000
		if o.Checked || raceEnabled {
			rounds = 500
		}
		var shared Ref
		if err := r.Do(func(t *Thread) error { shared = newNode(t, newLeaf(t)); return nil }); err != nil {
			t.Fatal(err)
		}
		const n = 4
		ring := make([]chan Ref, n)
		for i := range ring {
			ring[i] = make(chan Ref, 8)
		}
		err := r.Run(context.Background(), n, func(_ context.Context, th *Thread, w int) error {
			for i := range rounds {
				th.IncRef(shared)
				x := newNode(th, newLeaf(th))
				_ = SendContext(t.Context(), th, ring[(w+1)%n], x)
				y, _, _ := RecvContext(t.Context(), th, ring[w])
				th.DecRef(y)
				th.DecRef(shared)
				if i%64 == 0 {
					th.Checkpoint()
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		err = r.Do(func(th *Thread) error {
			if got := count(th, shared); got != 1 {
				t.Errorf("%d references after as many increments as decrements", got)
			}
			th.DecRef(shared)
			return th.Audit()
		})
		if err := errors.Join(err, r.Close()); err != nil {
			t.Error(err)
		}
	})
}

// TestBands puts counts at the edges of their words: there they stay, the object is never
// freed, and it is immortal after the next checkpoint.
func TestBands(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		const shared = 1<<28 - 1<<26 - 1 // the last count below the band
		clean(t, o, func(t *testing.T, th *Thread) {
			r := newLeaf(th)
			if th.stamp > 0 {
				th.header(r).SetCounts(header.StickyLocal-1, 0)
			} else {
				th.header(r).SetCounts(0, shared)
			}
			th.IncRef(r) // into the band
			th.IncRef(r) // to the middle of it
			before := th.header(r).Bytes()
			for range 100 {
				th.IncRef(r)
				th.DecRef(r)
				th.DecRef(r)
				th.IncRefs([]Ref{r, r})
			}
			if after := th.header(r).Bytes(); before != after {
				t.Errorf("a count in its band moved: %x to %x", before, after)
			}
			if th.IsImmortal(r) {
				t.Error("immortal before a checkpoint")
			}
			th.Checkpoint()
			if !th.IsImmortal(r) {
				t.Error("a count has reached its band, but the object is not immortal after a checkpoint")
			}
			if th.rt.Memory().InPlace != 1 {
				t.Error("the immortal is not counted")
			}
		})
	})
}

func TestBrokenCounts(t *testing.T) {
	for _, o := range []Options{{Mode: GIL}, {Mode: LockFree}} {
		r := newRuntime(t, o)
		th := must(r.Attach())
		keep, x := newLeaf(th), newLeaf(th)
		th.IncRef(x)
		th.DecRef(x)
		th.header(x).SetCounts(0, 0)
		msg := panics(t, func() { th.DecRef(x) })
		wantIn(t, msg, "ichor: more references released than there were", "leaf", x.String())
		msg = panics(t, func() { th.IncRef(x) })
		wantIn(t, msg, "ichor: incref of a dead object")
		th.cache.Free(uint32(x.Handle))
		th.DecRef(keep)
		th.Detach()
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestInlining checks that all functions that must be inlined are. On 32-bit machines the
// compiler calls a function for each atomic access, which leaves no room in the inliner's
// budget.
func TestInlining(t *testing.T) {
	if goruntime.GOOS == "js" {
		t.Skip("NOT TESTED HERE: whether fast paths are inlined: no compiler can be run")
	}
	// It builds by itself, since race builds inline less.
	cmd := exec.Command("go", "build", "-gcflags=-m=2", ".", "../internal/header", "../locks", "../sched")
	cmd.Env = append(os.Environ(), "GOOS="+goruntime.GOOS, "GOARCH="+goruntime.GOARCH)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	fast := []string{
		"Heap.Body", "Heap.Block", "Heap.FrozenFloat", "Body.Load", "Body.LoadRef", "Handle.IsInt",
		"(*Header).Owner", "(*Header).CanIncLocal", "(*Header).IncLocal", "(*Header).CanDecLocal", "(*Header).DecLocal", "(*GIL).DropRequested", "(*Member).Stopping",
	}
	if bits.UintSize == 64 {
		fast = append(fast, "(*Thread).IncRef", "(*Thread).DecRef", "(*Thread).QuickKind", "Heap.FrozenKind",
			"(*Header).IncForeign", "(*Reader).Quiescent")
	}
	for _, f := range fast {
		if !strings.Contains(string(out), "can inline "+f+" with cost") {
			t.Errorf("%s is not inlined any more", f)
		}
	}
}
