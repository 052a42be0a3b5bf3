package proptest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"go.uber.org/atomic"

	"github.com/ichor-go/ichor/locks"
	"github.com/ichor-go/ichor/proptest/internal/property"
	"github.com/ichor-go/ichor/proptest/internal/suite"
	rt "github.com/ichor-go/ichor/runtime"
)

// canaryVariable makes the process run a canary: its name, and "race" or "twin".
const canaryVariable = "ICHOR_CANARY"

// canary is a program with a race that the race detector must report, and a twin without a race,
// on which it must be silent.
type canary struct {
	name string
	opts rt.Options
	// threads returns the functions of two threads that share an object of one word and one
	// slot, to which each holds a reference. Both threads meet before and after them.
	threads func(shared rt.Ref, raced bool) [2]func(t *rt.Thread)
	// apart says that the threads do not meet: only Run may bring them together.
	apart bool
}

var canaries = []canary{
	{"two writes of a word", rt.Options{}, func(shared rt.Ref, raced bool) [2]func(t *rt.Thread) {
		write := func(t *rt.Thread) { writeWord(t, shared, raced) }
		return [2]func(t *rt.Thread){write, write}
	}, false},
	{"writes of a word, each between two counts", rt.Options{}, countedWrites, false},
	{"writes of a word, each between two biased counts", rt.Options{Counting: rt.Biased}, countedWrites, false},
	{"writes of a word by short workers", rt.Options{}, countedWrites, true},
	{"a reference that is passed on without an order, and counted", rt.Options{}, func(_ rt.Ref, raced bool) [2]func(t *rt.Thread) {
		var passed atomic.Uint32
		var plain uint32
		return [2]func(t *rt.Thread){
			func(t *rt.Thread) {
				item := newCanary(t)
				defer t.DecRef(item)
				if t.IncRef(item); raced {
					passPlainly(&plain, uint32(item.Handle))
				} else {
					passed.Store(uint32(item.Handle))
				}
			},
			func(t *rt.Thread) {
				var item rt.Ref
				for item.IsNil() {
					if runtime.Gosched(); raced {
						item.Handle = rt.Handle(takePlainly(&plain))
					} else {
						item.Handle = rt.Handle(passed.Load())
					}
				}
				t.DecRef(item)
			},
		}
	}, false},
	{"a slot that is published by a plain store", rt.Options{}, func(shared rt.Ref, raced bool) [2]func(t *rt.Thread) {
		return [2]func(t *rt.Thread){
			func(t *rt.Thread) {
				if o := t.Body(shared); raced {
					o.SetRef(2, rt.None)
				} else {
					o.StoreRef(2, rt.None)
				}
			},
			func(t *rt.Thread) { _ = t.Body(shared).LoadRef(2) },
		}
	}, false},
	{"a borrowed reference to what is released without a grace period", rt.Options{}, func(shared rt.Ref, raced bool) [2]func(t *rt.Thread) {
		var stored, borrowed atomic.Int32
		return [2]func(t *rt.Thread){
			func(t *rt.Thread) {
				item := newCanary(t)
				t.Body(shared).StoreRef(2, item)
				meet(&stored)
				meet(&borrowed)
				t.Body(shared).StoreRef(2, rt.Nil)
				if !raced {
					t.Retire(item)
					return
				}
				t.DecRef(item)
				for range 1000 { // one of these reuses its memory
					t.Body(newCanary(t)).SetWord(0, 7)
				}
			},
			func(t *rt.Thread) {
				meet(&stored)
				item := t.Body(shared).LoadRef(2)
				meet(&borrowed)
				_ = t.Body(item).Word(0)
			},
		}
	}, false},
	{"a thread that two goroutines use", rt.Options{}, func(_ rt.Ref, raced bool) [2]func(t *rt.Thread) {
		var first atomic.Pointer[rt.Thread]
		allocate := func(t *rt.Thread) { t.DecRef(newCanary(t)) }
		return [2]func(t *rt.Thread){
			func(t *rt.Thread) { first.Store(t); allocate(t) },
			func(t *rt.Thread) {
				if raced {
					for first.Load() == nil {
						runtime.Gosched()
					}
					t = first.Load()
				}
				allocate(t)
			},
		}
	}, false},
}

// countedWrites are ten writes of a word in each thread, every one between two counts.
func countedWrites(shared rt.Ref, raced bool) [2]func(t *rt.Thread) {
	write := func(t *rt.Thread) {
		for range 10 {
			t.IncRef(shared)
			writeWord(t, shared, raced)
			t.DecRef(shared)
		}
	}
	return [2]func(t *rt.Thread){write, write}
}

func writeWord(t *rt.Thread, shared rt.Ref, raced bool) {
	o := t.Body(shared)
	if !raced {
		locks.Lock(o.Lock(1))
		defer locks.Unlock(o.Lock(1))
	}
	o.SetWord(0, 7)
}

// passPlainly and takePlainly are invisible to the race detector.
//
//go:norace
func passPlainly(to *uint32, v uint32) { *to = v }

//go:norace
func takePlainly(from *uint32) uint32 { return *from }

// TestRaceIsReported runs canaries in child processes with the race detector: it must report
// the race of each, and be silent on its twin. The detector cannot see system memory, so
// under it a runtime uses Go memory.
func TestRaceIsReported(t *testing.T) {
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if !suite.Race {
		if testing.Short() {
			t.Skip("SKIPPED: -short builds no test with the race detector, so nothing shows that it sees objects")
		}
		binary = compileRace(t)
	}
	for _, c := range canaries {
		t.Run(c.name, func(t *testing.T) {
			var out string
			reported := false
			for range 3 { // the detector may miss two simultaneous accesses
				var err error
				out, err = sing(binary, c.name+"/race")
				if reported = err != nil && strings.Contains(out, "WARNING: DATA RACE"); reported {
					break
				}
			}
			if !reported {
				t.Errorf("the planted race was not reported:\n%s", out)
			}
			if out, err := sing(binary, c.name+"/twin"); err != nil || out != "" {
				t.Errorf("the twin without a race failed: %v\n%s", err, out)
			}
		})
	}
}

// sing runs a canary in a process of its own.
func sing(binary, what string) (string, error) {
	cmd := exec.Command(binary)
	cmd.Env = append(os.Environ(), canaryVariable+"="+what, "GORACE=atexit_sleep_ms=0")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// compileRace builds this package's tests with the race detector, and skips the
// test if the toolchain has none.
func compileRace(t *testing.T) string {
	t.Helper()
	binary, out, err := build(t, ".", "-race")
	if err == nil {
		return binary
	}
	for _, why := range []string{"-race requires cgo", "-race is only supported", "C compiler", "-race is not supported"} {
		if strings.Contains(out, why) {
			t.Skipf("SKIPPED: no race detector here, so nothing shows that it sees objects: %s", out)
		}
	}
	t.Fatalf("go test -c -race: %v\n%s", err, out)
	return ""
}

// canaryType has a word, a lock and a slot.
var canaryType = property.Must(rt.DefineType(rt.Type{
	Name:     "canary",
	Mutable:  true,
	Traverse: func(_ rt.Heap, o rt.Body, visit func(rt.Ref)) { visit(o.LoadRef(2)) },
}))

func newCanary(t *rt.Thread) rt.Ref {
	r, _, err := t.New(canaryType, 12)
	property.Check(err)
	return r
}

// beCanary is the main function of a canary's process.
func beCanary(what string) {
	name, what, _ := strings.Cut(what, "/")
	c := canaries[slices.IndexFunc(canaries, func(c canary) bool { return c.name == name })]
	c.opts.Mode, c.opts.AddressSpace = rt.LockFree, 64<<20
	r := property.Must(rt.New(c.opts))
	if b := r.Memory().Backing; b != rt.GoBacking {
		panic(fmt.Sprintf("objects lie in %v memory, which the race detector does not see", b))
	}
	var shared rt.Ref
	property.Check(r.Do(func(t *rt.Thread) error { shared = newCanary(t); return nil }))
	threads := c.threads(shared, what == "race")
	// The threads' functions run between two meetings, so nothing else orders them. The threads
	// wait attached, on purpose: a safe point might order them.
	var before, after atomic.Int32
	property.Check(r.Run(context.Background(), 2, func(_ context.Context, t *rt.Thread, worker int) error {
		if c.apart {
			threads[worker](t)
			return nil
		}
		meet(&before)
		threads[worker](t)
		meet(&after)
		return nil
	}))
	if what == "race" {
		return // its counts need not be right
	}
	property.Check(r.Do(func(t *rt.Thread) error { t.DecRef(shared); return nil }))
	property.Check(r.Close())
}

// meet returns when two goroutines have called it.
func meet(n *atomic.Int32) {
	for n.Inc(); n.Load() < 2; {
		runtime.Gosched()
	}
}

// build builds a package's tests, and returns the output of the toolchain.
func build(t *testing.T, pkg, flag string) (binary, out string, err error) {
	binary = filepath.Join(t.TempDir(), "race.test.exe")
	text, err := exec.Command("go", "test", "-c", "-o", binary, flag, pkg).CombinedOutput()
	return binary, string(text), err
}
