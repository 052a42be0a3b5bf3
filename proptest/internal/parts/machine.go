package parts

import (
	"fmt"
	"slices"
)

const (
	regs  = 6 // registers of a machine: references that it owns
	roots = 4 // containers that machines share

	rootLevel = 100
	nodeLevel = 1
	maxFilled = 600
	herd      = 80
)

// machine runs operations on a domain. Its code is the same for every domain, so two domains
// can be compared.
type machine[V comparable] struct {
	d        domain[V]
	regs     [regs]V
	borrowed V
	last     serial // of the last node that it made
	shared   *shared[V]
}

// newMachine returns a machine whose nodes have the serials after last.
func newMachine[V comparable](d domain[V], s *shared[V], last serial) *machine[V] {
	return &machine[V]{d: d, shared: s, last: last}
}

// clone returns a machine that holds the same values and shares nothing. m stands still.
func (m *machine[V]) clone() *machine[V] {
	n := *m
	n.shared = &shared[V]{roots: m.shared.roots, box: mailbox[V]{items: m.shared.box.all()}}
	return &n
}

// heldBy returns the values that machines hold which share everything. They stand still.
func heldBy[V comparable](machines ...*machine[V]) []V {
	vs := slices.Concat(machines[0].shared.roots[:], machines[0].shared.box.all())
	for _, m := range machines {
		vs = append(vs, m.regs[:]...)
	}
	return slices.DeleteFunc(vs, func(v V) bool { return v == *new(V) })
}

// dropAll drops the values that machines hold which share everything. From now on they compute
// in d.
func dropAll[V comparable](d domain[V], machines ...*machine[V]) {
	for _, m := range machines {
		m.d = d
		for i := range m.regs {
			m.set(uint8(i), *new(V))
		}
	}
	s := machines[0].shared
	for _, v := range s.roots {
		d.drop(v)
	}
	s.roots = [roots]V{}
	for v, ok := s.box.take(); ok; v, ok = s.box.take() {
		d.drop(v)
	}
}

// set puts v into register i, and drops the value there.
func (m *machine[V]) set(i uint8, v V) {
	r := &m.regs[i%regs]
	old := *r
	*r = v
	if old != *new(V) {
		m.d.drop(old)
	}
}

// pick returns the first suitable value among roots and registers, from i on.
func (m *machine[V]) pick(i uint8, suits func(V) bool) (V, bool) {
	for k := range roots + regs {
		var v V
		if j := (int(i) + k) % (roots + regs); j < roots {
			v = m.shared.roots[j]
		} else {
			v = m.regs[j-roots]
		}
		if v != *new(V) && suits(v) {
			return v, true
		}
	}
	return *new(V), false
}

// container returns a container of kind k that can hold a value of the level. There
// is always one for lists, dicts and records: the root.
func (m *machine[V]) container(i uint8, k kind, level int) V {
	v, _ := m.pick(i, func(v V) bool { return m.d.kind(v) == k && m.d.level(v) > level })
	return v
}

// value returns the first value in a register, from i on, that is below the level, or
// None. The register owns it; None needs no owner.
func (m *machine[V]) value(i uint8, below int) V {
	for k := range regs {
		if v := m.regs[(int(i)+k)%regs]; v != *new(V) && m.d.level(v) < below {
			return v
		}
	}
	return m.d.leaf(singleton, 0)
}

// withKey calls f with a key: a small leaf made for the call, or a register's value.
func (m *machine[V]) withKey(o op, below int, f func(key V)) {
	if o.n%8 == 7 {
		f(m.value(o.a/16, below))
		return
	}
	kinds := [...]uint8{interned, smallInt, aString}
	key := m.d.leaf(kinds[o.n%3], o.n/8%8)
	f(key)
	m.d.drop(key)
}

// expected returns the value with which a call is to compare a slot that holds now: a
// register's value, or now itself. It is never a leaf that may be a copy of another, because
// the model cannot tell the two apart.
func (m *machine[V]) expected(n uint8, now V) V {
	if v := m.regs[n%regs]; n%4 == 0 && m.d.kind(v) > leaf {
		return v
	}
	return now
}

// index maps an operand to an index that is mostly in range.
func index(n uint8, length int) int { return int(n)%(length+2) - 1 }

// step runs one operation and returns its line of the history.
func (m *machine[V]) step(o op) string {
	seen := m.do(o)
	return fmt.Sprintf("%s %s", o, seen)
}

func (m *machine[V]) do(o op) string {
	switch {
	case o.code >= opAppend && o.code <= opFill:
		m.borrowed = *new(V) // the thread's own write may drop the object
		return m.doList(o)
	case o.code >= opPut && o.code <= opFillDict:
		m.borrowed = *new(V)
		return m.doDict(o)
	case o.code >= opNode && o.code <= opLeave:
		m.borrowed = *new(V)
		return m.doNode(o)
	case o.code >= opDocument:
		m.borrowed = *new(V)
		return m.doRare(o)
	}
	d := m.d
	switch o.code {
	case opLeaf:
		m.set(o.a, d.leaf(o.b%leafKinds, o.n))
	case opDrop:
		m.set(o.a, *new(V))
	case opCopy:
		m.set(o.a, d.copy(m.value(o.b, maxLevel)))
	case opRender:
		if v, ok := m.pick(o.a, func(V) bool { return true }); ok {
			return d.render(v)
		}
	case opList, opTuple, opDict, opRecord:
		m.build(o)
	case opField:
		m.borrowed = *new(V)
		v := m.value(o.b, maxLevel)
		r := m.container(o.a, aRecord, d.level(v))
		d.setField(r, int(o.n)%fields, v)
	case opGetField:
		m.set(o.b, d.getField(m.container(o.a, aRecord, 0), int(o.n)%fields))
		return d.render(m.regs[o.b%regs])
	case opSwapField, opCASField:
		m.borrowed = *new(V)
		v, i := m.value(o.b, maxLevel), int(o.n)%fields
		r := m.container(o.a, aRecord, d.level(v))
		if o.code == opSwapField {
			return m.got(o.b)(d.swapField(r, i, v))
		}
		now := d.getField(r, i)
		done, e := d.casField(r, i, m.expected(o.n, now), v)
		d.drop(now)
		return fmt.Sprint(done, e)
	case opItem:
		if v, ok := m.pick(o.a, func(v V) bool { return d.kind(v) == aTuple }); ok {
			return m.got(o.b)(d.getItem(v, index(o.n, d.length(v))))
		}
	case opUse:
		if m.borrowed != *new(V) && d.validBorrow() {
			m.set(o.a, d.copy(m.borrowed))
			return d.render(m.regs[o.a%regs])
		}
		m.borrowed = d.borrow(m.shared.roots[o.a%roots], int(o.n)%4)
	case opCheckpoint:
		d.checkpoint()
	case opBlocking:
		d.blocking()
	case opChurn:
		d.churn(m.value(o.a, maxLevel), int(o.n)%8)
	case opScope:
		m.set(o.a, d.scoped(m.value(o.b, maxLevel-2), o.n))
	}
	return ""
}

// build makes a container that holds values of registers.
func (m *machine[V]) build(o op) {
	d := m.d
	level := 1 + int(o.n)/4%4
	var items []V
	for i := range o.n % 4 {
		items = append(items, m.value(o.b+i, level))
	}
	switch o.code {
	case opTuple:
		m.set(o.a, d.tuple(items))
	case opList:
		m.set(o.a, d.list(level, items))
	case opDict:
		m.set(o.a, d.dict(level))
	case opRecord:
		m.set(o.a, d.record(level, [fields]V{m.value(o.b, level), m.value(o.b+1, level), m.value(o.b+2, level)}))
	}
}

// got returns a function that puts the result of a call into register i and
// returns the observation.
func (m *machine[V]) got(i uint8) func(v V, e outcome) string {
	return func(v V, e outcome) string {
		if e != fine {
			return string(e)
		}
		text := m.d.render(v)
		m.set(i, v)
		return text
	}
}

// gotIf is got for a call that also reports whether there was a value. Without one,
// the value may be zero.
func (m *machine[V]) gotIf(i uint8) func(v V, loaded bool, e outcome) string {
	return func(v V, loaded bool, e outcome) string {
		if e != fine || v == *new(V) {
			return fmt.Sprint(loaded, e)
		}
		return fmt.Sprint(loaded, m.got(i)(v, e))
	}
}
