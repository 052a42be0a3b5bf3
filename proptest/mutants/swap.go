package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
)

// access says how a statement accesses shared memory.
type access struct {
	any    bool // it accesses memory that other threads may see
	write  bool // it stores to such memory
	atomic bool // it has an atomic operation, or a lock
}

// swap adds a mutant that swaps two neighbouring statements, if one of them is an atomic operation
// or a lock, and the order may matter.
func (w *walker) swap(a, b ast.Stmt) {
	if !w.simple(a) || !w.simple(b) {
		return
	}
	x, y := w.access(a), w.access(b)
	if !x.any || !y.any || !(x.atomic || y.atomic) || !(x.write || y.write) {
		return
	}
	text := oneLine(w.text(a))
	m := w.mutant(opSwap, a, text, "after "+oneLine(w.text(b)))
	switch {
	case w.defines(a) && w.defines(b), w.share(a, b):
	case !w.defines(b):
		w.add(func(n int) []edit {
			early := insertBefore(w.at(a.Pos()), fmt.Sprintf("if mutants_on(%d) { %s }; ", n, w.text(b)))
			return append(w.wrap(b, fmt.Sprintf("if !mutants_on(%d) { ", n), " }"), early)
		}, m)
	default:
		w.add(func(n int) []edit {
			late := insertAfter(w.at(b.End()), fmt.Sprintf("; if mutants_on(%d) { %s }", n, w.text(a)))
			return append(w.wrap(a, fmt.Sprintf("if !mutants_on(%d) { ", n), " }"), late)
		}, m)
	}
}

// simple reports whether a statement can be swapped: it does not transfer control, except
// by a condition.
func (w *walker) simple(s ast.Stmt) bool {
	switch s := s.(type) {
	case *ast.ExprStmt, *ast.AssignStmt, *ast.IncDecStmt, *ast.SendStmt:
		return true
	case *ast.IfStmt:
		return s.Else == nil && !w.dead[s.Cond]
	}
	return false
}

// defines reports whether a statement declares names.
func (w *walker) defines(s ast.Stmt) bool {
	a, ok := s.(*ast.AssignStmt)
	return ok && a.Tok == token.DEFINE
}

// share reports whether one of the two statements declares a name that is in the other.
func (w *walker) share(a, b ast.Stmt) bool {
	for _, pair := range [][2]ast.Stmt{{a, b}, {b, a}} {
		if !w.defines(pair[0]) {
			continue
		}
		names := map[string]bool{}
		for _, x := range pair[0].(*ast.AssignStmt).Lhs {
			names[w.text(x)] = true
		}
		found := false
		ast.Inspect(pair[1], func(n ast.Node) bool {
			id, ok := n.(*ast.Ident)
			found = found || ok && names[id.Name]
			return true
		})
		if found {
			return true
		}
	}
	return false
}

// access returns the accesses that a statement makes in any case, whatever its condition says.
func (w *walker) access(s ast.Stmt) (a access) {
	parts := []ast.Node{s}
	switch s := s.(type) {
	case *ast.IfStmt:
		parts = []ast.Node{s.Cond}
		if s.Init != nil {
			parts = append(parts, s.Init)
		}
	case *ast.AssignStmt:
		for _, x := range s.Lhs {
			if w.shared(x) {
				a.any, a.write = true, true
			}
		}
	case *ast.IncDecStmt:
		if w.shared(s.X) {
			a.any, a.write = true, true
		}
	}
	for _, part := range parts {
		ast.Inspect(part, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				_, function := n.(*ast.FuncLit)
				return !function
			}
			if fn := w.callee(call); fn != nil && (w.atomic(fn) || w.kind(call) != opDel) {
				a.any, a.atomic = true, true
				a.write = a.write || !loadName.MatchString(fn.Name())
			}
			return true
		})
	}
	return a
}

// shared reports whether other threads may see the target of an assignment: it is no local variable.
func (w *walker) shared(e ast.Expr) bool {
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		v, ok := w.info.Uses[e].(*types.Var)
		return ok && v.Parent() == w.pkg.Scope()
	case *ast.SelectorExpr:
		if t := w.info.TypeOf(e.X); t != nil {
			if _, pointer := t.Underlying().(*types.Pointer); pointer {
				return true
			}
		}
		return w.shared(e.X)
	case *ast.IndexExpr:
		switch w.info.TypeOf(e.X).Underlying().(type) {
		case *types.Array:
			return w.shared(e.X)
		}
		return true
	case *ast.StarExpr:
		return true
	}
	return false
}
