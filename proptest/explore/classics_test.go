//go:build explore

package explore_test

import (
	"flag"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ichor-go/ichor/proptest/explore"
	"github.com/ichor-go/ichor/proptest/explore/atomic"
)

// Algorithms of textbooks, each with a version that lacks what makes it right. The numbers of
// schedules with at most two preemptions are those that theory_test.go computes without the engine.

// exclusive has two goroutines that enter a section, which enter and leave guard.
func exclusive(enter func(i int), leave func(i int)) func(e *explore.E) {
	return func(e *explore.E) {
		var inside atomic.Int32
		for i := range 2 {
			e.Go(fmt.Sprint(i), func() {
				enter(i)
				if inside.Add(1) > 1 {
					e.Fatalf("both are inside")
				}
				inside.Add(-1)
				leave(i)
			})
		}
		e.Wait()
	}
}

// peterson is Peterson's algorithm (1981). Without its turn each waits for the other.
func peterson(right bool) func(e *explore.E) {
	return func(e *explore.E) {
		var wants [2]atomic.Bool
		var turn atomic.Int32
		exclusive(func(i int) {
			if right {
				wants[i].Store(true)
				turn.Store(int32(1 - i))
			} else {
				turn.Store(int32(1 - i))
				wants[i].Store(true)
			}
			for wants[1-i].Load() && turn.Load() == int32(1-i) {
			}
		}, func(i int) { wants[i].Store(false) })(e)
	}
}

// dekker is Dekker's algorithm (Dijkstra, 1965). The wrong one looks before it says that it wants.
func dekker(right bool) func(e *explore.E) {
	return func(e *explore.E) {
		var wants [2]atomic.Bool
		var turn atomic.Int32
		exclusive(func(i int) {
			if !right {
				for wants[1-i].Load() {
				}
				wants[i].Store(true)
				return
			}
			wants[i].Store(true)
			for wants[1-i].Load() {
				if turn.Load() != int32(i) {
					wants[i].Store(false)
					for turn.Load() != int32(i) {
					}
					wants[i].Store(true)
				}
			}
		}, func(i int) { turn.Store(int32(1 - i)); wants[i].Store(false) })(e)
	}
}

// msNode is a node of a queue.
type msNode struct {
	value int
	next  atomic.Pointer[msNode]
}

// michaelScott is the queue of Michael and Scott (PODC 1996). The wrong one swings the tail first.
func michaelScott(right bool) func(e *explore.E) {
	return func(e *explore.E) {
		var head, tail atomic.Pointer[msNode]
		first := &msNode{}
		head.Store(first)
		tail.Store(first)
		push := func(v int) {
			n := &msNode{value: v}
			for {
				t := tail.Load()
				next := t.next.Load()
				switch {
				case !right:
					t.next.Store(n)
					tail.Store(n)
					return
				case next != nil:
					tail.CompareAndSwap(t, next)
				case t.next.CompareAndSwap(nil, n):
					tail.CompareAndSwap(t, n)
					return
				}
			}
		}
		pop := func() int {
			for {
				h := head.Load()
				next := h.next.Load()
				if next == nil {
					return 0
				}
				if head.CompareAndSwap(h, next) {
					return next.value
				}
			}
		}
		got := [4]int{}
		e.Go("a", func() { push(1); got[0] = pop() })
		e.Go("b", func() { push(2); got[1] = pop() })
		e.Wait()
		got[2], got[3] = pop(), pop()
		sum := 0
		for _, v := range got {
			sum += v
		}
		if sum != 3 {
			e.Fatalf("what was pushed is lost: %v", got)
		}
	}
}

// buffer is a bounded buffer.
func buffer(e *explore.E) {
	q := New(1)
	e.Go("producer", func() { q.Push(1); q.Push(2) })
	e.Go("consumer", func() {
		if a, b := q.Pop(), q.Pop(); a != 1 || b != 2 {
			e.Fatalf("%d, %d", a, b)
		}
	})
	e.Wait()
}

// TestClassics compares numbers of schedules, and finds what is wrong.
func TestClassics(t *testing.T) {
	scott, empty := michaelScottTheory()
	for _, x := range []struct {
		name      string
		fn        func(e *explore.E)
		says      string // of the wrong one
		schedules int    // of the right one
	}{
		{"Peterson", peterson(true), "", petersonTheory().count(machine{}, -1, 0, 2)},
		{"Peterson, wrong", peterson(false), "both are inside", 0},
		{"Dekker", dekker(true), "", dekkerTheory().count(machine{}, -1, 0, 2)},
		{"Dekker, wrong", dekker(false), "both are inside", 0},
		{"Michael and Scott", michaelScott(true), "", scott.count(empty, -1, 0, 2)},
		{"Michael and Scott, wrong", michaelScott(false), "what was pushed is lost", 0},
		{"bounded buffer", buffer, "", bufferTheory().count(machine{}, -1, 0, 2)},
	} {
		t.Run(x.name, func(t *testing.T) {
			failed, text := recorded(func(t testing.TB) { explore.Test(t, x.fn) })
			if x.says != "" {
				wantText(t, text, x.says)
			} else if failed || !strings.Contains(text, fmt.Sprintf("all %d schedules", x.schedules)) {
				t.Errorf("want %d schedules: %s", x.schedules, text)
			} else {
				t.Logf("%d schedules", x.schedules)
			}
		})
	}
}

// TestDraw has rapid draw programs and schedules, and shrink both.
func TestDraw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 3).Draw(t, "threads")
		explore.Draw(t, func(e *explore.E) {
			var sum atomic.Int64
			for range n {
				e.Go("adds", func() { sum.Add(1) })
			}
			e.Wait()
			if sum.Load() != int64(n) {
				e.Fatalf("%d", sum.Load())
			}
		})
	})
	if err := flag.Set("rapid.nofailfile", "true"); err != nil {
		t.Fatal(err)
	}
	_, text := recorded(func(t testing.TB) {
		rapid.Check(t, func(t *rapid.T) { explore.Draw(t, programs[0].fn) })
	})
	wantText(t, text, "got 1, want 2", "found with preemptions that were drawn")
}
