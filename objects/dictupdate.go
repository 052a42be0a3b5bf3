package objects

import (
	"github.com/ichor-go/ichor/internal/mutant"
	rt "github.com/ichor-go/ichor/runtime"
)

// Clear removes all entries. The error is a *rt.TypeError or rt.ErrFrozen. Attached thread.
func (d Dict) Clear(t *rt.Thread) error {
	o, err := writable(t, d, rt.TypeDict)
	if err != nil {
		return err
	}
	lock(t, o)
	r := o.LoadRef(boxBlock)
	empty(t, o, r)
	unlock(t, o)
	retireTable(t, r, true)
	return nil
}

// Update sets every entry of other in d, as they are at one moment: both are locked. The
// change takes effect at one store. If Update fails it has set none. It takes time in
// proportion to other if it only adds keys to a table with room, or sets a single value.
// Otherwise it builds a new table of both together. other is borrowed. The error is a
// *rt.TypeError, rt.ErrFrozen, a *rt.SizeError or rt.ErrMemoryLimit. Attached thread.
func (d Dict) Update(t *rt.Thread, other Dict) error {
	o, err := writable(t, d, rt.TypeDict)
	if err != nil {
		return err
	}
	p, ok := t.Object(other, rt.TypeDict)
	if !ok {
		return t.WantType(other, rt.TypeDict)
	}
	if d == other {
		return nil
	}
	u := updating{t: t, d: d, o: o}
	if other.IsFrozen() {
		entries := frozenEntries(t, other)
		lock(t, o)
		err = u.take(entries)
		unlock(t, o)
	} else {
		lock2(t, o, p)
		if from := p.LoadRef(boxBlock); !from.IsNil() {
			err = u.takeFrom(from)
		}
		unlock2(t, o, p)
	}
	for _, r := range u.dropped {
		t.Retire(r)
	}
	retireTable(t, u.replaced, false)
	return err
}

// entry is an entry of a dictionary, borrowed.
type entry struct {
	key, value rt.Ref
	hash       uint32 // Hash of the key
}

// liveEntries returns the live entries of a table that no other thread changes meanwhile.
func liveEntries(t *rt.Thread, b rt.Body) []entry {
	list := make([]entry, 0, dictLen(b))
	eachLive(t, b, func(x entry) { list = append(list, x) })
	return list
}

// eachLive calls f with every live entry of a table that no other thread changes meanwhile.
func eachLive(t *rt.Thread, b rt.Body, f func(x entry)) {
	keyed := isKeyed(b)
	eachEntry(b, func(e int, value rt.Ref) {
		if value.IsNil() {
			return
		}
		x := entry{b.Ref(e + entryKey), value, b.Word(e + entryHash)}
		if keyed {
			x.hash, _ = Hash(t, x.key) // no error: it is a key
		}
		f(x)
	})
}

// updating is an Update in progress. The dict is locked.
type updating struct {
	t *rt.Thread
	d Dict
	o rt.Body

	replaced rt.Ref   // the replaced table, to be retired
	dropped  []rt.Ref // the overwritten values, to be retired
}

// takeFrom sets the entries of the table r of another dict, which is locked too.
func (u *updating) takeFrom(r rt.Ref) error {
	b := u.t.Block(r)
	shut(u.t, b)
	defer reopen(b) // also if take panics with a misuse
	return u.take(liveEntries(u.t, b))
}

// take sets the entries.
func (u *updating) take(from []entry) error {
	if len(from) == 0 {
		return nil
	}
	r := u.o.LoadRef(boxBlock)
	var b rt.Body
	spots := make([]spot, len(from))
	set, live, room := 0, 0, 0
	if !r.IsNil() {
		b = u.t.Block(r)
		live, room = dictLen(b), int(b.Word(dictCap))-usedOf(b.LoadUint64(dictState))
		for i, x := range from {
			p := search(u.t, b, x.key, x.hash)
			if p.e != 0 && alive(b, p.e) {
				set++
			}
			if p.long {
				room = 0 // see rebuilt
			}
			spots[i] = p
		}
	}
	switch {
	case set == 0 && len(from) <= room:
		u.add(b, from, spots)
		return nil
	case set == 1 && len(from) == 1:
		u.t.IncRef(from[0].value)
		u.dropped = append(u.dropped, b.SwapRef(spots[0].e+entryValue, from[0].value))
		return nil
	}
	return u.unite(r, b, from, spots, live, live+len(from)-set)
}

// add enters the entries in the dict's table, which has room. Their keys are all new. They
// become visible at once.
func (u *updating) add(b rt.Body, from []entry, spots []spot) {
	s, state := shapeOf(b), b.LoadUint64(dictState)
	for i, x := range from {
		p := spots[i]
		if p.e == 0 && s.mask != 0 {
			p = p.free(b, s) // an earlier entry of from may have taken the place
		}
		u.count(x)
		u.t.IncRef(x.key)
		prepare(b, p, uint32(usedOf(state)+i+1), x.key, x.value)
	}
	n := uint64(len(from))
	b.StoreUint64(dictState, state+n+n*stateOneLive)
}

func (u *updating) count(x entry) {
	if !(mutant.On && mutant.Is(mutant.UpdateUncounted)) {
		u.t.IncRef(x.value)
	}
}

// unite replaces the table r with one that also has the entries of from. b is the body of
// r, live is the number of its live entries, and n is the number of entries of the new
// table.
func (u *updating) unite(r rt.Ref, b rt.Body, from []entry, spots []spot, live, n int) error {
	if n > maxEntries {
		return errManyEntries(n)
	}
	t := u.t
	shut(t, b)
	defer reopen(b)
	long := false
	for _, p := range spots {
		long = long || p.long
	}
	fresh, to, err := rebuilt(t, u.d, b, max(n, grown(live)), isKeyed(b) || long)
	if err != nil {
		return err
	}
	for i, x := range from {
		u.count(x)
		if e := spots[i].e; e != 0 && alive(b, e) {
			have := search(t, to, b.Ref(e+entryKey), x.hash)
			u.dropped = append(u.dropped, to.SwapRef(have.e+entryValue, x.value))
			continue
		}
		t.IncRef(x.key)
		insert(to, vacant(to, hashIn(t, to, x.key, x.hash)), x.key, x.value)
	}
	succeed(t, u.o, r, fresh)
	u.replaced = r
	return nil
}
