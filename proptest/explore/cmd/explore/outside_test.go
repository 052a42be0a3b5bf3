package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// counter is the code under test: what a user has.
const counter = `package counter

import (
	"math/rand/v2"
	"sync/atomic"
)

type Counter struct{ n atomic.Int64 }

func (c *Counter) Lossy()     { c.n.Store(c.n.Load() + 1) }
func (c *Counter) Right()     { c.n.Add(1) }
func (c *Counter) Get() int64 { return c.n.Load() }

type Box struct {
	ready atomic.Bool
	value int
}

func (b *Box) Put(v int) { b.ready.Store(true); b.value = v } // the wrong order

func (b *Box) Take() (int, bool) {
	if !b.ready.Load() {
		return 0, false
	}
	return b.value, true
}

func Sum(n int) (sum int) {
	c, done := make(chan int), make(chan bool)
	go func() {
		for i := range n {
			c <- i
		}
		close(c)
	}()
	go func() {
		for v := range c {
			sum += v
		}
		done <- true
	}()
	<-done
	return sum
}

// Chances takes a way that depends on the order of a map and on random numbers.
func Chances(m map[string]*atomic.Int64) {
	for _, n := range m {
		if rand.IntN(2) == 0 {
			n.Add(1)
		}
		n.Load()
	}
}

func Leak() int {
	c := make(chan int)
	go func() { c <- 1 }()
	go func() { c <- 2 }()
	return <-c
}
`

// explored has a test for each behaviour. Lines are counted from 1.
const explored = `package counter

import (
	"sync/atomic"
	"testing"

	"github.com/ichor-go/ichor/proptest/explore"
)

func two(t *testing.T, f func(*Counter)) {
	explore.Test(t, func(e *explore.E) {
		var c Counter
		e.Go("a", func() { f(&c) })
		e.Go("b", func() { f(&c) })
		e.Wait()
		if c.Get() != 2 {
			e.Fatalf("got %d, want 2", c.Get())
		}
	})
}

func TestRight(t *testing.T) { two(t, (*Counter).Right) }
func TestLossy(t *testing.T) { two(t, (*Counter).Lossy) }

func TestBox(t *testing.T) {
	explore.Test(t, func(e *explore.E) {
		var b Box
		e.Go("put", func() { b.Put(7) })
		e.Go("take", func() { b.Take() })
		e.Wait()
	})
}

func TestSum(t *testing.T) {
	explore.Test(t, func(e *explore.E) {
		if n := Sum(3); n != 3 {
			e.Fatalf("sum %d", n)
		}
	})
}

func TestChances(t *testing.T) {
	explore.Test(t, func(e *explore.E) {
		m := map[string]*atomic.Int64{"a": {}, "b": {}, "c": {}, "d": {}}
		e.Go("x", func() { Chances(m) })
		e.Go("y", func() { Chances(m) })
		e.Wait()
	})
}

func TestLeak(t *testing.T) {
	explore.Test(t, func(e *explore.E) { Leak() })
}
`

const deep = `package deep

import (
	"testing"

	"github.com/ichor-go/ichor/proptest/explore"
)

func TestDeep(t *testing.T) {
	explore.Test(t, func(e *explore.E) {
		if c := make(chan int, 1); len(c) == 0 {
			e.Fatalf("deep")
		}
	})
}
`

// TestFromOutside runs the command in a module outside of this one.
func TestFromOutside(t *testing.T) {
	command := build(t)
	dir := write(t, map[string]string{"counter.go": counter, "counter_test.go": explored, "sub/deep/deep_test.go": deep})
	before := list(t, dir)
	for _, c := range []struct {
		name   string
		args   string
		status int
		want   []string
	}{
		{"the right counter", "-run=Right ./...", 0, []string{"ok"}},
		{"the lost update", "-run=Lossy ./...", 1, []string{"got 1, want 2", "EXPLORE_REPLAY=", "counter.go:10"}},
		{"a race on a plain field", "-race -run=Box .", 1, []string{"DATA RACE", "counter.go:19", "EXPLORE_REPLAY=", " -race "}},
		{"a goroutine that stays", "-run=Leak", 1, []string{"counter.go:60"}},
		{"channels, random numbers and the order of maps", "-run=Sum|Chances -count=1 -v", 0, []string{"--- PASS: TestSum", "--- PASS: TestChances", "no failure"}},
		{"as JSON", "-json -run=Right", 0, []string{`"Action":"pass"`}},
	} {
		out, status := explore(t, command, dir, strings.Fields(c.args)...)
		if status != c.status {
			t.Errorf("%s: exit status %d, want %d\n%s", c.name, status, c.status, out)
		}
		for _, want := range c.want {
			if !strings.Contains(out, want) {
				t.Errorf("%s: no %q in\n%s", c.name, want, out)
			}
		}
	}
	out, _ := explore(t, command, filepath.Join(dir, "sub"), "-C", "..", "-run=Lossy", "./...")
	if !strings.Contains(out, " explore test -C=.. -run '^TestLossy$' .\n") {
		t.Errorf("what runs the schedule again: %s", out)
	}
	out, _ = explore(t, command, dir, "-run=Deep", "./...")
	_, again, _ := strings.Cut(out, "EXPLORE_REPLAY='")
	schedule, again, _ := strings.Cut(again, "'")
	if !strings.HasPrefix(again, " explore test -run '^TestDeep$' ./sub/deep\n") {
		t.Errorf("what runs the schedule again: %s", out)
	}
	t.Setenv("EXPLORE_REPLAY", schedule)
	if out, status := explore(t, command, dir, "-run", "^TestDeep$", "./sub/deep"); status != 1 || !strings.Contains(out, "deep_test.go:12: deep") {
		t.Errorf("the schedule %s again: %d, %s", schedule, status, out)
	}
	if after := list(t, dir); after != before {
		t.Errorf("the module has %s, had %s", after, before)
	}
}

// list returns the files below dir with their sizes and times.
func list(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil {
			b.WriteString(path + " " + info.ModTime().String() + "\n")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}
