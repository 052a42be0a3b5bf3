package point_test

import (
	"os/exec"
	"path"
	"strings"
	"testing"
)

// counted are the packages whose code has points.
var counted = []string{"../header", "../arena", "../../locks", "../../sched", "../../runtime", "../../objects"}

// TestNothing checks that builds without the tag have no trace of points in their
// machine code, and that builds with it have. There is no call of this package, and
// none of a method that is inlined with the original type.
func TestNothing(t *testing.T) {
	all := assembly(t, counted...)
	for _, pkg := range counted {
		text := all[path.Base(pkg)]
		if !strings.Contains(text, "TEXT") {
			t.Errorf("no assembly of %s", pkg)
		}
		for _, what := range []string{"internal/point.", "atomic.(*Bool).Load", "atomic.(*Uint32).", "atomic.(*Uint64).", "atomic.(*Int64)."} {
			if l := call(text, what); l != "" {
				t.Errorf("%s: a build without the tag explore calls %s: %s", pkg, what, l)
			}
		}
	}
	if call(assembly(t, "-tags=explore", "../header")["header"], "internal/point.") == "" {
		t.Error("a build with the tag explore does not call package point")
	}
}

// assembly returns the compiler's assembly output for each package, by the last part of its
// path.
func assembly(t *testing.T, packages ...string) map[string]string {
	args := append([]string{"build", "-gcflags=-S"}, packages...)
	out, err := exec.Command("go", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", args, err, out)
	}
	all := map[string]string{}
	for _, text := range strings.Split("\n"+string(out), "\n# ")[1:] { // after a line with its path
		name, text, _ := strings.Cut(text, "\n")
		all[path.Base(name)] += text
	}
	return all
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
