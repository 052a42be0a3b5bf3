package proptest

import (
	"errors"
	goruntime "runtime"
	"slices"
	"testing"

	"pgregory.net/rapid"

	rt "github.com/ichor-go/ichor/runtime"
)

// Config says how Run runs programs. The zero value works.
type Config struct {
	// Options are the options of the runtimes; each program gets its own runtime. Here an
	// AddressSpace of 0 means 64 MiB, and a SwitchInterval of 0 means 10 µs.
	Options rt.Options
	// Threads is the number of threads that run concurrently. 0 means 3.
	Threads int
	// Ops bounds the operations of one thread. 0 means 60.
	Ops int
}

func (c *Config) fill() {
	if c.Threads == 0 {
		c.Threads = 3
	}
	if c.Ops == 0 {
		c.Ops = 60
	}
}

// Run draws random programs with rapid, runs them, and fails t if one of the
// properties in the package comment does not hold. Rapid's flags set the number of
// programs and the seed. Any goroutine that is not attached.
func Run(t *testing.T, c Config) {
	t.Helper()
	c.fill()
	t.Run("sequential", func(t *testing.T) { checkSequential(t, c) })
	if c.Options.Mode == rt.LockFree {
		t.Run("interleaved", func(t *testing.T) { checkInterleaved(t, c) })
	}
	t.Run("concurrent", func(t *testing.T) { checkConcurrent(t, c) })
	t.Run("stores", func(t *testing.T) { checkTraffic(t, c, 5_000) })
	if goruntime.GOOS == "linux" {
		t.Run("moved", func(t *testing.T) { checkMoved(t, c) })
	}
}

// Audit fails t if the heap's counts differ from the sums of its references, including held,
// which it borrows: see rt.Thread.Audit. A safe point. An attached thread, on the test's
// goroutine, because Audit may end the test.
func Audit(t testing.TB, th *rt.Thread, held ...rt.Ref) {
	t.Helper()
	if err := th.Audit(held...); err != nil {
		t.Fatalf("%s: %v", propAudit, err)
	}
}

// report fails t with a text that is the same for all failures of a property, and
// logs the details.
func report(t *rapid.T, err error) {
	if err == nil {
		return
	}
	t.Log(err)
	var f *failure
	if errors.As(err, &f) {
		t.Fatal(f.property)
	}
	t.Fatal("a run of a program failed")
}

// checkSequential compares the histories of one thread with those of the model.
func checkSequential(t *testing.T, c Config) {
	rapid.Check(t, func(t *rapid.T) {
		prog, when := drawOps(t, "program", 2*c.Ops), collecting(rapid.Bool().Draw(t, "collects by itself"))
		if when == byItself {
			prog = foretold(prog)
		}
		agree(t, prog, when, c.Options)
	})
}

// agree runs a program with each of the options, and demands that all histories equal
// the model's.
func agree(t *rapid.T, prog []op, when collecting, options ...rt.Options) {
	want := modelled(prog)
	for _, o := range options {
		got, err := sequential(o, when, prog)
		report(t, err)
		if d := got.diff(want, prog); d != "" {
			report(t, &failure{propAgree, d})
		}
	}
}

func checkInterleaved(t *testing.T, c Config) {
	rapid.Check(t, func(t *rapid.T) {
		report(t, interleaved(c.Options, c.Threads, drawTurns(t, c.Threads, 2*c.Ops)))
	})
}

func checkConcurrent(t *testing.T, c Config) {
	rapid.Check(t, func(t *rapid.T) {
		progs := make([]program, c.Threads)
		for i := range progs {
			progs[i] = drawProgram(t, "thread", c.Ops)
		}
		report(t, concurrent(c.Options, progs))
	})
}

// checkMoved compares the histories of programs whose second part runs on a shared heap
// with those of the model.
func checkMoved(t *testing.T, c Config) {
	rapid.Check(t, func(t *rapid.T) {
		before, after := drawOps(t, "before", c.Ops), drawOps(t, "after", c.Ops)
		prog := slices.Concat(before, []op{{code: opCollect}, {code: opLeave}}, after)
		got, err := moved(c.Options, prog, len(before)+1)
		report(t, err)
		if d := got.diff(modelled(prog), prog); d != "" {
			report(t, &failure{propAgree, d})
		}
	})
}
