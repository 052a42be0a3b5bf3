package starlark

// The operations of sets that give new sets. other is any iterable.

func (th *Thread) difference(s, other Value) (Value, error) {
	v, err := th.clone(setType, s)
	if err != nil {
		return 0, err
	}
	err = th.each(other, func(k Value) error {
		x, err := th.tableDelete(v, k)
		th.drop(x)
		return err
	})
	return th.orDrop(v, err)
}

func (th *Thread) intersection(s, other Value) (Value, error) {
	v, err := th.newSet(0)
	if err != nil {
		return 0, err
	}
	err = th.each(other, func(k Value) error {
		x, err := th.tableGet(s, k)
		if x == 0 || err != nil {
			return err
		}
		_, err = th.tableSet(v, k, None)
		return err
	})
	return th.orDrop(v, err)
}

func (th *Thread) symmetricDifference(s, other Value) (Value, error) {
	v, err := th.clone(setType, s)
	if err != nil {
		return 0, err
	}
	err = th.each(other, func(k Value) error {
		x, err := th.tableDelete(v, k)
		if x == 0 && err == nil {
			_, err = th.tableSet(v, k, None)
		}
		return err
	})
	return th.orDrop(v, err)
}

// orDrop returns v, or the error and gives up v.
func (th *Thread) orDrop(v Value, err error) (Value, error) {
	if err != nil {
		th.drop(v)
		return 0, err
	}
	return v, nil
}

// isSuperset reports whether all elements of the iterable are in the set.
func (th *Thread) isSuperset(s, other Value) (bool, error) {
	all := true
	err := th.each(other, func(k Value) error {
		x, err := th.tableGet(s, k)
		if err == nil && x == 0 {
			all = false
			return errStop
		}
		return err
	})
	return all, err
}

// isSubset reports whether all elements of the set are in the iterable.
func (th *Thread) isSubset(s, other Value) (bool, error) {
	n := th.tableLen(s)
	if n == 0 {
		return true, th.each(other, func(k Value) error {
			_, err := th.hash(k)
			return err
		})
	}
	br := th.t.Body(s.ref()).LoadRef(tableBlock)
	if br.IsNil() {
		return false, nil
	}
	entries := int(th.t.Block(br).Word(entryCap))
	if err := th.reserve(entries / 8); err != nil {
		return false, err
	}
	seen := make([]uint64, (entries+63)/64)
	err := th.each(other, func(k Value) error {
		h, err := th.hash(k)
		if err != nil {
			return err
		}
		br := th.t.Body(s.ref()).LoadRef(tableBlock)
		if br.IsNil() {
			return errStop
		}
		i, _, err := th.find(th.t.Block(br), k, slotOf(k), h)
		if err != nil || i < 0 || i >= entries || seen[i>>6]>>(i&63)&1 != 0 {
			return err
		}
		seen[i>>6] |= 1 << (i & 63)
		if n--; n == 0 {
			return errStop
		}
		return nil
	})
	return n == 0, err
}
