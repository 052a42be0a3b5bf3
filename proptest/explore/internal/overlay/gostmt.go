package overlay

import (
	"go/ast"
	"go/token"
	"go/types"
	"strings"
)

// goStmt makes a call of a go statement. The function and its arguments are evaluated first,
// in a single assignment, as the statement does:
//
//	go f(x, g())    { a, b, c := f, x, g(); shim.Go(func() { a(b, c) }) }
//
// What needs no evaluation stays in the call: constants and nil, which also keeps them
// untyped, declared functions, which may be generic, and builtin functions.
func (f *file) goStmt(s *ast.GoStmt) {
	call := s.Call
	if literal, ok := ast.Unparen(call.Fun).(*ast.FuncLit); ok && len(call.Args) == 0 && literal.Type.Results.NumFields() == 0 {
		f.replace(s.Pos(), s.End(), text(f.shim("Go"), "("), source(literal), text(")"))
		return
	}
	var names []string
	var values []piece
	evaluate := func(pieces ...piece) string {
		if len(values) > 0 {
			values = append(values, text(", "))
		}
		name := f.name()
		names, values = append(names, name), append(values, pieces...)
		return name
	}
	pieces := []piece{text("{ ")}
	assign := func() {
		if len(names) > 0 {
			pieces = append(append(append(pieces, text(strings.Join(names, ", "), " := ")), values...), text("; "))
		}
		names, values = nil, nil
	}
	inside := []piece{source(call.Fun)}
	if !f.isDeclared(call.Fun) {
		inside = []piece{text(evaluate(source(call.Fun)))}
	}
	inside = append(inside, text("("))
	if tuple, ok := f.tuple(call); ok {
		assign()
		for range tuple.Len() {
			names = append(names, f.name())
		}
		inside = append(inside, text(strings.Join(names, ", ")))
		values = []piece{source(call.Args[0])}
	} else {
		for i, arg := range call.Args {
			if i > 0 {
				inside = append(inside, text(", "))
			}
			if tv := f.p.info.Types[arg]; tv.Value != nil || tv.IsNil() || f.isDeclared(arg) {
				inside = append(inside, source(arg))
			} else {
				inside = append(inside, text(evaluate(f.typed(arg)...)))
			}
		}
		if call.Ellipsis.IsValid() {
			inside = append(inside, text("..."))
		}
	}
	assign()
	pieces = append(append(pieces, at(s.Pos()), text(f.shim("Go"), "(func() { "), at(s.Pos())), inside...)
	f.replace(s.Pos(), s.End(), append(pieces, text(") }) }"))...)
}

// isDeclared reports whether an expression names a declared or builtin function.
func (f *file) isDeclared(e ast.Expr) bool {
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		return f.isFunc(e)
	case *ast.SelectorExpr:
		return f.isFunc(e.Sel)
	case *ast.IndexExpr:
		return f.isDeclared(e.X) && f.p.info.Types[e.Index].IsType()
	case *ast.IndexListExpr:
		return f.isDeclared(e.X)
	}
	return false
}

func (f *file) isFunc(id *ast.Ident) bool {
	switch object := f.p.info.Uses[id].(type) {
	case *types.Builtin:
		return true
	case *types.Func:
		return object.Signature().Recv() == nil
	}
	return false
}

// tuple returns the values of g() in f(g()), if there are not exactly one.
func (f *file) tuple(call *ast.CallExpr) (*types.Tuple, bool) {
	if len(call.Args) != 1 {
		return nil, false
	}
	tuple, ok := f.typeOf(call.Args[0]).(*types.Tuple)
	return tuple, ok
}

// typed returns an argument of a call so that := gives it the type that it has there. An
// untyped comparison or shift takes the type of the parameter, so the name of that type is
// written before it.
func (f *file) typed(arg ast.Expr) []piece {
	t := f.typeOf(arg)
	if !f.isUntyped(arg) || types.Identical(t, types.Typ[types.Bool]) || types.Identical(t, types.Typ[types.Int]) {
		return []piece{source(arg)}
	}
	name := f.typeText(t, arg.Pos())
	if name == "" {
		f.note(arg.Pos(), "the type of this argument has no name here, and the rewritten file may not compile: give the value a variable")
		return []piece{source(arg)}
	}
	return []piece{text(name, "("), source(arg), text(")")}
}

// isUntyped reports whether the type of an expression comes from its context.
func (f *file) isUntyped(e ast.Expr) bool {
	if f.p.info.Types[e].Value != nil {
		return true
	}
	switch e := e.(type) {
	case *ast.ParenExpr:
		return f.isUntyped(e.X)
	case *ast.UnaryExpr:
		return e.Op != token.AND && e.Op != token.ARROW && f.isUntyped(e.X)
	case *ast.BinaryExpr:
		switch e.Op {
		case token.EQL, token.NEQ, token.LSS, token.LEQ, token.GTR, token.GEQ:
			return true
		case token.SHL, token.SHR:
			return f.isUntyped(e.X)
		}
		return f.isUntyped(e.X) && f.isUntyped(e.Y)
	}
	return false
}

// typeText returns what names a type at a position, or "".
func (f *file) typeText(t types.Type, pos token.Pos) string {
	var object *types.TypeName
	switch t := t.(type) {
	case *types.Basic:
		object, _ = types.Universe.Lookup(t.Name()).(*types.TypeName)
	case interface{ Obj() *types.TypeName }:
		object = t.Obj()
	}
	if object == nil {
		return ""
	}
	scope := f.p.types.Scope().Innermost(pos)
	if _, found := scope.LookupParent(object.Name(), pos); found == object {
		return object.Name()
	}
	for _, spec := range f.syntax.Imports {
		name := f.p.info.PkgNameOf(spec)
		if name == nil || name.Imported() != object.Pkg() {
			continue
		}
		if _, found := scope.LookupParent(name.Name(), pos); found == name && object.Exported() {
			return name.Name() + "." + object.Name()
		}
	}
	return ""
}
