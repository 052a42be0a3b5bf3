package main

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// edit puts text into a file, in place of the text from at to end, if that is not empty.
// At one place, texts that end something come first, inner ones before outer ones; then
// those that begin something, outer ones before inner ones.
type edit struct {
	at, end int
	text    string
	after   bool // it ends the code before it
}

func insertBefore(at int, text string) edit { return edit{at, at, text, false} }
func insertAfter(at int, text string) edit  { return edit{at, at, text, true} }
func replace(at, n int, text string) edit   { return edit{at, at + n, text, false} }

// apply returns a text with the edits applied. Outer edits come before inner ones in the list.
func apply(text []byte, edits []edit) []byte {
	type place struct{ at, class, order int }
	where := func(i int) place {
		if edits[i].after {
			return place{edits[i].at, 0, -i}
		}
		return place{edits[i].at, 1, i}
	}
	order := make([]int, len(edits))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int {
		a, b := where(i), where(j)
		return slices.Compare([]int{a.at, a.class, a.order}, []int{b.at, b.class, b.order})
	})
	var out []byte
	from := 0
	for _, i := range order {
		e := edits[i]
		out = append(out, text[from:e.at]...)
		out = append(out, e.text...)
		from = e.end
	}
	return append(out, text[from:]...)
}

// The code added to the package: the functions that the mutants' forms call, and the variable
// that says which mutant is active.
var (
	//go:embed overlay/forms.txt
	formsText string
	//go:embed overlay/active.txt
	activeText string
)

// instrumented is a package with all its mutants in it.
type instrumented struct {
	*source
	mutants []Mutant // mutants[i] has the number i+1
	texts   map[string][]byte
	refused int // number of forms that the compiler refused
}

// instrument writes all mutants of a package into its text, except those that
// would not compile.
func instrument(s *source) (*instrumented, error) {
	perFile := map[*file][]form{}
	perFunc := map[place][]int{}
	forms, functions := 0, []place(nil)
	for _, f := range s.files {
		perFile[f] = walk(s, f)
		for _, x := range perFile[f] {
			at := place{f, x.mutants[0].Func}
			if perFunc[at] == nil {
				functions = append(functions, at)
			}
			perFunc[at] = append(perFunc[at], forms)
			forms++
		}
	}
	write := func(with func(i int) bool) *instrumented {
		in := &instrumented{source: s, texts: map[string][]byte{}}
		i := 0
		for _, f := range s.files {
			var edits []edit
			for _, x := range perFile[f] {
				if with(i) {
					edits = append(edits, x.edits(len(in.mutants)+1)...)
					in.mutants = append(in.mutants, x.mutants...)
				}
				i++
			}
			in.texts[f.path] = apply(f.text, edits)
		}
		return in
	}
	all := write(func(int) bool { return true })
	bad, err := all.badFunctions()
	if err != nil {
		return nil, err
	}
	// In functions with compile errors, try each form alone.
	refused := map[int]bool{}
	rounds := 0
	for _, at := range functions {
		if bad[at] {
			rounds = max(rounds, len(perFunc[at]))
		}
	}
	for round := range rounds {
		alone := map[int]bool{}
		for _, at := range functions {
			if is := perFunc[at]; bad[at] && round < len(is) {
				alone[is[round]] = true
			}
		}
		worse, err := write(func(i int) bool { return alone[i] }).badFunctions()
		if err != nil {
			return nil, err
		}
		for _, at := range functions {
			if is := perFunc[at]; worse[at] && round < len(is) {
				refused[is[round]] = true
			}
		}
	}
	in := write(func(i int) bool { return !refused[i] })
	in.refused = len(refused)
	if bad, err := in.badFunctions(); err != nil || len(bad) > 0 {
		return nil, errors.Join(err, fmt.Errorf("%s: mutants that compile alone do not compile together: %v", s.rel, slices.Collect(maps.Keys(bad))))
	}
	in.number()
	return in, nil
}

// place is a function, as a place of errors.
type place struct {
	f    *file
	name string
}

func (p place) String() string { return p.name }

// number numbers mutants that have the same identity otherwise.
func (in *instrumented) number() {
	seen := map[Mutant]int{}
	for i := range in.mutants {
		m := &in.mutants[i]
		m.N = i + 1
		id := m.id()
		seen[id]++
		m.Nth = seen[id]
	}
}

// badFunctions returns the functions with compile errors.
func (in *instrumented) badFunctions() (map[place]bool, error) {
	fset := token.NewFileSet()
	var trees []*ast.File
	for _, f := range in.files {
		tree, err := parser.ParseFile(fset, f.path, in.texts[f.path], parser.SkipObjectResolution)
		if err != nil {
			return nil, fmt.Errorf("the mutants of %s are not valid Go: %w", f.path, err)
		}
		trees = append(trees, tree)
	}
	for name, text := range map[string]string{"forms": formsText, "active": "package p\n\nvar mutants_active int32\n\nfunc mutants_hit(int32) bool { return false }\n"} {
		tree, err := parser.ParseFile(fset, name, rename(text, in.pkg.Name()), parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		trees = append(trees, tree)
	}
	bad := map[place]bool{}
	_, errs := in.check(fset, trees, nil)
	for _, e := range errs {
		at, ok := in.function(fset, trees, e.Pos)
		if !ok {
			return nil, fmt.Errorf("%s: %w", in.rel, e)
		}
		bad[at] = true
	}
	return bad, nil
}

// function returns the function that contains a position.
func (in *instrumented) function(fset *token.FileSet, trees []*ast.File, pos token.Pos) (place, bool) {
	for i, f := range in.files {
		for _, d := range trees[i].Decls {
			if pos < d.Pos() || pos > d.End() {
				continue
			}
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				return place{f, "var"}, true
			}
			w := &walker{source: &source{fset: fset}, file: &file{text: in.texts[f.path]}}
			return place{f, w.title(fn)}, true
		}
	}
	return place{}, false
}

// rename puts the package's name into a text.
func rename(text, name string) string {
	return strings.Replace(text, "package p\n", "package "+name+"\n", 1)
}

// save writes the overlay to a folder, and returns the name of the file for `go test
// -overlay`.
func (in *instrumented) save(folder string) (string, error) {
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return "", err
	}
	texts := maps.Clone(in.texts)
	texts[filepath.Join(in.dir, "mutants_forms.go")] = []byte(rename(formsText, in.pkg.Name()))
	texts[filepath.Join(in.dir, "mutants_active.go")] = []byte(rename(activeText, in.pkg.Name()))
	replaced := map[string]string{}
	for path, text := range texts {
		replaced[path] = filepath.Join(folder, filepath.Base(path))
		if err := os.WriteFile(replaced[path], text, 0o666); err != nil {
			return "", err
		}
	}
	name := filepath.Join(folder, "overlay.json")
	text, err := json.MarshalIndent(map[string]any{"Replace": replaced}, "", "\t")
	if err != nil {
		return "", err
	}
	return name, os.WriteFile(name, text, 0o666)
}
