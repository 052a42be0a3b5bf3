package proptest

import (
	goruntime "runtime"
	"testing"

	"github.com/ichor-go/ichor/proptest/internal/property"
	"github.com/ichor-go/ichor/proptest/internal/runs"
	"github.com/ichor-go/ichor/proptest/internal/traffic"
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
	t.Run("sequential", func(t *testing.T) { runs.CheckSequential(t, c.Options, 2*c.Ops) })
	if c.Options.Mode == rt.LockFree {
		t.Run("interleaved", func(t *testing.T) { runs.CheckInterleaved(t, c.Options, c.Threads, 2*c.Ops) })
	}
	t.Run("concurrent", func(t *testing.T) { runs.CheckConcurrent(t, c.Options, c.Threads, c.Ops) })
	t.Run("stores", func(t *testing.T) { traffic.Check(t, c.Options, c.Threads, 2_000) })
	if goruntime.GOOS == "linux" {
		t.Run("moved", func(t *testing.T) { runs.CheckMoved(t, c.Options, c.Ops) })
	}
}

// Audit fails t if the heap's counts differ from the sums of its references, including held,
// which it borrows: see rt.Thread.Audit. A safe point. An attached thread, on the test's
// goroutine, because Audit may end the test.
func Audit(t testing.TB, th *rt.Thread, held ...rt.Ref) {
	t.Helper()
	if err := th.Audit(held...); err != nil {
		t.Fatalf("%s: %v", property.Counts, err)
	}
}
