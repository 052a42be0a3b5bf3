package objects

import (
	"errors"
	"fmt"

	rt "github.com/ichor-go/ichor/runtime"
)

// The facts about a dict of an image that must hold, and on which a lookup relies:
//
//	fact                                                      established by
//	sizes fit, and slots lead to objects                      checkDict
//	keys are hashable, and entries have their hashes          checkKeys, after the keys' own checks
//	the index leads to each entry once, and nowhere else      checkIndex, in one pass
//	a search for a key's hash reaches its entry's place       checkIndex, in that pass
//	before it reaches an empty one
//	the index has an empty place, so each search ends         checkIndex, before that pass
//	a search looks at runMax places at most                   checkIndex, in that pass
//	no two keys are equal                                     checkApart
//
// Each check takes time in proportion to the size of the dict, even if an attacker has
// chosen the keys.

// checkDict is the Freezing.Check of dicts. If all keys are leaves, as they nearly always
// are, it checks everything.
func checkDict(k *rt.Check) error {
	n, err := checkedLength(k, frozenIndex)
	if err != nil {
		return err
	}
	o, f := k.Body(), frozenTableIn(k.Body())
	if err := k.Exactly(4 * f.size()); err != nil {
		return err
	}
	if o.Word(frozenLog) != f.form() || f.keyed && !f.words {
		return fmt.Errorf("an index of form %#x, which does not fit %d entries", o.Word(frozenLog), n)
	}
	leaves := true
	for e := f.first; e < f.size(); e += entryWords {
		if err := k.Slots(e+entryKey, 2); err != nil {
			return err
		}
		leaves = leaves && k.Leaf(e+entryKey)
	}
	if !leaves {
		return nil // tuples among the keys are not checked yet: see checkDictKeys
	}
	k.Settled()
	return f.checkKeys(k)
}

// checkDictKeys is the Freezing.CheckDeep of dicts.
func checkDictKeys(k *rt.Check) error { return frozenTableIn(k.Body()).checkKeys(k) }

// checkKeys makes the checks that depend on the keys.
func (f frozenTable) checkKeys(k *rt.Check) error {
	o := k.Body()
	for i := range f.n {
		e := f.entry(i)
		hash, ok := hashOfKey(k, k.Ref(e+entryKey))
		if !ok {
			return fmt.Errorf("entry %d has an invalid key", i)
		}
		if hash != o.Word(e+entryHash) && !f.keyed {
			return fmt.Errorf("entry %d does not have the hash of its key", i)
		}
	}
	if f.keyed {
		if err := f.checkKeyed(k); err != nil {
			return err
		}
	}
	if f.log > 0 {
		return f.checkIndex(k)
	}
	for i := range f.n {
		for j := range i {
			if err := f.checkApart(k, j, i); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkKeyed checks the seed and the hashes of a table that is KEYED. Its keys are
// hashable. It visits each tuple once, however many keys lead to it.
func (f frozenTable) checkKeyed(k *rt.Check) error {
	o, seed := k.Body(), newFrozenSeed(k.Reader(), f.n)
	for i := range f.n {
		seed.add(k.Ref(f.entry(i) + entryKey))
	}
	has, want := seedOf(k.Reader(), o), seed.sum()
	if has.k0 != want.k0 || has.k1 != want.k1 {
		return errors.New("its seed does not follow from its keys")
	}
	has = has.remembering()
	for i := range f.n {
		if e := f.entry(i); fold(has.hash(k.Ref(e+entryKey))) != o.Word(e+entryHash) {
			return fmt.Errorf("entry %d does not have the hash of its key", i)
		}
	}
	return nil
}

// checkApart fails if entries j and i have equal keys.
func (f frozenTable) checkApart(k *rt.Check, j, i int) error {
	o, a, b := k.Body(), f.entry(j), f.entry(i)
	if o.Word(a+entryHash) == o.Word(b+entryHash) {
		known := identitiesOf(k)
		if known.of(k, k.Ref(a+entryKey)) == known.of(k, k.Ref(b+entryKey)) {
			return fmt.Errorf("entries %d and %d have the same key", j, i)
		}
	}
	return nil
}

// checkIndex makes one pass over the index, which begins after an empty place. So it meets
// the place where a search begins before the place where the search ends.
func (f frozenTable) checkIndex(k *rt.Check) error {
	o, mask := k.Body(), f.mask()
	begin := uint32(0)
	for ; f.entryAt(o, begin) != 0; begin++ {
		if begin == mask {
			return errors.New("no place of the index is empty")
		}
	}
	var few [4]uint64 // an index of bytes leads to fewer than 256 entries
	seen := few[:]
	if f.words {
		seen = make([]uint64, f.n/64+1)
	}
	filled, row, compared := 0, uint32(0), 0 // row: filled places in a row up to this one
	for step := range mask {
		p := (begin + 1 + step) & mask
		n := f.entryAt(o, p)
		if n == 0 {
			row = 0
			continue
		}
		if n > uint32(f.n) {
			return fmt.Errorf("place %d of the index leads to entry %d of %d", p, n, f.n)
		}
		if seen[n/64]>>(n%64)&1 != 0 {
			return fmt.Errorf("two places of the index lead to entry %d", n)
		}
		seen[n/64] |= 1 << (n % 64)
		hash := o.Word(f.entry(int(n-1)) + entryHash)
		if _, rest := f.place(o, p, hash); rest != 0 {
			return errors.New("the index has bits of the wrong hash")
		}
		before := (p - hash) & mask // places that a search looks at before this one
		if before > row {
			return errors.New("a key is not at the place that its hash leads to")
		}
		if row++; f.words && row > uint32(runMax) {
			return errCollide
		}
		filled++
		if compared > crowded*f.n {
			continue
		}
		compared += int(before)
		for q := hash & mask; q != p; q = (q + 1) & mask {
			if m, rest := f.place(o, q, hash); rest == 0 {
				if err := f.checkApart(k, int(m-1), int(n-1)); err != nil {
					return err
				}
			}
		}
	}
	switch {
	case filled != f.n:
		return fmt.Errorf("%d places of the index lead to entries, want %d", filled, f.n)
	case compared > crowded*f.n:
		return f.checkAllApart(k)
	}
	return nil
}

// crowded bounds how many places of an index checkIndex compares per entry, on average,
// before it leaves the comparison of keys to checkAllApart. Keys that nobody has chosen
// take one.
const crowded = 8

// checkAllApart is checkApart for all pairs of entries, by a set of keys.
func (f frozenTable) checkAllApart(k *rt.Check) error {
	known, seen := identitiesOf(k), make(map[rt.Ref]uint32, f.n)
	for i := range f.n {
		key := known.of(k, k.Ref(f.entry(i)+entryKey))
		if j, ok := seen[key]; ok {
			return fmt.Errorf("entries %d and %d have the same key", j, i)
		}
		seen[key] = uint32(i)
	}
	return nil
}
