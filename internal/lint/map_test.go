package lint

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The comment of a package may end with a map: a line for each file that is no test, or for each
// folder with Go files below the package, in reading order. The map begins with a heading.

const (
	filesHeading   = "# Files in reading order"
	foldersHeading = "# Folders in reading order"
)

// haveMaps are the packages that must have a map.
var haveMaps = map[string]string{"runtime": filesHeading, "proptest": foldersHeading}

// mapped is a line of a map.
var mapped = regexp.MustCompile(`(?m)^//\t([a-z][\w/]*(?:\.go)?)\s+\S`)

// unlike returns how a map differs from the names that it must have, a line for each difference.
func unlike(text string, names []string) (wrong []string) {
	var seen []string
	for _, m := range mapped.FindAllStringSubmatch(text, -1) {
		switch {
		case slices.Contains(seen, m[1]):
			wrong = append(wrong, m[1]+" is in the map twice")
		case !slices.Contains(names, m[1]):
			wrong = append(wrong, m[1]+" is in the map, but does not exist")
		}
		seen = append(seen, m[1])
	}
	for _, name := range names {
		if !slices.Contains(seen, name) {
			wrong = append(wrong, name+" is not in the map")
		}
	}
	return wrong
}

// mapOf returns the map below a heading in a file.
func mapOf(text, heading string) (lines string, ok bool) {
	_, lines, ok = strings.Cut(text, "\n// "+heading+"\n")
	lines, _, _ = strings.Cut(lines, "\npackage ")
	return lines, ok
}

// TestMaps demands that each map has each file or folder once, and nothing else.
func TestMaps(t *testing.T) {
	files, folders := map[string][]string{}, map[string][]string{} // by package
	maps := map[string]string{}                                    // files with the headings of their maps
	texts := map[string]string{}
	walk(t, ".go", func(name, text string) {
		dir, base := path.Split(name)
		dir = path.Clean(dir)
		texts[name] = text
		for _, heading := range []string{filesHeading, foldersHeading} {
			if _, ok := mapOf(text, heading); ok {
				maps[name] = heading
			}
		}
		if base != "doc.go" && !strings.HasSuffix(base, "_test.go") {
			files[dir] = append(files[dir], base)
		}
		for above := path.Dir(dir); above != "."; above = path.Dir(above) {
			if below := strings.TrimPrefix(dir, above+"/"); !slices.Contains(folders[above], below) {
				folders[above] = append(folders[above], below)
			}
		}
	})
	for dir, heading := range haveMaps {
		if maps[dir+"/doc.go"] != heading {
			t.Errorf("%s/doc.go has no %q", dir, heading)
		}
	}
	for name, heading := range maps {
		names := files[path.Dir(name)]
		if heading == foldersHeading {
			names = folders[path.Dir(name)]
		}
		text, _ := mapOf(texts[name], heading)
		for _, w := range unlike(text, names) {
			t.Errorf("%s: %s", name, w)
		}
	}
}

// TestUnlike plants a map that is wrong.
func TestUnlike(t *testing.T) {
	doc := "// Package p has a map.\n//\n//\tcode.go  is not in it\n//\n// # Files in reading order\n//\n" +
		"// Prose names gone.go.\n//\n//\ta.go   one\n//\ta.go   again\n//\told.go  gone\n//\tc/d     a folder\n//\tb.go\npackage p\n//\tx.go  code\n"
	text, ok := mapOf(doc, filesHeading)
	if _, folders := mapOf(doc, foldersHeading); !ok || folders {
		t.Errorf("the map is found: %t, one of folders: %t", ok, folders)
	}
	got := strings.Join(unlike(text, []string{"a.go", "b.go", "c/d"}), "\n")
	want := "a.go is in the map twice\n" +
		"old.go is in the map, but does not exist\n" +
		"b.go is not in the map" // it has no line of its own
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
