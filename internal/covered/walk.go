package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"strings"
)

type tally struct{ statements, branches int }

// walk checks one file.
type walk struct {
	tally
	path    string
	fset    *token.FileSet
	syntax  *ast.File
	blocks  []block
	both    bool // checks branches as well
	missing []error
}

func newWalk(file string, p profile, branches bool) (*walk, error) {
	w := &walk{path: path.Clean(file), fset: token.NewFileSet(), both: branches}
	var err error
	if w.syntax, err = parser.ParseFile(w.fset, file, nil, parser.ParseComments); err != nil {
		return nil, err
	}
	w.blocks, err = p.of(w.path)
	return w, err
}

func (w *walk) file() {
	for _, d := range w.syntax.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Body != nil && !strings.Contains(f.Doc.Text(), "planted bug") {
			ast.Inspect(f.Body, w.node)
		}
	}
}

// node is the callback of ast.Inspect. It returns false for nodes to leave out.
func (w *walk) node(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.BlockStmt, *ast.LabeledStmt, *ast.EmptyStmt, *ast.CommClause:
		return true // not statements in their own right
	case *ast.CaseClause:
		return !neverTaken(n)
	case *ast.IfStmt:
		if never(n.Cond) {
			if n.Else != nil {
				ast.Inspect(n.Else, w.node)
			}
			return false
		}
		w.statement(n)
		w.ifs(n)
	case *ast.SwitchStmt:
		w.statement(n)
		w.cases(n, n.Body)
	case *ast.TypeSwitchStmt:
		w.statement(n)
		w.cases(n, n.Body)
	case ast.Stmt:
		w.statement(n)
	}
	return true
}

func (w *walk) statement(s ast.Stmt) {
	if w.count(s.Pos()) == 0 {
		w.miss(s.Pos(), "is not covered")
	}
	w.statements++
}

// ifs checks the two ways of an if.
func (w *walk) ifs(n *ast.IfStmt) {
	if !w.both || always(n.Cond) {
		return
	}
	w.way(n.Body.Lbrace, w.count(inside(n.Body.List, n.Body.Lbrace)), "never true")
	if n.Else == nil {
		w.way(n.Pos(), w.count(n.Pos())-w.count(inside(n.Body.List, n.Body.Lbrace)), "never false")
	}
}

// cases checks the ways of a switch. Without a default, taking no case is a way, too.
func (w *walk) cases(n ast.Stmt, body *ast.BlockStmt) {
	if !w.both {
		return
	}
	rest := w.count(n.Pos())
	for _, s := range body.List {
		c := s.(*ast.CaseClause)
		if neverTaken(c) {
			continue
		}
		taken := w.count(inside(c.Body, c.Colon))
		w.way(c.Pos(), taken, "a case that is never taken")
		rest -= taken
		if c.List == nil {
			return
		}
	}
	w.way(n.Pos(), rest, "one of its cases is always taken")
}

func (w *walk) way(pos token.Pos, count int, what string) {
	if w.branches++; count <= 0 {
		w.miss(pos, what)
	}
}

// inside returns the position of the first statement of a list, or the one after
// behind.
func inside(list []ast.Stmt, behind token.Pos) token.Pos {
	if len(list) > 0 {
		return list[0].Pos()
	}
	return behind + 1
}

func (w *walk) count(pos token.Pos) int {
	n, ok := at(w.blocks, placeOf(w.fset.Position(pos)))
	if !ok {
		w.miss(pos, "is in no block of the profile")
	}
	return n
}

func (w *walk) miss(pos token.Pos, what string) {
	p := w.fset.Position(pos)
	w.missing = append(w.missing, fmt.Errorf("%s:%d: %s", w.path, p.Line, what))
}

// never reports whether a condition is true only in builds that are not measured.
func never(cond ast.Expr) bool {
	return needs(cond, "mutant") || needs(cond, "stat") || needs(cond, "race")
}

// neverTaken is never for a case.
func neverTaken(c *ast.CaseClause) bool { return len(c.List) == 1 && never(c.List[0]) }

// always reports whether a condition merely tells builds apart.
func always(cond ast.Expr) bool {
	s, ok := cond.(*ast.SelectorExpr)
	return ok && s.Sel.Name == "On"
}

// needs reports whether a condition is pkg.On, or a conjunction with it.
func needs(cond ast.Expr, pkg string) bool {
	switch e := cond.(type) {
	case *ast.SelectorExpr:
		x, ok := e.X.(*ast.Ident)
		return ok && x.Name == pkg && e.Sel.Name == "On"
	case *ast.BinaryExpr:
		return e.Op == token.LAND && (needs(e.X, pkg) || needs(e.Y, pkg))
	case *ast.ParenExpr:
		return needs(e.X, pkg)
	}
	return false
}
