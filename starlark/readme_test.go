package starlark

import (
	"os"
	"strings"
	"testing"
)

// The table of the README is that of the test.
func TestReadmeTable(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range conformance {
		want := "| " + c.file + " | yes |\n"
		if !c.passes {
			want = "| " + c.file + " | no: "
		}
		if !strings.Contains(string(text), want) {
			t.Errorf("README.md does not have %q", want)
		}
	}
	if n := strings.Count(string(text), " | yes |\n"); n != 20 {
		t.Errorf("README.md says yes %d times", n)
	}
}
