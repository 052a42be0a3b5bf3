package mutant

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestTable: each planted bug is planted somewhere, has a description, and is found by
// a test.
func TestTable(t *testing.T) {
	bugs := declared(t)
	if len(bugs) < 40 {
		t.Errorf("%d planted bugs, want at least 40", len(bugs))
	}
	planted := plantedIn(t, "../..")
	for name, id := range bugs {
		if !planted[name] {
			t.Errorf("%s is planted nowhere", name)
		}
		if Changes[id] == "" {
			t.Errorf("%s has no description", name)
		}
		if !slices.ContainsFunc(Kills, func(k Kill) bool { return k.Bug == id && len(k.Says) > 0 }) {
			t.Errorf("no test finds %s", name)
		}
	}
	for name := range planted {
		if _, ok := bugs[name]; !ok {
			t.Errorf("mutant.%s is planted, but not declared", name)
		}
	}
	if len(Changes) != len(bugs) {
		t.Errorf("%d bugs have a description, %d are declared", len(Changes), len(bugs))
	}
}

// declared returns the constants of bugs.go, by name.
func declared(t *testing.T) map[string]ID {
	file, err := parser.ParseFile(token.NewFileSet(), "bugs.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	bugs := map[string]ID{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		if lit, ok := spec.Values[0].(*ast.BasicLit); ok {
			s, err := strconv.Unquote(lit.Value)
			if err != nil {
				t.Fatal(err)
			}
			bugs[spec.Names[0].Name] = ID(s)
		}
		return true
	})
	return bugs
}

// plantedIn returns the names of the bugs that the module's code tests with mutant.Is.
func plantedIn(t *testing.T, root string) map[string]bool {
	names := map[string]bool{}
	seam := regexp.MustCompile(`mutant\.On && mutant\.Is\(mutant\.(\w+)\)`)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || filepath.Base(filepath.Dir(path)) == "mutant" {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range seam.FindAllSubmatch(text, -1) {
			names[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
