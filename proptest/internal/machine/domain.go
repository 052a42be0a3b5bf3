package machine

// Limits of values, which all domains know.
const (
	Fields   = 3  // of a record or a node
	MaxLevel = 50 // bounds the level of values in registers
	MaxItems = 64 // a longer container is not extended, and iteration stops there
)

// Kind is the kind of a value, as far as the machine has to know it.
type Kind uint8

// Kinds of values.
const (
	Nothing Kind = iota // an empty register
	Leaf
	Tuple
	List
	Dict
	Record
	Node
	Weak
)

// Kinds of leaves.
const (
	SmallInt uint8 = iota
	BigInt
	Float
	String
	Interned
	Bytes
	Singleton
	BigText
	leafKinds
)

// Outcome is the class of a call's error.
type Outcome string

// Outcomes.
const (
	Fine         Outcome = ""
	BadIndex     Outcome = "index"
	Empty        Outcome = "empty"
	BadKey       Outcome = "key"
	Unhashable   Outcome = "unhashable"
	BadType      Outcome = "type"
	Frozen       Outcome = "frozen"
	NotFreezable Outcome = "cannot be frozen"
	Changed      Outcome = "changed" // the source of a copy may change while other threads write to it
)

// Domain is where a machine computes: the heap of a runtime, or plain Go values. The machine owns
// each result of type V until it drops it. The zero V is no value.
//
// Every value has a level: 0 for a leaf, one more than its highest item for a tuple, and a fixed
// one for other values. The machine stores a value only in containers of a higher level, or in a
// node of any level. So every cycle goes through a node.
type Domain[V comparable] interface {
	Leaf(k, n uint8) V
	Tuple(items []V) V
	List(level int, items []V) V
	Dict(level int) V
	Record(level int, values [Fields]V) V
	Node(n Serial, level int, values [Fields]V) V
	Weak(v V) V
	Document(n uint8, immortal bool) V
	Born(f func() V, fail bool) V
	Scoped(v V, n uint8) V

	Kind(v V) Kind
	Level(v V) int
	Copy(v V) V
	Drop(v V)
	Churn(v V, n int)
	Render(v V) string
	Same(v, w V) bool
	Immortalize(v V)
	Immortal(v V) bool
	Freeze(v V, image bool) (V, Outcome) // image: written to a file and opened again

	Length(v V) int
	Append(l, v V, steal bool) Outcome // steals unless it fails
	SetItem(l V, i int, v V) Outcome
	Insert(l V, i int, v V) Outcome
	Item(v V, i int) (V, Outcome) // of a list or tuple
	Pop(l V) (V, Outcome)
	PopFirst(l V) (V, Outcome)
	Remove(l V, i int) Outcome
	Clear(v V)
	Extend(v, from V) // list by list, dict by dict
	Iterate(v V) string

	Put(d, key, v V, steal bool) Outcome
	Lookup(d, key V) (V, Outcome)
	DeleteKey(d, key V) (bool, Outcome)
	Take(d, key V) (V, Outcome)
	LoadOrStore(d, key, v V) (V, bool, Outcome)
	LoadDelete(d, key V) (V, bool, Outcome)
	SwapKey(d, key, v V) (V, bool, Outcome)
	CASKey(d, key, old, v V) (bool, Outcome)
	DeleteIf(d, key, old V) (bool, Outcome)
	PopOldest(d V) (key, v V, e Outcome)
	SetField(r V, i int, v V) // of a record or a node
	Field(r V, i int) V
	SwapField(r V, i int, v V) (V, Outcome) // of a record, as CASField
	CASField(r V, i int, old, v V) (bool, Outcome)

	Follow(w V) (V, bool) // the target of a weak reference; false if it is dead or the model cannot tell
	Collect() string      // finds cycles
	Rescued() (V, bool)   // a node that a finalizer has kept

	Borrow(v V, i int) V // a borrowed reference to an item of a root; in a list, i counts from the end
	ValidBorrow() bool   // reports that there was no safe point since borrow
	Checkpoint()
	Blocking()
	Leave() // the thread ends, and another one takes over
	Audit()
}
