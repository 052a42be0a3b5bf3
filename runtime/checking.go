package runtime

import (
	"errors"
	"fmt"
	"math/bits"

	"github.com/cespare/xxhash/v2"

	"github.com/ichor-go/ichor/internal/arena"
	"github.com/ichor-go/ichor/internal/mutant"
)

// Checking an image trusts nothing that its bytes say. Each step uses only facts that earlier
// steps have established, and reads nothing outside the image:
//
//	step     establishes                                               uses
//	headers  each object begins where the one before ends, with a      nothing
//	         header as Freeze writes it, of a known type. The checksum
//	         is computed in the same pass, block by block
//	leaves   Freezing.Check of objects without references, in the      its header
//	         same pass, so that memory is read once for all of this
//	root     the root is a reference to an object                      headers
//	bodies   Freezing.Check of the others, in the order of addresses:  headers, leaves
//	         sizes fit, and every slot leads to the start of an object
//	order    an object with a Freezing.Hash does not lead back to      bodies, and order of
//	         itself through others that have one, whatever hash it     what it refers to
//	         holds; CheckDeep of each, after those that it refers to
//	deep     CheckDeep of the others that have not said Settled:       order; for user-defined
//	         first of built-in types, then of user-defined ones        types, the built-in ones
//
// The time of each step is linear in the size of what it checks. The check takes five bits of
// memory for each granule; order takes eight bytes more for each object on the path to the
// current one.
type checking struct {
	heap     Heap
	start    Handle
	granules uint32
	types    []*Type // user-defined types, by their index in headers: they have a Layout, and so a Check
	builtin  [typeLocal]*Type
	objects  int64

	starts  bitmap // granules where objects begin
	refer   bitmap // granules where objects with references begin
	pending bitmap // objects with a Freezing.Hash, not yet ordered
	entered bitmap // those of them that order has reached
	deep    bitmap // objects with a CheckDeep that are not Settled

	reader *Thread // reads objects, and does nothing else
	kept   map[*Type]any
	k      Check
}

// bitmap has a bit for each granule.
type bitmap []uint64

func (b bitmap) has(i uint32) bool { return b[i/64]>>(i%64)&1 != 0 }
func (b bitmap) set(i uint32)      { b[i/64] |= 1 << (i % 64) }
func (b bitmap) clear(i uint32)    { b[i/64] &^= 1 << (i % 64) }

// each calls fn with each bit that is set, in ascending order, until fn fails. fn may clear
// bits.
func (b bitmap) each(fn func(i uint32) error) error {
	for w := range b {
		for left := ^uint64(0); b[w]&left != 0; {
			i := bits.TrailingZeros64(b[w] & left)
			if err := fn(uint32(w*64 + i)); err != nil {
				return err
			}
			left = ^uint64(1) << i
		}
	}
	return nil
}

// typeOf returns the type for a meta word, or nil if there is none that can be checked.
func (x *checking) typeOf(meta uint32) *Type {
	if meta < uint32(typeLocal) {
		return x.builtin[meta]
	}
	if i := int(meta >> localShift); TypeID(meta&metaTypeMax) == typeLocal && i < len(x.types) {
		return x.types[i]
	}
	return nil
}

// run makes all checks. root has the encoding of a slot.
func (x *checking) run(root Ref, checksum uint64) error {
	x.k.x, x.kept = x, map[*Type]any{}
	for id := range x.builtin {
		if y := types.table[id].Load(); y != nil && y.Freezing != nil {
			x.builtin[id] = y
		}
	}
	for _, b := range []*bitmap{&x.starts, &x.refer, &x.pending, &x.entered, &x.deep} {
		*b = make(bitmap, x.granules/64+1)
	}
	if err := x.headers(checksum); err != nil {
		return err
	}
	if at := uint32(root.Handle - selfBase); !(at < x.granules && x.starts.has(at) || root.IsInt() || isSingleton(root) || mutant.On && mutant.Is(mutant.RootUnchecked)) {
		return fmt.Errorf("the root, %#08x, does not refer to an object of the image", uint32(root.Handle))
	}
	if err := x.refer.each(x.body); err != nil {
		return err
	}
	if err := x.pending.each(x.order); err != nil {
		return err
	}
	for _, user := range []bool{false, true} {
		err := x.deep.each(func(at uint32) error {
			if y := x.look(at); (y.id >= firstUserType) == user {
				return x.settle(at, y)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// hashBlock is how many granules are hashed before their headers are checked. They fit the
// second-level cache.
const hashBlock = 256 << 10 >> arena.GranuleShift

// headers checks the checksum, all headers, and the bodies of leaves. If the checksum is wrong,
// the error says so, even if a header is wrong too.
func (x *checking) headers(checksum uint64) error {
	var sum xxhash.Digest
	sum.Reset()
	var fault error
	at := uint32(0)
	for from := uint32(0); from < x.granules; {
		n := min(hashBlock, x.granules-from)
		_, _ = sum.Write(x.heap.Block(Ref{x.start + Handle(from)}).Bytes(0, int(n)<<arena.GranuleShift)) // Write of a hash never fails
		from += n
		if fault == nil {
			at, fault = x.headersTo(at, from)
		}
	}
	if sum.Sum64() != checksum && !(mutant.On && mutant.Is(mutant.ChecksumSkipped)) {
		return errors.New("the objects do not match their checksum")
	}
	return fault
}

// headersTo checks the headers from granule at on, as long as they begin before end, and the
// bodies of objects without references. It returns where the next header begins.
func (x *checking) headersTo(at, end uint32) (uint32, error) {
	for at < end {
		meta, size, ok := x.heap.header(Ref{x.start + Handle(at)}).Frozen(at)
		if !ok || size > x.granules-at {
			return at, fmt.Errorf("byte %#x of the objects: not an object header", int64(at)<<arena.GranuleShift)
		}
		y := x.typeOf(meta)
		if y == nil {
			return at, fmt.Errorf("byte %#x of the objects: unknown type %#x", int64(at)<<arena.GranuleShift, meta)
		}
		x.starts.set(at)
		x.objects++
		if y.Traverse != nil {
			x.refer.set(at)
		} else if err := x.body(at); err != nil {
			return at, err
		}
		at += size
	}
	return at, nil
}

// look makes the object at granule at the current one, and returns its type.
func (x *checking) look(at uint32) *Type {
	r := Ref{x.start + Handle(at)}
	h := x.heap.header(r)
	x.k.settled = false
	x.k.r, x.k.o, x.k.bytes = r, x.heap.Body(r), int(h.FrozenSize()-1)<<arena.GranuleShift
	return x.typeOf(h.Meta())
}

// body checks the object at granule at by itself.
func (x *checking) body(at uint32) error {
	if _, note, ok := x.heap.header(Ref{x.start + Handle(at)}).Number(); ok && note == 0 {
		return nil // a float without a note consists of its header, which is checked
	}
	y := x.look(at)
	z := y.Freezing
	if err := z.Check(&x.k); err != nil {
		return x.fault(at, y, err)
	}
	if z.Hash != nil {
		x.pending.set(at)
	}
	if z.CheckDeep != nil && !x.k.settled {
		x.deep.set(at)
	}
	return nil
}

func (x *checking) fault(at uint32, y *Type, err error) error {
	return fmt.Errorf("byte %#x of the objects, a %s: %w", int64(at)<<arena.GranuleShift, y, err)
}

// order settles the pending object at granule root, after the pending objects that it leads to
// through pending ones. It is a depth-first walk with an explicit stack. An object that was
// entered and is not yet settled is on the current path.
func (x *checking) order(root uint32) error {
	type step struct {
		at   uint32
		next uint32 // index of its next slot
	}
	for way := []step{{at: root}}; len(way) > 0; {
		s := &way[len(way)-1]
		y := x.look(s.at)
		b, first, n := y.Slots(x.heap, x.k.o)
		child := uint32(selfCount)
		for ; int(s.next) < n && child >= x.granules; s.next++ {
			if c := b.Word(first+int(s.next)) - uint32(selfBase); c < x.granules && x.pending.has(c) {
				child = c
			}
		}
		switch {
		case child >= x.granules:
			if err := x.settle(s.at, y); err != nil {
				return err
			}
			x.pending.clear(s.at)
			way = way[:len(way)-1]
		case x.entered.has(child):
			return x.fault(s.at, y, errors.New("it refers back to itself"))
		default:
			x.entered.set(child)
			way = append(way, step{at: child})
		}
	}
	return nil
}

// settle calls CheckDeep of the current object, which is at granule at, unless that is done or
// not needed.
func (x *checking) settle(at uint32, y *Type) error {
	if !x.deep.has(at) {
		return nil
	}
	x.deep.clear(at)
	if err := y.Freezing.CheckDeep(&x.k); err != nil {
		return x.fault(at, y, err)
	}
	return nil
}

// Check is the check of one object of an image, which an attacker may have written. So
// Freezing.Check must not read a word of the body beyond Bytes, must follow no reference except
// to a Leaf, and must take time proportional to the body, whatever is in it. Most types need
// four steps: return an error if Bytes is too small for the words that hold the lengths; read
// the lengths and return an error if they exceed the body; call Exactly with the size that they
// give; and call Slots for the references. The goroutine that opens the image uses a Check, one
// goroutine at a time, during the call. The references are borrowed, and counted by nobody.
type Check struct {
	x       *checking
	r       Ref
	o       Body
	bytes   int
	settled bool
}

// Object returns a borrowed reference to the object to check.
func (k *Check) Object() Ref { return k.r }

// Body returns the body to check.
func (k *Check) Body() Body { return k.o }

// Bytes returns the size of the body, a multiple of 16.
func (k *Check) Bytes() int { return k.bytes }

// Exactly returns an error unless a body of the given size takes as much memory as this one
// has, and the bytes behind it are zero.
func (k *Check) Exactly(bytes int) error {
	if mutant.On && mutant.Is(mutant.LengthUnchecked) {
		return nil
	}
	if bytes < 0 || bytes > maxBody || int(arena.Granules(uintptr(bytes)))<<arena.GranuleShift != k.bytes {
		return fmt.Errorf("a body of %d bytes in a space of %d", bytes, k.bytes)
	}
	rest := byte(0)
	for _, b := range k.o.Bytes(0, (bytes+3)&^3)[bytes:] {
		rest |= b
	}
	words := uint32(rest)
	for i := (bytes + 3) / 4; i < k.bytes/4; i++ {
		words |= k.o.Word(i)
	}
	if words != 0 {
		return fmt.Errorf("its padding is not zero")
	}
	return nil
}

// Slots returns an error unless each of words first to first+n-1 of the body is a reference to
// an object of the image, a small integer or a singleton. Nil is an error. The words must lie
// within Bytes.
func (k *Check) Slots(first, n int) error {
	x, o := k.x, k.o
	starts, granules := x.starts, x.granules
	for i := first; i < first+n; i++ {
		v := refAt(o.Word(i))
		if at := uint32(v.Handle - selfBase); at < granules {
			if starts.has(at) {
				continue
			}
		} else if v.IsInt() || isSingleton(v) {
			continue
		}
		if mutant.On && mutant.Is(mutant.SlotUnchecked) {
			continue
		}
		return fmt.Errorf("word %d, %#08x, does not refer to an object of the image", i, uint32(v.Handle))
	}
	return nil
}

// Leaf reports whether the reference in word i, which Slots has passed, leads to an object
// without references. All such objects have passed their Check before Check sees any other, so
// they may be read as after opening.
func (k *Check) Leaf(i int) bool {
	at := k.o.Word(i) - uint32(selfBase)
	return at >= k.x.granules || !k.x.refer.has(at)
}

// Settled tells the runtime to skip CheckDeep: Check has checked everything.
func (k *Check) Settled() { k.settled = true }

// Reader returns a thread for reading objects of the image that have passed their checks, and
// for nothing else. It belongs to a runtime in which only the image is loaded.
func (k *Check) Reader() *Thread { return k.x.reader }

// Kept returns the value that make returned when a check of the same type first called Kept
// during this opening. It carries what a type's checks remember between objects.
func (k *Check) Kept(make func() any) any {
	y := k.x.typeOf(k.x.heap.header(k.r).Meta())
	v, ok := k.x.kept[y]
	if !ok {
		v = make()
		k.x.kept[y] = v
	}
	return v
}

// Ref returns the borrowed reference in word i, which Slots has passed.
func (k *Check) Ref(i int) Ref { return Home(k.x.start).Ref(refAt(k.o.Word(i))) }

// Kind returns the type number of r, which was returned by Ref and is borrowed. It returns 0 if
// r is not of a built-in type.
func (k *Check) Kind(r Ref) TypeID {
	if r.IsInt() {
		return TypeInt
	}
	if id := TypeID(k.x.heap.header(r).Meta() & metaTypeMax); id < typeLocal {
		return id
	}
	return 0
}

// CheckBody returns the Freezing.Check that goes with CopyBody. Any goroutine.
func CheckBody(bytes int) func(k *Check) error {
	return func(k *Check) error { return k.Exactly((bytes + 3) / 4 * 4) }
}

// CheckSlots is the Freezing.Check that goes with CopySlots, for types with a Slots that reads
// only the first words of the body. Any goroutine.
func CheckSlots(words int) func(k *Check) error {
	return func(k *Check) error {
		if k.bytes < 4*words {
			return fmt.Errorf("a body of %d bytes, want at least %d", k.bytes, 4*words)
		}
		y := k.x.typeOf(k.x.heap.header(k.r).Meta())
		o, first, n := y.Slots(k.x.heap, k.Body())
		if o != k.Body() || first < 0 || n < 0 || n > k.bytes/4 || first > k.bytes/4 {
			return fmt.Errorf("%d slots from word %d on in a body of %d bytes", n, first, k.bytes)
		}
		if err := k.Exactly(4 * (first + n)); err != nil {
			return err
		}
		return k.Slots(first, n)
	}
}

func isSingleton(r Ref) bool {
	return r.Handle >= none && r.Handle < endSingletons && (r.Handle-none)%2 == 0
}
