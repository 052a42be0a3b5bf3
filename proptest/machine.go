package proptest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

const (
	regs  = 6 // registers of a machine: references that it owns
	roots = 4 // a list, a dict, a record and a node that it is given

	rootLevel = 100
	nodeLevel = 1
	maxLevel  = 50 // bounds the level of values in registers
	maxItems  = 64 // a longer container is not extended, and iteration stops there
	maxFilled = 600
	maxMail   = 16
	herd      = 80
	fields    = 3 // of a record or a node
)

// kind is the kind of a value, as far as the machine has to know it.
type kind uint8

const (
	nothing kind = iota // an empty register
	leaf
	aTuple
	aList
	aDict
	aRecord
	aNode
	aWeak
)

// Kinds of leaves.
const (
	smallInt uint8 = iota
	bigInt
	aFloat
	aString
	interned
	someBytes
	singleton
	bigText
	leafKinds
)

// outcome is the class of a call's error.
type outcome string

const (
	fine       outcome = ""
	badIndex   outcome = "index"
	isEmpty    outcome = "empty"
	badKey     outcome = "key"
	unhashable outcome = "unhashable"
	badType    outcome = "type"
	isFrozen   outcome = "frozen"
	noFreezing outcome = "cannot be frozen"
	hasChanged outcome = "changed" // the source of a copy may change while other threads write to it
)

// domain is where a machine computes: the heap of a runtime, or plain Go
// values. The machine owns each result of type V until it drops it. The zero
// V is no value.
//
// Every value has a level: 0 for a leaf, one more than its highest item for a
// tuple, and a fixed one for other values. The machine stores a value only in
// containers of a higher level, or in a node of any level. So every cycle goes
// through a node.
type domain[V comparable] interface {
	leaf(k, n uint8) V
	tuple(items []V) V
	list(level int, items []V) V
	dict(level int) V
	record(level int, values [fields]V) V
	node(serial uint32, level int, values [fields]V) V
	weak(v V) V
	document(n uint8, immortal bool) V
	born(f func() V, fail bool) V
	scoped(v V, n uint8) V

	kind(v V) kind
	level(v V) int
	copy(v V) V
	drop(v V)
	churn(v V, n int)
	render(v V) string
	same(v, w V) bool
	immortalise(v V)
	immortal(v V) bool
	freeze(v V, image bool) (V, outcome) // image: written to a file and opened again

	length(v V) int
	append(l, v V, steal bool) outcome // steals unless it fails
	setItem(l V, i int, v V) outcome
	insert(l V, i int, v V) outcome
	getItem(v V, i int) (V, outcome) // of a list or tuple
	pop(l V) (V, outcome)
	popFirst(l V) (V, outcome)
	remove(l V, i int) outcome
	clear(v V)
	extend(v, from V) // list by list, dict by dict
	iterate(v V) string

	put(d, key, v V, steal bool) outcome
	lookup(d, key V) (V, outcome)
	deleteKey(d, key V) (bool, outcome)
	take(d, key V) (V, outcome)
	loadOrStore(d, key, v V) (V, bool, outcome)
	loadDelete(d, key V) (V, bool, outcome)
	swapKey(d, key, v V) (V, bool, outcome)
	casKey(d, key, old, v V) (bool, outcome)
	deleteIf(d, key, old V) (bool, outcome)
	popOldest(d V) (key, v V, e outcome)
	setField(r V, i int, v V) // of a record or a node
	getField(r V, i int) V
	swapField(r V, i int, v V) (V, outcome) // of a record, as casField
	casField(r V, i int, old, v V) (bool, outcome)

	follow(w V) (V, bool) // the target of a weak reference; false if it is dead or the model cannot tell
	collect() string      // finds cycles
	rescued() (V, bool)   // a node that a finalizer has kept

	borrow(v V, i int) V // a borrowed reference to an item of a root; in a list, i counts from the end
	validBorrow() bool   // reports that there was no safe point since borrow
	checkpoint()
	blocking()
	leave() // the thread ends, and another one takes over
	audit()
}

// machine runs operations on a domain. Its code is the same for every domain, so
// two domains can be compared.
type machine[V comparable] struct {
	d        domain[V]
	regs     [regs]V
	roots    [roots]V
	borrowed V
	box      *mailbox[V]
	serial   uint32 // of the last node that it made
}

// mailbox passes references from machine to machine.
type mailbox[V comparable] struct {
	mu    sync.Mutex
	items []V
}

// put reports whether the mailbox has taken v. It then owns v.
func (b *mailbox[V]) put(v V) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.items) >= maxMail {
		return false
	}
	b.items = append(b.items, v)
	return true
}

func (b *mailbox[V]) take() (v V, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.items) == 0 {
		return v, false
	}
	v = b.items[0]
	b.items = b.items[1:]
	return v, true
}

func (b *mailbox[V]) all() []V {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.items)
}

// newMachine returns a machine whose nodes have serials above the given one.
func newMachine[V comparable](d domain[V], shared [roots]V, box *mailbox[V], serial uint32) *machine[V] {
	return &machine[V]{d: d, roots: shared, box: box, serial: serial}
}

// makeRoots makes the containers that machines share. serial is the node's.
func makeRoots[V comparable](d domain[V], serial uint32) [roots]V {
	var none [fields]V
	for i := range none {
		none[i] = d.leaf(singleton, 0)
	}
	return [roots]V{d.list(rootLevel, nil), d.dict(rootLevel), d.record(rootLevel, none), d.node(serial, rootLevel, none)}
}

// dropAll empties the registers.
func (m *machine[V]) dropAll() {
	for i := range m.regs {
		m.set(uint8(i), *new(V))
	}
}

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
			v = m.roots[j]
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
		m.borrowed = d.borrow(m.roots[o.a%roots], int(o.n)%4)
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

// join joins the texts with commas, cut to a length that keeps histories readable.
func join(open string, parts []string, end string) string {
	s := open + strings.Join(parts, ",") + end
	if len(s) > 400 {
		return fmt.Sprintf("%s... %d bytes", s[:400], len(s))
	}
	return s
}
