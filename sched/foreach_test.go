package sched

import (
	"context"
	"errors"
	"math"
	goruntime "runtime"
	"strings"
	"testing"

	"go.uber.org/atomic"
	"pgregory.net/rapid"
)

func TestForEachOnce(t *testing.T) {
	watchdog(t)
	for _, n := range []int{1, 2, 3, 8} {
		for _, items := range []int{0, 1, 2, 7, 1000, rounds(20000)} {
			st := newStates()
			seen := make([]atomic.Int32, items)
			err := ForEach(t.Context(), n, items, st.open, st.close, func(_ context.Context, _, item int) error {
				seen[item].Inc()
				if item%16 == 0 {
					goruntime.Gosched()
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			for i := range seen {
				if got := seen[i].Load(); got != 1 {
					t.Fatalf("%d workers: item %d of %d was done %d times", n, i, items, got)
				}
			}
			st.check(t, min(n, items))
		}
	}
}

// TestForEachSteals: if a worker is stuck on its first item, other workers do all the
// rest, its own range included.
func TestForEachSteals(t *testing.T) {
	watchdog(t)
	const n, items = 3, 300
	var done atomic.Int32
	all := make(chan bool)
	err := ForEach(t.Context(), n, items, nil, nil, func(_ context.Context, _ int, item int) error {
		if item == 0 {
			<-all
		} else if done.Inc() == items-1 {
			close(all)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestForEachStops(t *testing.T) {
	watchdog(t)
	const items = 1 << 20
	var done atomic.Int32
	err := ForEach(t.Context(), 2, items, nil, nil, func(_ context.Context, _, item int) error {
		if done.Inc() == 100 {
			return errA
		}
		return nil
	})
	if err != errA || done.Load() == items {
		t.Errorf("err %v after %d items", err, done.Load())
	}

	ctx, cancel := context.WithCancelCause(t.Context())
	done.Store(0)
	err = ForEach(ctx, 2, items, nil, nil, func(_ context.Context, _, item int) error {
		if done.Inc() == 100 {
			cancel(errB)
		}
		return nil
	})
	if err != errB || done.Load() == items {
		t.Errorf("err %v after %d items", err, done.Load())
	}
	if err := ForEach[int](ctx, 2, 0, nil, nil, nil); err != errB {
		t.Errorf("err %v without items, cancelled", err)
	}
}

func TestForEachPanics(t *testing.T) {
	watchdog(t)
	p := caught(func() {
		_ = ForEach(t.Context(), 2, 10, nil, nil, func(_ context.Context, _, item int) error {
			if item == 7 {
				explode()
			}
			return nil
		})
	})
	if p == nil || p.Value != errB || !strings.Contains(string(p.Stack), "sched.explode") {
		t.Errorf("panic %v", p)
	}
	err := ForEach(t.Context(), 2, 10, nil, nil, func(_ context.Context, _, item int) error {
		if item == 7 {
			goruntime.Goexit()
		}
		return nil
	})
	if !errors.Is(err, ErrGoexit) {
		t.Errorf("err %v", err)
	}
}

func TestForEachMisuse(t *testing.T) {
	for _, c := range [][2]int{{0, 5}, {-1, 5}, {2, -1}, {2, math.MaxInt}} {
		if c[1] == math.MaxInt && math.MaxInt == math.MaxInt32 {
			continue // on 32-bit machines no int is too large
		}
		if err := ForEach[int](t.Context(), c[0], c[1], nil, nil, nil); err == nil || !strings.HasPrefix(err.Error(), "ichor: ForEach") {
			t.Errorf("%d workers, %d items: %v", c[0], c[1], err)
		}
	}
	// The largest number of items, and one more.
	for _, items := range []uint64{math.MaxUint32, math.MaxUint32 + 1} {
		if items > math.MaxInt {
			continue
		}
		err := ForEach(t.Context(), 1, int(items), nil, nil, func(context.Context, int, int) error { return errA })
		if err == nil || (err == errA) != (items == math.MaxUint32) {
			t.Errorf("%d items: %v", items, err)
		}
	}
}

// TestSharesModel: in whatever order workers ask, each item is returned once, and every
// worker gets one as long as any is left.
func TestSharesModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 6).Draw(t, "workers")
		items := rapid.IntRange(n, 60).Draw(t, "items")
		sh := newShares(n, items)
		given := map[int]bool{}
		for range items {
			w := rapid.IntRange(0, n-1).Draw(t, "worker")
			item, ok := sh.next(w)
			if !ok || item < 0 || item >= items || given[item] {
				t.Fatalf("worker %d: item %d, %v; given %v", w, item, ok, given)
			}
			given[item] = true
		}
		for w := range n {
			if item, ok := sh.next(w); ok {
				t.Fatalf("item %d is one too many", item)
			}
		}
	})
}

func BenchmarkForEach(b *testing.B) {
	for b.Loop() {
		_ = ForEach(b.Context(), 2, 10000, nil, nil, func(context.Context, int, int) error { return nil })
	}
}
