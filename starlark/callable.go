package starlark

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	rt "github.com/ichor-go/ichor/runtime"
)

// Words of a function: the number of its code, and slots: the values of the parameters'
// defaults, Nil for a parameter that is mandatory, and then the cells of its free variables.
// Immutable.
const (
	funcCode  = 0
	funcLen   = 1
	funcSlots = 2
)

// Words of a builtin. Immutable.
const builtinNumber = 0

// Words of a method that is bound to its receiver. Immutable.
const (
	methodBuiltin = 0
	methodRecv    = 1
)

// Words of a cell, which holds a captured variable: Nil until it is assigned.
const cellSlot = 0

// Words of the global variables of a module.
const (
	globalsLen   = 0
	globalsSlots = 1
)

// A Kwarg is a keyword argument.
type Kwarg struct {
	Name  string
	Value Value
}

// A Func is the Go code of a builtin function. All values that it gets are borrowed. It returns
// a value with a count of its own: one that was made for the call, or the result of Thread.Keep.
type Func func(th *Thread, c *Call) (Value, error)

// Call is what a builtin function is called with. It is good until the function returns.
type Call struct {
	Name   string
	Recv   Value // of a method
	Args   []Value
	Kwargs []Kwarg
}

type builtin struct {
	name   string
	fn     Func
	number int // in Machine.builtins
}

func (th *Thread) builtin(v Value) *builtin {
	return th.m.builtinList()[th.t.Body(v.ref()).Word(builtinNumber)]
}

func (th *Thread) code(v Value) *code {
	return th.m.codeList()[th.t.Body(v.ref()).Word(funcCode)]
}

// newFunction returns a function. slots are stolen, unless it fails.
func (th *Thread) newFunction(number int, slots []Value) (Value, error) {
	r, o, err := th.t.New(functionType, 4*(funcSlots+len(slots)))
	if err != nil {
		return 0, err
	}
	o.SetWord(funcCode, uint32(number))
	o.SetWord(funcLen, uint32(len(slots)))
	for i, v := range slots {
		if v == 0 {
			continue // mandatory
		}
		s, err := th.box(v)
		if err != nil {
			th.t.DecRef(r)
			for j := range i {
				slots[j] = 0
			}
			return 0, err
		}
		o.SetRef(funcSlots+i, s)
	}
	return counted(r), nil
}

func (th *Thread) newBuiltinValue(number int) (Value, error) {
	r, o, err := th.t.New(builtinType, 4)
	if err != nil {
		return 0, err
	}
	o.SetWord(builtinNumber, uint32(number))
	return counted(r), nil
}

func (th *Thread) newMethod(b *builtin, recv Value) (Value, error) {
	r, o, err := th.t.New(methodType, 8)
	if err != nil {
		return 0, err
	}
	o.SetWord(methodBuiltin, uint32(b.number))
	x, err := th.box(recv.borrowed())
	if err != nil {
		th.t.DecRef(r)
		return 0, err
	}
	o.SetRef(methodRecv, x)
	return counted(r), nil
}

func (th *Thread) methodParts(v Value) (recv Value, b *builtin) {
	o := th.t.Body(v.ref())
	return th.peek(o.Ref(methodRecv)), th.m.builtinList()[o.Word(methodBuiltin)]
}

func (th *Thread) newCell(v Value) (Value, error) {
	x, err := th.box(v)
	if err != nil {
		return 0, err
	}
	r, o, err := th.t.New(cellType, 4)
	if err != nil {
		th.unbox1(v, x)
		return 0, err
	}
	o.SetRef(cellSlot, x)
	return counted(r), nil
}

// Words of a struct or module: an object that names the fields, which is a tuple of their names
// for a struct; the constructor, or the name of a module; the values. Immutable.
const (
	structLen   = 0
	structSlots = 1 // the names, the constructor, the values
)

// newStruct returns a struct or module with the fields, whose values are borrowed. Of two
// fields with one name the later counts.
func (th *Thread) newStruct(y *rt.Type, head Value, fields []Kwarg) (Value, error) {
	var few [8]Kwarg
	fields = append(few[:0], fields...)
	slices.SortStableFunc(fields, func(a, b Kwarg) int { return strings.Compare(a.Name, b.Name) })
	n := 0
	for i, f := range fields {
		if i+1 < len(fields) && fields[i+1].Name == f.Name {
			continue
		}
		fields[n] = f
		n++
	}
	fields = fields[:n]
	names, o, err := th.newTuple(n)
	if err != nil {
		return 0, err
	}
	defer func() { th.drop(names) }()
	for i, f := range fields {
		s, err := th.newString(f.Name)
		if err != nil {
			return 0, err
		}
		o.SetRef(tupleSlots+i, s.ref())
	}
	r, so, err := th.t.New(y, 4*(structSlots+2+n))
	if err != nil {
		return 0, err
	}
	so.SetWord(structLen, uint32(2+n))
	so.SetRef(structSlots, th.dup(names).ref())
	so.SetRef(structSlots+1, th.dup(head).ref())
	for i, f := range fields {
		x, err := th.box(f.Value.borrowed())
		if err != nil {
			th.t.DecRef(r)
			return 0, err
		}
		so.SetRef(structSlots+2+i, x)
	}
	return counted(r), nil
}

func (th *Thread) structLen(v Value) int { return int(th.t.Body(v.ref()).Word(structLen)) - 2 }

func (th *Thread) structHead(v Value) Value { return plain(th.t.Body(v.ref()).Ref(structSlots + 1)) }

func (th *Thread) structAt(v Value, i int) Value {
	return th.peek(th.t.Body(v.ref()).Ref(structSlots + 2 + i))
}

func (th *Thread) structName(v Value, i int) string {
	names := plain(th.t.Body(v.ref()).Ref(structSlots))
	return th.text(th.tupleAt(names, i))
}

// structGet returns a field as a borrowed value, or 0.
func (th *Thread) structGet(v Value, name string) Value {
	n := th.structLen(v)
	i := sort.Search(n, func(i int) bool { return th.structName(v, i) >= name })
	if i < n && th.structName(v, i) == name {
		return th.structAt(v, i)
	}
	return 0
}

func (th *Thread) structsEqual(a, b Value, depth int) (bool, error) {
	n := th.structLen(a)
	if n != th.structLen(b) {
		return false, nil
	}
	if eq, err := th.equal(th.structHead(a), th.structHead(b)); !eq || err != nil {
		return false, err
	}
	for i := range n {
		if th.structName(a, i) != th.structName(b, i) {
			return false, nil
		}
		if eq, err := th.equalDepth(th.structAt(a, i), th.structAt(b, i), depth-1); !eq || err != nil {
			return false, err
		}
	}
	return true, nil
}

func (w *writer) structure(v Value, path []Value) {
	th := w.th
	w.display(th.structHead(v))
	w.char('(')
	for i := range th.structLen(v) {
		if i > 0 {
			w.str(", ")
		}
		w.str(th.structName(v, i) + " = ")
		w.value(th.structAt(v, i), path)
	}
	w.char(')')
}

// addStructs returns a struct with the fields of both, or 0 if they are no structs.
func (th *Thread) addStructs(a, b Value) (Value, error) {
	if eq, err := th.equal(th.structHead(a), th.structHead(b)); err != nil || !eq {
		x, y := th.display(th.structHead(a)), th.display(th.structHead(b))
		if err != nil {
			return 0, fmt.Errorf("in %s + %s: error comparing constructors: %v", x, y, err)
		}
		return 0, fmt.Errorf("cannot add structs of different constructors: %s + %s", x, y)
	}
	var fields []Kwarg
	for _, v := range []Value{a, b} {
		for i := range th.structLen(v) {
			fields = append(fields, Kwarg{th.structName(v, i), th.structAt(v, i)})
		}
	}
	return th.newStruct(structType, th.structHead(a), fields)
}

func (th *Thread) display(v Value) string {
	w := writer{th: th}
	w.display(v)
	return w.goString()
}
