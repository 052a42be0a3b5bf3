package lint

import (
	"go/ast"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/ichor-go/ichor/runtime/metrics"
)

// Pages name what users can call. A name in code quotes that begins with a public
// package or type must exist: `rt.New`, `Options.Mode`, `Thread.Audit`. So must the
// names of metrics.

// public holds the exported names of the public packages: each name after its package,
// and each member after its type.
type public struct {
	types map[string]bool // names that have members
	names map[string]bool
}

// add adds the exported names of a package.
func (x *public) add(t testing.TB, dir string, files map[string]string) {
	pkg := path.Base(dir)
	if dir == "runtime" {
		pkg = "rt"
	}
	x.types[pkg] = true
	p, err := readDoc(dir, files, func(f *ast.File) { ast.Inspect(f, func(n ast.Node) bool { return x.take(pkg, n) }) })
	if err != nil {
		t.Fatal(err)
	}
	for _, y := range p.Types {
		x.types[y.Name] = true
	}
}

// take adds the names of a declaration, and reports whether to look for more inside it.
func (x *public) take(pkg string, n ast.Node) bool {
	switch n := n.(type) {
	case *ast.FuncDecl:
		in := pkg
		if n.Recv != nil {
			in = baseName(n.Recv.List[0].Type)
		}
		x.names[in+"."+n.Name.Name] = true
		return false
	case *ast.ValueSpec:
		for _, name := range n.Names {
			x.names[pkg+"."+name.Name] = true
		}
		return false
	case *ast.TypeSpec:
		x.names[pkg+"."+n.Name.Name] = true
		if s, ok := n.Type.(*ast.StructType); ok {
			x.fields(n.Name.Name, s.Fields)
		}
		if s, ok := n.Type.(*ast.InterfaceType); ok {
			x.fields(n.Name.Name, s.Methods)
		}
		return false
	}
	return true
}

func (x *public) fields(of string, list *ast.FieldList) {
	for _, f := range list.List {
		for _, name := range f.Names {
			x.names[of+"."+name.Name] = true
		}
	}
}

// baseName returns the name of a receiver's type, without * and type parameters.
func baseName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.StarExpr:
		return baseName(e.X)
	case *ast.IndexExpr:
		return baseName(e.X)
	}
	return ""
}

// qualified is a name after a package or a type.
var qualified = regexp.MustCompile("`(?:rt\\.)?([A-Za-z]+)\\.([A-Z]\\w*)[^`]*`")

// missing returns the names in a text that do not exist, and how many it has checked.
func (x *public) missing(text string) (names []string, looked int) {
	for _, m := range qualified.FindAllStringSubmatch(text, -1) {
		if !x.types[m[1]] {
			continue // a name of Go's, or not a public one
		}
		looked++
		if name := m[1] + "." + m[2]; !x.names[name] {
			names = append(names, name)
		}
	}
	return names, looked
}

// newPublic returns the names in these folders.
func newPublic(t *testing.T, dirs ...string) *public {
	x := &public{types: map[string]bool{}, names: map[string]bool{}}
	for _, dir := range dirs {
		x.add(t, dir, sources(t, dir))
	}
	return x
}

func TestPublicNames(t *testing.T) {
	x, language := newPublic(t, publicPackages...), newPublic(t, "starlark")
	all := 0
	for _, p := range pages(t) {
		if p.name == "CHANGELOG.md" {
			continue // it names removed things
		}
		of := x
		if strings.HasPrefix(p.name, "starlark/") || p.name == "docs/starlark.md" { // a module of its own, with types of the same names
			of = language
		}
		names, looked := of.missing(p.prose)
		all += looked
		for _, name := range names {
			t.Errorf("%s names %s, which does not exist", p.name, name)
		}
	}
	if all < 100 {
		t.Errorf("only %d names were found", all)
	}
}

// metric is the name of a metric in code quotes.
var metric = regexp.MustCompile("`(/ichor/[a-z/-]+:[a-z]+)`")

func TestMetricNames(t *testing.T) {
	known := map[string]bool{}
	for _, m := range metrics.All() {
		known[m.Name] = true
	}
	for _, p := range pages(t) {
		for _, m := range metric.FindAllStringSubmatch(p.prose, -1) {
			if !known[m[1]] {
				t.Errorf("%s names the metric %s, which does not exist", p.name, m[1])
			}
		}
	}
}

// TestMissing tries names that do not exist, and some that do.
func TestMissing(t *testing.T) {
	x := &public{types: map[string]bool{}, names: map[string]bool{}}
	x.add(t, "runtime", map[string]string{"a.go": "package runtime\ntype Box[T any] struct{ In int }\nfunc (b *Box[T]) Open() {}\nfunc New() {}\n" +
		"type Opener interface{ Open() }\nconst Lid = 1"})
	names, looked := x.missing("`rt.New` `rt.New(x)` `rt.Lid` `rt.Box` `Box.In` `rt.Box.Open` `Opener.Open` `strings.Nope` `rt.Old` `Box.Out(1)` `rt.Box.Shut` Box.None")
	if got := strings.Join(names, " "); got != "rt.Old Box.Out Box.Shut" || looked != 10 {
		t.Errorf("%s are missing, of %d", got, looked)
	}
}
