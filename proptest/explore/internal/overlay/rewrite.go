package overlay

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"go/version"
	"strconv"
	"strings"
)

// file is one file while it is rewritten.
type file struct {
	*loader
	p      *checked
	syntax *ast.File
	src    []byte
	start  token.Pos // of src
	prefix string    // of new names
	names  int       // how many new names there are
	edits  []edit
	notes  []Note

	shimUsed   bool
	constraint string                    // new, before everything else
	communion  map[ast.Node]bool         // sends and receives that a select does
	pairs      map[*ast.UnaryExpr]string // receives whose second value is used: what the shim calls them
	dots       map[*types.Package]*types.PkgName
	selected   map[*ast.Ident]bool // names behind a dot
	used       map[*types.PkgName]*uses
	originals  map[string]string // imports of packages whose twin lacks something: paths by new name
}

// rewritePackage adds the new text of a package's files, except those that are done and those
// in which nothing changes.
func (l *loader) rewritePackage(p *checked, done map[string]string) []Note {
	notes := l.notesOnPackage(p)
	prefix := l.unusedPrefix(p)
	for i, syntax := range p.syntax {
		f := l.newFile(p, syntax, p.names[i], prefix)
		f.rewrite()
		notes = append(notes, f.notes...)
		if len(f.edits) > 0 {
			done[p.names[i]] = f.render()
		}
	}
	return notes
}

func (l *loader) newFile(p *checked, syntax *ast.File, name, prefix string) *file {
	f := &file{loader: l, p: p, syntax: syntax, src: l.parse(name).src, start: syntax.FileStart, prefix: prefix,
		communion: map[ast.Node]bool{}, pairs: map[*ast.UnaryExpr]string{}, selected: map[*ast.Ident]bool{},
		used: map[*types.PkgName]*uses{}, originals: map[string]string{}}
	f.dots = f.dotImports()
	return f
}

// unusedPrefix returns a prefix for names that occurs nowhere in the package.
func (l *loader) unusedPrefix(p *checked) string {
	prefix := "explore_"
	for again := true; again; {
		again = false
		for _, name := range p.names {
			if bytes.Contains(l.parse(name).src, []byte(prefix)) {
				prefix, again = prefix+"_", true
			}
		}
	}
	return prefix
}

// rewrite collects the edits of the file.
func (f *file) rewrite() {
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		f.noteNode(n)
		switch n := n.(type) {
		case *ast.SelectStmt:
			f.selectStmt(n)
		case *ast.GoStmt:
			f.goStmt(n)
		case *ast.SendStmt:
			f.send(n)
		case *ast.AssignStmt:
			if len(n.Lhs) == 2 && len(n.Rhs) == 1 {
				f.pair(n.Rhs[0], n.Lhs[1])
			}
			for _, e := range n.Rhs {
				f.size(e)
			}
		case *ast.ValueSpec:
			if len(n.Names) == 2 && len(n.Values) == 1 {
				f.pair(n.Values[0], n.Names[1])
			}
			for _, e := range n.Values {
				f.size(e)
			}
		case *ast.BinaryExpr:
			f.sizes(n)
		case *ast.UnaryExpr:
			if n.Op == token.ARROW {
				f.receive(n)
			}
		case *ast.RangeStmt:
			f.rangeStmt(n)
		case *ast.CallExpr:
			f.builtin(n)
		case *ast.ArrayType:
			f.padding(n)
		case *ast.SelectorExpr:
			f.selector(n)
		case *ast.Ident:
			f.ident(n)
		}
		return true
	})
	f.randomFunctions()
	f.imports()
}

// shim returns the name of one of the shim's functions, for the new text.
func (f *file) shim(name string) string {
	f.shimUsed = true
	return f.prefix + "shim." + name
}

// name returns a new name for a variable.
func (f *file) name() string {
	f.names++
	return f.prefix + strconv.Itoa(f.names)
}

func (f *file) typeOf(e ast.Expr) types.Type { return f.p.info.TypeOf(e) }

// channel returns the channel type of an expression, or nil. The type of a type parameter is
// that of its type set, if all types in it are channels of the same elements.
func (f *file) channel(e ast.Expr) *types.Chan {
	t := f.typeOf(e)
	if t == nil {
		return nil
	}
	if param, ok := types.Unalias(t).(*types.TypeParam); ok {
		return channelOf(param.Constraint())
	}
	c, _ := t.Underlying().(*types.Chan)
	return c
}

// channelOf returns a channel type of a constraint, if the constraint allows only channels,
// and all have the same elements.
func channelOf(constraint types.Type) (found *types.Chan) {
	iface, ok := constraint.Underlying().(*types.Interface)
	if !ok {
		return nil
	}
	add := func(t types.Type) bool {
		c, ok := t.Underlying().(*types.Chan)
		if _, isIface := t.Underlying().(*types.Interface); isIface {
			c, ok = channelOf(t), true
		}
		if !ok || c == nil || found != nil && !types.Identical(found.Elem(), c.Elem()) {
			return false
		}
		found = c
		return true
	}
	for t := range iface.EmbeddedTypes() {
		if union, ok := types.Unalias(t).(*types.Union); ok {
			for term := range union.Terms() {
				if !add(term.Type()) {
					return nil
				}
			}
		} else if !add(t) {
			return nil
		}
	}
	return found
}

// note records something that is not rewritten.
func (f *file) note(pos token.Pos, format string, args ...any) {
	f.notes = append(f.notes, f.noteAt(f.p, pos, fmt.Sprintf(format, args...)))
}

func (l *loader) noteAt(p *checked, pos token.Pos, text string) Note {
	return Note{Position: l.fset.Position(pos), Package: p.listed.path(), Text: text}
}

// isTest reports whether the file has tests.
func (f *file) isTest() bool {
	return strings.HasSuffix(f.fset.File(f.start).Name(), "_test.go")
}

// since reports whether the file's language is at least that of a version.
func (f *file) since(v string) bool {
	have := f.p.info.FileVersions[f.syntax]
	return have == "" || version.Compare(have, v) >= 0
}
