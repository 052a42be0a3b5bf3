package scenarios

import (
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/internal/benchtest"
)

// Each row has the cost of its objects, and Ichor's that of making a runtime.
func TestFirst(t *testing.T) {
	noRaces(t)
	t.Setenv(benchtest.Child, "1")
	res := shortRun(t, First(), nil)
	if len(res.Rows) != len(modes)+1 {
		t.Errorf("%d rows, want one for each mode and one for Go's heap", len(res.Rows))
	}
	pages := float64(firstObjects * 32 / os.Getpagesize())
	for _, row := range res.Rows {
		if row.Samples[0].Ops != firstObjects {
			t.Errorf("%s: %d objects", row.Config, row.Samples[0].Ops)
		}
		ichor := row.Config.Get("heap") == HeapIchor
		if start := extraOf(row, startNs); ichor != (start.Min > 0) {
			t.Errorf("%s: making the runtime takes %v ns", row.Config, start)
		}
		if runtime.GOOS != "linux" {
			continue
		}
		if start := extraOf(row, startFaults); ichor != (start.Min > 0) || extraOf(row, majorFaults).Missing() {
			t.Errorf("%s: making the runtime has %v page faults, the objects %v major ones", row.Config, start, extraOf(row, majorFaults))
		}
		// In Go's heap, 78 pages of 4 KiB. A large page may hold all objects.
		if n := extraOf(row, minorFaults); !(n.Min > 0) || !largePages(t) && !raceEnabled && n.Min < pages*3/4 {
			t.Errorf("%s: %v page faults, for %v pages", row.Config, n, pages)
		}
	}
	for _, line := range []string{"page faults in Ichor's heap", "Making the runtime takes"} {
		if text := strings.Join(res.Scenario.Conclude(res), "\n"); runtime.GOOS == "linux" && !strings.Contains(text, line) {
			t.Errorf("no %q in %s", line, text)
		}
	}
}

// largePages reports whether Linux gives large pages to programs that do not ask for them.
func largePages(t *testing.T) bool {
	text, err := os.ReadFile("/sys/kernel/mm/transparent_hugepage/enabled")
	if err != nil {
		t.Log(err)
	}
	return strings.Contains(string(text), "[always]")
}

// Page faults are those of the work alone, and none is for the slice that keeps the objects.
func TestCostOf(t *testing.T) {
	const size = 16 << 20
	s := inMemory[byte](size)
	c, err := costOf(func() error {
		for i := 0; i < size; i += 4096 {
			s[i] = 1
		}
		return nil
	})
	if all := readFaults(); err != nil || c.Took <= 0 || c.Faults.Known != all.Known || all.Known && c.Faults.Minor >= all.Minor/2 {
		t.Errorf("%+v of %+v, %v", c, all, err)
	}
}

// A child that cannot do its job says why.
func TestFirstFails(t *testing.T) {
	t.Setenv(benchtest.Child, "1")
	if _, err := firstVariant("no such mode", nil).Sample(t.Context(), experiment.Budget{}); err == nil || !strings.Contains(err.Error(), "no such mode") {
		t.Error(err)
	}
	if err := Serve("pair", HeapGo, nil, nil); err == nil || !strings.Contains(err.Error(), `"pair"`) {
		t.Error(err)
	}
}
