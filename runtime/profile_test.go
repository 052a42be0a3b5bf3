package runtime

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	goruntime "runtime"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"

	"github.com/ichor-go/ichor/internal/profile"
)

// recordOf returns the sum of the records whose type is what and whose innermost frames include
// the function of that name.
func recordOf(r *Runtime, what, function string) (sum HeapRecord) {
	for _, x := range r.HeapProfile() {
		if x.Type != what || !strings.Contains(framesOf(x.Place), function) {
			continue
		}
		sum.Place, sum.Type, sum.Size = x.Place, x.Type, x.Size
		sum.Samples += x.Samples
		sum.Allocated = Amount{sum.Allocated.Objects + x.Allocated.Objects, sum.Allocated.Bytes + x.Allocated.Bytes}
		sum.InUse = Amount{sum.InUse.Objects + x.InUse.Objects, sum.InUse.Bytes + x.InUse.Bytes}
	}
	return sum
}

func framesOf(at Place) string {
	var names []string
	frames := goruntime.CallersFrames(at.Stack)
	for {
		f, more := frames.Next()
		names = append(names, f.Function)
		if !more {
			return strings.Join(names, "\n")
		}
	}
}

// near reports whether an estimate is within four standard deviations of the truth, given how
// many allocations were recorded for it.
func near(got, want, samples int64) bool {
	return math.Abs(float64(got-want)) <= 4*float64(want)/math.Sqrt(float64(max(samples, 1)))
}

//go:noinline
func makeKept(t *Thread, n int) (all []Ref) {
	for range n {
		all = append(all, newLeaf(t))
	}
	return all
}

//go:noinline
func makeDropped(t *Thread, n int) {
	for range n {
		t.DecRef(newLeaf(t))
	}
}

// TestHeapProfile checks that the profile tells what is allocated where, and what of it is
// still in use. The samples are random: an estimate is off by more than the bound once in
// 10,000 runs.
func TestHeapProfile(t *testing.T) {
	aloneInModes(t, func(t *testing.T, o Options) {
		o.HeapProfileRate = 1 << 10
		r := newRuntime(t, o)
		n := 20_000
		if o.Checked {
			n = 2000
		}
		var kept []Ref
		must0(t, r.Do(func(th *Thread) error {
			kept = makeKept(th, n)
			makeDropped(th, n)
			return nil
		}))
		k := recordOf(r, "leaf", "makeKept")
		if !near(k.Allocated.Objects, int64(n), k.Samples) || k.Allocated != k.InUse || k.Allocated.Bytes != k.Allocated.Objects*k.Size {
			t.Errorf("kept: %+v", k)
		}
		d := recordOf(r, "leaf", "makeDropped")
		if !near(d.Allocated.Objects, int64(n), d.Samples) || d.InUse != (Amount{}) && !o.Checked {
			t.Errorf("dropped: %+v", d)
		}
		must0(t, r.Run(context.Background(), 2, func(_ context.Context, th *Thread, worker int) error {
			for i := worker; i < len(kept); i += 2 {
				th.DecRef(kept[i])
			}
			return nil
		}))
		if k := recordOf(r, "leaf", "makeKept"); k.InUse != (Amount{}) && !o.Checked { // which keeps memory in quarantine
			t.Errorf("freed: %+v", k)
		}
		must0(t, r.Close())
		if k := recordOf(r, "leaf", "makeKept"); k.Samples == 0 {
			t.Error("after Close there is no profile")
		}
	})
}

// TestHeapProfileOfAll checks that all kinds of allocations have a record of their own, which
// empties when the memory is given back.
func TestHeapProfileOfAll(t *testing.T) {
	r := newRuntime(t, Options{HeapProfileRate: 1, CollectAfter: -1}) // records nearly everything
	var frozen *Frozen
	must0(t, r.Do(func(th *Thread) (err error) {
		box := newBox(th, newLeaf(th))
		defer th.DecRef(box)
		number, err := th.newFloat(1.5, 0)
		must0(t, err)
		defer th.DecRef(number)
		large, _, err := th.New(leafType, 1<<20)
		must0(t, err)
		defer th.DecRef(large)
		pair := newTwin(th, 1, None, None)
		defer th.DecRef(pair)
		frozen, err = th.Freeze(pair)
		must0(t, err)
		for what, bytes := range map[string]int64{"box": 32, "block": 16, "float": 16, "twin": 32, "leaf": 32 + 17<<16, "frozen graph": frozen.Bytes()} {
			if x := recordOf(r, what, "TestHeapProfileOfAll"); x.InUse.Bytes != bytes || x.Allocated != x.InUse || x.Samples == 0 {
				t.Errorf("%s: %+v, want %d bytes", what, x, bytes)
			}
		}
		errStop := fmt.Errorf("stop")
		err = th.Immortally(func() error {
			_ = newNode(th)
			if x := recordOf(r, "node", "TestHeapProfileOfAll"); x.InUse != (Amount{1, 32}) {
				t.Errorf("born immortal: %+v", x)
			}
			inRegion := newBox(th, None)
			th.Retire(th.Body(inRegion).SwapRef(0, Nil)) // which a region keeps
			_, err := th.newFloat(2.5, 0)
			must0(t, err)
			if x := recordOf(r, "float", "TestHeapProfileOfAll"); x.InUse.Objects != 2 {
				t.Errorf("floats: %+v", x)
			}
			if x := recordOf(r, "block", "TestHeapProfileOfAll"); x.InUse.Objects != 2 {
				t.Errorf("blocks: %+v", x)
			}
			return errStop
		})
		if err != errStop {
			t.Error(err)
		}
		return nil
	}))
	if x := recordOf(r, "frozen graph", "Freeze"); x.InUse != (Amount{1, frozen.Bytes()}) {
		t.Errorf("frozen: %+v", x)
	}
	must0(t, r.Unload(frozen))
	for _, x := range r.HeapProfile() {
		if x.InUse != (Amount{}) {
			t.Errorf("left: %+v\n%s", x, framesOf(x.Place))
		}
	}
	must0(t, r.Close())
}

// TestHeapProfileOfLoop checks that objects are recorded that live and die in the same slot, if
// there are checkpoints between them: a window that is not counted ends there.
func TestHeapProfileOfLoop(t *testing.T) {
	aloneInModes(t, func(t *testing.T, o Options) {
		if o.Checked { // it uses no slot again soon
			return
		}
		o.HeapProfileRate = 128 << 10
		r := newRuntime(t, o)
		must0(t, r.Do(func(th *Thread) error {
			for range 500_000 {
				makeDropped(th, 1)
				th.Checkpoint()
			}
			return nil
		}))
		if x := recordOf(r, "leaf", "makeDropped"); x.Samples < 3 {
			t.Errorf("%d of 500,000 objects are recorded", x.Samples)
		}
	})
}

// TestHeapProfileOff checks that a runtime keeps no profile unless it is told to.
func TestHeapProfileOff(t *testing.T) {
	clean(t, Options{}, func(t *testing.T, th *Thread) {
		makeDropped(th, 1000)
		if th.rt.HeapProfile() != nil || th.rt.HeapProfileRate() != 0 {
			t.Error("there is a profile")
		}
	})
	if _, err := New(Options{HeapProfileRate: -1}); err == nil {
		t.Error("a negative rate is accepted")
	}
}

func withLabel(labels ...string) context.Context {
	return pprof.WithLabels(context.Background(), pprof.Labels(labels...))
}

// TestHeapProfileLabels checks that a sample has the labels of the context that the thread was
// attached with, or was told last.
func TestHeapProfileLabels(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		o.HeapProfileRate = 1
		r := newRuntime(t, o)
		count := func(want string) (n int64) {
			for _, x := range r.HeapProfile() {
				if fmt.Sprint(x.Labels) == want {
					n += x.Samples
				}
			}
			return n
		}
		must0(t, r.DoContext(withLabel("b", "2", "a", "1"), func(th *Thread) error {
			makeDropped(th, 1)
			th.SetLabels(withLabel("a", "3"))
			makeDropped(th, 2)
			return nil
		}))
		must0(t, r.Do(func(th *Thread) error {
			makeDropped(th, 3)
			return nil
		}))
		ended, end := context.WithCancel(withLabel("a", "4"))
		end()
		if r.DoContext(ended, func(*Thread) error { return nil }) == nil {
			t.Error("attached after the end of the context")
		}
		for _, idle := range r.mu.idle {
			if idle.ctx != nil {
				t.Error("a detached thread keeps a context")
			}
		}
		must0(t, r.Run(withLabel("a", "5"), 2, func(_ context.Context, th *Thread, _ int) error {
			makeDropped(th, 2)
			return nil
		}))
		for want, n := range map[string]int64{"map[a:1 b:2]": 1, "map[a:3]": 2, "map[]": 3, "map[a:5]": 4} {
			if got := count(want); got != n {
				t.Errorf("%d samples have the labels %s, want %d", got, want, n)
			}
		}
		must0(t, r.Close())
	})
}

// TestSetLabels checks that a thread takes labels, and that a runtime tells the rates of its profiles.
func TestSetLabels(t *testing.T) {
	for _, o := range []Options{{HeapProfileRate: 1}, {ContentionProfileRate: 1}} {
		clean(t, o, func(t *testing.T, th *Thread) {
			ctx := withLabel("a", "1")
			if th.SetLabels(ctx); th.ctx != ctx {
				t.Errorf("%+v: the labels are not recorded", o)
			}
			if r := th.rt; r.HeapProfileRate() != o.HeapProfileRate || r.ContentionProfileRate() != o.ContentionProfileRate {
				t.Errorf("%+v: the rates are %d and %d", o, r.HeapProfileRate(), r.ContentionProfileRate())
			}
		})
	}
}

// TestAmounts checks that estimates are rounded, and that the bytes of objects of one size are a
// multiple of it.
func TestAmounts(t *testing.T) {
	w := profile.Weight{Objects: 2.6, Bytes: 41.4}
	for size, want := range map[int64]Amount{0: {3, 41}, 1: {3, 3}, 16: {3, 48}} {
		if got := amount(w, size); got != want {
			t.Errorf("of size %d: %+v, want %+v", size, got, want)
		}
	}
}

// TestHeapProfileOfRegion checks that only samples are recorded of what is born immortal.
func TestHeapProfileOfRegion(t *testing.T) {
	clean(t, Options{HeapProfileRate: 1 << 50}, func(t *testing.T, th *Thread) {
		must0(t, th.Immortally(func() error { newNode(th); return nil }))
		if all := th.rt.HeapProfile(); len(all) != 0 {
			t.Errorf("%+v", all)
		}
	})
}

// TestHeapProfileAtTheLimit checks that nothing is recorded where there is no memory.
func TestHeapProfileAtTheLimit(t *testing.T) {
	clean(t, Options{HeapProfileRate: 1, MemoryLimit: 1 << 20}, func(t *testing.T, th *Thread) {
		tooLarge := func() error {
			_, _, err := th.New(leafType, 8<<20)
			return err
		}
		if errs := [...]error{tooLarge(), th.Immortally(tooLarge)}; !errors.Is(errs[0], ErrMemoryLimit) || !errors.Is(errs[1], ErrMemoryLimit) {
			t.Error(errs)
		}
		if all := th.rt.HeapProfile(); len(all) != 0 {
			t.Errorf("%+v", all)
		}
	})
}

// TestHeapProfileThreads reads the profile while threads allocate, and free what others have
// allocated. For the race detector.
func TestHeapProfileThreads(t *testing.T) {
	for _, o := range []Options{{Mode: GIL}, {}, {Counting: Biased}} {
		o.HeapProfileRate = 256
		r := newRuntime(t, o)
		var mu sync.Mutex
		var shared []Ref
		must0(t, r.Run(context.Background(), 4, func(_ context.Context, th *Thread, worker int) error {
			for range 300 {
				made := makeKept(th, 10)
				mu.Lock()
				shared, made = append(made, shared[:len(shared)/2]...), shared[len(shared)/2:]
				mu.Unlock()
				for _, x := range made {
					th.DecRef(x)
				}
				th.Checkpoint()
				if worker == 0 {
					fmt.Fprint(io.Discard, r.HeapProfile())
				}
			}
			return nil
		}))
		must0(t, r.Do(func(th *Thread) error {
			for _, x := range shared {
				th.DecRef(x)
			}
			return nil
		}))
		must0(t, r.Close())
		if x := recordOf(r, "leaf", "makeKept"); x.InUse != (Amount{}) || !near(x.Allocated.Objects, 12_000, x.Samples) {
			t.Errorf("%s: %+v", o, x)
		}
	}
}
