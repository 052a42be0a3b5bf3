package runtime

import (
	"fmt"

	"github.com/ichor-go/ichor/internal/header"
)

// IncRef adds a reference to the object r, which the caller holds or has
// borrowed. What it costs follows from the owner in the object's header:
// nothing for an immortal, a plain add for the thread's own, an atomic add
// otherwise. Attached thread.
//
// The tests for immortality are inlined into the caller, the counting is one
// call: the inliner affords one call (57 of its 80), not one and the owner's
// case. IncRefs has it all in one loop.
func (t *Thread) IncRef(r Ref) {
	if r < Limit && header.Mortal(t.base, uint32(r)) {
		t.inc(r)
	}
}

// DecRef gives up a reference to the object r. If it was the last one, the
// object is freed before the call returns, and so on down. It runs no code of
// users. Attached thread.
func (t *Thread) DecRef(r Ref) {
	if r < Limit && header.Mortal(t.base, uint32(r)) {
		t.dec(r)
	}
}

// IncRefs adds a reference to each object in rs. Attached thread.
func (t *Thread) IncRefs(rs []Ref) {
	base, id := t.base, t.id
	for _, r := range rs {
		if r < Limit {
			if h := header.At(base, uint32(r)); !h.IncOwned(id) && h.Owner() >= 0 {
				t.incShared(r, h)
			}
		}
	}
}

// DecRefs gives up a reference to each object in rs. Attached thread.
func (t *Thread) DecRefs(rs []Ref) {
	base, id := t.base, t.id
	for _, r := range rs {
		if r < Limit {
			if h := header.At(base, uint32(r)); !h.DecOwned(id) && h.Owner() >= 0 {
				t.decShared(r, h)
			}
		}
	}
}

// TryIncRef adds a reference to the object r unless it is dead, for a caller
// that came by r through a table that holds no count. The memory of r must
// still be in place: r was in the table since the thread's last safe point, and
// has its weak bit set. Attached thread.
func (t *Thread) TryIncRef(r Ref) bool {
	if r >= Limit {
		return true
	}
	if !t.header(r).TryInc(t.owner) {
		return false
	}
	if t.check != nil {
		t.check.note(r, "tryincref")
	}
	return true
}

// SetWeak notes that tables which hold no count lead to the object r: its
// type's Forget is called at its death. Attached thread.
func (t *Thread) SetWeak(r Ref) {
	if r < Limit {
		t.header(r).SetWeak()
	}
}

//go:noinline
func (t *Thread) inc(r Ref) {
	h := header.At(t.base, uint32(r))
	if !h.IncOwned(t.id) {
		t.incShared(r, h)
	}
}

//go:noinline
func (t *Thread) dec(r Ref) {
	h := header.At(t.base, uint32(r))
	if !h.DecOwned(t.id) {
		t.decShared(r, h)
	}
}

// incShared is IncRef where the plain case does not apply: the object is not
// the thread's own, its count is sticky, or the runtime is checked, in which
// case no object ever is the thread's own as far as t.id tells.
func (t *Thread) incShared(r Ref, h *header.Header) {
	if t.check != nil {
		t.check.count(t, r, "incref")
	}
	switch h.Inc(t.owner) {
	case header.Sticky:
		t.askImmortal(r)
	case header.Broken:
		t.misuse(r, "incref of a dead object")
	}
}

func (t *Thread) decShared(r Ref, h *header.Header) {
	if t.check != nil {
		t.check.count(t, r, "decref")
	}
	switch h.Dec(t.owner) {
	case header.Dead:
		t.free(r)
	case header.Sticky:
		t.askImmortal(r)
	case header.Broken:
		t.misuse(r, "more references released than there were")
	}
}

// decDead is decShared for the cascade: it reports a death instead of acting.
func (t *Thread) decDead(r Ref) bool {
	h := t.header(r)
	if h.Owner() < 0 {
		return false
	}
	if t.check != nil {
		t.check.count(t, r, "decref by its container's death")
	}
	switch h.Dec(t.owner) {
	case header.Dead:
		return true
	case header.Sticky:
		t.askImmortal(r)
	case header.Broken:
		t.misuse(r, "more references released than there were")
	}
	return false
}

// askImmortal has a count that reached its band made immortal at the next safe
// point. Until then it is frozen, so asking twice does no harm.
func (t *Thread) askImmortal(r Ref) {
	if n := len(t.sticky); n == 0 || t.sticky[n-1] != r {
		t.sticky = append(t.sticky, r)
	}
}

// Misuse is what a panic over a broken contract carries.
type Misuse struct {
	What    string
	Ref     Ref
	Type    string // of the object, if it is known
	History string // checked mode: the last count operations and where they were made
}

func (m *Misuse) Error() string {
	s := fmt.Sprintf("ichor: %s: %s %s", m.What, m.Type, m.Ref)
	if m.History != "" {
		s += "\n" + m.History
	}
	return s
}

func (t *Thread) misuse(r Ref, what string) {
	if t.check != nil {
		t.check.misuse(r, what)
	}
	name := "object"
	if y := typeOf(t.header(r).Meta()); y != nil {
		name = y.Name
	}
	panic(&Misuse{What: what, Ref: r, Type: name})
}
