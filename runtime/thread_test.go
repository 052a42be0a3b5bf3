package runtime

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

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

func TestClose(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		r := newRuntime(t, o)
		th := must(r.Attach())
		leaf := newLeaf(th)
		loop := newNode(th, Nil)
		setSlot(th, loop, 0, loop) // a cycle that nobody holds: no leak
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
			th.Blocking(func() { <-ctx.Done() }) // the first error ends the others
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
		if err := r.Close(); err != nil { // after all of this no thread is left attached
			t.Error(err)
		}
	})
}

// TestBlockingLetsOthersRun has a thread wait for another one, which needs the
// GIL, and the world to stop.
func TestBlockingLetsOthersRun(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		r := newRuntime(t, o)
		ch := make(chan Ref)
		err := r.Run(context.Background(), 2, func(_ context.Context, th *Thread, w int) error {
			if w == 0 {
				x, ok, _ := Recv(t.Context(), th, ch)
				if !ok || !th.IsImmortal(x) {
					t.Error("received something else than was sent")
				}
				if _, ok, _ := Recv(t.Context(), th, ch); ok {
					t.Error("received from a closed channel")
				}
				return nil
			}
			x := newNode(th, newLeaf(th))
			if err := th.Immortalize(x); err != nil {
				return err
			}
			_ = Send(t.Context(), th, ch, x)
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
			turns[w]++ // plain: the GIL orders it, and the race detector agrees
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

// TestStatesArePooled attaches many times: ids and memory do not grow with it.
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
					return // what was freed is kept for a while
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

// TestPoolGivesLowestFirst lets many threads come and go, in any order, and then
// finds the first one's state at the next attach: objects that it owns are owned.
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
