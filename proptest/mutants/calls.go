package main

import (
	"go/ast"
	"go/types"
	"regexp"
	"strings"
)

// The kind of a call follows from the function's name and package.
var (
	lockName   = regexp.MustCompile(`^(?i:(try)?r?(un)?lock\w*|shut\w*|reopen\w*|acquire\w*)$`)
	storeName  = regexp.MustCompile(`^(?i:store\w*|set\w*|swap\w*|compareandswap\w*|cas[A-Z]\w*|cas)$`)
	changeName = regexp.MustCompile(`^(?i:add|inc|dec|sub|or|and|toggle)\w*$`)
	loadName   = regexp.MustCompile(`^(?i:load|get|is|len)\w*$`)
)

// kind returns the operator that deletes a call.
func (w *walker) kind(e ast.Expr) op {
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return opDel
	}
	fn := w.callee(call)
	switch {
	case fn == nil:
		return opDel
	case lockName.MatchString(fn.Name()):
		return opLock
	case storeName.MatchString(fn.Name()), w.atomic(fn) && changeName.MatchString(fn.Name()):
		return opStore
	}
	return opDel
}

// callee returns the function that a call refers to.
func (w *walker) callee(call *ast.CallExpr) *types.Func {
	fun := ast.Unparen(call.Fun)
	if x, ok := fun.(*ast.IndexExpr); ok {
		fun = x.X
	}
	var id *ast.Ident
	switch f := fun.(type) {
	case *ast.Ident:
		id = f
	case *ast.SelectorExpr:
		id = f.Sel
	default:
		return nil
	}
	fn, _ := w.info.Uses[id].(*types.Func)
	return fn
}

// atomic reports whether a function is an atomic operation.
func (w *walker) atomic(fn *types.Func) bool {
	if fn.Pkg() == nil {
		return false
	}
	switch p := fn.Pkg().Path(); {
	case p == "sync/atomic", p == "go.uber.org/atomic", strings.HasSuffix(p, "internal/aligned"), strings.HasSuffix(p, "internal/point"):
		return true
	}
	return false
}
