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
//	each place and each twin has one entry, or is empty       checkPlaces
//	keys are hashable, and few entries have their hashes      checkKeys, after the keys' own checks
//	an entry is at the place of its hash, or a twin           checkHash
//	twins have their hashes, and are sorted by them           checkHash, checkTwins
//	a twin's hash is that of the entry at the hash's place,   checkTwins
//	and at most runMax entries have it
//	no two keys are equal                                     checkTwins: equal keys have equal hashes
//
// Each check takes time in proportion to the size of the dict, even if an attacker has
// chosen the keys.

// checkDict is the Freezing.Check of dicts. If all keys are leaves, as they nearly always
// are, it checks everything.
func checkDict(k *rt.Check) error {
	n, err := checkedLength(k, frozenFew)
	if err != nil {
		return err
	}
	if n > k.Bytes()/(4*entryWords) {
		return fmt.Errorf("%d entries in a body of %d bytes", n, k.Bytes())
	}
	o := k.Body()
	f, err := checkedTable(o, n)
	if err != nil {
		return err
	}
	if err := k.Exactly(4 * f.size()); err != nil {
		return err
	}
	if f.form != 0 {
		if err := f.checkPlaces(o); err != nil {
			return err
		}
	}
	leaves := true
	for i := range n {
		w := f.key(o, i)
		if err := k.Slots(w, 2); err != nil {
			return err
		}
		leaves = leaves && k.Leaf(w)
	}
	if !leaves {
		return nil // tuples among the keys are not checked yet: see checkDictKeys
	}
	k.Settled()
	return f.checkKeys(k)
}

// checkedTable returns the layout of the table of n entries with the body o, of which it reads
// as many words as n entries take.
func checkedTable(o rt.Body, n int) (frozenTable, error) {
	form := o.Word(frozenForm)
	for grow := range growMost + 1 {
		f := frozenTableFor(n, grow, form&frozenKeyed != 0, int(form>>twinShift))
		if f.form == form && f.twins() <= n && (form == 0 || f == frozenTableIn(o)) {
			return f, nil
		}
	}
	return frozenTable{}, fmt.Errorf("an index of form %#x, which does not fit %d entries", form, n)
}

// checkDictKeys is the Freezing.CheckDeep of dicts.
func checkDictKeys(k *rt.Check) error { return frozenTableIn(k.Body()).checkKeys(k) }

// checkPlaces checks that the order leads to each entry once, and that all other places are
// empty.
func (f frozenTable) checkPlaces(o rt.Body) error {
	all := f.places + uint32(f.twins())
	var few [5]uint64 // usually enough
	seen := few[:]
	if all >= uint32(64*len(few)) {
		seen = make([]uint64, all/64+1)
	}
	for i := range f.n {
		p := narrow(o, f.order, uint32(i), f.wide())
		if p >= all {
			return fmt.Errorf("entry %d is at place %d of %d", i, p, all)
		}
		if seen[p/64]>>(p%64)&1 != 0 {
			return fmt.Errorf("entry %d is at place %d, as another one", i, p)
		}
		seen[p/64] |= 1 << (p % 64)
	}
	for p := range all {
		if w := f.at(p); seen[p/64]>>(p%64)&1 == 0 && (p >= f.places || o.Word(w)|o.Word(w+1) != 0) {
			return fmt.Errorf("place %d is not empty, and no entry is there", p)
		}
	}
	return nil
}

// checkKeys makes the checks that depend on the keys.
func (f frozenTable) checkKeys(k *rt.Check) error {
	o := k.Body()
	if f.keyed() {
		return f.checkKeyed(k)
	}
	for i := range f.n {
		hash, ok := hashOfKey(k, k.Ref(f.key(o, i)))
		if !ok {
			return fmt.Errorf("entry %d has an invalid key", i)
		}
		if err := f.checkHash(o, i, hash); err != nil {
			return err
		}
	}
	if f.form != 0 {
		return f.checkTwins(k, func(key rt.Ref) uint32 { hash, _ := hashOfKey(k, key); return hash })
	}
	for i := range f.n {
		for j := range i {
			if o.Word(f.few(i)+entryHash) == o.Word(f.few(j)+entryHash) {
				if err := f.checkApart(k, f.key(o, j), f.key(o, i)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// checkHash checks that entry i is where a search for its hash in the table finds it.
func (f frozenTable) checkHash(o rt.Body, i int, hash uint32) error {
	w := f.key(o, i)
	switch {
	case f.form == 0 || w >= f.twin(0):
		if o.Word(w-entryKey+entryHash) != hash {
			return fmt.Errorf("entry %d does not have the hash of its key", i)
		}
	case w != f.at(f.placeOf(o, hash)):
		return fmt.Errorf("entry %d is not at the place of its hash", i)
	}
	return nil
}

// checkKeyed is checkKeys for a table that is KEYED. It visits each tuple once, however many
// keys lead to it.
func (f frozenTable) checkKeyed(k *rt.Check) error {
	o, seed := k.Body(), newFrozenSeed(k.Reader(), f.n)
	for i := range f.n {
		key := k.Ref(f.key(o, i))
		if _, ok := hashOfKey(k, key); !ok {
			return fmt.Errorf("entry %d has an invalid key", i)
		}
		seed.add(key)
	}
	has, want := seedOf(k.Reader(), o), seed.sum()
	if has.k0 != want.k0 || has.k1 != want.k1 {
		return errors.New("its seed does not follow from its keys")
	}
	has = has.remembering()
	hashOf := func(key rt.Ref) uint32 { return fold(has.hash(key)) }
	for i := range f.n {
		if err := f.checkHash(o, i, hashOf(k.Ref(f.key(o, i)))); err != nil {
			return err
		}
	}
	return f.checkTwins(k, hashOf)
}

// checkApart fails if the keys in words a and b are equal.
func (f frozenTable) checkApart(k *rt.Check, a, b int) error {
	if known := identitiesOf(k); known.of(k, k.Ref(a)) == known.of(k, k.Ref(b)) {
		i, j := f.entryWith(k.Body(), a), f.entryWith(k.Body(), b)
		return fmt.Errorf("entries %d and %d have the same key", min(i, j), max(i, j))
	}
	return nil
}

// entryWith returns the number of the entry whose key is in word w, for an error.
func (f frozenTable) entryWith(o rt.Body, w int) int {
	for i := range f.n {
		if f.key(o, i) == w {
			return i
		}
	}
	return -1
}

// checkTwins checks the twins, whose hashes are those of their keys. It computes the hash of
// each key at a place once, since a key can be long and have many twins.
func (f frozenTable) checkTwins(k *rt.Check, hashOf func(key rt.Ref) uint32) error {
	o := k.Body()
	begin, compared := 0, 0 // begin: of the twins with this hash
	for i := range f.twins() {
		hash := o.Word(f.twin(i) + entryHash)
		first := f.at(f.placeOf(o, hash))
		switch {
		case i > 0 && o.Word(f.twin(i-1)+entryHash) > hash:
			return fmt.Errorf("twin %d is not in order", i)
		case i == 0 || o.Word(f.twin(i-1)+entryHash) != hash:
			begin = i
			if o.Word(first) == 0 || hashOf(k.Ref(first)) != hash {
				return fmt.Errorf("no entry has the place of twin %d", i)
			}
		}
		if i-begin+2 > runMax {
			return errCollide
		}
		if compared += i - begin + 1; compared > crowded*f.n {
			continue
		}
		if err := f.checkApart(k, first, f.twin(i)+entryKey); err != nil {
			return err
		}
		for j := begin; j < i; j++ {
			if err := f.checkApart(k, f.twin(j)+entryKey, f.twin(i)+entryKey); err != nil {
				return err
			}
		}
	}
	if compared > crowded*f.n {
		return f.checkAllApart(k)
	}
	return nil
}

// crowded bounds how many keys checkTwins compares per entry, on average, before it leaves
// the comparison to checkAllApart. Keys that nobody has chosen take less than one.
const crowded = 8

// checkAllApart is checkApart for all pairs of entries, by a set of keys.
func (f frozenTable) checkAllApart(k *rt.Check) error {
	known, seen := identitiesOf(k), make(map[rt.Ref]uint32, f.n)
	for i := range f.n {
		key := known.of(k, k.Ref(f.key(k.Body(), i)))
		if j, ok := seen[key]; ok {
			return fmt.Errorf("entries %d and %d have the same key", j, i)
		}
		seen[key] = uint32(i)
	}
	return nil
}
