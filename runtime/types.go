package runtime

import (
	"fmt"
	"sync"

	"github.com/puzpuzpuz/xsync/v3"
	"go.uber.org/atomic"

	"github.com/ichor-go/ichor/internal/arena"
	"github.com/ichor-go/ichor/internal/fault"
	"github.com/ichor-go/ichor/internal/header"
	"github.com/ichor-go/ichor/internal/imagefile"
	"github.com/ichor-go/ichor/internal/kinds"
)

// TypeID numbers a type. The built-in ones are the same in every process.
type TypeID uint16

const (
	_ TypeID = iota
	TypeNone
	TypeBool
	TypeInt   // small ones are in the reference, the others boxed
	TypeFloat // a header without a body: see Thread.NewFloat
	TypeNumber
	TypeString
	TypeBytes
	TypeTuple
	TypeList
	TypeDict
	TypeWeak
	TypeCell
	TypeForeign

	// typeLocal stands in the headers of frozen objects of user-defined types. Its
	// number differs from one process to the next, so the type is an entry in the
	// table of the Frozen, whose index is above localShift.
	typeLocal TypeID = 63

	firstUserType TypeID = 64
	maxTypes             = 1 << 16
)

// The meta word of a header: type id in the lower half, flags above.
const (
	metaRefs    = 1 << 16 // the type has a Traverse
	metaDeath   = 1 << 17 // the type has a Finalize or a Drop
	metaPoison  = 1 << 31 // freed, in checked mode
	metaTypeMax = 1<<16 - 1

	localShift = 16 // frozen objects of type typeLocal have an index where others have flags
	maxLocal   = 1 << 15
)

const _ = -uint(header.FloatMeta ^ uint32(TypeFloat)) // package header cannot import TypeFloat

// Type describes a type of objects. DefineType takes a copy of it, and what it returns is
// immutable.
//
// Traverse, Slots, Block, Forget and Drop are called in the middle of counting and freeing,
// possibly with the world stopped. They must not count, allocate, wait or reach a safe point.
// References that they are given, and that they return, are borrowed. The runtime calls
// Traverse, Slots and Block for no frozen object, whose body may have another form: see
// Freezing. Only CopySlots, CheckSlots and, for types with Freezing.Hash, the comparison of
// equal objects and the check of images call Slots for frozen objects.
type Type struct {
	Name string

	// Traverse calls visit with every reference that the object holds a count of,
	// exactly once. It may also call visit with Nil, and with immortals. If objects of
	// the type can change, it reads their slots with LoadRef, since other threads may
	// be writing to them. Nil if the type holds no references, or has Slots.
	Traverse func(h Heap, o Body, visit func(Ref))

	// Slots stands in for Traverse in a type that keeps its references in a row. It
	// returns the memory in which they lie, which is the object's body or its block,
	// the word of the first one, and how many there are. Slots among them may be Nil,
	// so a container may return all the slots of its block. The rules of Traverse
	// apply. The collector is twice as fast with Slots as with Traverse.
	Slots func(h Heap, o Body) (slots Body, first, n int)

	// Block returns the block that the object keeps its contents in, or Nil if it has
	// none, as in a constructor that failed between New and NewBlock. The runtime frees
	// the block with the object, and adds its size to what waits for a grace period.
	// The block is no object: Traverse does not visit it. Nil if the type has no
	// blocks.
	Block func(o Body) Ref

	// Finalize is code of the user's for an object that has died. It is called
	// once for each object, at the next safe point of the thread that gave up the
	// last reference, with no lock held and the world running, and may do
	// anything but detach. r is borrowed from the runtime for the time of the
	// call; who keeps a reference resurrects the object, which then lives on, and
	// dies without Finalize. Not called for immortals, nor for what only they keep
	// alive until Close. A panic goes to Options.OnError. Nil for none.
	Finalize func(t *Thread, r Ref)

	// Forget takes an object that has its weak bit set (see Thread.SetWeak) out of
	// the tables that lead to it. It is called at its death, when it cannot be
	// revived any more.
	Forget func(t *Thread, r Ref, o Body)

	// Drop gives up what every object of the type has outside the heap. It is
	// called at its death, after Forget, and for immortals at Close. Code of the
	// user's that is due by it goes to Thread.Later or Thread.LaterBlocking.
	Drop func(t *Thread, r Ref, o Body)

	// Mutable says that references in the object can change after birth.
	Mutable bool

	// Freezing says how objects of the type are frozen, and checked in images. Nil if
	// they cannot be.
	Freezing *Freezing

	singleton func(o Body) // fills the body of the type's singleton

	id      TypeID
	same    int // how many types have had the name, with this one
	meta    uint32
	purpose arena.Purpose
	tail    uintptr // bytes behind the body that are the runtime's
	least   uint32  // granules that an object takes at least
}

// ID returns the type's number.
func (y *Type) ID() TypeID { return y.id }

// String returns the type's name. Where several types have it, all but the first to be defined
// have their number behind it: point, point#2.
func (y *Type) String() string {
	if y == nil {
		return "no type"
	}
	if y.same > 1 {
		return fmt.Sprintf("%s#%d", y.Name, y.same)
	}
	return y.Name
}

var types struct {
	sync.Mutex
	next   TypeID
	table  [maxTypes]atomic.Pointer[Type]
	named  map[string]int      // types, by name
	layout map[[2]string]*Type // user-defined types that images take, by name and Freezing.Layout
}

// typeOfLayout returns the user-defined type with this name and this layout, or nil.
func typeOfLayout(name, layout string) *Type {
	types.Lock()
	defer types.Unlock()
	return types.layout[[2]string{name, layout}]
}

// DefineType adds a type and returns its descriptor. Types live as long as the
// process, and serve every runtime in it. Any goroutine.
func DefineType(y Type) (*Type, error) {
	if y.Name == "" {
		return nil, fault.New("define type: it has no name")
	}
	if y.Traverse != nil && y.Slots != nil {
		return nil, fault.Errorf("define type %s: it has Traverse and Slots, want one of them", y.Name)
	}
	if err := y.Freezing.validate(&y); err != nil {
		return nil, fault.Errorf("define type %s: %w", y.Name, err)
	}
	types.Lock()
	defer types.Unlock()
	if types.next == 0 {
		types.next = firstUserType
	}
	if types.next == metaTypeMax {
		return nil, fault.Errorf("define type %s: %d types are defined, there is no room for more", y.Name, metaTypeMax)
	}
	if y.Freezing == nil || y.Freezing.Layout == "" {
		return setType(types.next, y), nil
	}
	if n := max(len(y.Name), len(y.Freezing.Layout)); n > imagefile.MaxTypeText {
		return nil, fault.Errorf("define type %s: a name or a layout of %d bytes, and images take at most %d", imagefile.Quoted(y.Name), n, imagefile.MaxTypeText)
	}
	key := [2]string{y.Name, y.Freezing.Layout}
	if types.layout[key] != nil {
		return nil, fault.Errorf("define type %s: there is one of this name with the layout %q, and images could not tell them apart", y.Name, y.Freezing.Layout)
	}
	if types.layout == nil {
		types.layout = make(map[[2]string]*Type)
	}
	p := setType(types.next, y)
	types.layout[key] = p
	return p, nil
}

// defineBuiltin is DefineType for the types with a fixed id: see builtin.Define.
func defineBuiltin(id TypeID, y Type, singleton func(o Body)) *Type {
	types.Lock()
	defer types.Unlock()
	if id == 0 || id >= firstUserType || types.table[id].Load() != nil {
		fault.Throw(Misuse{What: "built-in type defined twice, or out of range", On: fmt.Sprintf("type %d, %s", id, y.Name), Want: "a number that is free"})
	}
	if id == TypeFloat && (y.Traverse != nil || y.Block != nil || y.Finalize != nil || y.Forget != nil || y.Drop != nil) {
		fault.Throw(Misuse{What: "a float has no body and no death of its own", Want: "a type without functions for these"})
	}
	next := types.next
	y.singleton = singleton
	p := setType(id, y)
	types.next = next
	return p
}

func setType(id TypeID, y Type) *Type {
	y.id = id
	y.meta = uint32(id)
	if slots := y.Slots; slots != nil {
		y.Traverse = func(h Heap, o Body, visit func(Ref)) {
			b, first, n := slots(h, o)
			for i := range n {
				visit(b.LoadRef(first + i))
			}
		}
	}
	y.purpose = arena.Leaves
	if y.Traverse != nil {
		y.meta |= metaRefs
		y.purpose = arena.Containers
		y.least = arena.MinContainer
	}
	if y.Finalize != nil || y.Drop != nil {
		y.meta |= metaDeath
	}
	if y.Finalize != nil {
		y.tail = 4
	}
	if types.named == nil {
		types.named = make(map[string]int)
	}
	types.named[y.Name]++
	y.same = types.named[y.Name]
	types.table[id].Store(&y)
	types.next = id + 1
	return &y
}

func typeOf(meta uint32) *Type { return types.table[meta&metaTypeMax].Load() }

// TypeOf returns the type of what r names; nil for Nil. r is borrowed. Attached thread.
func (t *Thread) TypeOf(r Ref) *Type {
	switch {
	case r.IsInt():
		return types.table[TypeInt].Load()
	case r.IsNil():
		return nil
	}
	if t.check != nil {
		t.check.access(t, r)
	}
	return t.rt.typeAt(r)
}

// typeAt returns the type of the object r, which is frozen or not.
func (r *Runtime) typeAt(o Ref) *Type {
	meta := r.header(o).Meta()
	if TypeID(meta&metaTypeMax) == typeLocal {
		return r.localType(o, meta)
	}
	return typeOf(meta)
}

// Kind returns the number of the type of what r names; 0 for Nil. r is borrowed. Attached
// thread.
func (t *Thread) Kind(r Ref) TypeID {
	if r.IsInt() {
		return TypeInt
	}
	if t.check != nil && !r.IsNil() {
		t.check.access(t, r)
	}
	id := TypeID(t.header(r).Meta() & metaTypeMax) // Nil's header has no type
	if id == typeLocal {
		return t.rt.typeAt(r).id
	}
	return id
}

// QuickKind is Kind where that takes one look at the header, and 0 elsewhere: for small
// integers, for Nil, and for everything in checked mode. A caller that gets 0 asks Kind or
// Object, which also report misuse. Of a frozen object of a user-defined type it is no
// type's number. r is borrowed. It is inlined. Attached thread.
func (t *Thread) QuickKind(r Ref) TypeID {
	if t.check != nil || r.IsInt() {
		return 0
	}
	return TypeID(t.header(r).Meta() & metaTypeMax)
}

// Object returns the body of r if r is an object of the given type, boxed integers
// included, small ones not. r is borrowed. It tells cheaply what a reference is. Attached
// thread.
func (t *Thread) Object(r Ref, id TypeID) (Body, bool) {
	if r.IsInt() {
		return Body{}, false
	}
	if t.check != nil {
		t.check.access(t, r)
	}
	got := TypeID(t.header(r).Meta() & metaTypeMax)
	if got == typeLocal {
		got = t.rt.typeAt(r).id
	}
	return t.Body(r), got == id
}

// builtin has the methods that package objects gets, and nobody else: see package kinds.
// Its kinds know tables of the runtime, and the runtime knows how they are born and die.
type builtin struct{}

func init() { kinds.Offer(builtin{}) }

// Define is DefineType for the types with a fixed number, while the program starts.
// singleton, if it is not nil, fills the body of the singleton of the type.
func (builtin) Define(id TypeID, y Type, singleton func(o Body)) *Type {
	return defineBuiltin(id, y, singleton)
}

// NewFloat is how Floats are born: see Thread.newFloat.
func (builtin) NewFloat(t *Thread, v float64, note uint32) (Ref, error) { return t.newFloat(v, note) }

// LinkWeak, UnlinkWeak and FollowWeak are what a Weak does at its birth, at its death and
// for Get: see the methods of Thread.
func (builtin) LinkWeak(t *Thread, w, target Ref, fns ...func(*Thread)) {
	t.linkWeak(w, target, fns...)
}
func (builtin) UnlinkWeak(t *Thread, w Ref)     { t.unlinkWeak(w) }
func (builtin) FollowWeak(t *Thread, w Ref) Ref { return t.followWeak(w) }

// Interned is the weak table of equal strings, by the 64-bit hash of their text. The
// references are borrowed, and count nothing.
func (builtin) Interned(r *Runtime) *xsync.MapOf[uint64, Ref] { return r.intern }

// Foreign is the table of the Go values that objects hold, by the object, which is
// borrowed.
func (builtin) Foreign(r *Runtime) *xsync.MapOf[Ref, any] { return r.foreign }

// HashSeed is the seed of hashes that nobody outside is to foresee: random, and the same in
// all processes that share the heap.
func (builtin) HashSeed(r *Runtime) (k0, k1 uint64) { return r.seed[0], r.seed[1] }

// EqualStrings is the table of equal strings of the region that the thread's births go to,
// by the 64-bit hash of their text; nil if births are mortal. The references are borrowed,
// and counted by nobody.
func (builtin) EqualStrings(t *Thread) map[uint64]Ref {
	if t.region == nil {
		return nil
	}
	return t.region.equal
}
