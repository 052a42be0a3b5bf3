package point_test

import (
	"os/exec"
	"strings"
	"testing"
)

// counted are the packages whose code has points.
var counted = []string{"../header", "../../locks", "../../sched", "../../runtime", "../../objects"}

// TestNothing demands that builds without the tag have no trace of points in their
// machine code, and that builds with it do.
func TestNothing(t *testing.T) {
	for _, pkg := range counted {
		if l := call(assembly(t, pkg)); l != "" {
			t.Errorf("%s: a build without the tag explore calls package point: %s", pkg, l)
		}
	}
	if call(assembly(t, "../header", "-tags=explore")) == "" {
		t.Error("a build with the tag explore does not call package point")
	}
}

// assembly returns what the compiler makes of a package.
func assembly(t *testing.T, pkg string, flags ...string) string {
	args := append([]string{"build", "-gcflags=-S"}, append(flags, pkg)...)
	out, err := exec.Command("go", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", args, err, out)
	}
	if !strings.Contains(string(out), "TEXT") {
		t.Fatalf("go %s printed no assembly", args)
	}
	return string(out)
}

// call returns the first line that calls package point, or "".
func call(text string) string {
	for l := range strings.Lines(text) {
		if strings.Contains(l, "CALL") && strings.Contains(l, "internal/point.") {
			return l
		}
	}
	return ""
}
