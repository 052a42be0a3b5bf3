package starlark

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// The table of the page is that of TestConformance, and has the lengths of the files.
func TestTableOfThePage(t *testing.T) {
	text, err := os.ReadFile("../docs/starlark.md")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := suite()
	if err != nil || dir == "" {
		t.Skip("the sources of go.starlark.net are not here:", err)
	}
	rows := regexp.MustCompile(`(?m)^\| (\w+) \| (\d+) \| .* \| (yes|no: .*) \|$`).FindAllStringSubmatch(string(text), -1)
	of := map[string][]string{}
	for _, r := range rows {
		of[r[1]] = r
	}
	if len(of) != len(conformance) || len(rows) != len(of) {
		t.Errorf("the table has %d rows for %d files, want %d", len(rows), len(of), len(conformance))
	}
	for _, c := range conformance {
		src, err := os.ReadFile(dir + "/starlark/testdata/" + c.file + ".star")
		if err != nil {
			t.Fatal(err)
		}
		r := of[c.file]
		if r == nil || r[2] != fmt.Sprint(strings.Count(string(src), "\n")) || strings.HasPrefix(r[3], "yes") != c.passes {
			t.Errorf("the row of %s is %q", c.file, r)
		}
	}
}
