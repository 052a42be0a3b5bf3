package proptest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"go.uber.org/atomic"

	"github.com/ichor-go/ichor/locks"
	rt "github.com/ichor-go/ichor/runtime"
)

// canaryVariable says what TestCanary does: "race" or "lock".
const canaryVariable = "ICHOR_CANARY"

// TestRaceIsReported runs TestCanary in child processes with the race detector: it
// must see two threads write the same word of an object, and be silent if they
// take a lock. It cannot see the system's memory: under the detector a runtime
// uses Go memory.
func TestRaceIsReported(t *testing.T) {
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if !raceEnabled {
		if testing.Short() {
			t.Skip("SKIPPED: -short builds no test with the race detector, so nothing shows that it sees objects")
		}
		binary = compileRace(t)
	}
	out, err := canary(binary, "race")
	if err == nil || !strings.Contains(out, "WARNING: DATA RACE") ||
		!strings.Contains(out, "race detected during execution of test") {
		t.Errorf("the planted race was not reported: %v\n%s", err, out)
	}
	if out, err := canary(binary, "lock"); err != nil || !strings.Contains(out, "PASS") {
		t.Errorf("the twin without a race failed: %v\n%s", err, out)
	}
}

func canary(binary, what string) (string, error) {
	cmd := exec.Command(binary, "-test.run=^TestCanary$", "-test.v", "-test.timeout=1m")
	cmd.Env = append(os.Environ(), canaryVariable+"="+what, "GORACE=atexit_sleep_ms=0")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// compileRace builds this package's tests with the race detector, and skips the
// test where the toolchain has none.
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

// TestCanary has two threads write one word of an object.
func TestCanary(t *testing.T) {
	what := os.Getenv(canaryVariable)
	if what == "" {
		t.Skip("run by TestRaceIsReported, in a process of its own")
	}
	r, err := rt.New(rt.Options{Mode: rt.LockFree, AddressSpace: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	if b := r.Memory().Backing; b != rt.GoBacking {
		t.Errorf("objects lie in %v memory, which the race detector does not see", b)
	}
	y, err := rt.DefineType(rt.Type{Name: "canary"})
	if err != nil {
		t.Fatal(err)
	}
	var shared rt.Ref
	if err := r.Do(func(t *rt.Thread) error { shared, _, err = t.New(y, 8); return err }); err != nil {
		t.Fatal(err)
	}
	// The writes lie between two meetings, so nothing else orders them. They
	// wait attached, on purpose: a safe point might order them.
	var before, after atomic.Int32
	err = r.Run(context.Background(), 2, func(_ context.Context, t *rt.Thread, worker int) error {
		meet(&before)
		o := t.Body(shared)
		if what == "lock" {
			locks.Lock(o.Lock(1))
			o.SetWord(0, uint32(worker))
			locks.Unlock(o.Lock(1))
		} else {
			o.SetWord(0, uint32(worker))
		}
		meet(&after)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Do(func(t *rt.Thread) error { t.DecRef(shared); return nil }); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

// meet returns when two goroutines have called it.
func meet(n *atomic.Int32) {
	for n.Inc(); n.Load() < 2; {
		runtime.Gosched()
	}
}

// build builds a package's tests, and returns what the toolchain printed.
func build(t *testing.T, pkg, flag string) (binary, out string, err error) {
	binary = filepath.Join(t.TempDir(), "race.test.exe")
	text, err := exec.Command("go", "test", "-c", "-o", binary, flag, pkg).CombinedOutput()
	return binary, string(text), err
}
