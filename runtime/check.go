package runtime

import (
	"errors"
	"fmt"
	"math/bits"

	"github.com/cespare/xxhash/v2"

	"github.com/ichor-go/ichor/internal/arena"
	"github.com/ichor-go/ichor/internal/mutant"
)

// Checking an image takes nothing for granted that its bytes say, and reads none
// outside:
//
//	headers  each object begins where the one before ends, in a header as Freeze writes
//	         it, of a known type. Where objects begin is noted in a bitmap. The checksum is
//	         taken in the same pass, block by block, and what refers to nothing is checked
//	         in it, so that memory is read once for all of this
//	bodies   Freezing.Check of the others, in the order of addresses: sizes fit, and every
//	         slot leads to where an object begins
//	cycles   what has a Freezing.Hash does not lead back to itself
//	depths   Freezing.CheckDeep of each that has not said Settled, which may look at other
//	         objects
type checking struct {
	heap     Heap
	start    Ref
	granules uint32
	types    []*Type // user-defined, by their index in headers; in run nil for what cannot be checked
	builtin  [typeLocal]*Type
	starts   []uint64
	refer    []uint64 // where those begin that refer to others
	objects  int64
	hashed   []Ref // objects whose type has a Freezing.Hash
	deep     []Ref // objects whose type has a CheckDeep, and more to look at

	reader *Thread // looks, and does nothing else
	k      Check
}

// Check is the look at one object of an image. Nothing may be believed of it: so
// Freezing.Check reads no word of the body behind Bytes, and follows no reference. Who
// opens the image has it, one goroutine at a time, for the time of the call. The
// references are borrowed, and counted by nobody.
type Check struct {
	x       *checking
	r       Ref
	o       Body
	bytes   int
	settled bool
}

// Object returns a borrowed reference to the object that is looked at.
func (k *Check) Object() Ref { return k.r }

// Body returns the body that is looked at.
func (k *Check) Body() Body { return k.o }

// Bytes returns the size of the body, a multiple of 16.
func (k *Check) Bytes() int { return k.bytes }

// Exactly fails unless a body of that many bytes takes as much memory as this one has,
// and is zero behind them.
func (k *Check) Exactly(bytes int) error {
	if mutant.On && mutant.Is(mutant.LengthUnchecked) {
		return nil
	}
	if bytes < 0 || bytes > maxBody || int(arena.Granules(uintptr(bytes)))<<arena.GranuleShift != k.bytes {
		return fmt.Errorf("a body of %d bytes in the place of %d", bytes, k.bytes)
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
		return fmt.Errorf("its last bytes are not zero")
	}
	return nil
}

// Slots fails unless words first to first+n-1 of the body are references to objects of
// the image, small integers or singletons. They lie within Bytes.
func (k *Check) Slots(first, n int) error {
	x, o := k.x, k.o
	starts, granules := x.starts, x.granules
	for i := first; i < first+n; i++ {
		v := Ref(o.Word(i))
		if at := uint32(v - selfBase); at < granules {
			if starts[at/64]>>(at%64)&1 != 0 {
				continue
			}
		} else if v.IsInt() || isSingleton(v) {
			continue
		}
		if mutant.On && mutant.Is(mutant.SlotUnchecked) {
			continue
		}
		return fmt.Errorf("word %d, %#08x, is no reference to an object of the image", i, uint32(v))
	}
	return nil
}

// Checked returns the body of the object that word i refers to, if Slots has found that
// good, and it is an object of the given built-in type that Check has found good already:
// one that lies before this one. What is behind it may not be good.
func (k *Check) Checked(i int, kind TypeID) (o Body, ok bool) {
	at := k.o.Word(i) - uint32(selfBase)
	if at >= uint32(k.r-k.x.start) {
		return Body{}, false
	}
	r := k.x.start + Ref(at)
	return k.x.heap.Body(r), k.x.heap.header(r).Meta() == uint32(kind)
}

// Settled has the runtime leave out CheckDeep: Check has looked at all there is.
func (k *Check) Settled() { k.settled = true }

// Reader returns a thread that is good for looking at objects of the image, and for
// nothing else: for CheckDeep.
func (k *Check) Reader() *Thread { return k.x.reader }

// Ref returns the borrowed reference in word i, which Slots has found good.
func (k *Check) Ref(i int) Ref { return Home(k.x.start).Ref(Ref(k.o.Word(i))) }

// Kind returns the number of the type of r, which Ref has returned and is borrowed; 0 if
// it is of no built-in type.
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

// CheckSlots is the Freezing.Check that goes with CopySlots, for types whose Slots looks
// at nothing but the first words of the body. Any goroutine.
func CheckSlots(words int) func(k *Check) error {
	return func(k *Check) error {
		if k.bytes < 4*words {
			return fmt.Errorf("a body of %d bytes, want %d at least", k.bytes, 4*words)
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

func isSingleton(r Ref) bool { return r >= None && r < endSingletons && (r-None)%2 == 0 }

// typeOf returns the type that a meta word stands for, or nil if there is none that can be
// checked.
func (x *checking) typeOf(meta uint32) *Type {
	if meta < uint32(typeLocal) {
		return x.builtin[meta]
	}
	if i := int(meta >> localShift); TypeID(meta&metaTypeMax) == typeLocal && i < len(x.types) {
		return x.types[i]
	}
	return nil
}

// run checks everything. root is as a slot would hold it.
func (x *checking) run(root Ref, checksum uint64) error {
	x.k.x = x
	checkable := func(y *Type) *Type {
		if y == nil || y.Freezing == nil || y.Freezing.Check == nil {
			return nil
		}
		return y
	}
	for id := range x.builtin {
		x.builtin[id] = checkable(types.table[id].Load())
	}
	local := x.types
	x.types = make([]*Type, len(local))
	for i, y := range local {
		x.types[i] = checkable(y)
	}
	if err := x.headers(checksum); err != nil {
		return err
	}
	if at := uint32(root - selfBase); !(at < x.granules && x.starts[at/64]>>(at%64)&1 != 0 || root.IsInt() || isSingleton(root) || mutant.On && mutant.Is(mutant.RootUnchecked)) {
		return fmt.Errorf("the root, %#08x, is no reference to an object of the image", uint32(root))
	}
	for w, b := range x.refer {
		for ; b != 0; b &= b - 1 {
			r := x.start + Ref(w*64+bits.TrailingZeros64(b))
			if err := x.body(r); err != nil {
				return err
			}
		}
	}
	if err := x.cycles(); err != nil {
		return err
	}
	for _, r := range x.deep {
		y := x.look(r)
		if err := y.Freezing.CheckDeep(&x.k); err != nil {
			return x.fault(r, y, err)
		}
	}
	return nil
}

// hashBlock is how many granules are hashed before their headers are looked at: the
// second cache holds them.
const hashBlock = 256 << 10 >> arena.GranuleShift

// headers checks the checksum and all headers, and fills starts. An image without its
// checksum is said to be that, wherever the first wrong header is.
func (x *checking) headers(checksum uint64) error {
	x.starts, x.refer = make([]uint64, x.granules/64+1), make([]uint64, x.granules/64+1)
	var sum xxhash.Digest
	sum.Reset()
	var fault error
	at := uint32(0)
	for from := uint32(0); from < x.granules; {
		n := min(hashBlock, x.granules-from)
		_, _ = sum.Write(x.heap.Block(x.start+Ref(from)).Bytes(0, int(n)<<arena.GranuleShift)) // of a hash: never fails
		from += n
		if fault == nil {
			at, fault = x.headersTo(at, from)
		}
	}
	if sum.Sum64() != checksum && !(mutant.On && mutant.Is(mutant.ChecksumSkipped)) {
		return errors.New("the objects do not have their checksum")
	}
	return fault
}

// headersTo checks headers from granule at on, as long as they begin before end, and the
// bodies of what refers to nothing. It returns where the next one begins.
func (x *checking) headersTo(at, end uint32) (uint32, error) {
	for at < end {
		meta, size, ok := x.heap.header(x.start + Ref(at)).Frozen(at)
		if !ok || size > x.granules-at {
			return at, fmt.Errorf("byte %#x of the objects: no header of an object", int64(at)<<arena.GranuleShift)
		}
		y := x.typeOf(meta)
		if y == nil {
			return at, fmt.Errorf("byte %#x of the objects: no type %#x", int64(at)<<arena.GranuleShift, meta)
		}
		x.starts[at/64] |= 1 << (at % 64)
		x.objects++
		if y.Traverse != nil {
			x.refer[at/64] |= 1 << (at % 64)
		} else if err := x.body(x.start + Ref(at)); err != nil {
			return at, err
		}
		at += size
	}
	return at, nil
}

// look makes r the object that is looked at, and returns its type.
func (x *checking) look(r Ref) *Type {
	h := x.heap.header(r)
	x.k.settled = false
	x.k.r, x.k.o, x.k.bytes = r, x.heap.Body(r), int(h.FrozenSize()-1)<<arena.GranuleShift
	return x.typeOf(h.Meta())
}

func (x *checking) body(r Ref) error {
	if _, note, ok := x.heap.header(r).Number(); ok && note == 0 {
		return nil // a float without a note is a header, which is checked
	}
	y := x.look(r)
	z := y.Freezing
	if err := z.Check(&x.k); err != nil {
		return x.fault(r, y, err)
	}
	if z.Hash != nil {
		x.hashed = append(x.hashed, r)
	}
	if z.CheckDeep != nil && !x.k.settled {
		x.deep = append(x.deep, r)
	}
	return nil
}

func (x *checking) fault(r Ref, y *Type, err error) error {
	return fmt.Errorf("byte %#x of the objects, a %s: %w", int64(r-x.start)<<arena.GranuleShift, y.Name, err)
}

// cycles fails if an object with a hash leads back to itself by others that have one.
func (x *checking) cycles() error {
	const entered, left = 1, 2
	state := make(map[Ref]uint8, len(x.hashed))
	for _, r := range x.hashed {
		for stack := []Ref{r}; len(stack) > 0; {
			r := stack[len(stack)-1]
			if state[r] != 0 {
				stack = stack[:len(stack)-1]
				state[r] = left
				continue
			}
			state[r] = entered
			y := x.look(r)
			b, first, n := y.Slots(x.heap, x.k.Body())
			for i := first; i < first+n; i++ {
				c := Home(x.start).Ref(b.Ref(i))
				if c >= selfBase || state[c] == left {
					continue
				}
				z := x.typeOf(x.heap.header(c).Meta()).Freezing
				if z.Hash == nil || z.Hash(x.heap.Body(c)) == 0 {
					continue
				}
				if state[c] == entered {
					return x.fault(r, y, fmt.Errorf("it leads back to itself"))
				}
				stack = append(stack, c)
			}
		}
	}
	return nil
}
