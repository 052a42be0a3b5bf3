package starlark

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"

	rt "github.com/ichor-go/ichor/runtime"
	"go.starlark.net/syntax"
)

// Options configure a machine. The zero value works.
type Options struct {
	// Mode and Counting say how threads share the machine's values.
	Mode     rt.Mode
	Counting rt.Counting

	// Memory bounds the bytes of all values of the machine, in steps of 64 KiB, and of the Go
	// memory that goes with them: see account. 0 is no limit.
	Memory int64

	// Steps bounds the calls and iterations of each thread. 0 is no limit.
	Steps uint64

	// Depth bounds the nested calls of a thread. 0 is 10,000.
	Depth int

	// File turns on parts of the language.
	File syntax.FileOptions

	// Load returns the module that a load statement names. Nil if there are none.
	Load func(th *Thread, name string) (*Module, error)

	// Print writes what print is given. Nil is a line to Output.
	Print func(th *Thread, text string)

	// Output is os.Stderr if nil.
	Output io.Writer

	// MortalCode lets threads count the constants and functions of programs, which are immortal
	// otherwise. It is slower, and shows by how much.
	MortalCode bool

	// Runtime has further options of the runtime, of which Mode, Counting and MemoryLimit are
	// ignored.
	Runtime rt.Options
}

// Machine is a heap of Starlark values, with the threads that use them.
//
//	state — condition — transition (by)
//	open — threads attach, modules are run — closed (Close)
type Machine struct {
	rt      *rt.Runtime
	opts    Options
	limit   int64
	account account

	empty      Value
	emptyTuple Value
	oneNone    Value // the list [None]
	structName Value // the string struct
	structFn   Value // the function struct
	chars      [256]Value

	universe map[string]Value
	methods  [kinds]map[string]*builtin

	mu       sync.Mutex // guards additions to the lists
	builtins atomic.Pointer[[]*builtin]
	codes    atomic.Pointer[[]*code]
	outMu    sync.Mutex
	predecl  map[string]Value
	mortal   []Value // of MortalCode: what code owns
	profiler atomic.Pointer[Profiler]
}

// New makes a machine. The caller has to close it. Any goroutine.
func New(opts Options) (*Machine, error) {
	o := opts.Runtime
	o.Mode, o.Counting, o.MemoryLimit = opts.Mode, opts.Counting, opts.Memory
	if opts.Depth == 0 {
		opts.Depth = 10_000
	}
	if opts.Output == nil {
		opts.Output = os.Stderr
	}
	r, err := rt.New(o)
	if err != nil {
		return nil, err
	}
	m := &Machine{rt: r, opts: opts, limit: opts.Memory, predecl: map[string]Value{}}
	m.builtins.Store(new([]*builtin))
	m.codes.Store(new([]*code))
	err = m.Do(context.Background(), func(th *Thread) error {
		return th.immortally(func() error { return errors.Join(m.start(th), m.library(th)) })
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start of a machine: %w", err), r.Close())
	}
	return m, nil
}

// library predeclares json, math, parallel, time and struct.
func (m *Machine) library(th *Thread) error {
	v, err := th.NewBuiltin("struct", MakeStruct)
	m.predecl["struct"], m.structFn = v, v
	for name, mod := range map[string]func() (Value, error){
		"json": th.JSONModule, "math": th.MathModule, "parallel": th.ParallelModule,
		"time": func() (Value, error) { return th.TimeModule(nil) },
	} {
		if err == nil {
			v, err = mod()
			m.predecl[name] = v
		}
	}
	return err
}

// start makes the values that every program uses.
func (m *Machine) start(th *Thread) error {
	var err error
	if m.empty, err = th.immortalString(stringType, ""); err != nil {
		return err
	}
	for i := range m.chars {
		if m.chars[i], err = th.immortalString(stringType, string([]byte{byte(i)})); err != nil {
			return err
		}
	}
	r, _, err := th.t.New(tupleType, 4*tupleSlots)
	if err != nil {
		return err
	}
	m.emptyTuple = counted(r)
	if m.oneNone, err = th.makeList(None); err != nil {
		return err
	}
	if m.structName, err = th.immortalString(stringType, "struct"); err != nil {
		return err
	}
	m.universe = map[string]Value{"None": None, "True": True, "False": False}
	for name, fn := range universe {
		b := m.addBuiltin(name, fn)
		if m.universe[name], err = th.newBuiltinValue(b.number); err != nil {
			return err
		}
	}
	for k, fns := range methods {
		m.methods[k] = map[string]*builtin{}
		for name, fn := range fns {
			m.methods[k][name] = m.addBuiltin(name, fn)
		}
	}
	return nil
}

func (m *Machine) addBuiltin(name string, fn Func) *builtin {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := *m.builtins.Load()
	b := &builtin{name, fn, len(list)}
	list = append(list, b) // readers of the old list do not see the new item
	m.builtins.Store(&list)
	return b
}

func (m *Machine) builtinList() []*builtin { return *m.builtins.Load() }
func (m *Machine) codeList() []*code       { return *m.codes.Load() }

// addCodes numbers the codes of a module.
func (m *Machine) addCodes(codes []*code) {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := *m.codes.Load()
	for _, c := range codes {
		c.number = len(list)
		list = append(list, c)
	}
	m.codes.Store(&list)
}

// Runtime returns the runtime that the machine's values lie in. Any goroutine.
func (m *Machine) Runtime() *rt.Runtime { return m.rt }

// Close frees all values. The error says what leaked. Any goroutine without a thread.
func (m *Machine) Close() error {
	if m.mortal != nil {
		err := m.Do(context.Background(), func(th *Thread) error {
			th.dropAll(m.mortal)
			m.mortal = nil
			return nil
		})
		if err != nil {
			return err
		}
	}
	return m.rt.Close()
}

// Predeclare makes v, which must be immortal, the value of a name in all modules that are
// compiled later.
func (m *Machine) predeclare(name string, v Value) { m.predecl[name] = v }

// Do runs fn on a thread of the machine. ctx ends the programs that it runs. The rules of
// rt.Runtime.Do apply. Any goroutine without a thread.
func (m *Machine) Do(ctx context.Context, fn func(th *Thread) error) error {
	return m.rt.DoContext(ctx, func(t *rt.Thread) error {
		th := m.newThread(ctx, t)
		defer th.close()
		return fn(th)
	})
}

// Builtin adds a function that all modules compiled later can call by its name.
func (m *Machine) Builtin(name string, fn Func) error {
	return m.Do(context.Background(), func(th *Thread) error {
		v, err := th.NewBuiltin(name, fn)
		if err == nil {
			m.predeclare(name, v)
		}
		return err
	})
}

// NewBuiltin returns a function, which is immortal: make it once, not for each use. Method is for functions
// that come and go.
func (th *Thread) NewBuiltin(name string, fn Func) (v Value, err error) {
	b := th.m.addBuiltin(name, fn)
	err = th.immortally(func() error {
		v, err = th.newBuiltinValue(b.number)
		return err
	})
	return v, err
}

// immortally runs fn in a region of immortal objects: that of the call that is in progress, if
// there is one, since a region takes at least 64 KiB.
func (th *Thread) immortally(fn func() error) error {
	if th.inRegion {
		return fn()
	}
	th.inRegion = true
	defer func() { th.inRegion = false }()
	return th.t.Immortally(fn)
}

// Predeclare makes v the value of a name in all modules that are compiled later. It is made
// immortal. v is borrowed.
func (th *Thread) Predeclare(name string, v Value) error {
	if v.isRef() {
		if err := th.t.Immortalize(v.ref()); err != nil {
			return err
		}
	}
	th.m.mu.Lock()
	defer th.m.mu.Unlock()
	th.m.predeclare(name, v.borrowed())
	return nil
}

// Run runs fn on n goroutines, each with a thread of its own. The rules of rt.Runtime.Run
// apply. Any goroutine without a thread.
func (m *Machine) Run(ctx context.Context, n int, fn func(th *Thread, i int) error) error {
	return m.rt.Run(ctx, n, func(ctx context.Context, t *rt.Thread, i int) error {
		th := m.newThread(ctx, t)
		defer th.close()
		return fn(th, i)
	})
}

// FileOptions returns the options of the language.
func (m *Machine) FileOptions() syntax.FileOptions { return m.opts.File }
