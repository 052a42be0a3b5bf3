//go:build explore

package explore_test

//lint:file-ignore SA2001 programs that only lock and unlock are what is tested

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/ichor-go/ichor/proptest/explore"
	"github.com/ichor-go/ichor/proptest/explore/atomic"
	econtext "github.com/ichor-go/ichor/proptest/explore/context"
	"github.com/ichor-go/ichor/proptest/explore/errgroup"
	"github.com/ichor-go/ichor/proptest/explore/internal/engine"
	"github.com/ichor-go/ichor/proptest/explore/shim"
	"github.com/ichor-go/ichor/proptest/explore/sync"
	"github.com/ichor-go/ichor/proptest/explore/time"
)

// exchanges are programs in which one goroutine writes a plain variable and another reads it. In
// those that race, at least one schedule has no order between the two. In the others all have.
var exchanges = []struct {
	name  string
	races bool
	fn    func(e *explore.E, write, read func())
}{
	{"nothing", true, func(e *explore.E, write, read func()) { e.Go("writes", write); read() }},
	{"a flag that is set too early", true, func(e *explore.E, write, read func()) {
		var ready atomic.Bool
		e.Go("writes", func() { ready.Store(true); write() })
		if ready.Load() {
			read()
		}
	}},
	{"a flag", false, func(e *explore.E, write, read func()) {
		var ready atomic.Bool
		e.Go("writes", func() { write(); ready.Store(true) })
		if ready.Load() {
			read()
		}
	}},
	{"a write after unlock", true, func(e *explore.E, write, read func()) {
		var m sync.Mutex
		e.Go("writes", func() { m.Lock(); m.Unlock(); write() })
		m.Lock()
		read()
		m.Unlock()
	}},
	{"a lock", false, func(e *explore.E, write, read func()) {
		var m sync.Mutex
		e.Go("writes", func() { m.Lock(); write(); m.Unlock() })
		m.Lock()
		read()
		m.Unlock()
	}},
	{"a write under RLock", true, func(e *explore.E, write, read func()) {
		var m sync.RWMutex
		e.Go("writes", func() { m.RLock(); write(); m.RUnlock() })
		m.RLock()
		read()
		m.RUnlock()
	}},
	{"a write under Lock", false, func(e *explore.E, write, read func()) {
		var m sync.RWMutex
		e.Go("writes", func() { m.Lock(); write(); m.Unlock() })
		m.RLock()
		read()
		m.RUnlock()
	}},
	{"Done before the write", true, func(e *explore.E, write, read func()) {
		var g sync.WaitGroup
		g.Add(1)
		e.Go("writes", func() { g.Done(); write() })
		g.Wait()
		read()
	}},
	{"a group", false, func(e *explore.E, write, read func()) {
		var g sync.WaitGroup
		g.Go(write)
		g.Wait()
		read()
	}},
	{"Wait of the exploration", false, func(e *explore.E, write, read func()) { e.Go("writes", write); e.Wait(); read() }},
	{"a send before the write", true, func(e *explore.E, write, read func()) {
		ch := make(chan int, 1)
		e.Go("writes", func() { shim.Send(ch, 1); write() })
		shim.Recv(ch)
		read()
	}},
	{"a send into a buffer", false, func(e *explore.E, write, read func()) {
		ch := make(chan int, 1)
		e.Go("writes", func() { write(); shim.Send(ch, 1) })
		shim.Recv(ch)
		read()
	}},
	{"a receive from a buffer", true, func(e *explore.E, write, read func()) {
		ch := make(chan int, 1)
		e.Go("writes", func() { write(); shim.Recv(ch) })
		shim.Send(ch, 1)
		read()
	}},
	{"a receive without a buffer", false, func(e *explore.E, write, read func()) {
		ch := make(chan int)
		e.Go("writes", func() { write(); shim.Recv(ch) })
		shim.Send(ch, 1)
		read()
	}},
	{"a buffer that is full", false, func(e *explore.E, write, read func()) {
		ch := make(chan int, 1)
		shim.Send(ch, 0)
		e.Go("writes", func() { write(); shim.Recv(ch) })
		shim.Send(ch, 1)
		read()
	}},
	{"close", false, func(e *explore.E, write, read func()) {
		ch := make(chan int)
		e.Go("writes", func() { write(); shim.Close(ch) })
		shim.Recv(ch)
		read()
	}},
	{"select", false, func(e *explore.E, write, read func()) {
		a, b := make(chan int), make(chan int)
		e.Go("writes", func() { write(); shim.Select(false, shim.SendCase(b, 1), shim.SendCase(a, 1)) })
		shim.Select(false, shim.RecvCase(a), shim.RecvCase(b))
		read()
	}},
	{"once", false, func(e *explore.E, write, read func()) {
		var o sync.Once
		e.Go("writes", func() { o.Do(write) })
		o.Do(func() {})
		read()
	}},
	{"a condition", false, func(e *explore.E, write, read func()) {
		var m sync.Mutex
		c, ready := sync.NewCond(&m), false
		e.Go("writes", func() { m.Lock(); write(); ready = true; m.Unlock(); c.Signal() })
		m.Lock()
		for !ready {
			c.Wait()
		}
		read()
		m.Unlock()
	}},
	{"a map", false, func(e *explore.E, write, read func()) {
		var m sync.Map
		e.Go("writes", func() { write(); m.Store("x", 1) })
		if _, ok := m.Load("x"); ok {
			read()
		}
	}},
	{"two keys of a map", true, func(e *explore.E, write, read func()) {
		var m sync.Map
		e.Go("writes", func() { write(); m.Load("x") })
		m.Load("x")
		read()
	}},
	{"a buffer that is filled again", false, func(e *explore.E, write, read func()) {
		ch := make(chan int, 1)
		e.Go("sends", func() { shim.Send(ch, 1); write(); shim.Send(ch, 2) })
		shim.Recv(ch)
		shim.Recv(ch)
		read()
	}},
	{"a timer's function", false, func(e *explore.E, write, read func()) {
		write()
		time.AfterFunc(time.Second, read)
	}},
	{"two sleeps", true, func(e *explore.E, write, read func()) {
		e.Go("writes", func() { time.Sleep(time.Second); write() })
		time.Sleep(2 * time.Second)
		read()
	}},
	{"a context", false, func(e *explore.E, write, read func()) {
		ctx, cancel := econtext.WithCancel(context.Background())
		e.Go("writes", func() { write(); cancel() })
		shim.Recv(ctx.Done())
		read()
	}},
	{"a deadline", false, func(e *explore.E, write, read func()) {
		ctx, cancel := econtext.WithTimeout(context.Background(), time.Second)
		e.Go("cancels", func() { time.Sleep(time.Second); write(); cancel() })
		shim.Recv(ctx.Done())
		if ctx.Err() == context.Canceled {
			read()
		}
	}},
	{"a deadline below a context that is cancelled", false, func(e *explore.E, write, read func()) {
		parent, cancel := econtext.WithCancel(context.Background())
		e.Go("cancels", cancel)
		ctx, stop := econtext.WithTimeout(parent, time.Second)
		defer stop()
		shim.Recv(ctx.Done())
	}},
	{"a context's function", false, func(e *explore.E, write, read func()) {
		ctx, cancel := econtext.WithCancel(context.Background())
		stop := econtext.AfterFunc(ctx, read)
		e.Go("cancels", cancel)
		if stop() {
			write()
		}
	}},
	{"a context's function that is not stopped", true, func(e *explore.E, write, read func()) {
		ctx, cancel := econtext.WithCancel(context.Background())
		stop := econtext.AfterFunc(ctx, read)
		e.Go("cancels", cancel)
		stop()
		write()
	}},
	{"a group of errors", false, func(e *explore.E, write, read func()) {
		var g errgroup.Group
		g.Go(func() error { write(); return nil })
		if g.Wait() == nil {
			read()
		}
	}},
	{"a pool", false, func(e *explore.E, write, read func()) {
		var p sync.Pool
		x := new(int)
		e.Go("puts", func() { write(); p.Put(x) })
		if p.Get() != nil {
			read()
		}
	}},
}

// TestExchanges explores the programs. Those that race fail the test, so it runs them only if it is a
// child of TestRaces.
func TestExchanges(t *testing.T) {
	for _, x := range exchanges {
		t.Run(strings.ReplaceAll(x.name, " ", "_"), func(t *testing.T) {
			if x.races && os.Getenv("EXPLORE_PLANTED") == "" {
				t.Skip("run by TestRaces")
			}
			explore.Test(t, func(e *explore.E) {
				data := 0
				x.fn(e, func() { data = 1 }, func() { _ = data })
			})
		})
	}
}

// TestLongRace explores, in random orders, a program that races in every schedule. It is run by TestRaces.
func TestLongRace(t *testing.T) {
	if os.Getenv("EXPLORE_PLANTED") == "" {
		t.Skip("run by TestRaces")
	}
	for _, search := range []explore.Search{explore.SearchAll, explore.SearchPOS} { // the second call has the race
		explore.TestWith(t, explore.Config{Search: search}, func(e *explore.E) {
			var n atomic.Int32
			data := 0
			work := func() {
				for range 10 {
					n.Add(1)
				}
				if search == explore.SearchPOS {
					data++
				}
			}
			if e.Go("a", work); search == explore.SearchPOS {
				e.Go("b", work)
				e.Go("c", work)
			}
		})
	}
}

// TestRaces builds the tests with the race detector, and demands that it reports exactly the
// programs that race, each with the schedule that did.
func TestRaces(t *testing.T) {
	if testing.Short() || engine.Racy {
		t.Skip("SKIPPED: no planted race is run, so nothing shows that races are found")
	}
	cmd := exec.Command("go", "test", "-race", "-tags=explore", "-v", "-run=^Test(Exchanges|LongRace)$", ".")
	cmd.Env = append(os.Environ(), "EXPLORE_PLANTED=1")
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Error("no race was found")
	}
	text := string(out)
	for _, x := range exchanges {
		name := "TestExchanges/" + strings.ReplaceAll(x.name, " ", "_")
		_, rest, _ := strings.Cut(text, "=== RUN   "+name+"\n")
		own, _, _ := strings.Cut(rest, "=== RUN ")
		found := strings.Contains(own, "WARNING: DATA RACE") && strings.Contains(own, "explore: data race") && strings.Contains(own, "EXPLORE_REPLAY='")
		if found != x.races || rest == "" {
			t.Errorf("%s: a race was found: %t, want %t\n%s", x.name, found, x.races, own)
		}
	}
	// At random, goroutines take dozens of turns. One after the other, they take one each.
	_, long, _ := strings.Cut(text, "=== RUN   TestLongRace\n")
	_, line, _ := strings.Cut(long, "EXPLORE_REPLAY='")
	line, _, _ = strings.Cut(line, "'")
	if n := len(strings.Fields(line)); n == 0 || n > 6 {
		t.Errorf("the schedule was not shortened: %s\n%s", line, long)
	}
}
