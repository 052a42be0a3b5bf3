package parts

import (
	"slices"
	"strings"
)

// value is an object of the model: a plain Go value without a count, collected by Go.
type value struct {
	kind     Kind
	lvl      int
	text     string // of a leaf
	items    []*value
	keys     []*value // of a dict, in order; items are the values
	immortal bool
	frozen   bool

	serial    Serial // of a node
	finalized bool
	dead      bool
	lives     int    // number of times that its weak references were emptied
	target    *value // of a weak reference
	life      int    // the target's lives when the weak reference was made
}

// domain is the domain of plain Go values.
type domain struct {
	birth           bool // new objects are immortal
	epoch, borrowed int

	machine *Machine[*value] // holds the values of the program
	all     []*value         // containers that have not died, as of the last settle
	bag     []*value         // nodes that their finalizers have kept
	late    []Serial         // nodes that were finalized since the last collection
}

func (m *domain) Leaf(k, n uint8) *value {
	var s string
	switch k {
	case SmallInt:
		s = LeafText("i", n)
	case BigInt:
		s = LeafText("i", NthBigInt(n))
	case Float:
		s = LeafText("f", NthFloat(n))
	case String, Interned:
		s = LeafText("s", NthText(n))
	case BigText:
		s = LeafText("s", NthLongText(n))
	case Bytes:
		s = LeafText("b", NthText(n))
	default:
		if n%6 == 5 {
			return modelEmpty
		}
		s = [...]string{"None", "True", "False", "s", "b"}[n%6]
	}
	return &value{kind: Leaf, text: s}
}

// modelEmpty is the empty tuple.
var modelEmpty = &value{kind: Tuple, immortal: true}

func (m *domain) new(k Kind, level int, items ...*value) *value {
	v := &value{kind: k, lvl: level, items: slices.Clone(items), immortal: m.birth}
	m.all = append(m.all, v)
	return v
}

func (m *domain) Tuple(items []*value) *value {
	if len(items) == 0 {
		return modelEmpty
	}
	level := 0
	for _, v := range items {
		level = max(level, v.lvl)
	}
	return m.new(Tuple, level+1, items...)
}

func (m *domain) List(level int, items []*value) *value { return m.new(List, level, items...) }
func (m *domain) Dict(level int) *value                 { return m.new(Dict, level) }

func (m *domain) Record(level int, values [Fields]*value) *value {
	return m.new(Record, level, values[:]...)
}

func (m *domain) Document(n uint8, immortal bool) *value {
	m.epoch++
	return m.Born(func() *value {
		m.birth = immortal
		inner := m.Dict(ObjectLevel)
		m.Put(inner, m.Leaf(String, 7), m.Leaf(Float, n), false)
		array := m.List(ArrayLevel, []*value{
			m.Leaf(SmallInt, n), m.Leaf(String, n/2), inner, m.Leaf(Singleton, 0), m.Leaf(Singleton, 1),
		})
		d := m.Dict(DocumentLevel)
		m.Put(d, m.Leaf(String, n), array, false)
		m.Put(d, m.Leaf(String, n^1), m.Dict(ObjectLevel), false)
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
	return m.List(v.lvl+1, []*value{m.Leaf(String, n), v})
}

func (m *domain) Kind(v *value) Kind {
	if v == nil {
		return Nothing
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
func (m *domain) Same(v, w *value) bool  { return v == w && v.kind > Leaf }
func (m *domain) Immortal(v *value) bool { return v.immortal }
func (m *domain) Immortalize(v *value)   { m.epoch++; immortalize(v) }
func (m *domain) Length(v *value) int    { return len(v.items) }
func (m *domain) ValidBorrow() bool      { return m.borrowed == m.epoch }
func (m *domain) Checkpoint()            { m.epoch++ }
func (m *domain) Blocking()              { m.epoch++ }
func (m *domain) Leave()                 { m.epoch++ }
func (m *domain) Audit()                 { m.epoch++ }
func (m *domain) Render(v *value) string { n := MaxRendered; return m.write(v, &n) }

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

func (m *domain) Append(l, v *value, steal bool) Outcome {
	if l.kind != List {
		return BadType
	}
	if l.frozen {
		return Frozen
	}
	l.items = append(l.items, v)
	return Fine
}

func (m *domain) SetItem(l *value, i int, v *value) Outcome {
	if l.frozen {
		return Frozen
	}
	if i < 0 || i >= len(l.items) {
		return BadIndex
	}
	l.items[i] = v
	return Fine
}

func (m *domain) Insert(l *value, i int, v *value) Outcome {
	if l.frozen {
		return Frozen
	}
	if i < 0 || i > len(l.items) {
		return BadIndex
	}
	l.items = slices.Insert(l.items, i, v)
	return Fine
}

func (m *domain) Item(v *value, i int) (*value, Outcome) {
	if i < 0 || i >= len(v.items) {
		return nil, BadIndex
	}
	return v.items[i], Fine
}

func (m *domain) Pop(l *value) (*value, Outcome) {
	if l.frozen {
		return nil, Frozen
	}
	n := len(l.items) - 1
	if n < 0 {
		return nil, Empty
	}
	v := l.items[n]
	l.items = l.items[:n]
	return v, Fine
}

func (m *domain) PopFirst(l *value) (*value, Outcome) {
	if l.frozen {
		return nil, Frozen
	}
	if len(l.items) == 0 {
		return nil, Empty
	}
	v := l.items[0]
	l.items = l.items[1:]
	return v, Fine
}

func (m *domain) Remove(l *value, i int) Outcome {
	if l.frozen {
		return Frozen
	}
	if i < 0 || i >= len(l.items) {
		return BadIndex
	}
	l.items = slices.Delete(l.items, i, i+1)
	return Fine
}

func (m *domain) Extend(v, from *value) {
	if v.frozen {
		return
	}
	if v.kind == List {
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
		if v.kind == Dict {
			text = m.Render(v.keys[i]) + ":" + text
		}
		if parts = append(parts, text); v.kind == List && i > MaxItems {
			break
		}
	}
	if v.kind == List {
		return Join("[", parts, "]")
	}
	return Join("{", parts, "}")
}

func (m *domain) Clear(v *value) {
	if !v.frozen {
		v.items, v.keys = nil, nil
	}
}

// name returns a text that two keys share if and only if they are equal.
func name(key *value) (string, bool) {
	switch key.kind {
	case Leaf:
		return key.text, true
	case Tuple:
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
func find(d, key *value) (int, Outcome) {
	want, ok := name(key)
	if !ok {
		return -1, Unhashable
	}
	return slices.IndexFunc(d.keys, func(k *value) bool {
		have, _ := name(k)
		return have == want
	}), Fine
}

func (m *domain) Put(d, key, v *value, steal bool) Outcome {
	i, e := find(d, key)
	switch {
	case e != Fine:
		return e
	case d.frozen:
		return Frozen
	case i >= 0:
		d.items[i] = v
	default:
		d.keys, d.items = append(d.keys, key), append(d.items, v)
	}
	return Fine
}

func (m *domain) Lookup(d, key *value) (*value, Outcome) {
	i, e := find(d, key)
	switch {
	case e != Fine:
		return nil, e
	case i < 0:
		return nil, BadKey
	}
	return d.items[i], Fine
}

func (m *domain) DeleteKey(d, key *value) (bool, Outcome) {
	i, e := find(d, key)
	if e == Fine && d.frozen {
		e = Frozen
	}
	if e != Fine || i < 0 {
		return false, e
	}
	d.keys, d.items = slices.Delete(d.keys, i, i+1), slices.Delete(d.items, i, i+1)
	return true, Fine
}

func (m *domain) Take(d, key *value) (*value, Outcome) {
	v, e := m.Lookup(d, key)
	if e != Unhashable && d.frozen {
		return nil, Frozen
	}
	if e == Fine {
		m.DeleteKey(d, key)
	}
	return v, e
}

// toWrite is find for an operation that changes d.
func (m *domain) toWrite(d, key *value) (i int, e Outcome) {
	i, e = find(d, key)
	if e == Fine && d.frozen {
		e = Frozen
	}
	return i, e
}

func (m *domain) LoadOrStore(d, key, v *value) (*value, bool, Outcome) {
	switch i, e := m.toWrite(d, key); {
	case e != Fine:
		return nil, false, e
	case i >= 0:
		return d.items[i], true, Fine
	}
	return v, false, m.Put(d, key, v, false)
}

func (m *domain) LoadDelete(d, key *value) (v *value, loaded bool, e Outcome) {
	i, e := m.toWrite(d, key)
	if e != Fine || i < 0 {
		return nil, false, e
	}
	v = d.items[i]
	m.DeleteKey(d, key)
	return v, true, Fine
}

func (m *domain) SwapKey(d, key, v *value) (old *value, loaded bool, e Outcome) {
	i, e := m.toWrite(d, key)
	if e == Fine && i >= 0 {
		old = d.items[i]
	}
	if e == Fine {
		e = m.Put(d, key, v, false)
	}
	return old, old != nil, e
}

func (m *domain) CASKey(d, key, old, v *value) (bool, Outcome) {
	i, e := m.toWrite(d, key)
	if e != Fine || i < 0 || d.items[i] != old {
		return false, e
	}
	d.items[i] = v
	return true, Fine
}

func (m *domain) DeleteIf(d, key, old *value) (bool, Outcome) {
	i, e := m.toWrite(d, key)
	if e != Fine || i < 0 || d.items[i] != old {
		return false, e
	}
	return m.DeleteKey(d, key)
}

func (m *domain) PopOldest(d *value) (key, v *value, e Outcome) {
	switch {
	case d.frozen:
		return nil, nil, Frozen
	case len(d.items) == 0:
		return nil, nil, Empty
	}
	key, v = d.keys[0], d.items[0]
	d.keys, d.items = d.keys[1:], d.items[1:]
	return key, v, Fine
}

func (m *domain) SwapField(r *value, i int, v *value) (*value, Outcome) {
	if r.frozen {
		return nil, Frozen
	}
	old := r.items[i]
	r.items[i] = v
	return old, Fine
}

func (m *domain) CASField(r *value, i int, old, v *value) (bool, Outcome) {
	if r.frozen {
		return false, Frozen
	}
	if r.items[i] != old {
		return false, Fine
	}
	r.items[i] = v
	return true, Fine
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
	case Record, Node:
		return v.items[i%Fields]
	case List:
		x, _ := m.Item(v, len(v.items)-1-i)
		return x
	}
	x, _ := m.Lookup(v, m.Leaf(SmallInt, uint8(i)))
	return x
}

func (m *domain) write(v *value, budget *int) string {
	if *budget--; *budget < 0 {
		return "…"
	}
	var parts []string
	for i, x := range v.items {
		if v.kind == Node && x.kind == Node {
			parts = append(parts, NodeText(x.serial))
		} else if v.kind == Dict {
			parts = append(parts, m.write(v.keys[i], budget)+":"+m.write(x, budget))
		} else {
			parts = append(parts, m.write(x, budget))
		}
	}
	switch v.kind {
	case Leaf:
		return v.text
	case Tuple:
		return Join("(", parts, ")")
	case List:
		return Join("[", parts, "]")
	case Dict:
		return Join("{", parts, "}")
	case Node:
		return Join(NodeText(v.serial)+"<", parts, ">")
	case Weak:
		return WeakText
	}
	return Join("<", parts, ">")
}
