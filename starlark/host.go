package starlark

import (
	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
	"go.starlark.net/syntax"
)

// Host is a Go value in the language. It may implement the other interfaces of this file. Its
// methods may be called on several threads at the same time.
type Host interface {
	Type() string   // as type(x)
	String() string // as repr(x)
}

type (
	// HostAttrs is a Host with attributes. Attr returns a value with a count of its own, or 0.
	HostAttrs interface {
		Attr(th *Thread, name string) (Value, error)
		AttrNames() []string
	}
	// HostSetAttr is a Host whose attributes can be assigned. v is borrowed.
	HostSetAttr interface {
		SetAttr(th *Thread, name string, v Value) error
	}
	// HostBinary is a Host that is an operand of binary operators, at the right if right is
	// set. The result is 0 for an operator that it does not have. y is borrowed.
	HostBinary interface {
		Binary(th *Thread, op syntax.Token, y Value, right bool) (Value, error)
	}
	// HostCompare is a Host that is compared with other Hosts. Compare and Hash are called in the
	// middle of operations on dicts and sets, so they must not reach a safe point: they call no
	// function of the language.
	HostCompare interface {
		Compare(th *Thread, op syntax.Token, y Host, depth int) (bool, error)
	}
	// HostHash is a Host that can be a key.
	HostHash interface{ Hash() (uint32, error) }
	// HostTruth is a Host that can be false.
	HostTruth interface{ Truth() bool }
	// HostLen is a Host with a length.
	HostLen interface{ Len() int }
	// HostIndex is a Host with items. The result has a count of its own.
	HostIndex interface {
		HostLen
		Index(th *Thread, i int) (Value, error)
	}
	// HostIterable is a Host that can be iterated.
	HostIterable interface{ Iterate(th *Thread) HostIterator }
	// HostIterator returns items with counts of their own, and 0 at the end.
	HostIterator interface {
		Next(th *Thread) (Value, error)
		Done()
	}
	// HostCall is a Host that can be called.
	HostCall interface {
		Call(th *Thread, c *Call) (Value, error)
		Name() string
	}
	// HostFreeze is a Host that has to know when it is frozen.
	HostFreeze interface{ Freeze(th *Thread) }
)

// method is a function as a Host.
type method struct {
	name string
	fn   Func
}

// Method returns a Host that is a function, such as Attr returns for a method. It is freed when nobody
// uses it any more; a function of NewBuiltin is immortal.
func Method(name string, fn Func) Host { return method{name, fn} }

func (m method) Type() string                            { return kindNames[kMethod] }
func (m method) String() string                          { return "<built-in function " + m.name + ">" }
func (m method) Name() string                            { return m.name }
func (m method) Call(th *Thread, c *Call) (Value, error) { return m.fn(th, c) }

// NewHost returns a value that holds h. If h owns references, release gives them up.
func (th *Thread) NewHost(h Host, release func(t *rt.Thread)) (Value, error) {
	var r rt.Ref
	var err error
	switch h := h.(type) {
	case duration:
		return th.newDuration(h)
	case timePoint:
		return th.newPoint(h)
	}
	if release == nil {
		r, err = objects.NewForeign(th.t, h, nil)
	} else {
		r, err = objects.NewForeignOwner(th.t, h, func(t *rt.Thread, _ any) { release(t) })
	}
	if err != nil {
		return 0, err
	}
	return counted(r), nil
}

func (th *Thread) host(v Value) Host {
	switch th.t.TypeOf(v.ref()) {
	case durationType:
		return th.durationOf(v)
	case timeType:
		return th.pointOf(v)
	}
	x, _ := objects.Foreign(v.ref()).Value(th.t)
	if h, ok := x.(Host); ok {
		return h
	}
	return foreign{}
}

// foreign stands for a Go value that is no Host.
type foreign struct{}

func (foreign) Type() string   { return "foreign" }
func (foreign) String() string { return "<foreign>" }
