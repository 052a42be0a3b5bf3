package starlark

import (
	"slices"

	"go.starlark.net/resolve"
	"go.starlark.net/syntax"
)

func (f *fcomp) stmts(list []syntax.Stmt) {
	for _, s := range list {
		f.stmt(s)
		f.top = f.nlocals
	}
}

func (f *fcomp) stmt(s syntax.Stmt) {
	switch s := s.(type) {
	case *syntax.ExprStmt:
		if _, ok := s.X.(*syntax.Literal); !ok {
			f.expr(s.X)
		}
	case *syntax.BranchStmt:
		if len(f.loops) == 0 {
			return
		}
		l := f.loops[len(f.loops)-1]
		switch s.Token {
		case syntax.BREAK:
			f.jump(opJump, l.end)
		case syntax.CONTINUE:
			f.setPos(s.TokenPos)
			f.jump(opLoop, l.next)
		}
	case *syntax.IfStmt:
		f.ifStmt(s)
	case *syntax.AssignStmt:
		f.assignStmt(s)
	case *syntax.DefStmt:
		r := f.temp()
		f.makeFunc(s.Function.(*resolve.Function), r)
		f.set(s.Name, r)
	case *syntax.ForStmt:
		f.forStmt(s)
	case *syntax.WhileStmt:
		f.whileStmt(s)
	case *syntax.ReturnStmt:
		if s.Result == nil {
			f.leaf()
			f.emit(opReturnNone, 0, 0, 0)
			return
		}
		f.emit(opReturn, f.expr(s.Result), 0, 0)
	case *syntax.LoadStmt:
		f.loadStmt(s)
	default:
		f.c.fail(syntax.Start(s), "unexpected statement %T", s)
	}
}

func (f *fcomp) ifStmt(s *syntax.IfStmt) {
	var no, end label
	f.jumpIf(s.Cond, false, &no)
	f.top = f.nlocals
	before := slices.Clone(f.bound)
	f.stmts(s.True)
	yes, deadYes := f.bound, f.dead
	f.bound = before
	if len(s.False) > 0 {
		if !f.dead {
			f.jump(opJump, &end)
		}
		f.here(&no)
		f.bound = slices.Clone(before)
		f.stmts(s.False)
	} else {
		f.here(&no)
	}
	deadNo := f.dead
	f.here(&end)
	f.dead = deadYes && deadNo && len(s.False) > 0
	for i := range f.bound {
		switch {
		case deadYes:
		case deadNo:
			f.bound[i] = yes[i]
		default:
			f.bound[i] = f.bound[i] && yes[i]
		}
	}
}

func (f *fcomp) forStmt(s *syntax.ForStmt) {
	f.iterate(s.X, s.For)
	next, end := &label{}, &label{}
	f.here(next)
	before := slices.Clone(f.bound)
	f.nextItem(s.For, s.Vars, end)
	body := len(f.code.ins)
	f.loops = append(f.loops, loop{end, next})
	f.inLoop++
	f.top = f.nlocals
	f.stmts(s.Body)
	f.inLoop--
	f.loops = f.loops[:len(f.loops)-1]
	f.again(s.Vars, next, body)
	f.here(end)
	f.emit(opEndIter, 0, 0, 0)
	f.bound = before
}

// again ends a loop over vars, whose body begins at the instruction body.
func (f *fcomp) again(vars syntax.Expr, next *label, body int) {
	if r, ok := f.localReg(vars); ok {
		f.emit(opNextLoop, r, 0, 0)
		f.word(body)
		return
	}
	f.jump(opLoop, next)
}

// iterate begins an iteration over x.
func (f *fcomp) iterate(x syntax.Expr, pos syntax.Position) {
	if call, ok := unparen(x).(*syntax.CallExpr); ok && len(call.Args) >= 1 && len(call.Args) <= 3 && f.isRange(call) {
		top := f.top
		base := f.temp()
		f.loadConst(f.c.th.m.universe["range"], base)
		for _, a := range call.Args {
			f.argTo(a, f.temp())
		}
		f.setPos(call.Lparen)
		f.emit(opRange, base+1, len(call.Args), 0)
		f.top = top
		return
	}
	top := f.top
	r := f.expr(x)
	f.setPos(pos)
	if f.isTemp(r) {
		f.emit(opIter, r, 1, 0)
	} else {
		f.emit(opIter, r, 0, 0)
	}
	f.top = top
}

// isRange reports whether a call is one of the builtin range with positional arguments.
func (f *fcomp) isRange(call *syntax.CallExpr) bool {
	id, ok := call.Fn.(*syntax.Ident)
	if !ok || id.Name != "range" || id.Binding.(*resolve.Binding).Scope != resolve.Universal {
		return false
	}
	for _, a := range call.Args {
		switch a := a.(type) {
		case *syntax.BinaryExpr:
			if a.Op == syntax.EQ {
				return false
			}
		case *syntax.UnaryExpr:
			if a.Op == syntax.STAR || a.Op == syntax.STARSTAR {
				return false
			}
		}
	}
	return true
}

// nextItem assigns the next item of the innermost iteration to vars, or jumps to end.
func (f *fcomp) nextItem(pos syntax.Position, vars syntax.Expr, end *label) {
	if r, ok := f.localReg(vars); ok {
		f.setPos(pos)
		f.emit(opNext, r, 0, 0)
		f.target(end)
		f.bound[r] = true
		return
	}
	r := f.temp()
	f.setPos(pos)
	f.emit(opNext, r, 0, 0)
	f.target(end)
	f.assign(pos, vars, r)
}

func (f *fcomp) whileStmt(s *syntax.WhileStmt) {
	next, end := &label{}, &label{}
	f.here(next)
	before := slices.Clone(f.bound)
	f.jumpIf(s.Cond, false, end)
	f.loops = append(f.loops, loop{end, next})
	f.inLoop++
	f.top = f.nlocals
	f.stmts(s.Body)
	f.inLoop--
	f.loops = f.loops[:len(f.loops)-1]
	f.setPos(s.While)
	f.jump(opLoop, next)
	f.here(end)
	f.bound = before
}

func (f *fcomp) loadStmt(s *syntax.LoadStmt) {
	site := loadSite{module: s.ModuleName()}
	base := f.top
	for _, id := range s.From {
		site.names = append(site.names, id.Name)
		f.temp()
	}
	f.code.loads = append(f.code.loads, site)
	f.setPos(s.Load)
	f.emit(opLoad, base, 0, 0)
	f.word(len(f.code.loads) - 1)
	for i, id := range s.To {
		f.set(id, base+i)
	}
}

// set assigns the register r to an identifier. A temporary register is empty afterwards.
func (f *fcomp) set(id *syntax.Ident, r int) {
	b := id.Binding.(*resolve.Binding)
	switch b.Scope {
	case resolve.Local:
		to := f.regOf[b.Index]
		if to < 0 {
			f.emit(opSpillSet, f.spillReg, f.own(r), 0)
			f.word(-1 - to)
			return
		}
		f.bound[to] = true
		if to == r {
			return
		}
		if f.isTemp(r) {
			f.emit(opSteal, to, r, 0)
		} else {
			f.emit(opMove, to, r, 0)
		}
	case resolve.Cell:
		f.emit(opCellSet, f.regOf[b.Index], f.own(r), 0)
	case resolve.Global:
		if b.Index >= 1<<16 {
			f.c.fail(id.NamePos, "too many global variables")
		}
		f.emitK(opSetGlobal, f.own(r), b.Index)
	default:
		f.c.fail(id.NamePos, "set of %s variable %s", b.Scope, id.Name)
	}
}

// own returns r if it is temporary, or a temporary register that borrows from it.
func (f *fcomp) own(r int) int {
	if f.isTemp(r) {
		return r
	}
	t := f.temp()
	f.emit(opBorrow, t, r, 0)
	return t
}

// assign assigns the register r, which is a temporary one, to lhs.
func (f *fcomp) assign(pos syntax.Position, lhs syntax.Expr, r int) {
	switch lhs := lhs.(type) {
	case *syntax.ParenExpr:
		f.assign(pos, lhs.X, r)
	case *syntax.Ident:
		f.set(lhs, r)
	case *syntax.TupleExpr:
		f.assignSequence(pos, lhs.List, r)
	case *syntax.ListExpr:
		f.assignSequence(pos, lhs.List, r)
	case *syntax.IndexExpr:
		x := f.expr(lhs.X)
		y, number := f.subscript(lhs.Y)
		f.setPos(lhs.Lbrack)
		f.emit(opSetIndex+number, x, y, r)
	case *syntax.DotExpr:
		x := f.expr(lhs.X)
		f.setPos(lhs.Dot)
		f.emit(opSetField, x, r, 0)
		f.word(f.name(lhs.Name.Name))
	default:
		f.c.fail(pos, "cannot assign to %T", lhs)
	}
}

func (f *fcomp) assignSequence(pos syntax.Position, lhs []syntax.Expr, r int) {
	if len(lhs) > maxSpread {
		f.c.fail(pos, "too many targets of an assignment: %d, the limit is %d", len(lhs), maxSpread)
	}
	base := f.top
	for range lhs {
		f.temp()
	}
	f.setPos(pos)
	f.emit(opUnpack, base, r, len(lhs))
	for i, x := range lhs {
		top := f.top
		f.assign(pos, x, base+i)
		f.top = top
	}
	f.top = base
}

// targets returns the items of a tuple or list expression.
func targets(e syntax.Expr) []syntax.Expr {
	switch e := unparen(e).(type) {
	case *syntax.TupleExpr:
		return e.List
	case *syntax.ListExpr:
		return e.List
	}
	return nil
}

func (f *fcomp) assignStmt(s *syntax.AssignStmt) {
	if s.Op != syntax.EQ {
		f.augmented(s)
		return
	}
	if r, ok := f.localReg(s.LHS); ok {
		f.exprTo(s.RHS, r)
		f.bound[r] = true
		return
	}
	// a, b = x, y makes no tuple.
	if l, r := targets(s.LHS), targets(s.RHS); len(l) > 0 && len(l) == len(r) && len(l) <= maxSpread {
		base := f.top
		for range l {
			f.temp()
		}
		for i, x := range r {
			f.exprTo(x, base+i)
		}
		for i, x := range l {
			top := f.top
			f.assign(s.OpPos, x, base+i)
			f.top = top
		}
		return
	}
	if _, ok := f.localReg(s.RHS); ok {
		switch unparen(s.LHS).(type) {
		case *syntax.IndexExpr, *syntax.DotExpr:
			f.assign(s.OpPos, unparen(s.LHS), f.expr(s.RHS))
			return
		}
	}
	r := f.temp()
	f.argTo(s.RHS, r)
	f.top = r + 1
	f.assign(s.OpPos, s.LHS, r)
}

func (f *fcomp) augmented(s *syntax.AssignStmt) {
	switch lhs := unparen(s.LHS).(type) {
	case *syntax.Ident:
		if r, ok := f.localReg(lhs); ok {
			f.mark(lhs.NamePos)
			f.leaf()
			f.checkBound(r, lhs)
			y := f.operand(s)
			f.inplace(s, r, r, y)
			return
		}
		x := f.expr(lhs)
		y := f.operand(s)
		f.inplace(s, x, x, y)
		f.set(lhs, x)
	case *syntax.IndexExpr:
		x := f.expr(lhs.X)
		i, number := f.subscript(lhs.Y)
		t := f.temp()
		f.setPos(lhs.Lbrack)
		f.emit(opIndex+number, t, x, i)
		y := f.operand(s)
		f.inplace(s, t, t, y)
		f.setPos(lhs.Lbrack)
		f.emit(opSetIndex+number, x, i, t)
	case *syntax.DotExpr:
		x := f.expr(lhs.X)
		t := f.temp()
		f.setPos(lhs.Dot)
		f.emit(opAttr, t, x, 0)
		f.word(f.name(lhs.Name.Name))
		y := f.operand(s)
		f.inplace(s, t, t, y)
		f.setPos(lhs.Dot)
		f.emit(opSetField, x, t, 0)
		f.word(f.name(lhs.Name.Name))
	}
}

// inplace emits dest = x op= y.
func (f *fcomp) inplace(s *syntax.AssignStmt, dest, x, y int) {
	f.setPos(s.OpPos)
	switch s.Op {
	case syntax.PLUS_EQ:
		if y < 0 {
			n, _ := smallLiteral(s.RHS)
			f.emit(opAddI, dest, x, n)
			return
		}
		f.emit(opInplaceAdd, dest, x, y)
	case syntax.MINUS_EQ:
		if y < 0 {
			n, _ := smallLiteral(s.RHS)
			f.emit(opSubI, dest, x, n)
			return
		}
		f.emit(opSub, dest, x, y)
	case syntax.PIPE_EQ:
		f.emit(opInplaceOr, dest, x, y)
	default:
		f.emit(binaryOps[s.Op-syntax.PLUS_EQ+syntax.PLUS], dest, x, y)
	}
}

func smallLiteral(e syntax.Expr) (int, bool) {
	if l, ok := unparen(e).(*syntax.Literal); ok {
		if n, ok := l.Value.(int64); ok {
			return int(n), n >= -128 && n <= 127
		}
	}
	return 0, false
}

// operand compiles the right side of an augmented assignment. It returns -1 for a literal that
// the instruction has room for.
func (f *fcomp) operand(s *syntax.AssignStmt) int {
	if _, ok := smallLiteral(s.RHS); ok && (s.Op == syntax.PLUS_EQ || s.Op == syntax.MINUS_EQ) {
		return -1
	}
	return f.expr(s.RHS)
}
