package runtime

import (
	"fmt"

	"github.com/ichor-go/ichor/internal/arena"
	"github.com/ichor-go/ichor/internal/mutant"
)

// Check is the look at one object of an image, which an attacker may have written. So
// Freezing.Check reads no word of the body beyond Bytes, follows no reference but to a Leaf, and
// takes time in proportion to the body, whatever is in it. Most types need four steps: return
// an error if Bytes is too small for the words that hold the lengths; read the lengths and
// return an error if they exceed the body; call Exactly with the size that they give; and call
// Slots for the references. The goroutine that opens the image has it, one goroutine at a time,
// for the time of the call. The references are borrowed, and counted by nobody.
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

// Exactly returns an error unless a body of that many bytes takes as much memory as this one
// has, and the bytes behind them are zero.
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

// Slots returns an error unless words first to first+n-1 of the body, which lie within Bytes,
// are references to objects of the image, small integers or singletons. Nil is none of these.
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
		return fmt.Errorf("word %d, %#08x, is no reference to an object of the image", i, uint32(v.Handle))
	}
	return nil
}

// Leaf reports whether the reference in word i, which Slots has found good, leads to no
// object that holds references. Such objects are good before Check sees any other: they may
// be read as after opening.
func (k *Check) Leaf(i int) bool {
	at := k.o.Word(i) - uint32(selfBase)
	return at >= k.x.granules || !k.x.refer.has(at)
}

// Settled has the runtime leave out CheckDeep: Check has looked at all there is.
func (k *Check) Settled() { k.settled = true }

// Reader returns a thread that is good for looking at objects of the image that have been
// found good, and for nothing else. It belongs to a runtime in which nothing but the image
// is loaded.
func (k *Check) Reader() *Thread { return k.x.reader }

// Kept returns what make returned when a check of the same type first called Kept in this
// opening: what the checks of a type know between objects.
func (k *Check) Kept(make func() any) any {
	y := k.x.typeOf(k.x.heap.header(k.r).Meta())
	v, ok := k.x.kept[y]
	if !ok {
		v = make()
		k.x.kept[y] = v
	}
	return v
}

// Ref returns the borrowed reference in word i, which Slots has found good.
func (k *Check) Ref(i int) Ref { return Home(k.x.start).Ref(refAt(k.o.Word(i))) }

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

func isSingleton(r Ref) bool {
	return r.Handle >= none && r.Handle < endSingletons && (r.Handle-none)%2 == 0
}
