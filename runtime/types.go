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

// TypeID numbers a type. Built-in types have the same number in every process.
type TypeID uint16

const (
	_ TypeID = iota
	TypeNone
	TypeBool
	TypeInt   // small ones are in the reference, the others are boxed
	TypeFloat // a header without a body: see Thread.Float
	TypeNumber
	TypeString
	TypeBytes
	TypeTuple
	TypeList
	TypeDict
	TypeWeak
	TypeCell
	TypeForeign

	// typeLocal is the type number in the headers of frozen objects of user-defined types. The
	// number of such a type differs from one process to the next. So the header has, from bit
	// localShift up, an index into the type table of the Frozen.
	typeLocal TypeID = 63

	firstUserType TypeID = 64
	maxTypes             = 1 << 16
)

// The meta word of a header: the type number in the lower half, flags in the upper half.
const (
	metaRefs  = 1 << 16 // the type has a Traverse
	metaDeath = 1 << 17 // the type has a Finalize or a Drop
	metaBlock = 1 << 18 // the type has a Block
	metaSlots = 1 << 19 // the type has Slots

	// metaBare has the flags of which an object has none if its death is the end of its memory
	// and of nothing else.
	metaBare = metaRefs | metaDeath | metaBlock

	metaPoison  = 1 << 31 // freed, in checked mode
	metaTypeMax = 1<<16 - 1

	localShift = 16 // frozen objects of type typeLocal have an index in place of the flags
	maxLocal   = 1 << 15
)

const _ = -uint(header.FloatMeta ^ uint32(TypeFloat)) // package header cannot import TypeFloat

// Type describes a type of objects. DefineType copies it. The descriptor that DefineType
// returns is immutable.
//
// The runtime calls Traverse, Slots, Block, Forget and Drop in the middle of counting and
// freeing, possibly with the world stopped. They must not count, allocate, wait or reach a safe
// point. All references that they take and return are borrowed. The runtime calls Traverse,
// Slots and Block for no frozen object, since its body may have another layout: see Freezing.
// The exceptions are CopySlots, CheckSlots and, for types with Freezing.Hash, the comparison of
// equal objects and the check of images: they call Slots for frozen objects.
type Type struct {
	Name string

	// Traverse calls visit exactly once for every reference of which the object owns a count.
	// It may also call visit with Nil, and with immortals. If objects of the type can change,
	// it reads their slots with LoadRef, since other threads may be writing to them. Nil if the
	// type holds no references, or has Slots.
	Traverse func(h Heap, o Body, visit func(Ref))

	// Slots replaces Traverse in a type that keeps its references in consecutive words. It
	// returns the memory that they lie in, which is the object's body or its block, the word of
	// the first one, and their number. Slots may be Nil, so a container may return all the
	// slots of its block. The rules of Traverse apply. The collector is twice as fast with
	// Slots as with Traverse.
	Slots func(h Heap, o Body) (slots Body, first, n int)

	// Block returns the block that holds the contents of the object, or Nil if the object has
	// none, for instance because its constructor failed between New and NewBlock. The runtime
	// frees the block with the object, and adds its size to the deferred bytes when the object
	// is retired. The block is not an object: Traverse does not visit it. Nil if objects of the
	// type have no blocks.
	Block func(o Body) Ref

	// Finalize is user code for an object that has died. The runtime calls it once for
	// each object, at the next safe point of the thread that gave up the last reference, with
	// no lock held and the world running. It may do anything but detach. r is borrowed from the
	// runtime for the duration of the call. Keeping a reference to it resurrects the object,
	// which then lives on, and dies without another call of Finalize. It is not called for
	// immortals, nor for objects that only immortals keep alive until Close. A panic goes to
	// Options.OnError. Nil for none.
	Finalize func(t *Thread, r Ref)

	// Forget removes an object whose weak bit is set (see Thread.SetWeak) from the tables that
	// lead to it. The runtime calls it at the object's death, when the object can no longer be
	// revived.
	Forget func(t *Thread, r Ref, o Body)

	// Drop gives up what an object of the type owns outside the heap. The runtime calls it at
	// the object's death, after Forget, and for immortals at Close. If user code has to run,
	// Drop passes it to Thread.Later or Thread.LaterBlocking.
	Drop func(t *Thread, r Ref, o Body)

	// Mutable says that references in the object can change after its birth.
	Mutable bool

	// Freezing says how objects of the type are frozen, and checked in images. Nil if they
	// cannot be frozen.
	Freezing *Freezing

	singleton func(o Body)           // fills the body of the type's singleton
	settle    func(t *Thread, r Ref) // see builtin.Define

	id       TypeID
	same     int // how many types have had the name, including this one
	meta     uint32
	purpose  arena.Purpose
	tail     uintptr // bytes behind the body that belong to the runtime
	least    uint32  // minimum size of an object, in granules
	quick    uint    // bodies of fewer bytes may be made from a magazine
	magazine int     // index of the magazine for objects of one granule
}

// Freezing says how objects of a type are frozen. Its functions are called by a thread that may
// hold borrowed references and may have stopped the world. They must not reach a safe point,
// call user code, or take a lock other than the object's own, which its writers never hold at
// a safe point.
//
// A frozen object has a body and no block. The body may have another layout than that of a
// mortal object: it needs no lock, no version, and no room to grow. The type's methods call
// Handle.IsFrozen to tell the two apart. In a frozen object they read slots with Heap.Slot and
// everything else with Word. Methods that write, even to a lock, return Thread.FrozenError
// instead.
type Freezing struct {
	// Layout names the layout of a frozen object's body. An image records the type's name and
	// this string. A program can open the image if it has a type with both. Change it whenever
	// the layout changes. Empty for types that cannot be in images.
	Layout string

	// Copy copies an object: see the type Copy. CopyBody and CopySlots serve types whose frozen
	// objects have the same layout as the others. If objects of the type can change, Copy holds
	// their lock while it reads; it may call Alloc and Slot with the lock held.
	Copy func(c *Copy) error

	// Version returns a number that differs after each change of the object, for types that are
	// Mutable. A writer increments it before the change, with the lock held that Copy takes as
	// well. An operation that leaves the contents as they were, such as moving them to a larger
	// block, need not increment it. Version takes no lock, so it reads the number with one
	// atomic load. Writers that take no lock increment it before and after the change, and the
	// type sets Lockless.
	Version  func(h Heap, o Body) uint64
	Lockless bool

	// Check checks an object of an image as if an attacker had written it: see the type Check.
	// It checks each object by itself, and follows no reference except to a Check.Leaf.
	// CheckBody and CheckSlots go with CopyBody and CopySlots. Nil for types without a Layout.
	Check func(k *Check) error

	// CheckDeep is called after Check has passed all objects of the image, and may follow
	// references. It is not called for objects that Check has declared Settled. An object whose
	// type has a Hash comes after the objects with a Hash that it refers to, and these come
	// before all others. User-defined types come after the built-in ones. Nil if there is
	// nothing more to check.
	CheckDeep func(k *Check) error

	// Hash returns a number that is the same for equal objects. It returns 0 for an object that
	// equals no other. It is for types that are not Mutable, whose contents are entirely in
	// Slots, and whose objects do not lead back to themselves. FreezeOptions.ShareEqual uses
	// it. Nil if no two objects are equal.
	Hash func(o Body) uint32

	// Label names the i-th reference that Traverse visits or Slots returns, counted from 0 and
	// including Nil, in the path of an error: "[3]", ".x". Nil for "<3>".
	Label func(t *Thread, r Ref, i int) string
}

func (z *Freezing) validate(y *Type) error {
	switch {
	case z == nil:
		return nil
	case z.Copy == nil:
		return fmt.Errorf("its Freezing has no Copy")
	case y.Mutable && z.Version == nil:
		return fmt.Errorf("it is Mutable, and its Freezing has no Version")
	case z.Hash != nil && y.Slots == nil:
		return fmt.Errorf("its Freezing has a Hash, but the type has no Slots")
	case z.Layout != "" && z.Check == nil:
		return fmt.Errorf("its Freezing has a Layout but no Check")
	case y.Finalize != nil || y.Drop != nil:
		return fmt.Errorf("it has Freezing and Finalize or Drop: frozen objects do not die")
	}
	return nil
}

// ID returns the type's number.
func (y *Type) ID() TypeID { return y.id }

// String returns the type's name. If several types have the name, all but the first to be
// defined have a number behind it: point, point#2.
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
	layout map[[2]string]*Type // user-defined types that images may contain, by name and Freezing.Layout
}

// typeOfLayout returns the user-defined type with this name and this layout, or nil.
func typeOfLayout(name, layout string) *Type {
	types.Lock()
	defer types.Unlock()
	return types.layout[[2]string{name, layout}]
}

// DefineType adds a type and returns its descriptor. A type lives as long as the process, and
// serves every runtime in it. Any goroutine.
func DefineType(y Type) (*Type, error) {
	if y.Name == "" {
		return nil, fault.New("define type: it has no name")
	}
	if y.Traverse != nil && y.Slots != nil {
		return nil, fault.Errorf("define type %s: it has Traverse and Slots, want only one of them", y.Name)
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
		return nil, fault.Errorf("define type %s: %d types are defined, and there is no room for more", y.Name, metaTypeMax)
	}
	if y.Freezing == nil || y.Freezing.Layout == "" {
		return setType(types.next, y), nil
	}
	if n := max(len(y.Name), len(y.Freezing.Layout)); n > imagefile.MaxTypeText {
		return nil, fault.Errorf("define type %s: its name or layout has %d bytes, and images take at most %d", imagefile.Quoted(y.Name), n, imagefile.MaxTypeText)
	}
	key := [2]string{y.Name, y.Freezing.Layout}
	if types.layout[key] != nil {
		return nil, fault.Errorf("define type %s: there is already one of this name with the layout %q, and images could not tell them apart", y.Name, y.Freezing.Layout)
	}
	if types.layout == nil {
		types.layout = make(map[[2]string]*Type)
	}
	p := setType(types.next, y)
	types.layout[key] = p
	return p, nil
}

// defineBuiltin is DefineType for the types with a fixed number: see builtin.Define.
func defineBuiltin(id TypeID, y Type, singleton func(o Body)) *Type {
	types.Lock()
	defer types.Unlock()
	if id == 0 || id >= firstUserType || types.table[id].Load() != nil {
		fault.Throw(Misuse{What: "built-in type defined twice, or out of range", On: fmt.Sprintf("type %d, %s", id, y.Name), Want: "a free number"})
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
	if y.Block != nil {
		y.meta |= metaBlock
	}
	if y.Slots != nil {
		y.meta |= metaSlots
	}
	y.magazine = arena.Magazine(y.purpose, 1)
	if y.Finalize != nil {
		y.tail = 4
	} else {
		y.quick = arena.MagazineGranules*arena.GranuleSize - header.Size + 1
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

// TypeOf returns the type of the object or small integer r, and nil for Nil. r is borrowed.
// Attached thread.
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

// typeAt returns the type of the object o, frozen or not.
func (r *Runtime) typeAt(o Ref) *Type {
	meta := r.header(o).Meta()
	if TypeID(meta&metaTypeMax) == typeLocal {
		return r.localType(o, meta)
	}
	return typeOf(meta)
}

// Kind returns the type number of the object or small integer r, and 0 for Nil. r is borrowed.
// Attached thread.
func (t *Thread) Kind(r Ref) TypeID {
	if r.IsInt() {
		return TypeInt
	}
	if t.check != nil && !r.IsNil() {
		t.check.access(t, r)
	}
	id := TypeID(t.header(r).Meta() & metaTypeMax) // the header at Nil has type 0
	if id == typeLocal {
		return t.rt.typeAt(r).id
	}
	return id
}

// QuickKind is Kind where one look at the header is enough, and 0 elsewhere: for small
// integers, for Nil, and for everything in checked mode. A caller that gets 0 goes on to Kind
// or Object, which also report misuse. For a frozen object of a user-defined type it returns a
// number that no type has. r is borrowed. It is inlined. Attached thread.
func (t *Thread) QuickKind(r Ref) TypeID {
	if t.check != nil || r.IsInt() {
		return 0
	}
	return TypeID(t.header(r).Meta() & metaTypeMax)
}

// Object returns the body of r if r is an object of the given type. Boxed integers are objects,
// small ones are not. r is borrowed. It is the cheap type test. Attached thread.
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

// builtin has the methods that only package objects gets: see package kinds. Its kinds use
// tables of the runtime, and the runtime knows how they are born and die.
type builtin struct{}

func init() { kinds.Offer(builtin{}) }

// Define is DefineType for the types with a fixed number. It is called while the program
// starts. If singleton is not nil, it fills the body of the type's singleton. If settle is not
// nil, it is called for each object of the type before the object becomes immortal in place or
// is frozen, possibly with the world stopped. It must obey the rules for Traverse.
func (builtin) Define(id TypeID, y Type, singleton func(o Body), settle func(t *Thread, r Ref)) *Type {
	y.settle = settle
	return defineBuiltin(id, y, singleton)
}

// Floats returns the function that creates a Float: see Thread.newFloat.
func (builtin) Floats() func(t *Thread, v float64, note uint32) (Ref, error) {
	return (*Thread).newFloat
}

// LinkWeak, UnlinkWeak and FollowWeak serve a Weak at its birth, at its death and in Get: see
// the methods of Thread.
func (builtin) LinkWeak(t *Thread, w, target Ref, fns ...func(*Thread)) {
	t.linkWeak(w, target, fns...)
}
func (builtin) UnlinkWeak(t *Thread, w Ref)     { t.unlinkWeak(w) }
func (builtin) FollowWeak(t *Thread, w Ref) Ref { return t.followWeak(w) }

// WaitForLock waits for a lock, and takes it: see package locks. The thread gives it back before
// its next safe point.
func (builtin) WaitForLock(t *Thread, w *uint32) { t.waitForLock(w) }

// Interned returns the weak table of equal strings, by the 64-bit hash of their text. Its
// references are borrowed, and hold no counts.
func (builtin) Interned(r *Runtime) *xsync.MapOf[uint64, Ref] { return r.intern }

// Foreign returns the table of the Go values that objects hold, by the object, which is
// borrowed.
func (builtin) Foreign(r *Runtime) *xsync.MapOf[Ref, any] { return r.foreign }

// HashSeed returns the seed of hashes that must be unpredictable from outside. It is random,
// and the same in all processes that share the heap.
func (builtin) HashSeed(r *Runtime) (k0, k1 uint64) { return r.seed[0], r.seed[1] }

// EqualStrings returns the table of equal strings of the region in which the thread's objects
// are born now, by the 64-bit hash of their text. The references are borrowed, and counted by
// nobody. It requires t.BirthsImmortal().
func (builtin) EqualStrings(t *Thread) map[uint64]Ref { return t.region.equal }
