package parts

const (
	fields   = 3  // of a record or a node
	maxLevel = 50 // bounds the level of values in registers
	maxItems = 64 // a longer container is not extended, and iteration stops there
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
	node(n serial, level int, values [fields]V) V
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
