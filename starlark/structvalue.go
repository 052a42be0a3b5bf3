package starlark

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	rt "github.com/ichor-go/ichor/runtime"
)

// Words of a struct or module: an object that names the fields, which is a tuple of their names
// for a struct; the constructor, or the name of a module; the values. Immutable.
const (
	structLen   = 0
	structSlots = 1 // the names, the constructor, the values
)

// A shape is what the structs of one call of the function struct have in common. Their tuple of
// names is immortal, so nobody counts it, and a place that was found in it once is right for ever.
// The zero shape is none.
type shape struct {
	names Value
	order []uint8 // the numbers of the call's arguments in the order of the fields
}

// newShape returns the shape of a call with keyword arguments of these names, which differ. It is
// called inside immortally.
func (th *Thread) newShape(names []string) (s shape, err error) {
	s.order = make([]uint8, len(names))
	for i := range s.order {
		s.order[i] = uint8(i)
	}
	slices.SortFunc(s.order, func(a, b uint8) int { return strings.Compare(names[a], names[b]) })
	v, o, err := th.newTuple(len(names))
	if err != nil {
		return s, err
	}
	for i, n := range s.order {
		name, err := th.immortalString(stringType, names[n])
		if err != nil {
			th.drop(v)
			return s, err
		}
		o.SetRef(tupleSlots+i, name.ref())
	}
	s.names = v
	return s, nil
}

// shape returns the shape of a call of struct.
func (c *compiler) shape(names []string) shape {
	key := strings.Join(names, ",")
	s, ok := c.shapes[key]
	if !ok {
		var err error
		s, err = c.th.newShape(names)
		s.names = c.check(s.names, err)
		if c.shapes == nil {
			c.shapes = map[string]shape{}
		}
		c.shapes[key] = s
	}
	return s
}

// shapedStruct returns a struct of the arguments, which are moved or borrowed.
func (th *Thread) shapedStruct(s shape, args []Value) (Value, error) {
	if err := th.step(); err != nil {
		return 0, err
	}
	r, o, err := th.t.New(structType, 4*(structSlots+2+len(args)))
	if err != nil {
		return 0, err
	}
	o.SetWord(structLen, uint32(2+len(args)))
	o.SetRef(structSlots, th.dup(s.names).ref())
	o.SetRef(structSlots+1, th.m.structName.ref())
	for i, n := range s.order {
		x, err := th.box(args[n])
		if err != nil {
			th.t.DecRef(r)
			return 0, err
		}
		args[n] = 0
		o.SetRef(structSlots+2+i, x)
	}
	return counted(r), nil
}

// A fieldPlace says that field at of the structs with these names is name.
type fieldPlace struct {
	names rt.Ref
	name  *attrName
	at    int
}

// field is structGet that remembers where the fields of immortal names are.
func (th *Thread) field(v Value, name *attrName) Value {
	o := th.t.Body(v.ref())
	names := o.Ref(structSlots)
	if names.Handle < rt.Limit || th.t.QuickKind(v.ref()) != structType.ID() {
		return th.structGet(v, name.name)
	}
	p := &th.fields[(uint32(names.Handle)^name.hash)%uint32(len(th.fields))]
	if p.names != names || p.name != name {
		i := th.structIndex(v, name.name)
		if i < 0 {
			return 0
		}
		*p = fieldPlace{names, name, i}
	}
	return th.peek(o.Ref(structSlots + 2 + p.at))
}

// kwargSize is the size of a Kwarg.
const kwargSize = 24

// newStruct returns a struct or module with the fields, whose values are borrowed. Of two
// fields with one name the later counts.
func (th *Thread) newStruct(y *rt.Type, head Value, fields []Kwarg) (Value, error) {
	var few [8]Kwarg
	if len(fields) > len(few) {
		held := th.held
		defer func() { th.release(held) }()
		if err := th.reserve(kwargSize * len(fields)); err != nil {
			return 0, err
		}
		th.charge(len(fields))
	}
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
	if i := th.structIndex(v, name); i >= 0 {
		return th.structAt(v, i)
	}
	return 0
}

// structIndex returns the number of a field, or -1.
func (th *Thread) structIndex(v Value, name string) int {
	n := th.structLen(v)
	i := sort.Search(n, func(i int) bool { return th.structName(v, i) >= name })
	if i < n && th.structName(v, i) == name {
		return i
	}
	return -1
}

func (th *Thread) structsEqual(a, b Value, depth int) (bool, error) {
	n := th.structLen(a)
	if n != th.structLen(b) {
		return false, nil
	}
	sameNames := th.t.Body(a.ref()).Ref(structSlots) == th.t.Body(b.ref()).Ref(structSlots)
	if eq, err := th.equal(th.structHead(a), th.structHead(b)); !eq || err != nil {
		return false, err
	}
	for i := range n {
		if !sameNames && th.structName(a, i) != th.structName(b, i) {
			return false, nil
		}
		if eq, err := th.equalDepth(th.structAt(a, i), th.structAt(b, i), depth-1); !eq || err != nil {
			return false, err
		}
	}
	return true, nil
}

func (w *writer) structure(v Value) {
	th := w.th
	w.display(th.structHead(v))
	w.char('(')
	for i := range th.structLen(v) {
		if i > 0 {
			w.str(", ")
		}
		w.str(th.structName(v, i))
		w.str(" = ")
		w.value(th.structAt(v, i))
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
	n := th.structLen(a) + th.structLen(b)
	held := th.held
	defer func() { th.release(held) }()
	if err := th.reserve(kwargSize * n); err != nil {
		return 0, err
	}
	fields := make([]Kwarg, 0, n)
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
