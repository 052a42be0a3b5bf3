package machine

import (
	"fmt"
	"slices"
)

// Roots is the number of containers that machines share. An operand below Roots names a root, and
// the next ones name registers.
const Roots = 4

const (
	regs      = 6 // registers of a machine, each of which owns a value or is empty
	rootLevel = 100
	nodeLevel = 1
	maxFilled = 600 // a longer container is not filled
	herd      = 80  // nodes of a herd
)

// Machine runs operations on a domain. Its code is the same for every domain, so two domains
// can be compared.
type Machine[V comparable] struct {
	d        Domain[V]
	regs     [regs]V
	borrowed V
	last     Serial // of the last node that it made
	shared   *Shared[V]
}

// New returns a machine whose nodes have the serials after last.
func New[V comparable](d Domain[V], s *Shared[V], last Serial) *Machine[V] {
	return &Machine[V]{d: d, shared: s, last: last}
}

// Clone returns a machine that holds the same values, and shares nothing with m. Neither m nor
// those with which it shares are running.
func (m *Machine[V]) Clone() *Machine[V] {
	n := *m
	n.shared = &Shared[V]{roots: m.shared.roots, box: mailbox[V]{items: m.shared.box.all()}}
	return &n
}

// HeldBy returns the values that machines with the same Shared hold. None of them is running.
func HeldBy[V comparable](machines ...*Machine[V]) []V {
	vs := slices.Concat(machines[0].shared.roots[:], machines[0].shared.box.all())
	for _, m := range machines {
		vs = append(vs, m.regs[:]...)
	}
	return slices.DeleteFunc(vs, func(v V) bool { return v == *new(V) })
}

// DropAll drops the values that machines with the same Shared hold. None of them is running. From
// now on they compute in d.
func DropAll[V comparable](d Domain[V], machines ...*Machine[V]) {
	for _, m := range machines {
		m.d = d
		for i := range m.regs {
			m.set(uint8(i), *new(V))
		}
	}
	s := machines[0].shared
	for _, v := range s.roots {
		d.Drop(v)
	}
	s.roots = [Roots]V{}
	for v, ok := s.box.take(); ok; v, ok = s.box.take() {
		d.Drop(v)
	}
}

// set puts v into register i, and drops the value there.
func (m *Machine[V]) set(i uint8, v V) {
	r := &m.regs[i%regs]
	old := *r
	*r = v
	if old != *new(V) {
		m.d.Drop(old)
	}
}

// pick returns the first suitable value among roots and registers, from i on.
func (m *Machine[V]) pick(i uint8, suits func(V) bool) (V, bool) {
	for k := range Roots + regs {
		var v V
		if j := (int(i) + k) % (Roots + regs); j < Roots {
			v = m.shared.roots[j]
		} else {
			v = m.regs[j-Roots]
		}
		if v != *new(V) && suits(v) {
			return v, true
		}
	}
	return *new(V), false
}

// container returns a container of kind k that can hold a value of the level. There
// is always one for lists, dicts and records: the root.
func (m *Machine[V]) container(i uint8, k Kind, level int) V {
	v, _ := m.pick(i, func(v V) bool { return m.d.Kind(v) == k && m.d.Level(v) > level })
	return v
}

// value returns the first value in a register, from i on, that is below the level, or
// None. The register owns it; None needs no owner.
func (m *Machine[V]) value(i uint8, below int) V {
	for k := range regs {
		if v := m.regs[(int(i)+k)%regs]; v != *new(V) && m.d.Level(v) < below {
			return v
		}
	}
	return m.d.Leaf(Singleton, 0)
}

// withKey calls f with a key: a small leaf made for the call, or a register's value.
func (m *Machine[V]) withKey(o Op, below int, f func(key V)) {
	if o.N%8 == 7 {
		f(m.value(o.A/16, below))
		return
	}
	kinds := [...]uint8{Interned, SmallInt, String}
	key := m.d.Leaf(kinds[o.N%3], o.N/8%8)
	f(key)
	m.d.Drop(key)
}

// expected returns the value with which a call is to compare a slot that holds now: a
// register's value, or now itself. It is never a leaf that may be a copy of another, because
// the model cannot tell the two apart.
func (m *Machine[V]) expected(n uint8, now V) V {
	if v := m.regs[n%regs]; n%4 == 0 && m.d.Kind(v) > Leaf {
		return v
	}
	return now
}

// index maps an operand to an index that is mostly in range.
func index(n uint8, length int) int { return int(n)%(length+2) - 1 }

// Step runs one operation and returns its line of the history.
func (m *Machine[V]) Step(o Op) string {
	seen := m.Do(o)
	return fmt.Sprintf("%s %s", o, seen)
}

// Do runs one operation, and returns what the machine has observed.
func (m *Machine[V]) Do(o Op) string {
	switch {
	case o.Code >= OpAppend && o.Code <= opFill:
		m.borrowed = *new(V) // the thread's own write may drop the object
		return m.doList(o)
	case o.Code >= OpPut && o.Code <= opFillDict:
		m.borrowed = *new(V)
		return m.doDict(o)
	case o.Code >= OpNode && o.Code <= OpLeave:
		m.borrowed = *new(V)
		return m.doNode(o)
	case o.Code >= opDocument:
		m.borrowed = *new(V)
		return m.doRare(o)
	}
	d := m.d
	switch o.Code {
	case OpLeaf:
		m.set(o.A, d.Leaf(o.B%leafKinds, o.N))
	case OpDrop:
		m.set(o.A, *new(V))
	case OpCopy:
		m.set(o.A, d.Copy(m.value(o.B, MaxLevel)))
	case OpRender:
		if v, ok := m.pick(o.A, func(V) bool { return true }); ok {
			return d.Render(v)
		}
	case OpList, opTuple, opDict, opRecord:
		m.build(o)
	case OpField:
		m.borrowed = *new(V)
		v := m.value(o.B, MaxLevel)
		r := m.container(o.A, Record, d.Level(v))
		d.SetField(r, int(o.N)%Fields, v)
	case OpGetField:
		m.set(o.B, d.Field(m.container(o.A, Record, 0), int(o.N)%Fields))
		return d.Render(m.regs[o.B%regs])
	case opSwapField, opCASField:
		m.borrowed = *new(V)
		v, i := m.value(o.B, MaxLevel), int(o.N)%Fields
		r := m.container(o.A, Record, d.Level(v))
		if o.Code == opSwapField {
			return m.got(o.B)(d.SwapField(r, i, v))
		}
		now := d.Field(r, i)
		done, e := d.CASField(r, i, m.expected(o.N, now), v)
		d.Drop(now)
		return fmt.Sprint(done, e)
	case opItem:
		if v, ok := m.pick(o.A, func(v V) bool { return d.Kind(v) == Tuple }); ok {
			return m.got(o.B)(d.Item(v, index(o.N, d.Length(v))))
		}
	case OpUse:
		if m.borrowed != *new(V) && d.ValidBorrow() {
			m.set(o.A, d.Copy(m.borrowed))
			return d.Render(m.regs[o.A%regs])
		}
		m.borrowed = d.Borrow(m.shared.roots[o.A%Roots], int(o.N)%4)
	case OpCheckpoint:
		d.Checkpoint()
	case opBlocking:
		d.Blocking()
	case opChurn:
		d.Churn(m.value(o.A, MaxLevel), int(o.N)%8)
	case opScope:
		m.set(o.A, d.Scoped(m.value(o.B, MaxLevel-2), o.N))
	}
	return ""
}

// build makes a container that holds values of registers.
func (m *Machine[V]) build(o Op) {
	d := m.d
	level := 1 + int(o.N)/4%4
	var items []V
	for i := range o.N % 4 {
		items = append(items, m.value(o.B+i, level))
	}
	switch o.Code {
	case opTuple:
		m.set(o.A, d.Tuple(items))
	case OpList:
		m.set(o.A, d.List(level, items))
	case opDict:
		m.set(o.A, d.Dict(level))
	case opRecord:
		m.set(o.A, d.Record(level, [Fields]V{m.value(o.B, level), m.value(o.B+1, level), m.value(o.B+2, level)}))
	}
}

// got returns a function that puts the result of a call into register i and
// returns the observation.
func (m *Machine[V]) got(i uint8) func(v V, e Outcome) string {
	return func(v V, e Outcome) string {
		if e != Fine {
			return string(e)
		}
		text := m.d.Render(v)
		m.set(i, v)
		return text
	}
}

// gotIf is got for a call that also reports whether there was a value. Without one,
// the value may be zero.
func (m *Machine[V]) gotIf(i uint8) func(v V, loaded bool, e Outcome) string {
	return func(v V, loaded bool, e Outcome) string {
		if e != Fine || v == *new(V) {
			return fmt.Sprint(loaded, e)
		}
		return fmt.Sprint(loaded, m.got(i)(v, e))
	}
}
