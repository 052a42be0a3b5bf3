package runtime

import (
	"unsafe"

	"github.com/ichor-go/ichor/internal/header"
	"github.com/ichor-go/ichor/internal/mutant"
	"github.com/ichor-go/ichor/internal/stat"
)

// IncRef adds a reference to the object r, which the caller holds or has borrowed. The cost
// depends on the reference and on the owner in the object's header: nothing for an object that
// is immortal by address, a plain add for the thread's own, a load of the header for one that
// is immortal in place, an atomic add otherwise. A Float is counted atomically in every mode.
// Attached thread.
//
// Only the test of the reference is inlined into the caller; the counting is one call. The
// inliner's budget of 80 has room for one call, which costs 57, but not for a call and the case
// of an own object. IncRefs has all cases in one loop.
//
// The call tests for an own object before it tests for one that is immortal in place, so that
// mortals do not pay for the second test: see docs/rationale.md.
func (t *Thread) IncRef(r Ref) {
	if stat.On {
		t.countOp(r)
	}
	if r.Handle < Limit {
		t.inc(r)
	}
}

// DecRef steals the caller's reference to the object r and gives it up. If it was the last one,
// the object is freed before the call returns, and so is everything that only the object kept
// alive. It runs no user code. Attached thread.
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

// DecRefs steals the caller's references in rs and gives them up. Attached thread.
func (t *Thread) DecRefs(rs []Ref) {
	if stat.On {
		t.countOps(rs) // here, while all of them are alive
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
		case n == 0: // none of the loops counts this one
			t.decSlow(rs[0], header.At(t.base, uint32(rs[0].Handle)))
			n++
		}
		rs = rs[n:]
	}
}

// incPlain counts the objects that take no more than an add, and skips immortals. It returns
// how far it came: to the end, or to an object that takes more, which it has not counted. It
// calls no function, so all its variables stay in registers.
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

// decOwned is incPlain for giving up references to the thread's own objects. The atomic case
// has a loop of its own, decMerged, since both in one loop are a quarter slower.
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

// decMerged is decOwned for objects that no thread owns. If it stops with a verdict other than
// Alive, the object at which it stopped is counted, and has that verdict.
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

// incFloats is incPlain for floats. Their case is not in incPlain since that makes its loop a
// third slower over immortals.
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

// plainFloat reports whether o is the owner of a mortal float, and merged belongs to a thread
// that counts on the fast path.
func plainFloat(o, merged int32) bool { return o >= header.Float && merged == header.Nobody }

// TryIncRef adds a new reference to the object r, which it borrows, and reports whether it did.
// It does not if r is dead. It is for callers that found r in a table without counts. The
// memory of r must still be in place: r was in the table at some time since the thread's last
// safe point, and has its weak bit set. An object of a type with Finalize stays in the table
// until its last death, when its Forget is called. So it may have died once already, and its
// finalizer is due or has been called. A weak reference does not lead to such an object.
// Attached thread.
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

// SetWeak notes that tables without counts lead to the object r: its type's Forget is called at
// its death. r is borrowed. Attached thread.
func (t *Thread) SetWeak(r Ref) {
	t.MustUse(r)
	if r.Handle < Limit {
		t.header(r).SetWeak()
	}
}

func (t *Thread) inc(r Ref) {
	h := header.At(t.base, uint32(r.Handle))
	if t.blind && !r.IsNil() {
		if !h.IncMerged() {
			t.incSlow(r, h)
		}
		return
	}
	o := h.Owner()
	if o == t.id && h.CanIncLocal() {
		h.IncLocal()
		return // a return, not a case of the switch, since the compiler moves the cases to a common end, far from here
	}
	switch {
	case o == t.merged && h.IncForeign() == header.Alive:
	case header.Tested && o < 0: // immortal in place
	case plainFloat(o, t.merged) && h.IncForeign() == header.Alive:
	default:
		t.incSlow(r, h)
	}
}

func (t *Thread) dec(r Ref) {
	h := header.At(t.base, uint32(r.Handle))
	if r.Handle == t.hot && t.blind {
		if v := h.DecMerged(); v != header.Alive {
			t.hot = noHot
			t.afterDec(r, v)
		}
		return
	}
	o := h.Owner()
	if o == t.id {
		if h.CanDecLocal() {
			h.DecLocal()
			return
		}
		if h.DecLastLocal() {
			t.dead(r)
			return
		}
	}
	var v header.Verdict
	switch {
	case o == t.merged:
		if v = h.DecForeign(); v == header.Alive {
			t.hot = r.Handle
		}
	case header.Tested && o < 0: // immortal in place
	case plainFloat(o, t.merged):
		v = h.DecForeign()
	default:
		t.decSlow(r, h)
	}
	switch v {
	case header.Alive:
	case header.Dead:
		t.dead(r) // without a call of afterDec in between
	default:
		t.afterDec(r, v)
	}
}

// incSlow is IncRef outside the plain cases: the object is not the thread's own, its count is
// sticky, or the runtime is checked. In checked mode no object is the thread's own by t.id.
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

// afterDec acts on the verdict of a decrement.
func (t *Thread) afterDec(r Ref, v header.Verdict) {
	switch v {
	case header.Dead:
		t.dead(r)
	case header.Queue:
		if t.enqueue(r) {
			t.dead(r)
		}
	case header.Sticky:
		t.askImmortal(r)
	case header.Broken:
		t.misuse(r, "more references released than there were")
	}
}

// decDead is decSlow for the cascade: it reports a death, and leaves the freeing to the caller.
func (t *Thread) decDead(r Ref) bool {
	h := t.header(r)
	if stat.On {
		t.countOp(r)
	}
	switch o := h.Owner(); {
	case o == t.id && h.CanDecLocal():
		h.DecLocal()
		return false
	case o == t.id && h.DecLastLocal():
		return true
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

// askImmortal asks for an object whose count has become sticky to be made immortal at the next
// safe point. The count does not move until then, so asking twice is harmless.
func (t *Thread) askImmortal(r Ref) {
	if mutant.On && mutant.Is(mutant.StickyForgotten) {
		return
	}
	if n := len(t.sticky); n == 0 || t.sticky[n-1] != r {
		t.sticky = append(t.sticky, r)
	}
}
