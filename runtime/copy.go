package runtime

import (
	"errors"
	"fmt"

	"github.com/cespare/xxhash/v2"

	"github.com/ichor-go/ichor/internal/arena"
	"github.com/ichor-go/ichor/internal/fault"
	"github.com/ichor-go/ichor/internal/header"
	"github.com/ichor-go/ichor/internal/mutant"
)

// Copy is the copying of one object, as Freezing.Copy gets it. Freezing.Copy calls Alloc once,
// with the size of the frozen body, and then fills the body that Alloc returns: slots with
// Slot, all other words with SetWord and its kin. The copy is not yet published. An attached
// thread uses a Copy, during the call.
type Copy struct {
	z     *freezer
	r     Ref
	o     Body
	at    uint32 // offset of the copy's header, in granules from the start of the Frozen
	words int    // size of the copy's body; -1 before Alloc
}

// Thread returns the thread that freezes. Do not reach a safe point with it.
func (c *Copy) Thread() *Thread { return c.z.t }

// Source returns the object to be copied. The reference is borrowed. The object may be frozen
// itself, since a mortal graph can lead into a frozen one. Then its body has the frozen layout,
// and Freezing.Copy must not lock it. Heap.Slot reads its slots correctly in either case.
func (c *Copy) Source() (Ref, Body) { return c.r, c.o }

// Alloc returns the copy's body, of the given number of zero bytes. The body is valid during
// the call of Freezing.Copy.
func (c *Copy) Alloc(bytes int) (Body, error) {
	if c.words >= 0 {
		return Body{}, errors.New("the type's Copy allocated twice")
	}
	if bytes < 0 || bytes > maxBody {
		return Body{}, &SizeError{"body", int64(bytes), "bytes", maxBody}
	}
	at, err := c.z.alloc(arena.Granules(uintptr(bytes) + header.Size))
	if err != nil {
		return Body{}, err
	}
	c.at, c.words = at, bytes/4
	return c.z.body(at), nil
}

// Body returns the copy's body after Alloc.
func (c *Copy) Body() Body { return c.z.body(c.at) }

// Slot makes word i of the copy's body refer to the copy of child, a reference that was just
// loaded from a slot of the source. child is borrowed.
func (c *Copy) Slot(i int, child Ref) {
	if uint(i) >= uint(c.words) {
		fault.Throw(Misuse{What: "slot outside the frozen body", On: fmt.Sprintf("word %d", i), Want: fmt.Sprintf("0 to %d, inside what Alloc returned", c.words-1)})
	}
	c.z.want(child, c.at*granuleWords+headerWords+uint32(i))
}

const (
	granuleWords = arena.GranuleSize / 4
	headerWords  = header.Size / 4
)

// CopyBody returns a Freezing.Copy for types without references and blocks, whose bodies all
// have the given size. Any goroutine.
func CopyBody(bytes int) func(c *Copy) error {
	return func(c *Copy) error {
		n := (bytes + 3) / 4
		return c.copyWords(n, n)
	}
}

// CopySlots is a Freezing.Copy for types that have Slots, which lie in the object itself,
// behind all other words of the body. It takes no lock, so the type must be immutable or
// Lockless. Use it only as Freezing.Copy, which an attached thread calls.
func CopySlots(c *Copy) error {
	from, first, n := c.z.t.rt.typeAt(c.r).Slots(c.z.t.Heap, c.o)
	if from != c.o {
		return fmt.Errorf("its slots are not in the object")
	}
	if err := c.copyWords(first, first+n); err != nil {
		return err
	}
	for i := first; i < first+n; i++ {
		c.Slot(i, c.z.t.Slot(c.r, c.o, i))
	}
	return nil
}

// copyWords makes a copy with the given number of words. The first n are those of the source,
// the others are zero.
func (c *Copy) copyWords(n, all int) error {
	to, err := c.Alloc(all * 4)
	if err != nil {
		return err
	}
	for i := range n {
		to.SetWord(i, c.o.Load(i))
	}
	return nil
}

// copyAll copies everything that the root leads to.
func (z *freezer) copyAll() error {
	z.want(z.root, rootWord)
	for n := 1; len(z.stack) > 0; n++ {
		if n%restEvery == 0 {
			if z.ctx.Err() != nil {
				return z.givenUp()
			}
			if !z.stopped {
				z.rest()
			}
		}
		w := z.pop()
		at, ok := z.copies.Get(uint32(w.r.Handle))
		if !ok || mutant.On && mutant.Is(mutant.CopiedTwice) {
			var err error
			if at, err = z.copy(w.r); err != nil {
				return z.fail(w.r, err)
			}
			z.copies.Set(uint32(w.r.Handle), at)
		}
		z.store(w.word, Ref{selfBase + Handle(at)})
	}
	return nil
}

// want makes a word lead to the copy of r, now or when the copy exists.
func (z *freezer) want(r Ref, word uint32) {
	switch {
	case r.IsNil():
		fault.Throw(Misuse{
			What: "frozen slot with a nil reference", On: z.t.rt.typeAt(z.c.r).String() + " " + z.c.r.String(),
			Want: "a reference in each slot that Freezing.Copy copies",
		})
	case r.Handle >= selfBase:
		z.store(word, r) // the same in every runtime
	default:
		if at, ok := z.copies.Get(uint32(r.Handle)); ok && !(mutant.On && mutant.Is(mutant.CopiedTwice)) {
			z.store(word, Ref{selfBase + Handle(at)})
			return
		}
		// It will be copied soon, and cache misses overlap if they begin now.
		z.touched += z.t.header(r).Meta()
		z.stack = append(z.stack, wanted{r, word})
	}
}

func (z *freezer) store(word uint32, v Ref) {
	if word == rootWord {
		z.stored = v
		return
	}
	z.t.Block(Ref{z.start}).SetRef(int(word), v)
}

func (z *freezer) pop() wanted {
	n := len(z.stack) - 1
	w := z.stack[n]
	z.stack = z.stack[:n]
	if n < z.counted {
		z.counted = n
		if w.r.Handle < Limit {
			z.done = append(z.done, w.r)
		}
	}
	return w
}

func (z *freezer) header(at uint32) *header.Header { return z.t.header(Ref{z.start + Handle(at)}) }
func (z *freezer) body(at uint32) Body             { return z.t.Body(Ref{z.start + Handle(at)}) }

// alloc returns the offset of n granules. Everything copied so far may have moved afterwards.
func (z *freezer) alloc(n uint32) (uint32, error) {
	if z.t.check != nil {
		if err := z.t.check.inject(); err != nil {
			return 0, err
		}
	}
	if n > z.room-z.next {
		if n > uint32(selfCount)-z.next {
			return 0, fault.Partf("more than %d bytes in one frozen graph: %w", int64(selfCount)<<arena.GranuleShift, arena.ErrAddressSpace)
		}
		if err := z.ext.Grow(uintptr(z.next+n) << arena.GranuleShift); err != nil {
			return 0, limitError(err)
		}
		z.start, z.room = Handle(z.ext.Start()), uint32(z.ext.Room()>>arena.GranuleShift)
	}
	at := z.next
	z.next += n
	return at, nil
}

// copy copies one object, and returns the offset of the copy.
func (z *freezer) copy(r Ref) (uint32, error) {
	t := z.t
	if t.check != nil {
		t.check.access(t, r)
	}
	if bits, note, ok := t.header(r).Number(); ok {
		at, err := z.alloc(1)
		if err != nil {
			return 0, err
		}
		z.header(at).BirthFrozenFloat(bits, note)
		return z.keep(at, z.opts.ShareEqual), nil
	}
	y := t.rt.typeAt(r)
	if y == nil || y.Freezing == nil {
		return 0, ErrNotFreezable
	}
	o := t.Body(r)
	if y.settle != nil {
		y.settle(t, r)
	}
	hash := uint32(0)
	if z.opts.ShareEqual && y.Freezing.Hash != nil {
		hash = y.Freezing.Hash(o)
		if at, ok := z.findEqual(r, y, hash); ok {
			return at, nil
		}
	}
	if y.Mutable && !r.IsFrozen() {
		z.watched = append(z.watched, watched{r, y.Freezing.Version(t.Heap, o)})
		z.lockless = z.lockless || y.Freezing.Lockless
	}
	z.c = Copy{z: z, r: r, o: o, words: -1}
	n := len(z.stack)
	if err := y.Freezing.Copy(&z.c); err != nil {
		return 0, err
	}
	at := z.c.at
	if z.c.words < 0 {
		return 0, fmt.Errorf("the type's Copy allocated nothing")
	}
	meta, err := z.meta(y)
	if err != nil {
		return 0, err
	}
	z.header(at).BirthFrozen(meta, at, z.next-at)
	for i, j := n, len(z.stack)-1; i < j; i, j = i+1, j-1 {
		z.stack[i], z.stack[j] = z.stack[j], z.stack[i] // the first one is copied next
	}
	if hash != 0 {
		z.byHash[hash] = append(z.byHash[hash], at)
	}
	leaf := y.Traverse == nil && !y.Mutable
	return z.keep(at, leaf && (y.id == TypeString || z.opts.ShareEqual)), nil
}

// keep adds the object at offset at, which was the last to be copied, to the number of objects.
// If it may be shared and there is an equal one, keep frees its memory and returns the offset
// of the equal one.
func (z *freezer) keep(at uint32, share bool) uint32 {
	if share {
		if other := z.equal.Find(z.contentHash(at), at, z.sameContents); other != at {
			z.t.rt.space.Zero(uint32(z.start)+at, z.next-at)
			z.next = at
			return other
		}
	}
	z.objects++
	return at
}

// meta returns the meta word of frozen objects of type y.
func (z *freezer) meta(y *Type) (uint32, error) {
	if y.id < firstUserType {
		return uint32(y.id), nil
	}
	i, ok := z.local[y]
	if !ok {
		if i = uint32(len(z.types)); i == maxLocal {
			return 0, fmt.Errorf("more than %d user-defined types in one frozen graph", maxLocal)
		}
		z.local[y] = i
		z.types = append(z.types, y)
	}
	return i<<localShift | uint32(typeLocal), nil
}

// contentHash hashes the bytes that sameContents compares. The first words of a text are its
// hash and its length.
func (z *freezer) contentHash(at uint32) uint32 {
	h := z.header(at)
	meta, size := h.Meta(), h.FrozenSize()
	var x uint64
	switch {
	case meta == header.FloatMeta:
		bits, note, _ := h.Number()
		x = bits ^ uint64(note)<<32
	case TypeID(meta) == TypeString, TypeID(meta) == TypeBytes, TypeID(meta) == TypeNumber:
		x = z.body(at).Uint64(0)
	default:
		x = xxhash.Sum64(z.body(at).Bytes(0, int(size-1)*granuleWords*4))
	}
	x = (x ^ uint64(meta)<<40) * 0x9e37_79b9_7f4a_7c15
	return uint32(x >> 32)
}

// sameContents reports whether two frozen objects without references differ only in their
// offset.
func (z *freezer) sameContents(a, b uint32) bool {
	ha, hb := z.header(a), z.header(b)
	meta, size := ha.Meta(), ha.FrozenSize()
	if meta != hb.Meta() || size != hb.FrozenSize() {
		return false
	}
	if meta == header.FloatMeta {
		x, note, _ := ha.Number()
		y, other, _ := hb.Number()
		return x == y && note == other
	}
	n := int(size-1) * granuleWords * 4
	return z.body(a).String(0, n) == z.body(b).String(0, n)
}

// findEqual looks for a copy of an object that equals r, of a type with Freezing.Hash.
// Everything below earlier objects is copied by now, since the walk has returned from there.
func (z *freezer) findEqual(r Ref, y *Type, hash uint32) (uint32, bool) {
	if hash == 0 {
		return 0, false
	}
	for _, at := range z.byHash[hash] {
		if z.sameAsCopy(pair{r, at}) {
			return at, true
		}
	}
	return 0, false
}

// pair is an object and the offset of a copy that may equal it.
type pair struct {
	r  Ref
	at uint32
}

// comparing is a pair whose slots are being compared, and the position in them.
type comparing struct {
	pair
	a, b    Body
	i, j, n int // slots of a from i on, slots of b from j on
}

// sameAsCopy compares an object with a copy. It uses an explicit stack, so deep nesting is no
// problem. It records the result for each pair that it has compared, in copies or in unlike. So
// no pair is compared twice in a Freeze, however many paths lead to it, and the time is linear
// in the number of objects.
func (z *freezer) sameAsCopy(p pair) bool {
	var open []comparing
	next := p
	for {
		same, known := z.samePair(next)
		if !known {
			var c comparing
			if c, same = z.compare(next); same && c.n > 0 {
				open = append(open, c)
			} else {
				z.note(next, same)
			}
		}
		for {
			if len(open) == 0 {
				return same
			}
			c := &open[len(open)-1]
			if same && c.n > 0 {
				var done bool
				if next, done, same = z.nextSlot(c); !done {
					break
				}
				continue
			}
			z.note(c.pair, same)
			open = open[:len(open)-1]
		}
	}
}

// note records the result of a comparison. An object that equals a copy is not copied.
func (z *freezer) note(p pair, same bool) {
	if same {
		z.copies.Set(uint32(p.r.Handle), p.at)
		return
	}
	z.unlike[p] = true
}

// samePair reports whether a pair is equal, if that is known. An object that has a copy equals
// that copy and no other, since equal copies are stored once.
func (z *freezer) samePair(p pair) (same, known bool) {
	if have, ok := z.copies.Get(uint32(p.r.Handle)); ok {
		return have == p.at, true
	}
	return false, z.unlike[p]
}

// nextSlot advances to the next slots of a pair. If both hold objects, it returns these as the
// pair to compare next. Otherwise done is true, and same reports whether the slots are equal.
func (z *freezer) nextSlot(c *comparing) (next pair, done, same bool) {
	r, copied := z.t.Slot(c.r, c.a, c.i), z.t.Slot(Ref{z.start + Handle(c.at)}, c.b, c.j)
	c.i, c.j, c.n = c.i+1, c.j+1, c.n-1
	if r.Handle >= selfBase || copied.Handle >= selfBase {
		return next, true, r == copied
	}
	return pair{r, uint32(copied.Handle - z.start)}, false, true
}

// compare compares two objects except for the targets of their slots, which are still to be
// compared.
func (z *freezer) compare(p pair) (c comparing, same bool) {
	t := z.t
	y := t.rt.typeAt(p.r)
	if meta, err := z.meta(y); err != nil || meta != z.header(p.at).Meta() {
		return c, false
	}
	if y.Slots == nil {
		return c, z.sameLeaf(p.r, p.at)
	}
	a, b := t.Body(p.r), z.body(p.at)
	if y.Freezing == nil || y.Freezing.Hash == nil {
		return c, false
	}
	if hash := y.Freezing.Hash(a); hash == 0 || hash != y.Freezing.Hash(b) {
		return c, false
	}
	c = comparing{pair: p}
	var m int
	c.a, c.i, c.n = y.Slots(t.Heap, a)
	c.b, c.j, m = y.Slots(t.Heap, b)
	return c, c.n == m
}

// sameLeaf compares an object of a built-in type without references with a copy. The first
// granule of such a body tells its size.
func (z *freezer) sameLeaf(r Ref, at uint32) bool {
	a, b := z.t.header(r), z.header(at)
	if x, note, ok := a.Number(); ok {
		y, other, _ := b.Number()
		return x == y && note == other
	}
	x, y := z.t.Body(r), z.body(at)
	if TypeID(b.Meta()&metaTypeMax) >= typeLocal || x.Uint64(0) != y.Uint64(0) || x.Uint64(2) != y.Uint64(2) {
		return false
	}
	n := int(b.FrozenSize()-1) * granuleWords * 4
	return x.String(0, n) == y.String(0, n)
}
