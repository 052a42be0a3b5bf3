package locks

import (
	"os/exec"
	goruntime "runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"
)

// watchdog ends the test process with all stacks if the test hangs: a lost
// wake-up or a deadlock.
func watchdog(t testing.TB) {
	dog := time.AfterFunc(25*time.Second, func() {
		debug.SetTraceback("all")
		panic("deadlock in " + t.Name())
	})
	t.Cleanup(func() { dog.Stop() })
}

// await waits for something that is bound to happen; the watchdog says if not.
func await(cond func() bool) {
	for !cond() {
		goruntime.Gosched()
	}
}

// rounds is fewer with -short.
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
			text = v.(string)
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

// TestInlined fails when a fast path stops inlining.
func TestInlined(t *testing.T) {
	out, err := exec.Command("go", "build", "-gcflags=-m=1", ".").CombinedOutput()
	if err != nil {
		t.Skipf("no compiler: %v", err)
	}
	for _, f := range []string{"Lock", "TryLock", "Unlock", "(*GIL).DropRequested", "(*Member).Stopping", "(*World).Stopped"} {
		if !strings.Contains(string(out), "can inline "+f+"\n") {
			t.Errorf("%s is not inlined", f)
		}
	}
}
