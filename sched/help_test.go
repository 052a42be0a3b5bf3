package sched

import (
	"fmt"
	"math/bits"
	"os"
	"os/exec"
	goruntime "runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestMain fails if a test leaves goroutines behind, other than that of a browser's events.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("runtime.handleEvent"))
}

// watchdog ends the test process with all stacks if the test hangs.
func watchdog(t testing.TB) {
	if goruntime.GOOS == "js" {
		t.Skip("SKIPPED: for several threads, of which there is one here, and nothing takes it from a loop")
	}
	dog := time.AfterFunc(25*time.Second, func() {
		debug.SetTraceback("all")
		panic("deadlock in " + t.Name())
	})
	t.Cleanup(func() { dog.Stop() })
}

// rounds is fewer with -short.
func rounds(n int) int {
	if testing.Short() {
		return n/10 + 1
	}
	return n
}

// mustPanic fails unless fn panics with such a text.
func mustPanic(t testing.TB, want string, fn func()) {
	t.Helper()
	defer func() {
		t.Helper()
		text := fmt.Sprint(recover())
		if !strings.HasPrefix(text, "ichor: ") || !strings.Contains(text, want) {
			t.Errorf("panic %q, want one with %q", text, want)
		}
	}()
	fn()
}

// TestInlined fails when a fast path stops inlining. On 32-bit machines the compiler calls a function
// for each atomic access of 64 bits, and two of them are too much.
func TestInlined(t *testing.T) {
	if goruntime.GOOS == "js" {
		t.Skip("NOT TESTED HERE: whether fast paths are inlined: no compiler can be run")
	}
	cmd := exec.Command("go", "build", "-gcflags=-m=1", ".")
	cmd.Env = append(os.Environ(), "GOOS="+goruntime.GOOS, "GOARCH="+goruntime.GOARCH)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("no compiler: %v\n%s", err, out)
	}
	fast := []string{"(*Grace).Advance"}
	if bits.UintSize == 64 {
		fast = append(fast, "(*Reader).Offline", "(*Reader).Quiescent")
	}
	for _, f := range fast {
		if !strings.Contains(string(out), "can inline "+f+"\n") {
			t.Errorf("%s is not inlined", f)
		}
	}
}
