package locks

import (
	"math/bits"
	"os"
	"os/exec"
	goruntime "runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"
)

// watchdog ends the test process with all stacks if the test hangs, after a lost
// wake-up or a deadlock.
func watchdog(t testing.TB) {
	if goruntime.GOOS == "js" {
		t.Skip("SKIPPED: needs several threads, and there is only one here, and nothing preempts a loop")
	}
	dog := time.AfterFunc(25*time.Second, func() {
		debug.SetTraceback("all")
		panic("deadlock in " + t.Name())
	})
	t.Cleanup(func() { dog.Stop() })
}

// await waits for a condition that must become true; if it does not, the watchdog ends the test.
func await(cond func() bool) {
	for !cond() {
		goruntime.Gosched()
	}
}

// rounds returns n, or fewer with -short.
func rounds(n int) int {
	if testing.Short() {
		return n/10 + 1
	}
	return n
}

// panics returns the text of fn's panic, or "".
func panics(fn func()) (text string) {
	defer func() {
		if v := recover(); v != nil {
			text = v.(error).Error()
		}
	}()
	fn()
	return ""
}

func mustPanic(t *testing.T, want string, fn func()) {
	t.Helper()
	if got := panics(fn); !strings.HasPrefix(got, "ichor: ") || !strings.Contains(got, want) {
		t.Errorf("panic %q, want one with %q", got, want)
	}
}

// TestInlined fails if a fast path stops inlining. On 32-bit machines an atomic update is a
// function call, which does not fit in the inliner's budget.
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
	fast := []string{"(*GIL).DropRequested", "(*Member).Stopping", "(*World).Stopped"}
	if bits.UintSize == 64 {
		fast = append(fast, "Lock", "TryLock", "Unlock")
	}
	for _, f := range fast {
		if !strings.Contains(string(out), "can inline "+f+"\n") {
			t.Errorf("%s is not inlined", f)
		}
	}
}
