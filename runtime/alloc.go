package runtime

import (
	"math"

	"github.com/ichor-go/ichor/internal/arena"
	"github.com/ichor-go/ichor/internal/header"
	"github.com/ichor-go/ichor/internal/mutant"
	"github.com/ichor-go/ichor/internal/point"
)

// maxBody bounds the size of one object or block.
const maxBody = math.MaxUint32 / 2

// New creates an object with a body of the given number of zero bytes, and
// returns a new reference to it. Fill the body before the reference is stored
// where another thread can read it. The error is ErrMemoryLimit, among them
// ErrAddressSpace, a *SizeError, or the system's. Attached thread.
func (t *Thread) New(y *Type, bytes int) (Ref, Body, error) {
	if bytes < 0 || bytes > maxBody {
		return Nil, Body{}, &SizeError{"body of a " + y.String(), int64(bytes), "bytes", maxBody}
	}
	n := max(arena.Granules(uintptr(bytes)+header.Size+y.tail), y.least)
	if t.check != nil {
		t.mustBeAttached()
		if err := t.check.inject(); err != nil {
			return Nil, Body{}, err
		}
	}
	if t.region != nil {
		return t.bornImmortal(y, n)
	}
	h, err := t.cache.Alloc(y.purpose, n)
	if err != nil {
		return Nil, Body{}, allocError(err)
	}
	r := refAt(h)
	if !(mutant.On && mutant.Is(mutant.BodyDirty)) {
		t.rt.space.Zero(h+1, n-1)
	}
	t.born(r, n)
	t.header(r).Birth(t.stamp, y.meta)
	if y.Finalize != nil {
		o, word := t.finalizedWord(r)
		o.SetWord(word, 0) // it may lie behind what was asked for
	}
	if t.refills != t.cache.Refills() {
		t.refilled()
	}
	if t.check != nil {
		t.check.born(r, y)
	}
	return r, t.Body(r), nil
}

// newFloat returns a new reference to a Float, which is its header alone: the number
// v, and a note of fewer than 30 bits that its user keeps with it. It is counted
// atomically in every mode. The error is as for New. Attached
// thread.
func (t *Thread) newFloat(v float64, note uint32) (Ref, error) {
	if note >= header.Notes {
		return Nil, &SizeError{"note", int64(note), "as a number", header.Notes - 1}
	}
	if t.check != nil {
		t.mustBeAttached()
		if err := t.check.inject(); err != nil {
			return Nil, err
		}
	}
	if t.region != nil {
		h, err := t.region.mem.Alloc(1, true)
		if err != nil {
			return Nil, allocError(err)
		}
		t.header(refAt(h)).BirthFloat(math.Float64bits(v), note, true)
		return refAt(h), nil
	}
	h, err := t.cache.Alloc(arena.Leaves, 1)
	if err != nil {
		return Nil, allocError(err)
	}
	r := refAt(h)
	t.born(r, 1)
	t.header(r).BirthFloat(math.Float64bits(v), note, false)
	if t.refills != t.cache.Refills() {
		t.refilled()
	}
	if t.check != nil {
		t.check.born(r, types.table[TypeFloat].Load())
	}
	return r, nil
}

// Float returns the number that r is and the note on it, and whether r is a Float. r is
// borrowed. Attached thread.
func (t *Thread) Float(r Ref) (v float64, note uint32, ok bool) {
	if r.IsInt() {
		return 0, 0, false
	}
	if t.check != nil {
		t.check.access(t, r)
	}
	bits, note, ok := t.header(r).Number()
	return math.Float64frombits(bits), note, ok
}

// refilled is what allocation does now and then, when it takes a span: the
// owner's share of merging must not wait for a thread that comes to no safe point,
// and a collection may have become due. Neither ends a borrow: what others have
// dropped is not what a slot has given up since (see Retire).
func (t *Thread) refilled() {
	t.refills = t.cache.Refills()
	if t.queue != nil && t.queue.some.Load() {
		t.drain(t.queue)
	}
	t.rt.requestCollection()
}

// NewBlock returns a block of the given number of zero bytes, for the storage of
// container, which it borrows. It has no header and no count; the container gives it back
// with RetireBlock, or FreeBlock if nobody can have seen it. The one that the type's Block
// finds at the container's death is freed by the runtime. It lies in the region of what is
// born immortal if the container does. Attached thread.
func (t *Thread) NewBlock(container Ref, bytes int) (Ref, Body, error) {
	if bytes < 0 || bytes > maxBody {
		return Nil, Body{}, &SizeError{"block", int64(bytes), "bytes", maxBody}
	}
	if t.check != nil {
		t.MustUse(container)
		if err := t.check.inject(); err != nil {
			return Nil, Body{}, err
		}
	}
	n := max(arena.Granules(uintptr(bytes)), 1)
	if t.inRegion(container) {
		h, err := t.region.mem.Alloc(n, false)
		return refAt(h), t.Block(refAt(h)), allocError(err)
	}
	if t.memory != nil && t.memory.Over() {
		t.releaseMemory()
	}
	h, err := t.cache.Alloc(arena.Blocks, n)
	if err != nil {
		return Nil, Body{}, allocError(err)
	}
	t.rt.space.Zero(h, n)
	t.born(refAt(h), n)
	return refAt(h), t.Block(refAt(h)), nil
}

// inRegion reports whether the container was born in the region that births go
// to now: only then its blocks share its fate.
func (t *Thread) inRegion(container Ref) bool {
	return container.Handle >= Limit && t.region != nil && t.region.mem.Contains(uint32(container.Handle))
}

// BlockBytes returns how many bytes a block that is asked for with the given size has room
// for. container is borrowed. Attached thread.
func (t *Thread) BlockBytes(container Ref, bytes int) int {
	n := max(arena.Granules(uintptr(bytes)), 1)
	if t.inRegion(container) {
		return int(n) << arena.GranuleShift
	}
	return int(arena.Rounded(n)) << arena.GranuleShift
}

// FreeBlock gives a block back at once, and so steals r: no other thread can be reading
// it. Attached thread.
func (t *Thread) FreeBlock(r Ref) {
	if r.IsNil() || r.Handle >= Limit {
		return
	}
	if t.check != nil {
		t.rt.space.Fill(uint32(r.Handle), t.rt.space.Granules(uint32(r.Handle)), poisonWord)
	}
	if point.On {
		t.freed(r, t.rt.space.Granules(uint32(r.Handle)))
	}
	t.cache.Free(uint32(r.Handle))
}
