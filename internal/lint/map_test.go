package lint

import (
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// runtime/doc.go has a map of the package: every file that is no test, in reading order, with
// a line for each.

// mapped is a line of the map.
var mapped = regexp.MustCompile(`(?m)^//\t([a-z]\w*\.go)\s+\S`)

// unlike returns how a map differs from the files that there are, a line for each difference.
func unlike(doc string, files []string) (wrong []string) {
	var seen []string
	for _, m := range mapped.FindAllStringSubmatch(doc, -1) {
		switch {
		case slices.Contains(seen, m[1]):
			wrong = append(wrong, m[1]+" is in the map twice")
		case !slices.Contains(files, m[1]):
			wrong = append(wrong, m[1]+"is in the map, but there is no such file")
		}
		seen = append(seen, m[1])
	}
	for _, name := range files {
		if !slices.Contains(seen, name) {
			wrong = append(wrong, name+" is not in the map")
		}
	}
	return wrong
}

// TestMap demands that the map names each file of package runtime once, and nothing else.
func TestMap(t *testing.T) {
	const doc = "doc.go" // where the map is
	var files []string
	for _, name := range slices.Sorted(maps.Keys(sources(t, "runtime"))) {
		if path.Base(name) != doc {
			files = append(files, path.Base(name))
		}
	}
	text, err := os.ReadFile(filepath.Join(root, "runtime", doc))
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range unlike(string(text), files) {
		t.Errorf("runtime/%s: %s", doc, w)
	}
}

// TestUnlike plants a map that is wrong.
func TestUnlike(t *testing.T) {
	doc := "// Prose names gone.go.\n//\n//\ta.go   one\n//\ta.go   again\n//\told.go  gone\n//\tb.go\n"
	got := strings.Join(unlike(doc, []string{"a.go", "b.go"}), "\n")
	want := "a.go is in the map twice\n" +
		"old.gois in the map, but there is no such file\n" +
		"b.go is not in the map" // it has no line of its own
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
