package point_test

import (
	"os/exec"
	"strings"
	"testing"
)

// counted are the packages whose code has points.
var counted = []string{"../header", "../arena", "../../locks", "../../sched", "../../runtime", "../../objects"}

// TestNothing checks that builds without the tag have no trace of points in their
// machine code, and that builds with it have. There is no call of this package, and
// none of a method that is inlined with the original type.
func TestNothing(t *testing.T) {
	for _, pkg := range counted {
		text := assembly(t, pkg)
		for _, what := range []string{"internal/point.", "atomic.(*Bool).Load", "atomic.(*Uint32).", "atomic.(*Uint64).", "atomic.(*Int64)."} {
			if l := call(text, what); l != "" {
				t.Errorf("%s: a build without the tag explore calls %s: %s", pkg, what, l)
			}
		}
	}
	if call(assembly(t, "../header", "-tags=explore"), "internal/point.") == "" {
		t.Error("a build with the tag explore does not call package point")
	}
}

// assembly returns the compiler's assembly output for a package.
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

// call returns the first line that calls what, or "".
func call(text, what string) string {
	for l := range strings.Lines(text) {
		if strings.Contains(l, "CALL\t") && strings.Contains(l, what) {
			return l
		}
	}
	return ""
}
