package starlark

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
	"go.starlark.net/resolve"
	"go.starlark.net/syntax"
)

// Module is a program that was compiled for a machine, with its global variables. Several
// threads may use it at the same time.
type Module struct {
	m           *Machine
	file        string
	names       []string // of the global variables
	globals     Value
	predeclared map[string]Value
	top         *code
	topFn       Value
	pending     []pendingFunc

	image  *moduleImage // nil, or where names and values come from
	index  objects.Dict // from names to numbers of global variables
	texts  objects.Tuple
	asleep objects.Tuple // the values
}

// pendingFunc is a constant that is a function.
type pendingFunc struct {
	in    *code
	index int
	fn    *code
}

// treeBytes is what parsing, resolving and compiling takes for a byte of a program: measured for a
// list of undefined names of one letter, the worst that we know.
const treeBytes = 200

// countCode counts the memory of code, which stays until the machine is closed.
func (th *Thread) countCode(codes []*code) error {
	n := 0
	for _, k := range codes {
		n += 512 + 4*cap(k.ins) + 8*cap(k.consts) + 256*cap(k.names) + 128*cap(k.sites) +
			16*(cap(k.localNames)+cap(k.freeNames)+cap(k.spillNames)) + 12*cap(k.lines)
	}
	if err := th.fits(int64(n)); err != nil {
		return err
	}
	th.m.account.code.Add(int64(n))
	return nil
}

// Compile parses, resolves and compiles a program. predeclared, whose values must be immortal,
// is added to the names that the machine predeclares. src is a string or bytes, or nil to read
// the file. The error is a syntax.Error or a resolve.ErrorList, or rt.ErrMemoryLimit.
func (th *Thread) Compile(file string, src any, predeclared map[string]Value) (*Module, error) {
	return th.CompileOptions(&th.m.opts.File, file, src, predeclared)
}

// CompileOptions is Compile with options of its own.
func (th *Thread) CompileOptions(opts *syntax.FileOptions, file string, src any, predeclared map[string]Value) (*Module, error) {
	text, err := readSource(file, src)
	if err != nil {
		return nil, err
	}
	th.tidy()
	held := th.held
	defer func() { th.release(held) }()
	if err := th.reserve(treeBytes * len(text)); err != nil {
		return nil, th.limitError(err)
	}
	f, err := opts.Parse(file, text, 0)
	if err != nil {
		return nil, err
	}
	return th.compileFile(opts, f, predeclared, nil)
}

func (th *Thread) compileFile(opts *syntax.FileOptions, f *syntax.File, predeclared map[string]Value, globals *Globals) (_ *Module, err error) {
	th.tidy()
	mod := &Module{m: th.m, file: f.Path, predeclared: map[string]Value{}}
	th.m.mu.Lock()
	for name, v := range th.m.predecl {
		mod.predeclared[name] = v
	}
	th.m.mu.Unlock()
	for name, v := range predeclared {
		mod.predeclared[name] = v
	}
	isPredeclared := func(name string) bool { _, ok := mod.predeclared[name]; return ok }
	isUniversal := func(name string) bool { _, ok := th.m.universe[name]; return ok }
	if globals == nil {
		err = resolve.File(f, isPredeclared, isUniversal)
	} else {
		err = resolve.REPLChunk(f, globals.has, isPredeclared, isUniversal)
	}
	if err != nil {
		return nil, err
	}
	pos := syntax.MakePosition(&f.Path, 1, 1)
	if len(f.Stmts) > 0 {
		pos = syntax.Start(f.Stmts[0])
	}
	err = th.codeBorn(func() (err error) {
		defer func() {
			if x := recover(); x != nil {
				e, ok := x.(compileError)
				if !ok {
					panic(x)
				}
				err = e.error
			}
		}()
		c := &compiler{th: th, mod: mod, opts: opts, consts: map[any]Value{}}
		mod.top = c.file(f, pos)
		if err := th.countCode(c.codes); err != nil {
			return err
		}
		th.m.addCodes(c.codes)
		for _, p := range mod.pending {
			p.in.consts[p.index] = c.check(th.newFunction(p.fn.number, nil))
		}
		mod.pending = nil
		mod.topFn = c.check(th.newFunction(mod.top.number, nil))
		mod.globals = c.check(th.newGlobals(len(mod.names)))
		return nil
	})
	if err != nil {
		return nil, th.limitError(err)
	}
	return mod, nil
}

// codeBorn runs fn, which makes the values of code, inside immortally or as MortalCode says.
func (th *Thread) codeBorn(fn func() error) error {
	if th.m.opts.MortalCode {
		return fn()
	}
	return th.immortally(fn)
}

// Run executes the module, once. An error of the program is an *EvalError.
func (th *Thread) Run(mod *Module) error {
	if mod.image != nil {
		return nil // it has run
	}
	v, err := th.Call(mod.topFn, nil)
	th.drop(v)
	return err
}

// Exec compiles and runs a program. After an error of the program it returns the module too.
func (th *Thread) Exec(file string, src any) (*Module, error) {
	mod, err := th.Compile(file, src, nil)
	if err != nil {
		return nil, err
	}
	return mod, th.Run(mod)
}

// Name returns the name of the module's file.
func (mod *Module) Name() string { return mod.file }

// Names returns the names of the global variables.
func (th *Thread) Names(mod *Module) []string {
	if mod.image == nil {
		return mod.names
	}
	names := make([]string, mod.texts.Len(th.t))
	for i := range names {
		names[i] = mod.nameAt(th, i)
	}
	return names
}

// Global returns the value of a global variable with a count of its own, or 0. An error of an
// image is that of Lookup.
func (th *Thread) Global(mod *Module, name string) Value {
	v, _ := th.Lookup(mod, name)
	return v
}

// Lookup returns the value of a global variable with a count of its own, or 0 if there is none. The
// error is that of a value of an image that cannot be made: rt.ErrMemoryLimit, or an
// *ImageError.
func (th *Thread) Lookup(mod *Module, name string) (Value, error) {
	i := mod.slotOf(th, name)
	if i < 0 {
		return 0, nil
	}
	r, err := th.global(mod, i)
	if err != nil || r.IsNil() {
		return 0, th.limitError(err)
	}
	return th.load(r), nil
}

// Clear gives up the values of all global variables. The code of the module stays until the
// machine is closed.
func (th *Thread) Clear(mod *Module) {
	o := th.t.Body(mod.globals.ref())
	for i := range mod.names {
		th.retire(o.SwapRef(globalsSlots+i, rt.Nil))
	}
}

// FreezeModule freezes the values of all global variables.
func (th *Thread) FreezeModule(mod *Module) {
	for i := range mod.names {
		if r := th.t.Body(mod.globals.ref()).LoadRef(globalsSlots + i); !r.IsNil() {
			th.Freeze(th.peek(r))
		}
	}
}

// Immortalize makes the values of all global variables immortal in place, so that no thread
// counts them. It stops the world.
func (th *Thread) Immortalize(mod *Module) error {
	var refs []rt.Ref
	for i := range mod.names {
		if r := th.t.Body(mod.globals.ref()).LoadRef(globalsSlots + i); !r.IsNil() {
			refs = append(refs, r)
		}
	}
	return th.t.Immortalize(refs...)
}

// loadNames executes a load statement.
func (th *Thread) loadNames(site *loadSite, to int) error {
	if th.m.opts.Load == nil {
		return errors.New("load not implemented by this application")
	}
	mod, err := th.m.opts.Load(th, site.module)
	if err != nil {
		return &wrappedError{fmt.Sprintf("cannot load %s: %v", site.module, err), err}
	}
	for i, name := range site.names {
		v, err := th.Lookup(mod, name)
		if err != nil {
			return err
		}
		if v == 0 {
			msg := fmt.Sprintf("load: name %s not found in module %s", name, site.module)
			if n := nearest(name, th.Names(mod)); n != "" {
				msg += fmt.Sprintf(" (did you mean %s?)", n)
			}
			return errors.New(msg)
		}
		set(th, &th.stack[to+i], v)
	}
	return nil
}

type wrappedError struct {
	msg   string
	cause error
}

func (e *wrappedError) Error() string { return e.msg }
func (e *wrappedError) Unwrap() error { return e.cause }

// Globals are the global variables of a REPL: they outlive its chunks.
type Globals struct {
	vars map[string]Value
}

func (g *Globals) has(name string) bool { _, ok := g.vars[name]; return ok }

// Drop gives up the values.
func (g *Globals) Drop(th *Thread) {
	for _, v := range g.vars {
		th.drop(v)
	}
	g.vars = nil
}

// ExecChunk runs statements of a REPL with the global variables of earlier ones.
func (th *Thread) ExecChunk(f *syntax.File, g *Globals) error {
	_, err := th.execChunk(f, g)
	return err
}

func (th *Thread) execChunk(f *syntax.File, g *Globals) (*Module, error) {
	if g.vars == nil {
		g.vars = map[string]Value{}
	}
	mod, err := th.compileFile(f.Options, f, nil, g)
	if err != nil {
		return nil, err
	}
	for i, name := range mod.names {
		if v := g.vars[name]; v != 0 {
			w := th.dup(v)
			if err := th.setSlot(mod.globals, globalsSlots+i, &w); err != nil {
				th.drop(w)
				th.Clear(mod)
				return nil, err
			}
		}
	}
	err = th.Run(mod)
	for _, name := range mod.names {
		if v := th.Global(mod, name); v != 0 {
			th.drop(g.vars[name])
			g.vars[strings.Clone(name)] = v
		}
	}
	return mod, err
}

// Eval compiles and evaluates an expression. The result has a count of its own.
func (th *Thread) Eval(file string, src any, g *Globals) (Value, error) {
	opts := th.m.opts.File
	expr, err := opts.ParseExpr(file, src, 0)
	if err != nil {
		return 0, err
	}
	return th.EvalExpr(file, expr, g)
}

// EvalExpr evaluates a parsed expression.
func (th *Thread) EvalExpr(file string, expr syntax.Expr, g *Globals) (Value, error) {
	if g == nil {
		g = &Globals{}
	}
	const result = "result of the expression"
	f := &syntax.File{Path: file, Options: &th.m.opts.File, Stmts: []syntax.Stmt{
		&syntax.AssignStmt{Op: syntax.EQ, LHS: &syntax.Ident{Name: result, NamePos: syntax.Start(expr)}, RHS: expr},
	}}
	opts := th.m.opts.File
	opts.GlobalReassign = true
	f.Options = &opts
	mod, err := th.execChunk(f, g)
	if err != nil {
		return 0, err
	}
	if i := slices.Index(mod.names, result); i >= 0 {
		th.retire(th.t.Body(mod.globals.ref()).SwapRef(globalsSlots+i, rt.Nil))
	}
	v := g.vars[result]
	delete(g.vars, result)
	return v, nil
}
