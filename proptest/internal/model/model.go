package model

import (
	"slices"
	"strings"

	"github.com/ichor-go/ichor/proptest/internal/machine"
)

// value is an object of the model: a plain Go value without a count, collected by Go.
type value struct {
	kind     machine.Kind
	lvl      int
	text     string // of a leaf
	items    []*value
	keys     []*value // of a dict, in order; items are the values
	immortal bool
	frozen   bool

	serial    machine.Serial // of a node
	finalized bool
	dead      bool
	lives     int    // number of times that its weak references were emptied
	target    *value // of a weak reference
	life      int    // the target's lives when the weak reference was made
}

// domain is a machine.Domain, which documents its methods.
type domain struct {
	birth           bool // new objects are immortal
	epoch, borrowed int

	machine *machine.Machine[*value] // holds the values of the program
	all     []*value                 // containers that have not died, as of the last settle
	bag     []*value                 // nodes that their finalizers have kept
	late    []machine.Serial         // nodes that were finalized since the last collection
}

func (m *domain) Leaf(k, n uint8) *value {
	var s string
	switch k {
	case machine.SmallInt:
		s = machine.LeafText("i", n)
	case machine.BigInt:
		s = machine.LeafText("i", machine.NthBigInt(n))
	case machine.Float:
		s = machine.LeafText("f", machine.NthFloat(n))
	case machine.String, machine.Interned:
		s = machine.LeafText("s", machine.NthText(n))
	case machine.BigText:
		s = machine.LeafText("s", machine.NthLongText(n))
	case machine.Bytes:
		s = machine.LeafText("b", machine.NthText(n))
	default:
		if n%6 == 5 {
			return emptyTuple
		}
		s = [...]string{"None", "True", "False", "s", "b"}[n%6]
	}
	return &value{kind: machine.Leaf, text: s}
}

// emptyTuple is the empty tuple.
var emptyTuple = &value{kind: machine.Tuple, immortal: true}

func (m *domain) new(k machine.Kind, level int, items ...*value) *value {
	v := &value{kind: k, lvl: level, items: slices.Clone(items), immortal: m.birth}
	m.all = append(m.all, v)
	return v
}

func (m *domain) Tuple(items []*value) *value {
	if len(items) == 0 {
		return emptyTuple
	}
	level := 0
	for _, v := range items {
		level = max(level, v.lvl)
	}
	return m.new(machine.Tuple, level+1, items...)
}

func (m *domain) List(level int, items []*value) *value { return m.new(machine.List, level, items...) }
func (m *domain) Dict(level int) *value                 { return m.new(machine.Dict, level) }

func (m *domain) Record(level int, values [machine.Fields]*value) *value {
	return m.new(machine.Record, level, values[:]...)
}

func (m *domain) Document(n uint8, immortal bool) *value {
	m.epoch++
	return m.Born(func() *value {
		m.birth = immortal
		inner := m.Dict(machine.ObjectLevel)
		m.Put(inner, m.Leaf(machine.String, 7), m.Leaf(machine.Float, n), false)
		array := m.List(machine.ArrayLevel, []*value{
			m.Leaf(machine.SmallInt, n), m.Leaf(machine.String, n/2), inner, m.Leaf(machine.Singleton, 0), m.Leaf(machine.Singleton, 1),
		})
		d := m.Dict(machine.DocumentLevel)
		m.Put(d, m.Leaf(machine.String, n), array, false)
		m.Put(d, m.Leaf(machine.String, n^1), m.Dict(machine.ObjectLevel), false)
		return d
	}, false)
}

func (m *domain) Born(f func() *value, fail bool) *value {
	before := len(m.all)
	m.birth = true
	defer func() {
		m.birth = false
		if fail {
			m.all = m.all[:before]
		}
	}()
	return f()
}

func (m *domain) Scoped(v *value, n uint8) *value {
	m.epoch++
	return m.List(v.lvl+1, []*value{m.Leaf(machine.String, n), v})
}

func (m *domain) Kind(v *value) machine.Kind {
	if v == nil {
		return machine.Nothing
	}
	return v.kind
}

func (m *domain) Level(v *value) int {
	if v == nil {
		return 0
	}
	return v.lvl
}

func (m *domain) Copy(v *value) *value   { return v }
func (m *domain) Drop(*value)            {}
func (m *domain) Churn(*value, int)      { m.epoch++ }
func (m *domain) Same(v, w *value) bool  { return v == w && v.kind > machine.Leaf }
func (m *domain) Immortal(v *value) bool { return v.immortal }
func (m *domain) Immortalize(v *value)   { m.epoch++; immortalize(v) }
func (m *domain) Length(v *value) int    { return len(v.items) }
func (m *domain) ValidBorrow() bool      { return m.borrowed == m.epoch }
func (m *domain) Checkpoint()            { m.epoch++ }
func (m *domain) Blocking()              { m.epoch++ }
func (m *domain) Leave()                 { m.epoch++ }
func (m *domain) Audit()                 { m.epoch++ }
func (m *domain) Render(v *value) string { n := machine.MaxRendered; return m.write(v, &n) }

// immortalize makes v and everything below it immortal. It does not look into objects that
// were immortal before, except v: they may hold mortals by now, which stay mortal.
func immortalize(v *value) {
	v.immortal = true
	for work := []*value{v}; len(work) > 0; {
		x := work[len(work)-1]
		work = work[:len(work)-1]
		for _, c := range slices.Concat(x.items, x.keys) {
			if !c.immortal {
				c.immortal = true
				work = append(work, c)
			}
		}
	}
}

func (m *domain) Append(l, v *value, steal bool) machine.Outcome {
	if l.kind != machine.List {
		return machine.BadType
	}
	if l.frozen {
		return machine.Frozen
	}
	l.items = append(l.items, v)
	return machine.Fine
}

func (m *domain) SetItem(l *value, i int, v *value) machine.Outcome {
	if l.frozen {
		return machine.Frozen
	}
	if i < 0 || i >= len(l.items) {
		return machine.BadIndex
	}
	l.items[i] = v
	return machine.Fine
}

func (m *domain) Insert(l *value, i int, v *value) machine.Outcome {
	if l.frozen {
		return machine.Frozen
	}
	if i < 0 || i > len(l.items) {
		return machine.BadIndex
	}
	l.items = slices.Insert(l.items, i, v)
	return machine.Fine
}

func (m *domain) Item(v *value, i int) (*value, machine.Outcome) {
	if i < 0 || i >= len(v.items) {
		return nil, machine.BadIndex
	}
	return v.items[i], machine.Fine
}

func (m *domain) Pop(l *value) (*value, machine.Outcome) {
	if l.frozen {
		return nil, machine.Frozen
	}
	n := len(l.items) - 1
	if n < 0 {
		return nil, machine.Empty
	}
	v := l.items[n]
	l.items = l.items[:n]
	return v, machine.Fine
}

func (m *domain) PopFirst(l *value) (*value, machine.Outcome) {
	if l.frozen {
		return nil, machine.Frozen
	}
	if len(l.items) == 0 {
		return nil, machine.Empty
	}
	v := l.items[0]
	l.items = l.items[1:]
	return v, machine.Fine
}

func (m *domain) Remove(l *value, i int) machine.Outcome {
	if l.frozen {
		return machine.Frozen
	}
	if i < 0 || i >= len(l.items) {
		return machine.BadIndex
	}
	l.items = slices.Delete(l.items, i, i+1)
	return machine.Fine
}

func (m *domain) Extend(v, from *value) {
	if v.frozen {
		return
	}
	if v.kind == machine.List {
		v.items = append(v.items, from.items...)
		return
	}
	for i, k := range from.keys {
		m.Put(v, k, from.items[i], false)
	}
}

func (m *domain) Iterate(v *value) string {
	m.epoch++
	var parts []string
	for i, x := range v.items {
		text := m.Render(x)
		if v.kind == machine.Dict {
			text = m.Render(v.keys[i]) + ":" + text
		}
		if parts = append(parts, text); v.kind == machine.List && i > machine.MaxItems {
			break
		}
	}
	if v.kind == machine.List {
		return machine.Join("[", parts, "]")
	}
	return machine.Join("{", parts, "}")
}

func (m *domain) Clear(v *value) {
	if !v.frozen {
		v.items, v.keys = nil, nil
	}
}

// name returns a text that two keys share if and only if they are equal.
func name(key *value) (string, bool) {
	switch key.kind {
	case machine.Leaf:
		return key.text, true
	case machine.Tuple:
		var parts []string
		for _, x := range key.items {
			s, ok := name(x)
			if !ok {
				return "", false
			}
			parts = append(parts, s)
		}
		return "(" + strings.Join(parts, ",") + ")", true
	}
	return "", false
}

// find returns the index of a key in a dict, or -1.
func find(d, key *value) (int, machine.Outcome) {
	want, ok := name(key)
	if !ok {
		return -1, machine.Unhashable
	}
	return slices.IndexFunc(d.keys, func(k *value) bool {
		have, _ := name(k)
		return have == want
	}), machine.Fine
}

func (m *domain) Put(d, key, v *value, steal bool) machine.Outcome {
	i, e := find(d, key)
	switch {
	case e != machine.Fine:
		return e
	case d.frozen:
		return machine.Frozen
	case i >= 0:
		d.items[i] = v
	default:
		d.keys, d.items = append(d.keys, key), append(d.items, v)
	}
	return machine.Fine
}

func (m *domain) Lookup(d, key *value) (*value, machine.Outcome) {
	i, e := find(d, key)
	switch {
	case e != machine.Fine:
		return nil, e
	case i < 0:
		return nil, machine.BadKey
	}
	return d.items[i], machine.Fine
}

func (m *domain) DeleteKey(d, key *value) (bool, machine.Outcome) {
	i, e := find(d, key)
	if e == machine.Fine && d.frozen {
		e = machine.Frozen
	}
	if e != machine.Fine || i < 0 {
		return false, e
	}
	d.keys, d.items = slices.Delete(d.keys, i, i+1), slices.Delete(d.items, i, i+1)
	return true, machine.Fine
}

func (m *domain) Take(d, key *value) (*value, machine.Outcome) {
	v, e := m.Lookup(d, key)
	if e != machine.Unhashable && d.frozen {
		return nil, machine.Frozen
	}
	if e == machine.Fine {
		m.DeleteKey(d, key)
	}
	return v, e
}

// toWrite is find for an operation that changes d.
func (m *domain) toWrite(d, key *value) (i int, e machine.Outcome) {
	i, e = find(d, key)
	if e == machine.Fine && d.frozen {
		e = machine.Frozen
	}
	return i, e
}

func (m *domain) LoadOrStore(d, key, v *value) (*value, bool, machine.Outcome) {
	switch i, e := m.toWrite(d, key); {
	case e != machine.Fine:
		return nil, false, e
	case i >= 0:
		return d.items[i], true, machine.Fine
	}
	return v, false, m.Put(d, key, v, false)
}

func (m *domain) LoadDelete(d, key *value) (v *value, loaded bool, e machine.Outcome) {
	i, e := m.toWrite(d, key)
	if e != machine.Fine || i < 0 {
		return nil, false, e
	}
	v = d.items[i]
	m.DeleteKey(d, key)
	return v, true, machine.Fine
}

func (m *domain) SwapKey(d, key, v *value) (old *value, loaded bool, e machine.Outcome) {
	i, e := m.toWrite(d, key)
	if e == machine.Fine && i >= 0 {
		old = d.items[i]
	}
	if e == machine.Fine {
		e = m.Put(d, key, v, false)
	}
	return old, old != nil, e
}

func (m *domain) CASKey(d, key, old, v *value) (bool, machine.Outcome) {
	i, e := m.toWrite(d, key)
	if e != machine.Fine || i < 0 || d.items[i] != old {
		return false, e
	}
	d.items[i] = v
	return true, machine.Fine
}

func (m *domain) DeleteIf(d, key, old *value) (bool, machine.Outcome) {
	i, e := m.toWrite(d, key)
	if e != machine.Fine || i < 0 || d.items[i] != old {
		return false, e
	}
	return m.DeleteKey(d, key)
}

func (m *domain) PopOldest(d *value) (key, v *value, e machine.Outcome) {
	switch {
	case d.frozen:
		return nil, nil, machine.Frozen
	case len(d.items) == 0:
		return nil, nil, machine.Empty
	}
	key, v = d.keys[0], d.items[0]
	d.keys, d.items = d.keys[1:], d.items[1:]
	return key, v, machine.Fine
}

func (m *domain) SwapField(r *value, i int, v *value) (*value, machine.Outcome) {
	if r.frozen {
		return nil, machine.Frozen
	}
	old := r.items[i]
	r.items[i] = v
	return old, machine.Fine
}

func (m *domain) CASField(r *value, i int, old, v *value) (bool, machine.Outcome) {
	if r.frozen {
		return false, machine.Frozen
	}
	if r.items[i] != old {
		return false, machine.Fine
	}
	r.items[i] = v
	return true, machine.Fine
}

func (m *domain) SetField(r *value, i int, v *value) {
	if !r.frozen {
		r.items[i] = v
	}
}

func (m *domain) Field(r *value, i int) *value { return r.items[i] }

func (m *domain) Borrow(v *value, i int) *value {
	m.borrowed = m.epoch
	switch v.kind {
	case machine.Record, machine.Node:
		return v.items[i%machine.Fields]
	case machine.List:
		x, _ := m.Item(v, len(v.items)-1-i)
		return x
	}
	x, _ := m.Lookup(v, m.Leaf(machine.SmallInt, uint8(i)))
	return x
}

func (m *domain) write(v *value, budget *int) string {
	if *budget--; *budget < 0 {
		return "…"
	}
	var parts []string
	for i, x := range v.items {
		if v.kind == machine.Node && x.kind == machine.Node {
			parts = append(parts, machine.NodeText(x.serial))
		} else if v.kind == machine.Dict {
			parts = append(parts, m.write(v.keys[i], budget)+":"+m.write(x, budget))
		} else {
			parts = append(parts, m.write(x, budget))
		}
	}
	switch v.kind {
	case machine.Leaf:
		return v.text
	case machine.Tuple:
		return machine.Join("(", parts, ")")
	case machine.List:
		return machine.Join("[", parts, "]")
	case machine.Dict:
		return machine.Join("{", parts, "}")
	case machine.Node:
		return machine.Join(machine.NodeText(v.serial)+"<", parts, ">")
	case machine.Weak:
		return machine.WeakText
	}
	return machine.Join("<", parts, ">")
}
