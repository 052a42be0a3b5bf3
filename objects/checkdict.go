package objects

import (
	"errors"
	"fmt"

	rt "github.com/ichor-go/ichor/runtime"
)

// What a dict of an image must be, and what a lookup relies on:
//
//	fact                                                      established by
//	sizes fit, and slots lead to objects                      checkDict
//	keys are keys, and entries have their hashes              checkKeys, when keys are good
//	the index leads to each entry once, and not elsewhere     checkIndex, by a pass over it
//	a search for a key's hash comes to its entry's place      checkIndex, in that pass
//	before it comes to an empty one
//	the index has an empty place, so each search ends         checkIndex, before that pass
//	a search looks at runMax places at most                   checkIndex, in that pass
//	no two keys are equal                                     checkApart
//
// Each takes time in the size of the dict, also of one whose keys an enemy has chosen.

// checkDict is the Freezing.Check of dicts. Of one whose keys are all leaves, as they
// nearly always are, it checks everything.
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
		return fmt.Errorf("an index of form %#x for %d entries", o.Word(frozenLog), n)
	}
	leaves := true
	for e := f.first; e < f.size(); e += entryWords {
		if err := k.Slots(e+entryKey, 2); err != nil {
			return err
		}
		leaves = leaves && k.Leaf(e+entryKey)
	}
	if !leaves {
		return nil // tuples among the keys are not good yet
	}
	k.Settled()
	return f.checkKeys(k)
}

// checkDictKeys is the Freezing.CheckDeep of dicts.
func checkDictKeys(k *rt.Check) error { return frozenTableIn(k.Body()).checkKeys(k) }

// checkKeys checks what depends on the keys.
func (f frozenTable) checkKeys(k *rt.Check) error {
	o := k.Body()
	for i := range f.n {
		e := f.entry(i)
		hash, ok := hashOfKey(k, k.Ref(e+entryKey))
		if !ok {
			return fmt.Errorf("entry %d has a key that cannot be one", i)
		}
		if hash != o.Word(e+entryHash) && !f.keyed {
			return fmt.Errorf("entry %d has not its key's hash", i)
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

// checkKeyed checks the seed and the hashes of a table that is KEYED, whose keys are keys. A
// tuple is looked at once, however many keys lead there.
func (f frozenTable) checkKeyed(k *rt.Check) error {
	o, seed := k.Body(), newFrozenSeed(k.Reader(), f.n)
	for i := range f.n {
		seed.add(k.Ref(f.entry(i) + entryKey))
	}
	has, want := seedOf(k.Reader(), o), seed.sum()
	if has.k0 != want.k0 || has.k1 != want.k1 {
		return errors.New("it has another seed than its keys give")
	}
	has = has.remembering()
	for i := range f.n {
		if e := f.entry(i); fold(has.hash(k.Ref(e+entryKey))) != o.Word(e+entryHash) {
			return fmt.Errorf("entry %d has not its key's hash", i)
		}
	}
	return nil
}

// checkApart fails if entries j and i have the same key.
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

// checkIndex goes through the index once, from behind an empty place on, so that it meets
// the places from where a search begins before the one where it ends.
func (f frozenTable) checkIndex(k *rt.Check) error {
	o, mask := k.Body(), f.mask()
	begin := uint32(0)
	for ; f.entryAt(o, begin) != 0; begin++ {
		if begin == mask {
			return errors.New("no place of the index is empty")
		}
	}
	var few [4]uint64 // an index of bytes leads to fewer than 256
	seen := few[:]
	if f.words {
		seen = make([]uint64, f.n/64+1)
	}
	filled, row, compared := 0, uint32(0), 0 // row: places up to this one that lead to entries
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
			return errors.New("the index has other bits than the hash")
		}
		before := (p - hash) & mask // places that a search looks at first
		if before > row {
			return errors.New("a key is not where its hash leads")
		}
		if row++; f.words && row > runMax {
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
		return fmt.Errorf("%d places of the index lead to entries, of which there are %d", filled, f.n)
	case compared > crowded*f.n:
		return f.checkAllApart(k)
	}
	return nil
}

// crowded is how many places of an index checkIndex compares for each entry, on average,
// before it leaves that to checkAllApart. Keys that nobody has chosen take one.
const crowded = 8

// checkAllApart is checkApart for all pairs of entries, with a set of keys.
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
