package runtime

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ichor-go/ichor/internal/arena"
	"github.com/ichor-go/ichor/internal/header"
	"github.com/ichor-go/ichor/sched"
)

// TestMain fails if a test leaves goroutines behind, other than that of a browser's events.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("runtime.handleEvent"))
}

func TestOptions(t *testing.T) {
	for _, o := range []Options{
		{Mode: 7}, {MemoryLimit: -1}, {MemoryLimit: 100}, {AddressSpace: -1}, {AddressSpace: 1 << 50},
		{SwitchInterval: -1}, {DeferredBytes: -1}, {Backing: 9},
	} {
		if r, err := New(o); err == nil {
			r.Close()
			t.Errorf("%+v was accepted", o)
		}
	}
}

// TestOptionsSayWhatIsWrong checks that the error of each option names it, and that values at
// the limits are accepted.
func TestOptionsSayWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		good, bad Options
		want      string
	}{
		{Options{Mode: GIL}, Options{Mode: GIL + 1}, "option Mode is Mode(2)"},
		{Options{Counting: Biased}, Options{Counting: Biased + 1}, "option Counting is Counting(3)"},
		{Options{Backing: MemfdBacking}, Options{Backing: MemfdBacking + 1}, "option Backing is "},
		{Options{}, Options{MemoryLimit: -1}, "option MemoryLimit is -1, want 0 for no limit"},
		{Options{MemoryLimit: arena.SpanSize}, Options{MemoryLimit: arena.SpanSize - 1}, "option MemoryLimit is 65535, want 0 for no limit, or at least a span of 65536 bytes"},
		{Options{}, Options{AddressSpace: -1}, "option AddressSpace is -1, want 0 for the default, or 1 to 68719476736 bytes"},
		{Options{AddressSpace: 1 << 36}, Options{AddressSpace: 1<<36 + 1}, "option AddressSpace is 68719476737, "},
		{Options{}, Options{SwitchInterval: -1}, "option SwitchInterval is -1ns, "},
		{Options{PauseBudget: 1}, Options{PauseBudget: 1.5}, "option PauseBudget is 1.5, "},
		{Options{}, Options{PauseBudget: -0.1}, "option PauseBudget is -0.1, "},
		{Options{}, Options{PauseBudget: math.NaN()}, "option PauseBudget is NaN, "},
		{Options{CollectWorkers: 1}, Options{CollectWorkers: -1}, "option CollectWorkers is -1, "},
		{Options{Checked: true, Inject: func(Injection) error { return nil }}, Options{Inject: func(Injection) error { return nil }}, "option Inject is set, want Checked"},
		{Options{DeferredBytes: 1}, Options{DeferredBytes: -1}, "option DeferredBytes is -1, "},
	} {
		if err := c.good.validate(); err != nil {
			t.Errorf("good: %v", err)
		}
		if err := c.bad.validate(); err == nil {
			t.Errorf("accepted, want an error with %q", c.want)
		} else {
			wantIn(t, err.Error(), "ichor: ", c.want)
		}
	}
	var o Options
	must0(t, o.validate())
	if o.DeferredBytes != 1<<20 || o.CollectAfter != 20_000 || o.PauseBudget != 0.1 || o.Counting != Atomic {
		t.Errorf("the defaults are %+v", o)
	}
	o = Options{DeferredBytes: 1, CollectAfter: -1, PauseBudget: 0.5, Counting: Biased}
	must0(t, o.validate())
	if o.DeferredBytes != 1 || o.CollectAfter != -1 || o.PauseBudget != 0.5 || o.Counting != Biased {
		t.Errorf("the options are %+v", o)
	}
	for want, got := range map[string]fmt.Stringer{"lockfree": LockFree, "gil": GIL, "auto": AutoCounting, "atomic": Atomic, "biased": Biased} {
		if got.String() != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestClose(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		r := newRuntime(t, o)
		th := must(r.Attach())
		leaf := newLeaf(th)
		loop := newNode(th, Nil)
		setSlot(th, loop, 0, loop) // an unreachable cycle is no leak
		th.DecRef(loop)
		newNode(th, Nil)

		var attached *AttachedError
		if err := r.Close(); !errors.As(err, &attached) || len(attached.Threads) != 1 {
			t.Errorf("Close with a thread attached: %v", err)
		}
		th.Blocking(func() {
			if err := r.Close(); !errors.As(err, &attached) {
				t.Errorf("Close with a thread in Blocking: %v", err)
			}
		})
		th.IncRef(leaf) // it still works
		th.DecRef(leaf)
		th.Detach()

		err := r.Close()
		var leaks *LeakError
		if !errors.As(err, &leaks) {
			t.Fatalf("Close with leaks: %v", err)
		}
		wantIn(t, err.Error(), "1 leaf", "1 node")
		if o.Checked {
			wantIn(t, err.Error(), "born at", "TestClose", "thread_test.go")
		}
		if err := r.Close(); err != ErrClosed {
			t.Errorf("second Close: %v", err)
		}
		if _, err := r.Attach(); err != ErrClosed {
			t.Errorf("Attach after Close: %v", err)
		}
		if err := r.Do(func(*Thread) error { return nil }); err != ErrClosed {
			t.Errorf("Do after Close: %v", err)
		}
	})
}

func TestDoAndRun(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		r := newRuntime(t, o)
		broken := errors.New("broken")
		if err := r.Do(func(*Thread) error { return broken }); err != broken {
			t.Errorf("Do returned %v", err)
		}
		if msg := panics(t, func() { _ = r.Do(func(*Thread) error { panic("mine") }) }); msg != "mine" {
			t.Errorf("Do's panic came out as %q", msg)
		}

		err := r.Run(context.Background(), 3, func(ctx context.Context, th *Thread, w int) error {
			if w == 1 {
				return broken
			}
			th.Blocking(func() { <-ctx.Done() }) // the first error cancels the others
			return nil
		})
		if !errors.Is(err, broken) {
			t.Errorf("Run returned %v", err)
		}

		func() {
			defer func() {
				p, ok := recover().(*sched.Panic)
				if !ok || p.Value != "mine" || p.Worker != 2 {
					t.Errorf("Run's panic came out as %v", p)
				}
			}()
			_ = r.Run(context.Background(), 3, func(ctx context.Context, th *Thread, w int) error {
				return th.Scope(func(s *Scope) {
					s.Own(newLeaf(th), nil)
					if w == 2 {
						panic("mine")
					}
					th.Blocking(func() { <-ctx.Done() })
				})
			})
		}()

		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := r.Run(ctx, 2, func(context.Context, *Thread, int) error { return nil }); !errors.Is(err, context.Canceled) {
			t.Errorf("Run with a cancelled context: %v", err)
		}
		if err := r.Run(context.Background(), 0, func(context.Context, *Thread, int) error { return nil }); err == nil {
			t.Error("Run on 0 threads was accepted")
		}
		if err := r.Close(); err != nil { // all threads are detached by now
			t.Error(err)
		}
	})
}

// TestBlockingLetsOthersRun has a thread wait for another one, which needs the GIL, or the
// world to stop.
func TestBlockingLetsOthersRun(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		r := newRuntime(t, o)
		ch := make(chan Ref)
		err := r.Run(context.Background(), 2, func(_ context.Context, th *Thread, w int) error {
			if w == 0 {
				x, ok, _ := RecvContext(t.Context(), th, ch)
				if !ok || !th.IsImmortal(x) {
					t.Error("received something else than was sent")
				}
				if _, ok, _ := RecvContext(t.Context(), th, ch); ok {
					t.Error("received from a closed channel")
				}
				return nil
			}
			x := newNode(th, newLeaf(th))
			if err := th.Immortalize(x); err != nil {
				return err
			}
			_ = SendContext(t.Context(), th, ch, x)
			th.Blocking(func() { close(ch) })
			return nil
		})
		if err := errors.Join(err, r.Close()); err != nil {
			t.Error(err)
		}
	})
}

// TestGILSwitches has threads that never block share the GIL by their checkpoints.
func TestGILSwitches(t *testing.T) {
	needsThreads(t)
	r := newRuntime(t, Options{Mode: GIL, SwitchInterval: 100 * time.Microsecond})
	var turns [3]int
	err := r.Run(context.Background(), len(turns), func(_ context.Context, th *Thread, w int) error {
		for done := false; !done; th.Checkpoint() {
			turns[w]++ // plain: the GIL orders the accesses, and the race detector agrees
			done = turns[0] > 0 && turns[1] > 0 && turns[2] > 0
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if s := r.GILStats(); s.Switches == 0 || s.Acquires < 3 {
		t.Errorf("three threads shared the GIL with these statistics: %+v", s)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

// TestStatesArePooled attaches many times: ids and memory do not grow.
func TestStatesArePooled(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		r := newRuntime(t, o)
		var ids sync.Map
		for range 1000 {
			if err := r.Do(func(th *Thread) error {
				ids.Store(th.ID(), true)
				th.DecRef(newNode(th, newLeaf(th)))
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		n := 0
		ids.Range(func(any, any) bool { n++; return true })
		if n != 1 {
			t.Errorf("%d ids for 1000 attaches, one after the other", n)
		}
		if m := r.Memory(); m.Committed > 6<<20 {
			t.Errorf("%d bytes committed", m.Committed)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestMemoryLimit(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		o.MemoryLimit = 2 << 20
		clean(t, o, func(t *testing.T, th *Thread) {
			for round := range 3 {
				var all []Ref
				var err error
				for err == nil {
					var r Ref
					if r, _, err = th.New(leafType, 1000); err == nil {
						all = append(all, r)
					}
				}
				if !errors.Is(err, ErrMemoryLimit) {
					t.Fatal(err)
				}
				if _, _, err := th.NewBlock(Nil, 4<<20); !errors.Is(err, ErrMemoryLimit) {
					t.Errorf("a block beyond the limit: %v", err)
				}
				if round == 0 && (len(all) < 1500 || len(all) > 2100) {
					t.Errorf("%d objects of 1 KiB fit 2 MiB", len(all))
				}
				th.DecRefs(all)
				if o.Checked {
					return // checked mode keeps freed memory
				}
			}
		})
	})
}

func TestMemoryIsReadable(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		clean(t, o, func(t *testing.T, th *Thread) {
			x := newBox(th, newLeaf(th))
			th.Blocking(func() {
				m := th.Runtime().Memory()
				if m.Objects != 2 || m.Blocks != 1 || m.ObjectBytes == 0 || m.BlockBytes == 0 || m.Attached != 1 {
					t.Errorf("a box and a leaf are accounted as %+v", m)
				}
			})
			th.DecRef(x)
		})
	})
}

// TestPoolGivesLowestFirst has many threads attach and detach, in any order, and then finds the
// first one's state at the next attach: its objects have their owner back.
func TestPoolGivesLowestFirst(t *testing.T) {
	for _, checked := range []bool{false, true} {
		r := newRuntime(t, Options{Counting: Biased, Checked: checked})
		var threads []*Thread
		for range 5 {
			threads = append(threads, must(r.Attach()))
		}
		for _, i := range []int{3, 0, 4, 2, 1} {
			threads[i].Detach()
		}
		for want := range 5 {
			threads[want] = must(r.Attach())
			if got := threads[want].ID(); got != firstID+int32(want) {
				t.Errorf("checked=%t: attach %d got state %d, want %d", checked, want, got, firstID+int32(want))
			}
		}
		for _, th := range threads {
			th.Detach()
		}
		must0(t, r.Close())
	}
}

// TestIDs checks that a thread counts its own objects, and those without an owner, on the fast
// path, and in checked mode none.
func TestIDs(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		clean(t, o, func(t *testing.T, th *Thread) {
			id, merged, stamp := th.owner, header.Nobody, header.Nobody
			if o.Mode == GIL || o.Counting == Biased {
				stamp = th.owner
			}
			if o.Checked {
				id, merged = uncounted, uncounted
			}
			if th.id != id || th.merged != merged || th.stamp != stamp || th.ID() != th.owner || th.owner <= 0 {
				t.Errorf("thread %d counts for %d and %d, and stamps %d; want %d, %d, %d", th.owner, th.id, th.merged, th.stamp, id, merged, stamp)
			}
		})
	})
}

// TestAttachIsReturn checks that an attached thread owns its memory, which no other thread
// lends or takes, and that a detached one leaves what it does not need.
func TestAttachIsReturn(t *testing.T) {
	forLockFree(t, func(t *testing.T, o Options) {
		r := newRuntime(t, o)
		must0(t, r.Do(func(th *Thread) error {
			owned := func() {
				t.Helper()
				wantIn(t, panics(t, th.cache.Return), "return of a thread that is not away")
			}
			owned()
			th.Blocking(func() {
				th.cache.Return() // it was away
				th.cache.Leave()
			})
			owned()
			for bytes := 16; bytes < 16<<10; bytes *= 2 { // it keeps a span of each class
				x, _, err := th.New(leafType, bytes)
				must0(t, err)
				y, _, err := th.New(nodeType, bytes)
				must0(t, err)
				th.DecRefs([]Ref{x, y})
			}
			th.Later(func(*Thread) {
				if n := *arenaCount(r.space); n < 10 {
					t.Errorf("%d spans are in use before the thread leaves", n)
				}
			})
			return nil
		}))
		if n := *arenaCount(r.space); n > 2 {
			t.Errorf("%d spans are in use for nothing", n)
		}
		must0(t, r.Close())
	})
}

// TestScopesInCheckedMode checks that a state with a new handle has scopes of its own.
func TestScopesInCheckedMode(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		r := newRuntime(t, o)
		for range 3 {
			must0(t, r.Do(func(th *Thread) error {
				return th.Scope(func(s *Scope) {
					s.Own(newLeaf(th), nil)
					must0(t, th.Scope(func(s *Scope) { s.Own(newLeaf(th), nil) }))
					if s.Len() != 1 || len(th.owned) != 1 {
						t.Errorf("the scope owns %d references, and the thread %d", s.Len(), len(th.owned))
					}
				})
			}))
		}
		must0(t, r.Close())
	})
}

// TestAttachedNames checks that the error of Close names the attached threads, in order.
func TestAttachedNames(t *testing.T) {
	r := newRuntime(t, Options{CollectAfter: -1})
	var all []*Thread
	for range 30 {
		all = append(all, must(r.Attach()))
	}
	var e *AttachedError
	if err := r.Close(); !errors.As(err, &e) || len(e.Threads) != 30 || !slices.IsSorted(e.Threads) {
		t.Errorf("close: %v", err)
	}
	for _, th := range all {
		if !th.LockFree() || !slices.Contains(e.Threads, fmt.Sprintf("thread %d", th.owner)) {
			t.Errorf("thread %d is missing, or not lock-free", th.owner)
		}
		th.Detach()
	}
	must0(t, r.Close())
}

// TestWithoutATuple checks that a program without a built-in type does not have its singleton.
func TestWithoutATuple(t *testing.T) {
	y := types.table[TypeTuple].Swap(nil)
	defer types.table[TypeTuple].Store(y)
	clean(t, Options{}, func(t *testing.T, th *Thread) {
		if th.Kind(EmptyTuple) != 0 || th.Kind(EmptyBytes) != TypeBytes {
			t.Errorf("the singletons are of kinds %d and %d", th.Kind(EmptyTuple), th.Kind(EmptyBytes))
		}
	})
}
