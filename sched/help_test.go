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

// TestMain fails if a test leaves goroutines behind, except one for a browser's events.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("runtime.handleEvent"))
}

// watchdog ends the test process with all stacks if the test hangs.
func watchdog(t testing.TB) {
	if goruntime.GOOS == "js" {
		t.Skip("SKIPPED: needs several threads, and here there is only one, which nothing preempts")
	}
	dog := time.AfterFunc(25*time.Second, func() {
		debug.SetTraceback("all")
		panic("deadlock in " + t.Name())
	})
	t.Cleanup(func() { dog.Stop() })
}

// rounds returns n, or a tenth of it with -short.
func rounds(n int) int {
	if testing.Short() {
		return n/10 + 1
	}
	return n
}

// mustPanic fails unless fn panics with a text that contains want.
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

// TestInlined fails if a fast path is no longer inlined. On 32-bit machines each atomic
// access of 64 bits is a function call, and two of them exceed the inliner's budget.
func TestInlined(t *testing.T) {
	if goruntime.GOOS == "js" {
		t.Skip("NOT TESTED HERE: inlining of the fast paths: the compiler cannot run")
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
