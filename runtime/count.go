package runtime

import (
	"unsafe"

	"github.com/ichor-go/ichor/internal/header"
	"github.com/ichor-go/ichor/internal/mutant"
	"github.com/ichor-go/ichor/internal/stat"
)

// IncRef adds a reference to the object r, which the caller holds or has
// borrowed. What it costs follows from the reference and the owner in the object's header:
// nothing for what is immortal by address, a plain add for the thread's own, a look for what
// is immortal in place, an atomic add otherwise: for a Float in every mode. Attached thread.
//
// The test of the reference is inlined into the caller, the counting is one call: the
// inliner affords one call (57 of its 80), not one and the owner's case. IncRefs has it
// all in one loop.
//
// The call asks who owns the object before it asks whether it is immortal in place, so that
// who counts mortals does not pay for the question. With that in front, and inlined, a pair
// of increment and decrement of an own object took a tenth longer, and one of an immortal
// in place 1.0 ns instead of 3.4: docs/benchmarks.md.
func (t *Thread) IncRef(r Ref) {
	if stat.On {
		t.countOp(r)
	}
	if r.Handle < Limit {
		t.inc(r)
	}
}

// DecRef gives up a reference to the object r: it steals the one that the caller holds. If
// it was the last one, the object is freed before the call returns, and so on down. It
// runs no code of users. Attached thread.
func (t *Thread) DecRef(r Ref) {
	if stat.On {
		t.countOp(r)
	}
	if r.Handle < Limit {
		t.dec(r)
	}
}

// IncRefs adds a reference to each object in rs, which the caller holds or has borrowed.
// Attached thread.
func (t *Thread) IncRefs(rs []Ref) {
	if stat.On {
		t.countOps(rs)
	}
	for {
		rs = rs[incPlain(t.base, t.id, t.merged, rs):]
		if len(rs) == 0 {
			return
		}
		if n := incFloats(t.base, t.merged, rs); n > 0 {
			rs = rs[n:]
			continue
		}
		t.incSlow(rs[0], header.At(t.base, uint32(rs[0].Handle)))
		rs = rs[1:]
	}
}

// DecRefs gives up a reference to each object in rs: it steals those that the caller
// holds. Attached thread.
func (t *Thread) DecRefs(rs []Ref) {
	if stat.On {
		t.countOps(rs) // now, while all of them are alive
	}
	for {
		rs = rs[decOwned(t.base, t.id, rs):]
		n, v := decMerged(t.base, t.merged, rs)
		if n < len(rs) && v == header.Alive {
			var m int
			m, v = decFloats(t.base, t.merged, rs[n:])
			n += m
		}
		if n == len(rs) {
			return
		}
		switch {
		case v != header.Alive:
			t.afterDec(rs[n], v)
			n++
		case n == 0: // what none of the loops counts
			t.decSlow(rs[0], header.At(t.base, uint32(rs[0].Handle)))
			n++
		}
		rs = rs[n:]
	}
}

// incPlain counts what takes no more than an add, and passes over immortals. It
// returns how far it came: to the end, or to an object that takes more, which it
// has not counted. It calls nothing, so that all it needs stays in registers.
func incPlain(base unsafe.Pointer, id, merged int32, rs []Ref) int {
	for i, r := range rs {
		if r.Handle >= Limit {
			continue
		}
		h := header.At(base, uint32(r.Handle))
		switch o := h.Owner(); {
		case o == id:
			if !h.CanIncLocal() {
				return i
			}
			h.IncLocal()
		case header.Tested && o < 0:
			if mutant.On && mutant.Is(mutant.SkipImmortalTest) {
				h.IncLocal()
			}
		case o != merged || h.IncForeign() != header.Alive:
			return i
		}
	}
	return len(rs)
}

// decOwned is incPlain for giving up references to the thread's own objects.
// With the atomic case in the same loop it ran a quarter slower.
func decOwned(base unsafe.Pointer, id int32, rs []Ref) int {
	for i, r := range rs {
		if r.Handle >= Limit {
			continue
		}
		h := header.At(base, uint32(r.Handle))
		switch o := h.Owner(); {
		case o == id:
			if !h.CanDecLocal() {
				return i
			}
			h.DecLocal()
		case header.Tested && o < 0:
			if mutant.On && mutant.Is(mutant.DecCounts) {
				h.DecLocal()
			}
		default:
			return i
		}
	}
	return len(rs)
}

// decMerged is decOwned for objects that nobody owns. A verdict other than Alive
// says what became of the object at which it stopped; that one is counted.
func decMerged(base unsafe.Pointer, merged int32, rs []Ref) (n int, v header.Verdict) {
	for i, r := range rs {
		if r.Handle >= Limit {
			continue
		}
		h := header.At(base, uint32(r.Handle))
		if o := h.Owner(); o == merged {
			if v := h.DecForeign(); v != header.Alive {
				return i, v
			}
		} else if !header.Tested || o >= 0 {
			return i, header.Alive
		}
	}
	return len(rs), header.Alive
}

// incFloats is incPlain for floats. With their case in its loop it ran a third slower
// over immortals.
func incFloats(base unsafe.Pointer, merged int32, rs []Ref) int {
	for i, r := range rs {
		if r.Handle >= Limit {
			continue
		}
		if h := header.At(base, uint32(r.Handle)); !plainFloat(h.Owner(), merged) || h.IncForeign() != header.Alive {
			return i
		}
	}
	return len(rs)
}

// decFloats is decMerged for floats.
func decFloats(base unsafe.Pointer, merged int32, rs []Ref) (n int, v header.Verdict) {
	for i, r := range rs {
		if r.Handle >= Limit {
			continue
		}
		h := header.At(base, uint32(r.Handle))
		if !plainFloat(h.Owner(), merged) {
			return i, header.Alive
		}
		if v := h.DecForeign(); v != header.Alive {
			return i, v
		}
	}
	return len(rs), header.Alive
}

// plainFloat reports whether o is the owner of a mortal float, and merged that of a
// thread that counts in the short way.
func plainFloat(o, merged int32) bool { return o >= header.Float && merged == header.Nobody }

// TryIncRef adds a new reference to the object r, which it borrows, unless that is dead,
// for a caller that came by r through a table that holds no count. The memory of r must
// still be in place: r was in the table since the thread's last safe point, and has its
// weak bit set. An object of a type with Finalize is in the table until its last death,
// when its Forget is called: so it may have died once, and then its finalizer is due, or
// has been called. A weak reference does not lead there: see linkWeak. Attached thread.
func (t *Thread) TryIncRef(r Ref) bool {
	if t.check != nil {
		t.check.mustKnow(t, r)
	}
	if r.Handle >= Limit {
		if stat.On {
			t.countOp(r)
		}
		return true
	}
	if !t.header(r).TryInc(t.owner) {
		return false
	}
	if stat.On || t.check != nil {
		t.countOp(r)
	}
	if t.check != nil {
		t.check.note(r, "tryincref")
	}
	return true
}

// SetWeak notes that tables which hold no count lead to the object r: its type's Forget is
// called at its death. r is borrowed. Attached thread.
func (t *Thread) SetWeak(r Ref) {
	t.MustUse(r)
	if r.Handle < Limit {
		t.header(r).SetWeak()
	}
}

//go:noinline
func (t *Thread) inc(r Ref) {
	h := header.At(t.base, uint32(r.Handle))
	o := h.Owner()
	if o == t.id && h.CanIncLocal() {
		h.IncLocal()
		return // no case of the switch: the compiler leads those to one end, far from here
	}
	switch {
	case o == t.merged && h.IncForeign() == header.Alive:
	case header.Tested && o < 0: // immortal in place
	case plainFloat(o, t.merged) && h.IncForeign() == header.Alive:
	default:
		t.incSlow(r, h)
	}
}

//go:noinline
func (t *Thread) dec(r Ref) {
	h := header.At(t.base, uint32(r.Handle))
	o := h.Owner()
	if o == t.id && h.CanDecLocal() {
		h.DecLocal()
		return
	}
	switch {
	case o == t.merged:
		if v := h.DecForeign(); v != header.Alive {
			t.afterDec(r, v)
		}
	case header.Tested && o < 0: // immortal in place
	case plainFloat(o, t.merged):
		if v := h.DecForeign(); v != header.Alive {
			t.afterDec(r, v)
		}
	default:
		t.decSlow(r, h)
	}
}

// incSlow is IncRef where the plain case does not apply: the object is not
// the thread's own, its count is sticky, or the runtime is checked, in which
// case no object ever is the thread's own as far as t.id tells.
func (t *Thread) incSlow(r Ref, h *header.Header) {
	if t.check != nil {
		t.check.count(t, r, "incref")
		t.countChecked(r)
	}
	switch h.Inc(t.owner) {
	case header.Sticky:
		t.askImmortal(r)
	case header.Broken:
		t.misuse(r, "incref of a dead object")
	}
}

func (t *Thread) decSlow(r Ref, h *header.Header) {
	if t.check != nil {
		t.check.count(t, r, "decref")
		t.countChecked(r)
	}
	t.afterDec(r, h.Dec(t.owner))
}

// afterDec does what a decrement's verdict asks for.
func (t *Thread) afterDec(r Ref, v header.Verdict) {
	switch v {
	case header.Dead:
		t.free(r)
	case header.Queue:
		if t.enqueue(r) {
			t.free(r)
		}
	case header.Sticky:
		t.askImmortal(r)
	case header.Broken:
		t.misuse(r, "more references released than there were")
	}
}

// decDead is decSlow for the cascade: it reports a death instead of acting.
func (t *Thread) decDead(r Ref) bool {
	h := t.header(r)
	if stat.On {
		t.countOp(r)
	}
	switch o := h.Owner(); {
	case o == t.id && h.CanDecLocal():
		h.DecLocal()
		return false
	case o == t.merged:
		v := h.DecForeign()
		if v != header.Alive && v != header.Dead {
			return t.diesOf(r, v)
		}
		return v == header.Dead
	case header.Tested && o < 0: // immortal in place
		if mutant.On && mutant.Is(mutant.CascadeCounts) {
			h.DecForeign()
		}
		return false
	}
	if t.check != nil {
		t.check.count(t, r, "decref by its container's death")
		t.countChecked(r)
	}
	return t.diesOf(r, h.Dec(t.owner))
}

// diesOf is afterDec for the cascade.
func (t *Thread) diesOf(r Ref, v header.Verdict) bool {
	switch v {
	case header.Alive:
		return false
	case header.Dead:
		return true
	case header.Queue:
		return t.enqueue(r)
	}
	t.afterDec(r, v)
	return false
}

// askImmortal has a count that reached its band made immortal at the next safe
// point. Until then it is frozen, so asking twice does no harm.
func (t *Thread) askImmortal(r Ref) {
	if mutant.On && mutant.Is(mutant.StickyForgotten) {
		return
	}
	if n := len(t.sticky); n == 0 || t.sticky[n-1] != r {
		t.sticky = append(t.sticky, r)
	}
}
