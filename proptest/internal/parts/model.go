package parts

import (
	"slices"
	"strings"
)

// value is an object of the model: a plain Go value without a count, collected by Go.
type value struct {
	kind     kind
	lvl      int
	text     string // of a leaf
	items    []*value
	keys     []*value // of a dict, in order; items are the values
	immortal bool
	frozen   bool

	serial    serial // of a node
	finalized bool
	dead      bool
	lives     int    // number of times that its weak references were emptied
	target    *value // of a weak reference
	life      int    // the target's lives when the weak reference was made
}

// model is the domain of plain Go values.
type model struct {
	birth           bool // new objects are immortal
	epoch, borrowed int

	machine *machine[*value] // holds the values of the program
	all     []*value         // containers that have not died, as of the last settle
	bag     []*value         // nodes that their finalizers have kept
	late    []serial         // nodes that were finalized since the last collection
}

func (m *model) leaf(k, n uint8) *value {
	var s string
	switch k {
	case smallInt:
		s = leafText("i", n)
	case bigInt:
		s = leafText("i", nthBigInt(n))
	case aFloat:
		s = leafText("f", nthFloat(n))
	case aString, interned:
		s = leafText("s", text(n))
	case bigText:
		s = leafText("s", longText(n))
	case someBytes:
		s = leafText("b", text(n))
	default:
		if n%6 == 5 {
			return modelEmpty
		}
		s = [...]string{"None", "True", "False", "s", "b"}[n%6]
	}
	return &value{kind: leaf, text: s}
}

// modelEmpty is the empty tuple.
var modelEmpty = &value{kind: aTuple, immortal: true}

func (m *model) new(k kind, level int, items ...*value) *value {
	v := &value{kind: k, lvl: level, items: slices.Clone(items), immortal: m.birth}
	m.all = append(m.all, v)
	return v
}

func (m *model) tuple(items []*value) *value {
	if len(items) == 0 {
		return modelEmpty
	}
	level := 0
	for _, v := range items {
		level = max(level, v.lvl)
	}
	return m.new(aTuple, level+1, items...)
}

func (m *model) list(level int, items []*value) *value { return m.new(aList, level, items...) }
func (m *model) dict(level int) *value                 { return m.new(aDict, level) }

func (m *model) record(level int, values [fields]*value) *value {
	return m.new(aRecord, level, values[:]...)
}

func (m *model) document(n uint8, immortal bool) *value {
	m.epoch++
	return m.born(func() *value {
		m.birth = immortal
		inner := m.dict(objectLevel)
		m.put(inner, m.leaf(aString, 7), m.leaf(aFloat, n), false)
		array := m.list(arrayLevel, []*value{
			m.leaf(smallInt, n), m.leaf(aString, n/2), inner, m.leaf(singleton, 0), m.leaf(singleton, 1),
		})
		d := m.dict(documentLevel)
		m.put(d, m.leaf(aString, n), array, false)
		m.put(d, m.leaf(aString, n^1), m.dict(objectLevel), false)
		return d
	}, false)
}

func (m *model) born(f func() *value, fail bool) *value {
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

func (m *model) scoped(v *value, n uint8) *value {
	m.epoch++
	return m.list(v.lvl+1, []*value{m.leaf(aString, n), v})
}

func (m *model) kind(v *value) kind {
	if v == nil {
		return nothing
	}
	return v.kind
}

func (m *model) level(v *value) int {
	if v == nil {
		return 0
	}
	return v.lvl
}

func (m *model) copy(v *value) *value   { return v }
func (m *model) drop(*value)            {}
func (m *model) churn(*value, int)      { m.epoch++ }
func (m *model) same(v, w *value) bool  { return v == w && v.kind > leaf }
func (m *model) immortal(v *value) bool { return v.immortal }
func (m *model) immortalise(v *value)   { m.epoch++; immortalise(v) }
func (m *model) length(v *value) int    { return len(v.items) }
func (m *model) validBorrow() bool      { return m.borrowed == m.epoch }
func (m *model) checkpoint()            { m.epoch++ }
func (m *model) blocking()              { m.epoch++ }
func (m *model) leave()                 { m.epoch++ }
func (m *model) audit()                 { m.epoch++ }
func (m *model) render(v *value) string { n := maxRendered; return m.write(v, &n) }

// immortalise makes v and everything below it immortal. It does not look into objects that
// were immortal before, except v: they may hold mortals by now, which stay mortal.
func immortalise(v *value) {
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

func (m *model) append(l, v *value, steal bool) outcome {
	if l.kind != aList {
		return badType
	}
	if l.frozen {
		return isFrozen
	}
	l.items = append(l.items, v)
	return fine
}

func (m *model) setItem(l *value, i int, v *value) outcome {
	if l.frozen {
		return isFrozen
	}
	if i < 0 || i >= len(l.items) {
		return badIndex
	}
	l.items[i] = v
	return fine
}

func (m *model) insert(l *value, i int, v *value) outcome {
	if l.frozen {
		return isFrozen
	}
	if i < 0 || i > len(l.items) {
		return badIndex
	}
	l.items = slices.Insert(l.items, i, v)
	return fine
}

func (m *model) getItem(v *value, i int) (*value, outcome) {
	if i < 0 || i >= len(v.items) {
		return nil, badIndex
	}
	return v.items[i], fine
}

func (m *model) pop(l *value) (*value, outcome) {
	if l.frozen {
		return nil, isFrozen
	}
	n := len(l.items) - 1
	if n < 0 {
		return nil, isEmpty
	}
	v := l.items[n]
	l.items = l.items[:n]
	return v, fine
}

func (m *model) popFirst(l *value) (*value, outcome) {
	if l.frozen {
		return nil, isFrozen
	}
	if len(l.items) == 0 {
		return nil, isEmpty
	}
	v := l.items[0]
	l.items = l.items[1:]
	return v, fine
}

func (m *model) remove(l *value, i int) outcome {
	if l.frozen {
		return isFrozen
	}
	if i < 0 || i >= len(l.items) {
		return badIndex
	}
	l.items = slices.Delete(l.items, i, i+1)
	return fine
}

func (m *model) extend(v, from *value) {
	if v.frozen {
		return
	}
	if v.kind == aList {
		v.items = append(v.items, from.items...)
		return
	}
	for i, k := range from.keys {
		m.put(v, k, from.items[i], false)
	}
}

func (m *model) iterate(v *value) string {
	m.epoch++
	var parts []string
	for i, x := range v.items {
		text := m.render(x)
		if v.kind == aDict {
			text = m.render(v.keys[i]) + ":" + text
		}
		if parts = append(parts, text); v.kind == aList && i > maxItems {
			break
		}
	}
	if v.kind == aList {
		return join("[", parts, "]")
	}
	return join("{", parts, "}")
}

func (m *model) clear(v *value) {
	if !v.frozen {
		v.items, v.keys = nil, nil
	}
}

// name returns a text that two keys share if and only if they are equal.
func name(key *value) (string, bool) {
	switch key.kind {
	case leaf:
		return key.text, true
	case aTuple:
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
func find(d, key *value) (int, outcome) {
	want, ok := name(key)
	if !ok {
		return -1, unhashable
	}
	return slices.IndexFunc(d.keys, func(k *value) bool {
		have, _ := name(k)
		return have == want
	}), fine
}

func (m *model) put(d, key, v *value, steal bool) outcome {
	i, e := find(d, key)
	switch {
	case e != fine:
		return e
	case d.frozen:
		return isFrozen
	case i >= 0:
		d.items[i] = v
	default:
		d.keys, d.items = append(d.keys, key), append(d.items, v)
	}
	return fine
}

func (m *model) lookup(d, key *value) (*value, outcome) {
	i, e := find(d, key)
	switch {
	case e != fine:
		return nil, e
	case i < 0:
		return nil, badKey
	}
	return d.items[i], fine
}

func (m *model) deleteKey(d, key *value) (bool, outcome) {
	i, e := find(d, key)
	if e == fine && d.frozen {
		e = isFrozen
	}
	if e != fine || i < 0 {
		return false, e
	}
	d.keys, d.items = slices.Delete(d.keys, i, i+1), slices.Delete(d.items, i, i+1)
	return true, fine
}

func (m *model) take(d, key *value) (*value, outcome) {
	v, e := m.lookup(d, key)
	if e != unhashable && d.frozen {
		return nil, isFrozen
	}
	if e == fine {
		m.deleteKey(d, key)
	}
	return v, e
}

// toWrite is find for an operation that changes d.
func (m *model) toWrite(d, key *value) (i int, e outcome) {
	i, e = find(d, key)
	if e == fine && d.frozen {
		e = isFrozen
	}
	return i, e
}

func (m *model) loadOrStore(d, key, v *value) (*value, bool, outcome) {
	switch i, e := m.toWrite(d, key); {
	case e != fine:
		return nil, false, e
	case i >= 0:
		return d.items[i], true, fine
	}
	return v, false, m.put(d, key, v, false)
}

func (m *model) loadDelete(d, key *value) (v *value, loaded bool, e outcome) {
	i, e := m.toWrite(d, key)
	if e != fine || i < 0 {
		return nil, false, e
	}
	v = d.items[i]
	m.deleteKey(d, key)
	return v, true, fine
}

func (m *model) swapKey(d, key, v *value) (old *value, loaded bool, e outcome) {
	i, e := m.toWrite(d, key)
	if e == fine && i >= 0 {
		old = d.items[i]
	}
	if e == fine {
		e = m.put(d, key, v, false)
	}
	return old, old != nil, e
}

func (m *model) casKey(d, key, old, v *value) (bool, outcome) {
	i, e := m.toWrite(d, key)
	if e != fine || i < 0 || d.items[i] != old {
		return false, e
	}
	d.items[i] = v
	return true, fine
}

func (m *model) deleteIf(d, key, old *value) (bool, outcome) {
	i, e := m.toWrite(d, key)
	if e != fine || i < 0 || d.items[i] != old {
		return false, e
	}
	return m.deleteKey(d, key)
}

func (m *model) popOldest(d *value) (key, v *value, e outcome) {
	switch {
	case d.frozen:
		return nil, nil, isFrozen
	case len(d.items) == 0:
		return nil, nil, isEmpty
	}
	key, v = d.keys[0], d.items[0]
	d.keys, d.items = d.keys[1:], d.items[1:]
	return key, v, fine
}

func (m *model) swapField(r *value, i int, v *value) (*value, outcome) {
	if r.frozen {
		return nil, isFrozen
	}
	old := r.items[i]
	r.items[i] = v
	return old, fine
}

func (m *model) casField(r *value, i int, old, v *value) (bool, outcome) {
	if r.frozen {
		return false, isFrozen
	}
	if r.items[i] != old {
		return false, fine
	}
	r.items[i] = v
	return true, fine
}

func (m *model) setField(r *value, i int, v *value) {
	if !r.frozen {
		r.items[i] = v
	}
}

func (m *model) getField(r *value, i int) *value { return r.items[i] }

func (m *model) borrow(v *value, i int) *value {
	m.borrowed = m.epoch
	switch v.kind {
	case aRecord, aNode:
		return v.items[i%fields]
	case aList:
		x, _ := m.getItem(v, len(v.items)-1-i)
		return x
	}
	x, _ := m.lookup(v, m.leaf(smallInt, uint8(i)))
	return x
}

func (m *model) write(v *value, budget *int) string {
	if *budget--; *budget < 0 {
		return "…"
	}
	var parts []string
	for i, x := range v.items {
		if v.kind == aNode && x.kind == aNode {
			parts = append(parts, nodeText(x.serial))
		} else if v.kind == aDict {
			parts = append(parts, m.write(v.keys[i], budget)+":"+m.write(x, budget))
		} else {
			parts = append(parts, m.write(x, budget))
		}
	}
	switch v.kind {
	case leaf:
		return v.text
	case aTuple:
		return join("(", parts, ")")
	case aList:
		return join("[", parts, "]")
	case aDict:
		return join("{", parts, "}")
	case aNode:
		return join(nodeText(v.serial)+"<", parts, ">")
	case aWeak:
		return weakText
	}
	return join("<", parts, ">")
}
