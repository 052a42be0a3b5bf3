package main

import (
	"fmt"
	"math"
	"slices"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// The compiler turns forms into code. It makes objects for their constants: literals,
// functions that capture nothing, and for each global a cell that holds its value. It runs
// inside Thread.Immortally, so all of these are immortal by address, and no instruction
// counts them. The values that a program stores in these cells are objects like any other.

// compiler is the state that all functions of a compilation share.
type compiler struct {
	t       *rt.Thread
	file    string
	protos  []*proto
	globals map[string]rt.Ref // the cells
}

// function is a function that is being compiled.
type function struct {
	*proto
	outer    *function // nil for the program itself
	vars     []variable
	captured []string // variables of outer
	depth    int      // values on the stack above base
}

type variable struct {
	name string
	slot int
}

// undefined is the value of a global's cell before its def has run. No program can produce
// it.
var undefined = rt.EmptyBytes

// compile compiles the forms of one text, and returns the number of their code.
func (c *compiler) compile(forms []form) (int, error) {
	for _, f := range forms {
		if f.head() != "def" {
			continue
		}
		name, err := c.defName(f)
		if err != nil {
			return 0, err
		}
		if c.globals[name] != rt.Nil {
			return 0, c.fail(f, "%s is defined twice", name)
		}
		if c.globals[name], err = objects.NewCell(c.t, undefined); err != nil {
			return 0, err
		}
	}
	main := &function{proto: &proto{name: "", file: c.file}}
	for _, f := range forms {
		if err := c.top(main, f); err != nil {
			return 0, err
		}
	}
	main.constant(0, rt.None)
	main.emit(0, opReturn, 0, 0, 0)
	return c.add(main.proto), nil
}

func (c *compiler) add(p *proto) int {
	c.protos = append(c.protos, p)
	return len(c.protos) - 1
}

func (c *compiler) fail(f form, format string, args ...any) error {
	return &Error{File: c.file, Line: f.line, Err: fmt.Errorf(format, args...)}
}

// defName returns the name that a def defines: (def name value) or (def (name argument ...)
// body ...).
func (c *compiler) defName(f form) (string, error) {
	if len(f.items) < 3 {
		return "", c.fail(f, "def takes a name and a value")
	}
	what := f.items[1]
	name := what.text
	if what.kind == listForm {
		name = what.head()
	} else if what.kind != nameForm || len(f.items) != 3 {
		name = ""
	}
	if !isNew(form{kind: nameForm, text: name}) {
		return "", c.fail(f, "def takes a name that is not a word of the language, and a value or a body")
	}
	return name, nil
}

// top compiles a form at the top of the program. The form's value is dropped.
func (c *compiler) top(main *function, f form) error {
	if f.head() != "def" {
		err := c.expr(main, f)
		main.emit(f.line, opPop, 0, 0, -1)
		return err
	}
	name, err := c.defName(f)
	if err != nil {
		return err
	}
	if what := f.items[1]; what.kind == listForm {
		err = c.fn(main, f, name, what.items[1:], f.items[2:])
	} else {
		err = c.expr(main, f.items[2])
	}
	main.emit(f.line, opDefine, 0, main.index(c.globals[name]), -1)
	return err
}

// words have their own rules of evaluation. After any other name, the arguments are
// evaluated first.
var words = map[string]bool{
	"def": true, "fn": true, "let": true, "set": true, "if": true, "while": true, "do": true,
	"nil": true, "true": true, "false": true,
}

// isNew reports whether a form is a name that a program may define.
func isNew(f form) bool {
	return f.kind == nameForm && f.text != "" && !words[f.text] && primNumber(f.text) < 0
}

// expr compiles a form to code that leaves one more value on the stack.
func (c *compiler) expr(fn *function, f form) error {
	switch f.kind {
	case intForm:
		return c.literal(fn, f, func() (rt.Ref, error) { return objects.NewInt(c.t, f.n) })
	case stringForm:
		return c.literal(fn, f, func() (rt.Ref, error) { return objects.NewString(c.t, f.text) })
	case nameForm:
		return c.name(fn, f)
	}
	if len(f.items) == 0 {
		return c.fail(f, "() calls nothing")
	}
	args := f.items[1:]
	switch f.head() {
	case "def":
		return c.fail(f, "def is allowed only at the top of a program")
	case "fn":
		if len(args) < 2 || args[0].kind != listForm {
			return c.fail(f, "fn takes a list of arguments and a body")
		}
		return c.fn(fn, f, "fn", args[0].items, args[1:])
	case "let":
		return c.let(fn, f, args)
	case "set":
		return c.set(fn, f, args)
	case "if":
		return c.cond(fn, f, args)
	case "while":
		return c.loop(fn, f, args)
	case "do":
		return c.body(fn, f, args)
	}
	if p := primNumber(f.head()); p >= 0 {
		return c.prim(fn, f, p, args)
	}
	for _, item := range f.items {
		if err := c.expr(fn, item); err != nil {
			return err
		}
	}
	if len(args) > math.MaxUint16 {
		return c.fail(f, "%d arguments", len(args))
	}
	fn.emit(f.line, opCall, len(args), 0, -len(args))
	return nil
}

func (c *compiler) literal(fn *function, f form, birth func() (rt.Ref, error)) error {
	r, err := birth()
	if err == nil {
		fn.constant(f.line, r)
	}
	return err
}

// name compiles a variable, or a word that names a value.
func (c *compiler) name(fn *function, f form) error {
	switch f.text {
	case "nil":
		fn.constant(f.line, rt.None)
		return nil
	case "true", "false":
		fn.constant(f.line, rt.Bool(f.text == "true"))
		return nil
	}
	if slot := fn.slot(f.text); slot >= 0 {
		fn.emit(f.line, opLocal, 0, slot, 1)
	} else if i := fn.capture(f.text); i >= 0 {
		fn.emit(f.line, opFree, 0, i, 1)
	} else if cell := c.globals[f.text]; cell != rt.Nil {
		fn.emit(f.line, opGlobal, 0, fn.index(cell), 1)
	} else if words[f.text] || primNumber(f.text) >= 0 {
		return c.fail(f, "%s is not a value: wrap it in a fn", f.text)
	} else {
		return c.fail(f, "%s is not defined", f.text)
	}
	return nil
}

// prim compiles a call of a primitive.
func (c *compiler) prim(fn *function, f form, number int, args []form) error {
	p := prims[number]
	if len(args) < p.min || len(args) > p.max {
		return c.fail(f, "%s takes %s, got %d", p.name, p.arity(), len(args))
	}
	for _, a := range args {
		if err := c.expr(fn, a); err != nil {
			return err
		}
	}
	fn.emit(f.line, opPrim, len(args), number, 1-len(args))
	return nil
}

// fn compiles a function. One that captures nothing is a constant.
func (c *compiler) fn(outer *function, f form, name string, params, body []form) error {
	fn := &function{proto: &proto{name: name, file: c.file, args: len(params)}, outer: outer}
	for _, p := range params {
		if !isNew(p) {
			return c.fail(f, "%s: an argument is a name that is not a word of the language", name)
		}
		fn.vars = append(fn.vars, variable{p.text, fn.depth})
		fn.depth++
	}
	if err := c.body(fn, f, body); err != nil {
		return err
	}
	fn.emit(f.line, opReturn, 0, 0, 0)
	number := c.add(fn.proto)
	if len(fn.captured) == 0 {
		return c.literal(outer, f, func() (rt.Ref, error) { return newFn(c.t, number, nil) })
	}
	for _, v := range fn.captured {
		if err := c.name(outer, form{kind: nameForm, line: f.line, text: v}); err != nil {
			return err
		}
	}
	outer.emit(f.line, opMake, len(fn.captured), number, 1-len(fn.captured))
	return nil
}

// body compiles a sequence of forms, which leaves the value of the last one.
func (c *compiler) body(fn *function, f form, forms []form) error {
	if len(forms) == 0 {
		return c.fail(f, "%s takes a body", f.head())
	}
	for i, e := range forms {
		if i > 0 {
			fn.emit(e.line, opPop, 0, 0, -1)
		}
		if err := c.expr(fn, e); err != nil {
			return err
		}
	}
	return nil
}

// let compiles (let (name value ...) body ...). A variable is a place on the stack.
func (c *compiler) let(fn *function, f form, args []form) error {
	if len(args) < 2 || args[0].kind != listForm || len(args[0].items)%2 != 0 {
		return c.fail(f, "let takes a list of names and values, and a body")
	}
	before, binds := len(fn.vars), args[0].items
	for i := 0; i < len(binds); i += 2 {
		if !isNew(binds[i]) {
			return c.fail(f, "let takes a name before each value, and no word of the language")
		}
		if err := c.expr(fn, binds[i+1]); err != nil {
			return err
		}
		fn.vars = append(fn.vars, variable{binds[i].text, fn.depth - 1})
	}
	err := c.body(fn, f, args[1:])
	n := len(fn.vars) - before
	fn.vars = fn.vars[:before]
	fn.emit(f.line, opSlide, n, 0, -n)
	return err
}

// set compiles (set name value), for variables of the same function. A function that
// captures a variable captures its value. Functions and threads that share a variable keep
// it in a cell.
func (c *compiler) set(fn *function, f form, args []form) error {
	if len(args) != 2 || args[0].kind != nameForm {
		return c.fail(f, "set takes a name and a value")
	}
	slot := fn.slot(args[0].text)
	if slot < 0 {
		return c.fail(f, "set %s: it is not a variable of this function; keep what functions share in a cell", args[0].text)
	}
	err := c.expr(fn, args[1])
	fn.emit(f.line, opSet, 0, slot, -1)
	fn.constant(f.line, rt.None)
	return err
}

// cond compiles (if condition then else).
func (c *compiler) cond(fn *function, f form, args []form) error {
	if len(args) != 2 && len(args) != 3 {
		return c.fail(f, "if takes a condition and one or two values")
	}
	if len(args) == 2 {
		args = append(slices.Clip(args), form{kind: nameForm, line: f.line, text: "nil"})
	}
	if err := c.expr(fn, args[0]); err != nil {
		return err
	}
	otherwise := fn.emit(f.line, opUnless, 0, 0, -1)
	if err := c.expr(fn, args[1]); err != nil {
		return err
	}
	end := fn.emit(f.line, opJump, 0, 0, -1) // the other branch has pushed nothing yet
	fn.land(otherwise)
	err := c.expr(fn, args[2])
	fn.land(end)
	return err
}

// loop compiles (while condition body ...), whose value is nil.
func (c *compiler) loop(fn *function, f form, args []form) error {
	if len(args) < 2 {
		return c.fail(f, "while takes a condition and a body")
	}
	start := len(fn.code)
	if err := c.expr(fn, args[0]); err != nil {
		return err
	}
	end := fn.emit(f.line, opUnless, 0, 0, -1)
	err := c.body(fn, f, args[1:])
	fn.emit(f.line, opPop, 0, 0, -1)
	fn.emit(f.line, opLoop, 0, start, 0)
	fn.land(end)
	fn.constant(f.line, rt.None)
	return err
}

// emit adds an instruction that raises the stack by grows values, and returns its index.
func (f *function) emit(line int, o op, n, a, grows int) int {
	f.code = append(f.code, instr{op: o, n: uint16(n), a: uint32(a)})
	f.lines = append(f.lines, line)
	f.depth += grows
	return len(f.code) - 1
}

// land makes the jump at an index lead to the next instruction.
func (f *function) land(jump int) { f.code[jump].a = uint32(len(f.code)) }

func (f *function) constant(line int, r rt.Ref) { f.emit(line, opConst, 0, f.index(r), 1) }

// index returns the index of the constant r, and adds it if it is new.
func (f *function) index(r rt.Ref) int {
	if i := slices.Index(f.consts, r); i >= 0 {
		return i
	}
	f.consts = append(f.consts, r)
	return len(f.consts) - 1
}

// slot returns the place above base of a variable of the function, or -1.
func (f *function) slot(name string) int {
	for _, v := range slices.Backward(f.vars) {
		if v.name == name {
			return v.slot
		}
	}
	return -1
}

// capture returns the index of a captured variable, or -1 if no enclosing function has it.
func (f *function) capture(name string) int {
	if f.outer == nil || f.outer.slot(name) < 0 && f.outer.capture(name) < 0 {
		return -1
	}
	if i := slices.Index(f.captured, name); i >= 0 {
		return i
	}
	f.captured = append(f.captured, name)
	return len(f.captured) - 1
}
