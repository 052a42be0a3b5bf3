package lint

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The documentation of the public packages must say what docs/guarantees.md promises:
//
//  - Ownership. For each reference that goes in, the documentation says whether it is
//    borrowed or stolen; for each that comes out, whether it is new or borrowed. A
//    method's receiver goes in, too: the documentation of its type covers that for all
//    methods.
//  - Thread-safety levels. Each function, method and type says who may use it, and so
//    whether concurrent use is allowed. A type speaks for its methods. A package may
//    speak for its functions, and for its plain values, which are types without
//    unexported parts.

// publicPackages are the packages that users import, from the ground up.
var publicPackages = []string{"locks", "sched", "runtime", "runtime/metrics", "runtime/pprof", "debug/ichor", "objects", "proptest", "bench/experiment", "bench/experiment/command"}

// The phrases that count.
var (
	goesIn    = regexp.MustCompile(`(?i)\b(borrow(s|ed)?|steals?|stolen)\b`)
	comesOut  = regexp.MustCompile(`(?i)\b(new references?|borrow(s|ed)?|slot's own|counted by nobody)\b`)
	ownership = regexp.MustCompile(goesIn.String() + "|" + comesOut.String())

	level = regexp.MustCompile(`(?i)\b(any goroutine|attached threads?|one goroutine at a time|owner only|holder only|` +
		`the asker|whoever (owns|holds)|immutable)\b`)
	forFunctions   = regexp.MustCompile(`(?i)\bany goroutine may call each function\b`)
	forPlainValues = regexp.MustCompile(`(?i)\bplain values\b`)
)

// references are the types whose values are references, as other packages write their
// names.
type references map[string]bool

// are reports whether e, as written in package pkg, is one of these types.
func (refs references) are(pkg string, e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.Ident:
		return refs[pkg+"."+e.Name]
	case *ast.SelectorExpr:
		in, ok := e.X.(*ast.Ident)
		return ok && refs[in.Name+"."+e.Sel.Name]
	}
	return false
}

// within reports whether a part of a type or a signature is one of these types.
func (refs references) within(pkg string, n ast.Node) (found bool) {
	if list, ok := n.(*ast.FieldList); ok && list == nil {
		return false
	}
	ast.Inspect(n, func(n ast.Node) bool {
		e, ok := n.(ast.Expr)
		found = found || ok && refs.are(pkg, e)
		return !found
	})
	return found
}

// in reports whether one of the parameters, other than functions, has such a type.
func (refs references) in(pkg string, params *ast.FieldList) bool {
	return slices.ContainsFunc(params.List, func(f *ast.Field) bool {
		_, isFunc := f.Type.(*ast.FuncType)
		return !isFunc && refs.within(pkg, f.Type)
	})
}

// readDoc reads the documentation of a package. It passes each file to look before
// go/doc changes it.
func readDoc(dir string, files map[string]string, look func(*ast.File)) (*doc.Package, error) {
	fset := token.NewFileSet()
	var parsed []*ast.File
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f, err := parser.ParseFile(fset, name, files[name], parser.ParseComments)
		if err != nil {
			return nil, err
		}
		look(f)
		parsed = append(parsed, f)
	}
	return doc.NewFromFiles(fset, parsed, module+dir)
}

// sources returns the files of a package, except its tests.
func sources(t testing.TB, dir string) map[string]string {
	files := map[string]string{}
	names, _ := filepath.Glob(filepath.Join(root, dir, "*.go"))
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.ToSlash(name)] = string(text)
	}
	return files
}

// godoc checks the documentation of one package.
type godoc struct {
	refs  references
	pkg   string // the package's name, as other packages write it
	funcs bool   // the package speaks for its functions
	plain bool   // the package speaks for its plain values
	seen  int    // number of names that were checked
	wrong []string
}

// checkGodoc returns what is wrong with the documentation of a package, and how many
// names it has checked. It adds the package's own reference types to refs.
func checkGodoc(refs references, dir string, files map[string]string) (seen int, wrong []string, err error) {
	g := &godoc{refs: refs, pkg: path.Base(dir)}
	if dir == "runtime" {
		g.pkg = "rt"
		refs["rt.Ref"] = true
	}
	p, err := readDoc(dir, files, func(f *ast.File) {
		ast.Inspect(f, func(n ast.Node) bool {
			if s, ok := n.(*ast.TypeSpec); ok && refs.are(g.pkg, s.Type) {
				refs[g.pkg+"."+s.Name.Name] = true
			}
			return true
		})
	})
	if err != nil {
		return 0, nil, err
	}
	g.funcs, g.plain = says(forFunctions, p.Doc), says(forPlainValues, p.Doc)
	g.values(p.Consts, false)
	g.values(p.Vars, false)
	for _, f := range p.Funcs {
		g.function(f, "", g.funcs)
	}
	for _, t := range p.Types {
		g.typ(t)
	}
	return g.seen, g.wrong, nil
}

func (g *godoc) fail(name, what string) { g.wrong = append(g.wrong, g.pkg+"."+name+" "+what) }

// says reports whether a text matches what, regardless of line breaks.
func says(what *regexp.Regexp, text string) bool {
	return what.MatchString(strings.Join(strings.Fields(text), " "))
}

// values checks constants and variables. areRefs says that go/doc lists them with a
// reference type.
func (g *godoc) values(all []*doc.Value, areRefs bool) {
	for _, v := range all {
		g.seen++
		for _, s := range v.Decl.Specs {
			s, ok := s.(*ast.ValueSpec)
			if !ok || !areRefs && (s.Type == nil || !g.refs.within(g.pkg, s.Type)) {
				continue
			}
			if !says(ownership, v.Doc+" "+s.Doc.Text()+" "+s.Comment.Text()) {
				g.fail(s.Names[0].Name, "is a reference, and does not say who owns it")
			}
		}
	}
}

// function checks a function, or a method. spoken says that its type or package states
// the level.
func (g *godoc) function(f *doc.Func, of string, spoken bool) {
	g.seen++
	name := of + f.Name
	if f.Doc == "" && !slices.Contains([]string{"Error", "String", "Unwrap"}, f.Name) {
		g.fail(name, "has no documentation")
		return
	}
	in, out := g.refs.in(g.pkg, f.Decl.Type.Params), g.refs.within(g.pkg, f.Decl.Type.Results)
	switch {
	case in && !says(goesIn, f.Doc):
		g.fail(name, "takes a reference, and does not say that it borrows or steals it")
	case out && !says(comesOut, f.Doc):
		g.fail(name, "returns a reference, and does not say that it is new or borrowed")
	case g.refs.within(g.pkg, f.Decl.Type) && !says(ownership, f.Doc):
		g.fail(name, "calls a function with references, and does not say who owns them")
	}
	if !spoken && !says(level, f.Doc) {
		g.fail(name, "does not say who may call it")
	}
}

// typ checks a type with everything that go/doc lists with it.
func (g *godoc) typ(t *doc.Type) {
	g.seen++
	s, ok := t.Decl.Specs[0].(*ast.TypeSpec)
	if !ok {
		return
	}
	isRef := g.refs[g.pkg+"."+t.Name]
	if t.Doc == "" {
		g.fail(t.Name, "has no documentation")
	}
	if isRef && !says(ownership, t.Doc) {
		g.fail(t.Name, "is a reference, and does not say who owns the receiver of its methods")
	}
	spoken := says(level, t.Doc) || g.plain && isPlain(s.Type)
	if !spoken {
		g.fail(t.Name, "does not say who may use it")
	}
	g.values(t.Consts, isRef)
	g.values(t.Vars, isRef)
	for _, f := range t.Funcs {
		g.function(f, "", g.funcs)
	}
	for _, f := range t.Methods {
		g.function(f, t.Name+".", spoken)
	}
	if isRef {
		return
	}
	var fields *ast.FieldList
	switch e := s.Type.(type) {
	case *ast.StructType:
		fields = e.Fields
	case *ast.InterfaceType:
		fields = e.Methods
	default:
		if g.refs.within(g.pkg, e) && !says(ownership, t.Doc) {
			g.fail(t.Name, "has references, and does not say who owns them")
		}
		return
	}
	for _, f := range fields.List {
		if len(f.Names) > 0 && g.refs.within(g.pkg, f.Type) && !says(ownership, t.Doc+" "+f.Doc.Text()+" "+f.Comment.Text()) {
			g.fail(t.Name+"."+f.Names[0].Name, "has references, and does not say who owns them")
		}
	}
}

// isPlain reports whether a type has no unexported parts: it is a struct with exported
// fields only, or is made of such types and of Go's own.
func isPlain(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.StructType:
		return !e.Incomplete
	case *ast.Ident, *ast.SelectorExpr:
		return true
	case *ast.ArrayType:
		return isPlain(e.Elt)
	}
	return false
}

func TestGodoc(t *testing.T) {
	refs := references{}
	all := 0
	for _, dir := range publicPackages {
		seen, wrong, err := checkGodoc(refs, dir, sources(t, dir))
		if err != nil {
			t.Fatal(err)
		}
		if seen == 0 {
			t.Errorf("%s: no names were found", dir)
		}
		all += seen
		for _, w := range wrong {
			t.Error(w)
		}
	}
	if all < 400 {
		t.Errorf("only %d names were found", all)
	}
	if !refs["objects.List"] || len(refs) < 10 {
		t.Errorf("only these types are references: %v", slices.Sorted(maps.Keys(refs)))
	}
}

// TestCheckGodoc tries documentation with and without planted omissions.
func TestCheckGodoc(t *testing.T) {
	for text, want := range map[string]string{
		"// Do returns a new reference. Any goroutine.\nfunc Do() rt.Ref { return 0 }": "",
		"// Do returns one. Any goroutine.\nfunc Do() rt.Ref { return 0 }":             "p.Do returns a reference, and does not say that it is new or borrowed",
		"// Do returns a new reference.\nfunc Do() rt.Ref { return 0 }":                "p.Do does not say who may call it",
		"func Do() {}":                  "p.Do has no documentation",
		"func do() rt.Ref { return 0 }": "",
		"// Do borrows r. Attached\n// thread.\nfunc Do(r rt.Ref) {}":                                   "",
		"// Do takes it. Attached thread.\nfunc Do(r ...rt.Ref) {}":                                     "p.Do takes a reference, and does not say that it borrows or steals it",
		"// Do returns a new reference. Attached thread.\nfunc Do(r []rt.Ref) rt.Ref { return 0 }":      "p.Do takes a reference, and does not say that it borrows or steals it",
		"// Do steals r. Attached thread.\nfunc Do(r rt.Ref) (rt.Ref, error) { return 0, nil }":         "p.Do returns a reference, and does not say that it is new or borrowed",
		"// Do calls f. Attached thread.\nfunc Do(f func(r rt.Ref)) {}":                                 "p.Do calls a function with references, and does not say who owns them",
		"// Do calls f, which borrows r. Attached thread.\nfunc Do(f func(r rt.Ref)) {}":                "",
		"// All ranges over all. Attached thread.\nfunc All() iter.Seq2[int, rt.Ref] { return nil }":    "p.All returns a reference, and does not say that it is new or borrowed",
		"// T is hidden.\ntype T struct{ x int }":                                                       "p.T does not say who may use it",
		"// T is hidden. Owner only.\ntype T struct{ x int }\n// Do does.\nfunc (T) Do() {}":            "",
		"// T is hidden. Owner only.\ntype T struct{ x int }\nfunc (T) Do() {}":                         "p.T.Do has no documentation",
		"// T is hidden. Owner only.\ntype T struct{ x int }\nfunc (T) String() string { return \"\" }": "",
		"// T is open.\ntype T struct{ X int }\nfunc (T) Error() string { return \"\" }":                "p.T does not say who may use it|p.T.Error does not say who may call it",
		"// L is a list.\ntype L rt.Ref":                                                                "p.L is a reference, and does not say who owns the receiver of its methods|p.L does not say who may use it",
		"// L borrows. Immutable.\ntype L rt.Ref\n// F takes. Any goroutine.\nfunc F(l L) {}":           "p.F takes a reference, and does not say that it borrows or steals it",
		"// T is open. Any goroutine.\ntype T struct{\n// X is there.\nX rt.Ref }":                      "p.T.X has references, and does not say who owns them",
		"// T is open. Any goroutine.\ntype T struct{\n// X is borrowed.\nX rt.Ref }":                   "",
		"// I is one. Any goroutine.\ntype I interface{ X() rt.Ref }":                                   "p.I.X has references, and does not say who owns them",
		"// F is one. Any goroutine.\ntype F func(rt.Ref)":                                              "p.F has references, and does not say who owns them",
		"// V is one.\nvar V rt.Ref":                                                                    "p.V is a reference, and does not say who owns it",
		"var V rt.Ref // counted by nobody":                                                             "",
	} {
		_, wrong, err := checkGodoc(references{"rt.Ref": true}, "p", map[string]string{"p.go": "package p\n" + text})
		if got := strings.Join(wrong, "|"); err != nil || got != want {
			t.Errorf("%s\ngot  %s %v\nwant %s", text, got, err, want)
		}
	}
	spoken := "// Package p is one. Any goroutine may call each\n// function. Structs are plain values.\npackage p\n" +
		"// F does.\nfunc F() {}\n// T is open.\ntype T struct{ X int }\n// K is one.\ntype K []T\n// H is hidden.\ntype H struct{ x int }"
	_, wrong, err := checkGodoc(references{}, "p", map[string]string{"p.go": spoken})
	if got := strings.Join(wrong, "|"); err != nil || got != "p.H does not say who may use it" {
		t.Errorf("a package that speaks for others: got %s %v", got, err)
	}
}
