package starlark

import (
	"fmt"
	"math/big"

	"go.starlark.net/resolve"
	"go.starlark.net/syntax"
)

const (
	maxLocals = 160 // local variables in registers
	maxRegs   = 250
	maxSpread = 40 // arguments or items in registers at a time
)

// compiler compiles one file. It is called inside Immortally, since it makes constants.
type compiler struct {
	th     *Thread
	mod    *Module
	opts   *syntax.FileOptions
	codes  []*code
	consts map[any]Value
	shapes map[string]shape // by the names
}

// compileError is a panic of the compiler.
type compileError struct{ error }

func (c *compiler) fail(pos syntax.Position, format string, args ...any) {
	panic(compileError{fmt.Errorf("%s: %s", pos, fmt.Sprintf(format, args...))})
}

// check returns v, which the code owns from now on if it is mortal.
func (c *compiler) check(v Value, err error) Value {
	if err != nil {
		panic(compileError{err})
	}
	if v.isOwned() {
		m := c.th.m
		m.mu.Lock()
		m.mortal = append(m.mortal, v)
		m.mu.Unlock()
	}
	return v.borrowed()
}

// constant returns the immortal value of a literal.
func (c *compiler) constant(x any) Value {
	var key any = x
	if b, ok := x.(*big.Int); ok {
		key = "int " + b.String()
	}
	type text struct{ s string }
	if s, ok := x.(string); ok {
		key = text{s}
	}
	if v, ok := c.consts[key]; ok {
		return v
	}
	var v Value
	switch x := x.(type) {
	case int64:
		v = c.check(c.th.newInt(x))
	case *big.Int:
		v = c.check(c.th.newBig(x))
	case float64:
		v = mkFloat(x)
	case string:
		if len(x) <= 1 {
			v = c.check(c.th.newString(x))
		} else {
			v = c.check(c.th.immortalString(stringType, x))
		}
	case bytesLiteral:
		v = c.check(c.th.immortalString(bytesType, string(x)))
	case Value:
		v = x
	default:
		panic(x)
	}
	c.consts[key] = v
	return v
}

type bytesLiteral string

// file compiles the statements of a file.
func (c *compiler) file(f *syntax.File, pos syntax.Position) *code {
	m := f.Module.(*resolve.Module)
	for _, b := range m.Globals {
		c.mod.names = append(c.mod.names, b.First.Name)
	}
	return c.function(&resolve.Function{Pos: pos, Name: "<toplevel>", Body: f.Stmts, Locals: m.Locals}, nil)
}

// function compiles a function.
func (c *compiler) function(fn *resolve.Function, outer *fcomp) *code {
	f := &fcomp{c: c, code: &code{name: fn.Name, pos: fn.Pos, module: c.mod, recursion: c.opts.Recursion}, outer: outer, fn: fn}
	c.codes = append(c.codes, f.code)
	f.mark(fn.Pos)
	k := f.code
	k.params = len(fn.Params)
	k.kwonly = fn.NumKwonlyParams
	k.varargs, k.kwargs = fn.HasVarargs, fn.HasKwargs
	if k.kwonly > 0 && !k.varargs {
		k.params--
	}
	k.simple = k.kwonly == 0 && !k.varargs && !k.kwargs
	f.place(fn.Locals)
	for _, b := range fn.FreeVars {
		k.freeNames = append(k.freeNames, b.First.Name)
	}
	if f.spills > 0 {
		f.emit(opSpill, f.spillReg, 0, 0)
		f.word(f.spills)
	}
	for i, b := range fn.Locals {
		if b.Scope == resolve.Cell {
			f.emit(opMakeCell, f.regOf[i], 0, 0)
		}
	}
	f.stmts(fn.Body)
	f.leaf()
	if !f.dead {
		f.emit(opReturnNone, 0, 0, 0)
	}
	k.regs = f.most
	k.locals = f.nlocals
	return k
}

// fcomp compiles one function.
type fcomp struct {
	c     *compiler
	code  *code
	outer *fcomp
	fn    *resolve.Function

	regOf    []int // register of each local variable, or -1-n if it is variable n of the spill object
	nlocals  int
	spills   int
	spillReg int
	top      int // first free register
	most     int
	bound    []bool // registers of variables that have a value here
	loops    []loop
	names    map[string]int
	kindex   map[Value]int
	dead     bool // the last instruction was a return
	inLoop   int
	line     int32
	col      int32
}

type loop struct{ end, next *label }

// place gives the local variables registers: the parameters, then cells, then the others.
func (f *fcomp) place(locals []*resolve.Binding) {
	f.regOf = make([]int, len(locals))
	n := 0
	put := func(i int) {
		f.regOf[i] = n
		f.code.localNames = append(f.code.localNames, locals[i].First.Name)
		n++
	}
	params := min(f.code.params, len(locals))
	for i := range params {
		put(i)
	}
	for i := params; i < len(locals); i++ {
		if locals[i].Scope == resolve.Cell {
			put(i)
		}
	}
	if n >= maxLocals {
		f.c.fail(f.code.pos, "function %s has too many parameters and captured variables: %d, the limit is %d", f.code.name, n, maxLocals)
	}
	for i := params; i < len(locals); i++ {
		if locals[i].Scope == resolve.Cell {
			continue
		}
		if n >= maxLocals {
			f.regOf[i] = -1 - f.spills
			f.spills++
			f.code.spillNames = append(f.code.spillNames, locals[i].First.Name)
			continue
		}
		put(i)
	}
	if f.spills > 0 {
		f.spillReg = n
		f.code.localNames = append(f.code.localNames, "")
		n++
	}
	f.nlocals, f.top, f.most = n, n, n
	f.bound = make([]bool, n)
	for i := range params {
		f.bound[i] = true
	}
}

func (f *fcomp) isTemp(r int) bool { return r >= f.nlocals }

// temp returns a free register.
func (f *fcomp) temp() int {
	if f.top >= maxRegs {
		f.c.fail(f.pos(), "the expression is nested too deeply")
	}
	f.top++
	f.most = max(f.most, f.top)
	return f.top - 1
}

func (f *fcomp) pos() syntax.Position {
	name := f.code.pos.Filename()
	return syntax.MakePosition(&name, f.line, f.col)
}

// mark makes p the position of an expression for which there is no instruction.
func (f *fcomp) mark(p syntax.Position) {
	f.line, f.col = p.Line, p.Col
}

// leaf is called where starlark-go emits an instruction for an expression without operands. The
// first one decides where a call is that has not begun.
func (f *fcomp) leaf() {
	if f.code.first.Line == 0 {
		f.code.first = f.pos()
	}
}

func (f *fcomp) setPos(p syntax.Position) {
	f.mark(p)
	n := len(f.code.lines)
	l := line{int32(len(f.code.ins)), p.Line, p.Col}
	if n > 0 && f.code.lines[n-1].pc == l.pc {
		f.code.lines[n-1] = l
	} else {
		f.code.lines = append(f.code.lines, l)
	}
}

func (f *fcomp) emit(op opcode, a, b, c int) {
	f.code.ins = append(f.code.ins, uint32(op)|uint32(uint8(a))<<8|uint32(uint8(b))<<16|uint32(uint8(c))<<24)
	f.dead = op == opReturn || op == opReturnNone
}

func (f *fcomp) word(w int) { f.code.ins = append(f.code.ins, uint32(w)) }

func (f *fcomp) emitK(op opcode, a, k int) { f.emit(op, a, k&0xFF, k>>8) }

// A label is a place that jumps go to.
type label struct {
	at    int
	set   bool
	long  []int // words that are the target
	short []int // instructions whose upper 24 bits are the target
}

func (f *fcomp) jump(op opcode, l *label) {
	if l.set {
		f.emit(op, l.at&0xFF, l.at>>8&0xFF, l.at>>16)
		return
	}
	l.short = append(l.short, len(f.code.ins))
	f.emit(op, 0, 0, 0)
}

func (f *fcomp) target(l *label) {
	if l.set {
		f.word(l.at)
		return
	}
	l.long = append(l.long, len(f.code.ins))
	f.word(0)
}

func (f *fcomp) here(l *label) {
	l.at, l.set = len(f.code.ins), true
	if l.at >= 1<<24 {
		f.c.fail(f.pos(), "function %s is too large", f.code.name)
	}
	for _, i := range l.long {
		f.code.ins[i] = uint32(l.at)
	}
	for _, i := range l.short {
		f.code.ins[i] |= uint32(l.at) << 8
	}
	f.dead = false
}

func (f *fcomp) loadConst(v Value, dest int) {
	k, ok := f.kindex[v]
	if !ok {
		if f.kindex == nil {
			f.kindex = map[Value]int{}
		}
		k = len(f.code.consts)
		f.code.consts = append(f.code.consts, v)
		f.kindex[v] = k
	}
	if k < 1<<16 {
		f.emitK(opConst, dest, k)
		return
	}
	f.emit(opConstW, dest, 0, 0)
	f.word(k)
}

// name returns the index of a name behind a dot.
func (f *fcomp) name(s string) int {
	if i, ok := f.names[s]; ok {
		return i
	}
	if f.names == nil {
		f.names = map[string]int{}
	}
	f.names[s] = len(f.code.names)
	f.code.names = append(f.code.names, f.c.th.m.attrName(s))
	return len(f.code.names) - 1
}

// attrName returns a name behind a dot.
func (m *Machine) attrName(s string) attrName {
	a := attrName{name: s, hash: hashText(s)}
	for k, fns := range m.methods {
		a.methods[k] = fns[s]
	}
	return a
}

func unparen(e syntax.Expr) syntax.Expr {
	for {
		p, ok := e.(*syntax.ParenExpr)
		if !ok {
			return e
		}
		e = p.X
	}
}

// localReg returns the register of an identifier that is a local variable in a register.
func (f *fcomp) localReg(e syntax.Expr) (int, bool) {
	id, ok := unparen(e).(*syntax.Ident)
	if !ok {
		return 0, false
	}
	b := id.Binding.(*resolve.Binding)
	if b.Scope != resolve.Local || f.regOf[b.Index] < 0 {
		return 0, false
	}
	return f.regOf[b.Index], true
}

// expr compiles e, and returns the register of its value: that of a variable, or a temporary
// one.
func (f *fcomp) expr(e syntax.Expr) int {
	if r, ok := f.localReg(e); ok {
		f.mark(syntax.Start(unparen(e)))
		f.leaf()
		f.checkBound(r, e)
		return r
	}
	r := f.temp()
	f.exprTo(e, r)
	f.top = r + 1
	return r
}

func (f *fcomp) checkBound(r int, e syntax.Expr) {
	if !f.bound[r] {
		f.setPos(syntax.Start(unparen(e)))
		f.emit(opCheck, r, 0, 0)
	}
}

// argTo compiles e into a temporary register, which may borrow from a variable.
func (f *fcomp) argTo(e syntax.Expr, dest int) {
	if r, ok := f.localReg(e); ok {
		f.mark(syntax.Start(unparen(e)))
		f.leaf()
		f.checkBound(r, e)
		f.emit(opBorrow, dest, r, 0)
		return
	}
	f.exprTo(e, dest)
}
