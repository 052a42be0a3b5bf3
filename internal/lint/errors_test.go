package lint

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Errors and panics. Package fault adds the library's prefix to a message, so no other
// code does. docs/errors.md has each text, so that a user who searches for it finds it.

// errorPackages are the packages whose errors and panics users see.
var errorPackages = []string{"runtime", "objects", "locks", "sched", "runtime/metrics", "runtime/pprof", "internal/arena", "internal/imagefile", "internal/newfile"}

// errorText is a text in the source that becomes an error message, or a part of one.
type errorText struct {
	file string
	text string
}

// makers are the functions whose first string argument is a message.
var makers = map[string]bool{
	"errors.New": true, "fmt.Errorf": true, "fault.New": true, "fault.Errorf": true, "fault.Partf": true,
	"misuse": true, "misused": true,
}

// textsOf returns the texts of errors and panics in the files of a package: the
// arguments of makers, Misuse.What and Kind.Text, and the strings in methods called
// Error.
func textsOf(files map[string]string) (texts []errorText, err error) {
	fset := token.NewFileSet()
	consts := map[string]ast.Expr{}
	var parsed []*ast.File
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f, err := parser.ParseFile(fset, name, files[name], 0)
		if err != nil {
			return nil, err
		}
		parsed = append(parsed, f)
		ast.Inspect(f, func(n ast.Node) bool {
			if s, ok := n.(*ast.ValueSpec); ok && len(s.Names) == len(s.Values) {
				for i, name := range s.Names {
					consts[name.Name] = s.Values[i]
				}
			}
			return true
		})
	}
	for _, f := range parsed {
		file := fset.Position(f.Pos()).Filename
		add := func(e ast.Expr) {
			if id, ok := e.(*ast.Ident); ok && consts[id.Name] != nil {
				e = consts[id.Name]
			}
			for _, s := range literals(e) {
				texts = append(texts, errorText{file, s})
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if makers[callee(n)] {
					for _, a := range n.Args {
						if len(literals(a)) > 0 || isIdent(a) {
							add(a)
						}
						if callee(n) != "misuse" {
							break
						}
					}
				}
			case *ast.KeyValueExpr:
				if key, ok := n.Key.(*ast.Ident); ok && (key.Name == "What" || key.Name == "Text") {
					add(n.Value)
				}
			case *ast.AssignStmt:
				for i, e := range n.Lhs {
					if field, ok := e.(*ast.SelectorExpr); ok && field.Sel.Name == "What" && len(n.Lhs) == len(n.Rhs) {
						add(n.Rhs[i])
					}
				}
			case *ast.FuncDecl:
				if n.Name.Name == "Error" && n.Recv != nil {
					for _, s := range literals(n.Body) {
						texts = append(texts, errorText{file, s})
					}
				}
			}
			return true
		})
	}
	return texts, nil
}

func isIdent(e ast.Expr) bool {
	_, ok := e.(*ast.Ident)
	return ok
}

// callee returns the name of the function or method that is called, with its package if
// it is one of makers.
func callee(c *ast.CallExpr) string {
	switch f := c.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		if x, ok := f.X.(*ast.Ident); ok && makers[x.Name+"."+f.Sel.Name] {
			return x.Name + "." + f.Sel.Name
		}
		return f.Sel.Name
	}
	return ""
}

// literals returns the strings with words in them in a part of the source.
func literals(n ast.Node) (all []string) {
	ast.Inspect(n, func(n ast.Node) bool {
		if b, ok := n.(*ast.BasicLit); ok && b.Kind == token.STRING {
			if s, err := strconv.Unquote(b.Value); err == nil && len(fragments(s)) > 0 {
				all = append(all, s)
			}
		}
		return true
	})
	return all
}

var (
	verb   = regexp.MustCompile(`%[-+# 0]*[0-9]*[a-zA-Z]`)
	letter = regexp.MustCompile(`[a-zA-Z]{3}`)
)

// unseen are texts that no user sees.
var unseen = []string{
	"long enough",                     // ends the writing of a shortened text
	"a float is copied by its header", // in a function that is never called
}

// fragments returns the constant parts of the messages that a format makes, in order.
func fragments(format string) (all []string) {
	for _, s := range verb.Split(format, -1) {
		if s = strings.Trim(s, " \n\t:;,()"); letter.MatchString(s) {
			all = append(all, s)
		}
	}
	return all
}

// hasFragments reports whether a line contains all of them in order.
func hasFragments(line string, all []string) bool {
	for _, s := range all {
		_, rest, ok := strings.Cut(line, s)
		if !ok {
			return false
		}
		line = rest
	}
	return true
}

// TestErrorsPage checks that docs/errors.md has the text of every error and every
// panic.
func TestErrorsPage(t *testing.T) {
	var lines []string
	for _, p := range pages(t) {
		if p.name == "docs/errors.md" {
			for line := range strings.SplitSeq(p.prose, "\n") {
				lines = append(lines, strings.ReplaceAll(line, `\|`, "|"))
			}
		}
	}
	all := 0
	for _, dir := range errorPackages {
		texts, err := textsOf(sources(t, dir))
		if err != nil {
			t.Fatal(err)
		}
		all += len(texts)
		for _, e := range texts {
			parts := fragments(e.text)
			if !slices.Contains(unseen, e.text) && !slices.ContainsFunc(lines, func(line string) bool { return hasFragments(line, parts) }) {
				t.Errorf("docs/errors.md has no line with %q, of %s", strings.Join(parts, "… "), e.file)
			}
		}
	}
	if all < 150 {
		t.Errorf("only %d texts were found", all)
	}
}

// TestPrefix checks that no package but fault adds the prefix, so that no prefix is
// doubled.
func TestPrefix(t *testing.T) {
	for _, dir := range errorPackages {
		for name, text := range sources(t, dir) {
			f, err := parser.ParseFile(token.NewFileSet(), name, text, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range literals(f) {
				if strings.Contains(s, "ichor: ") {
					t.Errorf("%s has the text %q: want the prefix from package fault only", name, s)
				}
			}
		}
	}
}

// TestTextsOf tries errors and panics of each kind.
func TestTextsOf(t *testing.T) {
	texts, err := textsOf(map[string]string{"a.go": `package a
const named = "the fourth of %d"
var ErrFirst = fault.New("the first")
func f() error { return fmt.Errorf("the second %d of %s items: %w", 1, "not this", err) }
func g() { fault.Throw(Misuse{What: "the third", Want: "not this"}); c.misuse(r, named); t.misused("the fifth", "not this") }
type E struct{}
func i() { m.What, m.Want = "the fifth and a half", "not this" }
func (e *E) Error() string { return fault.Prefix + "the sixth: " + fmt.Sprintf("seventh %d", 1) }
func h() string { return errors.New("%d") }
`})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range texts {
		got = append(got, strings.Join(fragments(e.text), "+"))
	}
	want := "the first|the second+items|the third|the fourth of|the fifth|the fifth and a half|the sixth|seventh"
	if s := strings.Join(got, "|"); s != want {
		t.Errorf("got  %s\nwant %s", s, want)
	}
	if !hasFragments("a b c", []string{"a", "c"}) || hasFragments("c b a", []string{"a", "c"}) {
		t.Error("fragments are found in any order")
	}
}
