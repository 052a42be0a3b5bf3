//go:build explore

package explore_test

//lint:file-ignore SA2001 programs that only lock and unlock are what is tested

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	gotime "time"

	"github.com/ichor-go/ichor/proptest/explore"
	"github.com/ichor-go/ichor/proptest/explore/atomic"
	econtext "github.com/ichor-go/ichor/proptest/explore/context"
	"github.com/ichor-go/ichor/proptest/explore/errgroup"
	"github.com/ichor-go/ichor/proptest/explore/internal/engine"
	"github.com/ichor-go/ichor/proptest/explore/semaphore"
	"github.com/ichor-go/ichor/proptest/explore/shim"
	"github.com/ichor-go/ichor/proptest/explore/sync"
	"github.com/ichor-go/ichor/proptest/explore/time"
)

// programs are programs with the failure that must be found, or none.
var programs = []struct {
	name string
	fn   func(e *explore.E)
	says string // empty: it is right
}{
	{"a lost update", func(e *explore.E) {
		var n atomic.Int64
		for _, name := range []string{"a", "b"} {
			e.Go(name, func() { n.Store(n.Load() + 1) })
		}
		e.Wait()
		if n.Load() != 2 {
			e.Fatalf("got %d, want 2", n.Load())
		}
	}, "got 1, want 2"},
	{"no lost update", func(e *explore.E) {
		var n atomic.Int64
		for _, name := range []string{"a", "b", "c", "d", "e"} {
			e.Go(name, func() { n.Add(1) })
		}
		e.Wait()
		if n.Load() != 5 {
			e.Errorf("got %d", n.Load())
		}
	}, ""},
	{"a panic", func(e *explore.E) {
		var on atomic.Bool
		e.Go("sets", func() { on.Store(true) })
		e.Go("panics", func() {
			if on.Load() {
				panic("it is on")
			}
		})
	}, "panics: panic: it is on"},
	{"a deadlock of two locks", func(e *explore.E) {
		var a, b sync.Mutex
		e.Go("ab", func() { a.Lock(); b.Lock(); b.Unlock(); a.Unlock() })
		e.Go("ba", func() { b.Lock(); a.Lock(); a.Unlock(); b.Unlock() })
		e.Wait()
	}, "deadlock: main, which waits in Wait"},
	{"two locks in one order", func(e *explore.E) {
		var a, b sync.Mutex
		for range 2 {
			e.Go("ab", func() { a.Lock(); defer a.Unlock(); b.Lock(); defer b.Unlock() })
		}
		e.Wait()
	}, ""},
	{"a goroutine that leaks", func(e *explore.E) {
		ch := make(chan int)
		shim.Go(func() { shim.Send(ch, 1) })
	}, "leaked goroutine: the test has ended, and nobody can wake goroutine 1 (started at found_test.go:"},
	{"a ticker that is never stopped", func(e *explore.E) {
		shim.Go(func() {
			for range shim.Range(time.NewTicker(time.Second).C) {
			}
		})
	}, "leaked goroutine: the test has ended, and after"},
	{"a livelock", func(e *explore.E) {
		var a, b atomic.Bool
		e.Go("a", func() {
			for !a.Load() {
				shim.Gosched()
			}
			b.Store(true)
		})
		e.Go("b", func() {
			for !b.Load() {
			}
			a.Store(true)
		})
		e.Wait()
	}, "livelock: no end after 10000 steps"},
	{"a spin", func(e *explore.E) {
		var a atomic.Bool
		e.Go("spins", func() {
			for !a.CompareAndSwap(true, false) {
			}
		})
		e.Go("looks", func() {
			for i := 0; !a.Load() && i < 100; i++ {
			}
		})
		e.Go("sets", func() { a.Store(true) })
		e.Wait()
	}, ""},
	{"unlock of unlocked", func(e *explore.E) { var m sync.Mutex; m.Unlock() }, "sync: unlock of unlocked mutex, at explore_test.init.func"},
	{"RUnlock of unlocked", func(e *explore.E) { var m sync.RWMutex; m.RUnlock() }, "sync: RUnlock of unlocked RWMutex"},
	{"Unlock of what is read", func(e *explore.E) { var m sync.RWMutex; m.RLock(); m.Unlock() }, "sync: Unlock of unlocked RWMutex"},
	{"a negative WaitGroup", func(e *explore.E) { var g sync.WaitGroup; g.Done() }, "sync: negative WaitGroup counter, at explore_test.init.func"},
	{"a copied lock", func(e *explore.E) {
		type guarded struct{ mu sync.Mutex }
		a := new(guarded)
		a.mu.Lock()
		b := new(guarded)
		copyLock(&b.mu, &a.mu)
		b.mu.Unlock()
	}, "sync: a lock was copied after its first use"},
	{"send on closed", func(e *explore.E) {
		ch := make(chan int, 1)
		e.Go("sends", func() { shim.Send(ch, 1) })
		e.Go("closes", func() { shim.Close(ch) })
	}, "sends: panic: send on closed channel\ngithub.com/ichor-go/ichor/proptest/explore_test.init.func"},
	{"close while a goroutine sends", func(e *explore.E) {
		ch := make(chan int)
		e.Go("sends", func() { shim.Send(ch, 1) })
		shim.Close(ch)
	}, "sends: panic: send on closed channel\ngithub.com/ichor-go/ichor/proptest/explore_test.init.func"},
	{"close of closed", func(e *explore.E) { ch := make(chan int); shim.Close(ch); shim.Close(ch) }, "panic: close of closed channel"},
	{"close of nil", func(e *explore.E) { shim.Close[int](nil) }, "panic: close of nil channel"},
	{"receive from nil", func(e *explore.E) { shim.Recv[int](nil) }, "deadlock: main, which waits in receive"},
	{"a pool's item that is used after Put", func(e *explore.E) {
		var p sync.Pool
		x := &[2]int{}
		p.Put(x)
		x[0] = 1
		p.Get()
	}, "an item of a Pool was written to after it was put"},
	{"bytes of a pool's slice that is used after Put", func(e *explore.E) {
		var p sync.Pool
		b := []byte("ab")
		p.Put(&b)
		b[1] = 'c'
		p.Get()
	}, "an item of a Pool was written to after it was put"},
	{"bytes of a pool's buffer that is used after Put", func(e *explore.E) {
		var p sync.Pool
		b := bytes.NewBufferString("ab")
		p.Put(b)
		b.Bytes()[0] = 'c'
		p.Get()
	}, "an item of a Pool was written to after it was put"},
	{"a pool's slice that is reused", func(e *explore.E) {
		p := sync.Pool{New: func() any { return new([]byte) }}
		for range 2 {
			b := p.Get().(*[]byte)
			*b = append((*b)[:0], "ab"...)
			p.Put(b)
		}
	}, ""},
	{"a pool's item that is put twice", func(e *explore.E) {
		var p sync.Pool
		x := &[2]int{}
		p.Put(x)
		p.Put(x)
	}, "main: sync: an item was put into a Pool twice, at explore_test.init.func"},
	{"Goexit in a goroutine", func(e *explore.E) {
		done := false
		e.Go("a", func() { defer func() { done = true }(); runtime.Goexit() })
		e.Wait()
		if !done {
			e.Fatalf("it has not ended")
		}
	}, ""},
	{"Goexit of the test", func(e *explore.E) { runtime.Goexit() }, ""},
	{"an RWMutex upgraded", func(e *explore.E) {
		var m sync.RWMutex
		for range 2 {
			e.Go("upgrades", func() { m.RLock(); m.Lock(); m.Unlock(); m.RUnlock() })
		}
		e.Wait()
	}, "deadlock"},
	{"an RWMutex read twice against a writer", func(e *explore.E) {
		var m sync.RWMutex
		e.Go("reads", func() { m.RLock(); m.RLock(); m.RUnlock(); m.RUnlock() })
		e.Go("writes", func() { m.Lock(); m.Unlock() })
		e.Wait()
	}, "deadlock"},
	{"an RWMutex", func(e *explore.E) {
		var m sync.RWMutex
		var in, writers atomic.Int32
		for range 2 {
			e.Go("reads", func() {
				m.RLock()
				if in.Add(1); writers.Load() > 0 {
					e.Fatalf("a reader beside a writer")
				}
				e.Sometimes("two readers", in.Load() == 2)
				in.Add(-1)
				m.RUnlock()
			})
		}
		e.Go("writes", func() {
			m.Lock()
			writers.Store(1)
			if in.Load() > 0 {
				e.Fatalf("a writer beside a reader")
			}
			writers.Store(0)
			m.Unlock()
		})
		e.Wait()
	}, ""},
	{"what never happens", func(e *explore.E) { e.Sometimes("pigs fly", false) }, `no schedule reaches "pigs fly"`},
	{"a group that waits", func(e *explore.E) {
		var g sync.WaitGroup
		n := 0
		g.Go(func() { n++ })
		g.Wait()
		if n != 1 {
			e.Fatalf("n is %d", n)
		}
	}, ""},
	{"once", func(e *explore.E) {
		var n atomic.Int32
		get := sync.OnceValue(func() int32 { return n.Add(1) })
		for range 3 {
			e.Go("gets", func() {
				if v := get(); v != 1 {
					e.Fatalf("got %d", v)
				}
			})
		}
		e.Wait()
	}, ""},
	{"a sleep that is too short", func(e *explore.E) {
		var done atomic.Bool
		e.Go("works", func() { time.Sleep(2 * time.Second); done.Store(true) })
		time.Sleep(time.Second)
		if !done.Load() {
			e.Fatalf("not done after %s", time.Since(gotime.Date(2000, 1, 1, 0, 0, 0, 0, gotime.UTC)))
		}
	}, "not done after 2s"},
	{"loops that wait for time to pass", func(e *explore.E) {
		var on atomic.Bool
		for began := time.Now(); time.Since(began) < time.Minute; {
		}
		e.Go("polls", func() {
			for began := time.Now(); !on.Load() && time.Since(began) < time.Minute; {
			}
		})
	}, ""},
	{"a timeout", func(e *explore.E) {
		ctx, cancel := econtext.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		child, stop := econtext.WithCancel(ctx)
		defer stop()
		shim.Recv(child.Done())
		if child.Err() != context.DeadlineExceeded {
			e.Fatalf("the error is %v", child.Err())
		}
	}, ""},
	{"a context's error and its channel", func(e *explore.E) {
		ctx, cancel := econtext.WithCancel(context.Background())
		e.Go("cancels", func() { cancel() })
		e.Go("looks", func() {
			if ctx.Err() != nil && shim.Select(true, shim.RecvCase(ctx.Done())) < 0 {
				e.Fatalf("an error, and the channel is open")
			}
		})
		for ctx.Err() == nil {
		}
	}, ""},
	{"a group of errors", func(e *explore.E) {
		g, ctx := errgroup.WithContext(context.Background())
		g.SetLimit(1)
		g.Go(func() error { return io.EOF })
		g.Go(func() error { shim.Recv(ctx.Done()); return ctx.Err() })
		if err := g.Wait(); err != io.EOF && err != context.Canceled {
			e.Fatalf("the error is %v", err)
		}
		e.Sometimes("EOF", g.Wait() == io.EOF)
	}, ""},
	{"a semaphore", func(e *explore.E) {
		s := semaphore.NewWeighted(2)
		var used atomic.Int64
		for _, n := range []int64{1, 2} {
			e.Go("acquires", func() {
				if err := s.Acquire(context.Background(), n); err != nil {
					e.Fatalf("%v", err)
				}
				if used.Add(n) > 2 {
					e.Fatalf("too many")
				}
				used.Add(-n)
				s.Release(n)
			})
		}
		e.Wait()
	}, ""},
}

// copyLock copies a lock, which vet would not let the test do.
func copyLock(to, from *sync.Mutex) {
	*(*sync.Mutex)(to) = *(*sync.Mutex)(from) //nolint:govet
}

// TestFound explores each program, and compares what it says.
func TestFound(t *testing.T) {
	for _, x := range programs {
		t.Run(x.name, func(t *testing.T) {
			if engine.Racy && (strings.HasPrefix(x.says, "an item of a Pool") || strings.HasPrefix(x.says, "sends: panic")) {
				t.Skip("the race detector finds it first, and fails this test")
			}
			failed, text := recorded(func(t testing.TB) { explore.Test(t, x.fn) })
			if x.says == "" {
				if failed || !strings.Contains(text, "no failure: all ") {
					t.Errorf("want no failure:\n%s", text)
				}
				return
			}
			wantText(t, text, x.says)
			if strings.HasPrefix(x.says, "no schedule") {
				return
			}
			wantText(t, text, "step | main", "EXPLORE_REPLAY='", "go test -tags explore", "-run '^TestRecorded$'")
			again := text[strings.Index(text, "EXPLORE_REPLAY='")+len("EXPLORE_REPLAY='"):]
			t.Setenv(explore.Variable, again[:strings.IndexByte(again, '\'')])
			_, text = recorded(func(t testing.TB) { explore.Test(t, x.fn) })
			wantText(t, text, x.says, "the schedule that was asked for")
		})
	}
}

// TestParallel explores in several tests at once.
func TestParallel(t *testing.T) {
	for i := range 4 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			explore.Test(t, programs[1].fn)
			var outside sync.Mutex // not explored here
			outside.Lock()
			outside.Unlock()
			failed, text := recorded(func(t testing.TB) { explore.Test(t, programs[0].fn) })
			if !failed {
				t.Errorf("nothing was found: %s", text)
			}
		})
	}
}

// TestMisfits gives schedules that are not the program's.
func TestMisfits(t *testing.T) {
	for text, says := range map[string]string{
		"x":           `explore: EXPLORE_REPLAY: schedule: "x" is not a thread and a number of steps`,
		"7x1":         "explore: EXPLORE_REPLAY: the schedule does not fit the program: step 1 is one of thread 7",
		"1x2 2x2 0x9": "explore: EXPLORE_REPLAY: the schedule does not fit the program: it has 13 steps, and the program ends after",
	} {
		t.Setenv(explore.Variable, text)
		failed, out := recorded(func(t testing.TB) { explore.Test(t, programs[0].fn) })
		if !failed || !strings.HasPrefix(out, says) || strings.Count(out, "\n") != 1 {
			t.Errorf("%q: want one line, %q, found:\n%s", text, says, out)
		}
	}
	t.Setenv(explore.Variable, "1x2 2x2 0x2")
	if failed, out := recorded(func(t testing.TB) { explore.Test(t, programs[0].fn) }); failed {
		t.Errorf("a schedule that passes fails:\n%s", out)
	}
}

// TestSettings has the environment say how to explore.
func TestSettings(t *testing.T) {
	for _, x := range []struct{ name, value, says string }{
		{"EXPLORE_BOUND", "0", "no failure: all 2 schedules with at most 0 preemptions"},
		{"EXPLORE_BOUND", "many", `explore: EXPLORE_BOUND="many"`},
		{"EXPLORE_SEARCH", "bestfirst", `explore: there is no search "bestfirst"`},
		{"EXPLORE_SEARCH", "pct", "got 1, want 2"},
		{"EXPLORE_SEARCH", "pos", "got 1, want 2"},
		{"EXPLORE_SEARCH", "all", "got 1, want 2"},
		{"EXPLORE_SCHEDULES", "1", "not everything was explored: 1 schedules with at most 0 preemptions (1 schedules were the limit)"},
	} {
		t.Run(x.name+"="+x.value, func(t *testing.T) {
			t.Setenv(x.name, x.value)
			_, out := recorded(func(t testing.TB) { explore.Test(t, programs[0].fn) })
			wantText(t, out, x.says)
		})
	}
}

// TestTimeIsUp gives a search no time.
func TestTimeIsUp(t *testing.T) {
	_, out := recorded(func(t testing.TB) { explore.TestWith(t, explore.Config{Time: 1}, programs[1].fn) })
	wantText(t, out, "no failure, and not everything was explored: 1 schedules with at most 0 preemptions (the time was up), 1 schedules with random orders (the time was up)")
}

// TestMachinery demands that a trace names no function of the explorer.
func TestMachinery(t *testing.T) {
	_, text := recorded(func(t testing.TB) { explore.Test(t, programs[3].fn) })
	for _, file := range []string{"thread.go", "objects.go", "on.go", "execution.go"} {
		if strings.Contains(text, file) {
			t.Errorf("%s is in the trace:\n%s", file, text)
		}
	}
	_, text = recorded(func(t testing.TB) { explore.Test(t, programs[2].fn) })
	wantText(t, text, "panics: panic: it is on\n", "found_test.go:")
	for _, part := range []string{"engine.", "iter.Pull", "runtime/panic.go"} {
		if strings.Contains(text, part) {
			t.Errorf("%q is in the stack of a panic:\n%s", part, text)
		}
	}
	_, text = recorded(func(t testing.TB) { explore.Test(t, programs[7].fn) })
	wantText(t, text, "livelock", " rows are left out")
	if n := strings.Count(text, "\n"); n > 300 {
		t.Errorf("a livelock takes %d lines", n)
	}
	if engine.Machinery("main.main", "main.go") {
		t.Error("main.main counts as machinery")
	}
}
