package starlark

import (
	"slices"

	"go.starlark.net/resolve"
	"go.starlark.net/syntax"
)

// makeFunc compiles a def or lambda into a function in the register dest.
func (f *fcomp) makeFunc(fn *resolve.Function, dest int) {
	base := f.top
	n := 0
	star := false
	f.mark(fn.Pos)
	if !slices.ContainsFunc(fn.Params, func(p syntax.Expr) bool { _, ok := p.(*syntax.BinaryExpr); return ok }) {
		f.leaf()
	}
	for _, p := range fn.Params {
		switch p := p.(type) {
		case *syntax.BinaryExpr:
			f.argTo(p.Y, f.temp())
			n++
		case *syntax.UnaryExpr:
			star = true
		case *syntax.Ident:
			if star {
				f.loadConst(0, f.temp()) // mandatory
				n++
			}
		}
	}
	for _, b := range fn.FreeVars {
		t := f.temp()
		if b.Scope == resolve.Free {
			f.emit(opFree, t, b.Index, 0)
		} else {
			f.emit(opBorrow, t, f.regOf[b.Index], 0)
		}
		n++
	}
	k := f.c.function(fn, f)
	if n == 0 && f.outer == nil && f.inLoop == 0 {
		f.code.funcs = append(f.code.funcs, k)
		f.c.mod.pending = append(f.c.mod.pending, pendingFunc{f.code, len(f.code.consts), k})
		f.code.consts = append(f.code.consts, 0)
		f.emit(opConstW, dest, 0, 0)
		f.word(len(f.code.consts) - 1)
		return
	}
	if n > 255 {
		f.c.fail(fn.Pos, "function %s has too many defaults and captured variables", fn.Name)
	}
	f.code.funcs = append(f.code.funcs, k)
	f.setPos(fn.Pos)
	f.emit(opFunc, dest, base, n)
	f.word(len(f.code.funcs) - 1)
}

func (f *fcomp) call(e *syntax.CallExpr, dest int) {
	var pos []syntax.Expr
	var site callSite
	var values []syntax.Expr
	var varargs, kwargs syntax.Expr
	for _, a := range e.Args {
		if b, ok := a.(*syntax.BinaryExpr); ok && b.Op == syntax.EQ {
			site.names = append(site.names, b.X.(*syntax.Ident).Name)
			values = append(values, b.Y)
			continue
		}
		if u, ok := a.(*syntax.UnaryExpr); ok && u.Op == syntax.STAR {
			varargs = u.X
			continue
		} else if ok && u.Op == syntax.STARSTAR {
			kwargs = u.X
			continue
		}
		pos = append(pos, a)
	}
	if len(values) == 0 && varargs == nil && kwargs == nil && len(pos) <= maxSpread {
		f.plainCall(e, pos, dest)
		return
	}
	base := f.temp()
	f.argTo(e.Fn, base)
	npos := len(pos)
	if len(pos) > maxSpread {
		site.list, npos = true, 1
		f.exprTo(&syntax.ListExpr{List: pos}, f.temp())
	} else {
		for _, x := range pos {
			f.argTo(x, f.temp())
		}
	}
	if len(values) > maxSpread {
		site.dict = true
		d := f.temp()
		f.emitK(opDict, d, len(values))
		for i, x := range values {
			top := f.top
			k := f.temp()
			f.loadConst(f.c.constant(site.names[i]), k)
			f.emit(opDictSet, d, k, f.expr(x))
			f.top = top
		}
		site.names = nil
	} else {
		for _, x := range values {
			f.argTo(x, f.temp())
		}
	}
	if varargs != nil {
		site.varargs = true
		f.argTo(varargs, f.temp())
	}
	if kwargs != nil {
		site.kwargs = true
		f.argTo(kwargs, f.temp())
	}
	site.operands = f.top - base - 1
	if site.operands == len(site.names) && f.isStruct(e.Fn) {
		site.shape = f.c.shape(site.names)
	}
	f.code.sites = append(f.code.sites, site)
	f.setPos(e.Lparen)
	f.emit(opCallX, base, npos, dest)
	f.word(len(f.code.sites) - 1)
}

// isStruct reports whether fn is the function struct that the machine predeclares.
func (f *fcomp) isStruct(fn syntax.Expr) bool {
	id, ok := unparen(fn).(*syntax.Ident)
	return ok && id.Binding.(*resolve.Binding).Scope == resolve.Predeclared && f.c.mod.predeclared[id.Name] == f.c.th.m.structFn
}

// plainCall compiles a call with few arguments, which are all positional.
func (f *fcomp) plainCall(e *syntax.CallExpr, args []syntax.Expr, dest int) {
	base := f.temp()
	if dot, ok := unparen(e.Fn).(*syntax.DotExpr); ok && f.member(dot) == 0 {
		recv := f.temp()
		x, local := f.localReg(dot.X)
		if local {
			f.mark(syntax.Start(unparen(dot.X)))
			f.leaf()
			f.checkBound(x, dot.X)
		} else {
			x = recv
			f.exprTo(dot.X, recv)
		}
		name := f.name(dot.Name.Name)
		f.setPos(dot.Dot)
		f.emit(opMethod, base, x, 0)
		f.word(name)
		for _, a := range args {
			f.argTo(a, f.temp())
		}
		f.setPos(e.Lparen)
		f.emit(opCallMethod, base, len(args), dest)
		f.word(name)
		return
	}
	f.argTo(e.Fn, base)
	for _, a := range args {
		f.argTo(a, f.temp())
	}
	f.setPos(e.Lparen)
	f.emit(opCall, base, len(args), dest)
}
