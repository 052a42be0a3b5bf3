package starlark

import (
	"slices"

	"go.starlark.net/resolve"
	"go.starlark.net/syntax"
)

var binaryOps = map[syntax.Token]opcode{
	syntax.PLUS: opAdd, syntax.MINUS: opSub, syntax.STAR: opMul, syntax.SLASH: opDiv,
	syntax.SLASHSLASH: opFloorDiv, syntax.PERCENT: opMod, syntax.AMP: opAnd, syntax.PIPE: opOr,
	syntax.CIRCUMFLEX: opXor, syntax.LTLT: opShl, syntax.GTGT: opShr, syntax.IN: opIn,
	syntax.NOT_IN: opNotIn, syntax.EQL: opEq, syntax.NEQ: opNe, syntax.LT: opLt,
	syntax.LE: opLe, syntax.GT: opGt, syntax.GE: opGe,
}

// exprTo compiles e into the register dest, which owns the value then.
func (f *fcomp) exprTo(e syntax.Expr, dest int) {
	top := f.top
	defer func() { f.top = top }()
	switch e := e.(type) {
	case *syntax.Literal, *syntax.DictExpr, *syntax.Comprehension:
		f.leaf()
	case *syntax.ListExpr:
		if len(e.List) == 0 {
			f.leaf()
		}
	case *syntax.TupleExpr:
		if len(e.List) == 0 {
			f.leaf()
		}
	}
	switch e := e.(type) {
	case *syntax.ParenExpr:
		f.exprTo(e.X, dest)
	case *syntax.Ident:
		f.ident(e, dest)
	case *syntax.Literal:
		v := e.Value
		if e.Token == syntax.BYTES {
			v = bytesLiteral(e.Value.(string))
		}
		f.loadConst(f.c.constant(v), dest)
	case *syntax.ListExpr:
		f.list(e.List, dest, opList)
	case *syntax.TupleExpr:
		f.tuple(e.List, dest)
	case *syntax.DictExpr:
		t := f.temp()
		f.emitK(opDict, t, min(len(e.List), 1<<16-1))
		for _, x := range e.List {
			x := x.(*syntax.DictEntry)
			top := f.top
			k := f.expr(x.Key)
			v := f.expr(x.Value)
			f.setPos(x.Colon)
			f.emit(opDictNew, t, k, v)
			f.top = top
		}
		f.emit(opSteal, dest, t, 0)
	case *syntax.CondExpr:
		var no, end label
		f.jumpIf(e.Cond, false, &no)
		f.exprTo(e.True, dest)
		f.jump(opJump, &end)
		f.here(&no)
		f.exprTo(e.False, dest)
		f.here(&end)
	case *syntax.IndexExpr:
		if inner, ok := unparen(e.X).(*syntax.IndexExpr); ok && f.plain(e.Y) {
			x := f.expr(inner.X)
			y := f.expr(inner.Y)
			z := f.expr(e.Y)
			f.setPos(inner.Lbrack)
			f.emit(opIndex2, dest, x, y)
			f.setPos(e.Lbrack)
			f.word(z)
			return
		}
		x := f.expr(e.X)
		y, number := f.subscript(e.Y)
		f.setPos(e.Lbrack)
		f.emit(opIndex+number, dest, x, y)
	case *syntax.SliceExpr:
		base := f.top
		f.mark(e.Lbrack)
		for _, x := range []syntax.Expr{e.X, e.Lo, e.Hi, e.Step} {
			t := f.temp()
			if x == nil {
				f.loadConst(None, t)
			} else {
				f.argTo(x, t)
			}
		}
		f.setPos(f.pos()) // of the last operand, as in starlark-go
		f.emit(opSlice, dest, base, 0)
	case *syntax.Comprehension:
		t := f.temp()
		if e.Curly {
			f.emitK(opDict, t, 0)
		} else {
			f.emit(opList, t, t, 0)
		}
		f.comprehension(e, 0, t)
		f.emit(opSteal, dest, t, 0)
	case *syntax.UnaryExpr:
		x := f.expr(e.X)
		f.setPos(e.OpPos)
		f.emit(map[syntax.Token]opcode{syntax.MINUS: opNeg, syntax.PLUS: opPos, syntax.NOT: opNot, syntax.TILDE: opInv}[e.Op], dest, x, 0)
	case *syntax.BinaryExpr:
		f.binary(e, dest)
	case *syntax.DotExpr:
		if v := f.member(e); v != 0 {
			f.mark(syntax.Start(unparen(e.X)))
			f.leaf()
			f.mark(e.Dot)
			f.loadConst(v, dest)
			return
		}
		x := f.expr(e.X)
		f.setPos(e.Dot)
		f.emit(opAttr, dest, x, 0)
		f.word(f.name(e.Name.Name))
	case *syntax.CallExpr:
		f.call(e, dest)
	case *syntax.LambdaExpr:
		f.makeFunc(e.Function.(*resolve.Function), dest)
	default:
		f.c.fail(syntax.Start(e), "unexpected expression %T", e)
	}
}

// subscript compiles the y of x[y]: to a register, or to a small number, and then number is 1.
func (f *fcomp) subscript(y syntax.Expr) (operand int, number opcode) {
	if n, ok := smallLiteral(y); ok {
		f.leaf()
		return n, 1
	}
	return f.expr(y), 0
}

// member returns the member of a predeclared module that e names, or 0. Modules never change, so
// it is a constant.
func (f *fcomp) member(e *syntax.DotExpr) Value {
	id, ok := unparen(e.X).(*syntax.Ident)
	if !ok || id.Binding.(*resolve.Binding).Scope != resolve.Predeclared {
		return 0
	}
	v := f.c.mod.predeclared[id.Name]
	if !v.isRef() || f.c.th.kind(v) != kModule {
		return 0
	}
	return f.c.th.structGet(v, e.Name.Name)
}

// plain reports whether an expression is a constant or a local variable that has a value, so that
// its evaluation cannot fail.
func (f *fcomp) plain(e syntax.Expr) bool {
	if r, ok := f.localReg(e); ok {
		return f.bound[r]
	}
	_, ok := unparen(e).(*syntax.Literal)
	return ok
}

func (f *fcomp) ident(id *syntax.Ident, dest int) {
	b := id.Binding.(*resolve.Binding)
	if b.Scope != resolve.Universal {
		f.setPos(id.NamePos)
	}
	f.leaf()
	switch b.Scope {
	case resolve.Local:
		r := f.regOf[b.Index]
		if r < 0 {
			f.emit(opSpillGet, dest, f.spillReg, 0)
			f.word(-1 - r)
			return
		}
		f.checkBound(r, id)
		if r != dest {
			f.emit(opMove, dest, r, 0)
		}
	case resolve.Cell:
		f.emit(opCellGet, dest, f.regOf[b.Index], 0)
	case resolve.Free:
		f.emit(opFreeGet, dest, b.Index, 0)
	case resolve.Global:
		if b.Index >= 1<<16 {
			f.c.fail(id.NamePos, "too many global variables")
		}
		f.emitK(opGlobal, dest, b.Index)
	case resolve.Predeclared:
		f.loadConst(f.c.mod.predeclared[id.Name], dest)
	case resolve.Universal:
		f.loadConst(f.c.th.m.universe[id.Name], dest)
	default:
		f.c.fail(id.NamePos, "%s variable %s", b.Scope, id.Name)
	}
}

// items compiles up to maxSpread expressions into the next registers.
func (f *fcomp) items(list []syntax.Expr) (base int) {
	base = f.top
	for range list {
		f.temp()
	}
	for i, x := range list {
		f.argTo(x, base+i)
	}
	return base
}

func (f *fcomp) list(list []syntax.Expr, dest int, op opcode) {
	n := min(len(list), maxSpread)
	base := f.items(list[:n])
	if n == len(list) {
		f.emit(op, dest, base, n)
		return
	}
	t := f.temp()
	f.emit(opList, t, base, n)
	for _, x := range list[n:] {
		top := f.top
		if r := f.expr(x); f.isTemp(r) {
			f.emit(opAppendT, t, r, 0)
		} else {
			f.emit(opAppend, t, r, 0)
		}
		f.top = top
	}
	if op == opTuple {
		f.emit(opListTuple, dest, t, 0)
	} else {
		f.emit(opSteal, dest, t, 0)
	}
}

// tuple compiles a tuple, as a constant if all items are.
func (f *fcomp) tuple(list []syntax.Expr, dest int) {
	var vs []Value
	if len(list) > 0 {
		if _, ok := unparen(list[0]).(*syntax.Literal); ok {
			f.leaf()
		}
	}
	for _, x := range list {
		l, ok := unparen(x).(*syntax.Literal)
		if !ok {
			f.list(list, dest, opTuple)
			return
		}
		v := l.Value
		if l.Token == syntax.BYTES {
			v = bytesLiteral(l.Value.(string))
		}
		vs = append(vs, f.c.constant(v))
	}
	f.loadConst(f.c.check(f.c.th.makeTuple(vs...)), dest)
}

func (f *fcomp) binary(e *syntax.BinaryExpr, dest int) {
	switch e.Op {
	case syntax.OR, syntax.AND:
		t := dest
		if !f.isTemp(dest) {
			t = f.temp()
		}
		var end label
		f.exprTo(e.X, t)
		if e.Op == syntax.OR {
			f.emit(opJTrue, t, 0, 0)
		} else {
			f.emit(opJFalse, t, 0, 0)
		}
		f.target(&end)
		f.exprTo(e.Y, t)
		f.here(&end)
		if t != dest {
			f.emit(opSteal, dest, t, 0)
		}
		return
	case syntax.PLUS:
		f.sum(e, dest)
		return
	case syntax.MINUS:
		if n, ok := smallLiteral(e.Y); ok {
			x := f.expr(e.X)
			f.setPos(e.OpPos)
			f.emit(opSubI, dest, x, n)
			return
		}
	}
	x := f.expr(e.X)
	y := f.expr(e.Y)
	f.setPos(e.OpPos)
	f.emit(binaryOps[e.Op], dest, x, y)
}

// A summand is an operand of a sum, and the position of the operator before it.
type summand struct {
	x   syntax.Expr
	pos syntax.Position
}

// sum compiles a sum. As in starlark-go, neighbours that are literals of the same kind (strings,
// bytes, lists, tuples) become one.
func (f *fcomp) sum(e *syntax.BinaryExpr, dest int) {
	var terms []summand
	var walk func(e syntax.Expr, pos syntax.Position)
	walk = func(e syntax.Expr, pos syntax.Position) {
		e = unparen(e)
		if b, ok := e.(*syntax.BinaryExpr); ok && b.Op == syntax.PLUS && len(terms) == 0 {
			walk(b.X, pos)
			e, pos = unparen(b.Y), b.OpPos
		}
		terms = append(terms, summand{e, pos})
	}
	walk(e, e.OpPos)
	n := 0
	for _, t := range terms {
		if n > 0 {
			if x := joined(terms[n-1].x, t.x); x != nil {
				terms[n-1].x = x
				continue
			}
		}
		terms[n] = t
		n++
	}
	terms = terms[:n]
	if n == 1 {
		f.exprTo(terms[0].x, dest)
		return
	}
	x := f.expr(terms[0].x)
	for i, t := range terms[1:] {
		to := dest
		if i < n-2 {
			if to = x; !f.isTemp(x) {
				to = f.temp()
			}
		}
		top := f.top
		if k, ok := smallLiteral(t.x); ok {
			f.setPos(t.pos)
			f.emit(opAddI, to, x, k)
		} else {
			y := f.expr(t.x)
			f.setPos(t.pos)
			f.emit(opAdd, to, x, y)
		}
		f.top = top
		x = to
	}
}

// joined returns the sum of two literals of the same kind, or nil.
func joined(x, y syntax.Expr) syntax.Expr {
	switch x := x.(type) {
	case *syntax.Literal:
		if y, ok := y.(*syntax.Literal); ok && x.Token == y.Token && (x.Token == syntax.STRING || x.Token == syntax.BYTES) {
			return &syntax.Literal{Token: x.Token, Value: x.Value.(string) + y.Value.(string)}
		}
	case *syntax.ListExpr:
		if y, ok := y.(*syntax.ListExpr); ok {
			return &syntax.ListExpr{List: slices.Concat(x.List, y.List)}
		}
	case *syntax.TupleExpr:
		if y, ok := y.(*syntax.TupleExpr); ok {
			return &syntax.TupleExpr{List: slices.Concat(x.List, y.List)}
		}
	}
	return nil
}

var jumpOps = map[syntax.Token]opcode{
	syntax.EQL: opJEq, syntax.NEQ: opJNe, syntax.LT: opJLt, syntax.LE: opJLe, syntax.GT: opJGt, syntax.GE: opJGe,
}

// jumpIf compiles a jump to l if the truth of e is want.
func (f *fcomp) jumpIf(e syntax.Expr, want bool, l *label) {
	top := f.top
	defer func() { f.top = top }()
	switch x := unparen(e).(type) {
	case *syntax.UnaryExpr:
		if x.Op == syntax.NOT {
			f.jumpIf(x.X, !want, l)
			return
		}
	case *syntax.BinaryExpr:
		switch x.Op {
		case syntax.AND, syntax.OR:
			if (x.Op == syntax.OR) == want {
				f.jumpIf(x.X, want, l)
				f.jumpIf(x.Y, want, l)
				return
			}
			var skip label
			f.jumpIf(x.X, !want, &skip)
			f.jumpIf(x.Y, want, l)
			f.here(&skip)
			return
		}
		if op, ok := jumpOps[x.Op]; ok {
			sense := 0
			if want {
				sense = 1
			}
			a := f.expr(x.X)
			if n, ok := smallLiteral(x.Y); ok {
				f.setPos(x.OpPos)
				f.emit(op-opJEq+opJEqI, sense, a, n)
			} else {
				b := f.expr(x.Y)
				f.setPos(x.OpPos)
				f.emit(op, sense, a, b)
			}
			f.target(l)
			return
		}
	}
	r := f.expr(e)
	if want {
		f.emit(opJTrue, r, 0, 0)
	} else {
		f.emit(opJFalse, r, 0, 0)
	}
	f.target(l)
}

func (f *fcomp) comprehension(e *syntax.Comprehension, i, acc int) {
	if i == len(e.Clauses) {
		top := f.top
		if e.Curly {
			entry := e.Body.(*syntax.DictEntry)
			k := f.expr(entry.Key)
			v := f.expr(entry.Value)
			f.setPos(entry.Colon)
			f.emit(opDictSet, acc, k, v)
		} else if r := f.expr(e.Body); f.isTemp(r) {
			f.emit(opAppendT, acc, r, 0)
		} else {
			f.emit(opAppend, acc, r, 0)
		}
		f.top = top
		return
	}
	switch c := e.Clauses[i].(type) {
	case *syntax.IfClause:
		var no label
		f.jumpIf(c.Cond, false, &no)
		f.comprehension(e, i+1, acc)
		f.here(&no)
	case *syntax.ForClause:
		f.iterate(c.X, c.For)
		next, end := &label{}, &label{}
		f.here(next)
		top := f.top
		f.nextItem(c.For, c.Vars, end)
		f.top = top
		body := len(f.code.ins)
		f.inLoop++
		f.comprehension(e, i+1, acc)
		f.inLoop--
		f.again(c.Vars, next, body)
		f.here(end)
		f.emit(opEndIter, 0, 0, 0)
	}
}
