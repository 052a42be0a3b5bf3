package starlark

import (
	"sort"

	"go.starlark.net/syntax"
)

// An instruction is a word: the operation in the lowest byte, then a, b and c. Most name
// registers. The word after some instructions is an operand of them, w below; k is b and c
// together.
type opcode uint8

const (
	opMove   opcode = iota // a = b
	opSteal                // a = b, and b is empty
	opBorrow               // a = b without a count
	opConst                // a = constant k
	opConstW               // a = constant w
	opGlobal               // a = global variable k
	opSetGlobal
	opCellGet  // a = the contents of the cell b
	opCellSet  // contents of the cell a = b, which is empty afterwards
	opFreeGet  // a = the contents of free variable b
	opFree     // a = the cell of free variable b
	opMakeCell // a = a cell with the contents a
	opSpill    // a = a new object for w variables
	opSpillGet // a = variable w of the object in b
	opSpillSet // variable w of the object in a = b, which is empty afterwards
	opCheck    // an error if a is empty

	opAdd // a = b op c
	opSub
	opMul
	opDiv
	opFloorDiv
	opMod
	opAnd
	opOr
	opXor
	opShl
	opShr
	opIn
	opNotIn
	opAddI // a = b + the signed number c
	opSubI
	opInplaceAdd
	opInplaceOr
	opEq // a = b op c
	opNe
	opLt
	opLe
	opGt
	opGe
	opNot // a = op b
	opNeg
	opPos
	opInv

	opJump   // to the upper 24 bits
	opLoop   // opJump at the end of a loop
	opJTrue  // to w if a
	opJFalse // to w if not a
	opJEq    // to w if b op c is a
	opJNe
	opJLt
	opJLe
	opJGt
	opJGe
	opJEqI // as opJEq, c is a signed number
	opJNeI
	opJLtI
	opJLeI
	opJGtI
	opJGeI

	opIndex     // a = b[c]
	opIndexI    // a = b[the signed number c]
	opIndex2    // a = b[c][w]; the position of the inner one is that of the word
	opSetIndex  // a[b] = c; c is empty afterwards if it is temporary
	opSetIndexI // a[the signed number b] = c; c as before
	opAttr      // a = b.w
	opSetField  // a.w = b
	opSlice     // a = b[b+1 : b+2 : b+3]
	opList      // a = a list of the c values from b on, which are empty afterwards
	opTuple
	opListTuple // a = the list b as a tuple
	opAppend    // append b to the list a
	opAppendT
	opDict     // a = a new dict with room for k
	opDictSet  // a[b] = c; c is empty afterwards if it is temporary
	opDictNew  // the same, and an error if b is there
	opUnpack   // the c registers from a on = the items of b
	opIter     // begin an iteration over a
	opRange    // begin an iteration over range() of the b arguments from a on, or of a[-1] if it is no range
	opNext     // a = the next item, or jump to w
	opNextLoop // at the end of a loop: a = the next item, and jump to w
	opEndIter

	opFunc       // a = function w with the c values from b on as defaults and free variables
	opCall       // c = a(b arguments that follow)
	opMethod     // a, a+1 = the method w of b and its receiver, or the attribute and nothing
	opCallMethod // c = a(b arguments from a+2 on) of the method w
	opCallX      // c = a(b positional arguments, and those of the call site w)
	opReturn     // a
	opReturnNone
	opLoad // the values from a on = the names of the load w
)

// code is a function of a program. The machine does not change it.
type code struct {
	name   string
	pos    syntax.Position
	first  syntax.Position // the first one in the body
	module *Module
	number int

	ins    []uint32
	consts []Value
	names  []attrName
	sites  []callSite
	funcs  []*code
	loads  []loadSite
	lines  []line

	regs       int // of the window
	locals     int // of them; the others are temporary
	localNames []string
	freeNames  []string
	spillNames []string
	params     int // all of them
	kwonly     int
	varargs    bool
	kwargs     bool
	simple     bool // only ordinary parameters
	recursion  bool // allowed
}

// attrName is a name behind a dot, with the methods of that name by kind. hash chooses its places
// in Thread.fields.
type attrName struct {
	name    string
	hash    uint32
	methods [kinds]*builtin
}

// callSite is a call with more than positional arguments.
type callSite struct {
	names    []string // of keyword arguments, whose values follow the positional ones
	list     bool     // the first positional argument is a list of arguments
	dict     bool     // the first value behind the named ones is a dict of keyword arguments
	varargs  bool     // then *args
	kwargs   bool     // then **kwargs
	operands int
	shape    shape // if the call is struct(names)
}

type loadSite struct {
	module string
	names  []string
}

// line says where the instructions from pc on come from.
type line struct {
	pc        int32
	line, col int32
}

// position returns where the instruction before pc+1 comes from, or where the body begins if pc is
// negative.
func (c *code) position(pc int) syntax.Position {
	if pc < 0 {
		return c.first
	}
	i := sort.Search(len(c.lines), func(i int) bool { return int(c.lines[i].pc) > pc }) - 1
	name := c.pos.Filename()
	if i < 0 {
		return c.pos
	}
	return syntax.MakePosition(&name, c.lines[i].line, c.lines[i].col)
}

// tokens are the operators of opAdd to opNotIn.
var tokens = [...]syntax.Token{
	syntax.PLUS, syntax.MINUS, syntax.STAR, syntax.SLASH, syntax.SLASHSLASH, syntax.PERCENT, syntax.AMP,
	syntax.PIPE, syntax.CIRCUMFLEX, syntax.LTLT, syntax.GTGT, syntax.IN, syntax.NOT_IN,
}

// comparisons are the operators of opEq to opGe, and of the jumps.
var comparisons = [...]syntax.Token{syntax.EQL, syntax.NEQ, syntax.LT, syntax.LE, syntax.GT, syntax.GE}

// intOrder compares two numbers as a comparison operator does.
func intOrder(op opcode, x, y int64) bool {
	switch op {
	case 0:
		return x == y
	case 1:
		return x != y
	case 2:
		return x < y
	case 3:
		return x <= y
	case 4:
		return x > y
	}
	return x >= y
}
