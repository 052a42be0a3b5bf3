package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestSameCode compiles a package with the originals and with the twins, without the tag, and
// compares the machine code.
func TestSameCode(t *testing.T) {
	file, err := filepath.Abs("same/same.go")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	changed, swaps := string(text), 0
	for _, x := range List {
		old := `"` + x.Original + `"`
		swaps += strings.Count(changed, old)
		changed = strings.Replace(changed, old, `"github.com/ichor-go/ichor/proptest/explore/`+x.Folder+`"`, 1)
	}
	if swaps != len(List) {
		t.Fatalf("%d imports were changed, want %d", swaps, len(List))
	}
	dir := t.TempDir()
	twin, overlay := filepath.Join(dir, "same.go"), filepath.Join(dir, "overlay.json")
	list, err := json.Marshal(map[string]map[string]string{"Replace": {file: twin}})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{twin: []byte(changed), overlay: list} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, got := instructions(t), instructions(t, "-overlay="+overlay)
	if want != got {
		a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
		for i := range min(len(a), len(b)) {
			if a[i] != b[i] {
				t.Fatalf("instruction %d is %q with the twins, and %q with the originals", i, b[i], a[i])
			}
		}
		t.Fatalf("%d instructions with the twins, %d with the originals", len(b), len(a))
	}
	if n := strings.Count(want, "\n"); n < 200 {
		t.Errorf("only %d instructions were compared", n)
	}
	if tagged := instructions(t, "-overlay="+overlay, "-tags=explore"); tagged == want {
		t.Error("the tag changes nothing")
	}
}

// line is a line of the compiler's assembly output: address, position, instruction.
var line = regexp.MustCompile(`^\t0x[0-9a-f]+ \d+ \(([^)]*)\)\t(.*)$`)

var (
	// nothing matches what does nothing: tables, and the instructions that mark where inlined code
	// begins.
	nothing = regexp.MustCompile(`^(PCDATA|FUNCDATA|NOP|XCHGL\tAX, AX)`)
	// places matches targets of jumps and numbers of temporaries.
	places = regexp.MustCompile(`(_\d+|\t\d+$)`)
)

// instructions returns the instructions of the package.
func instructions(t *testing.T, flags ...string) string {
	t.Helper()
	cmd := exec.Command("go", append(append([]string{"build", "-gcflags=-S"}, flags...), "./same")...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	var b strings.Builder
	for l := range strings.Lines(string(out)) {
		m := line.FindStringSubmatch(strings.TrimSuffix(l, "\n"))
		if m == nil || nothing.MatchString(m[2]) {
			continue
		}
		b.WriteString(places.ReplaceAllString(m[2], "") + "\n")
	}
	return b.String()
}
