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
	seen, err := th.intersection(s, other)
	if err != nil {
		return false, err
	}
	defer th.drop(seen)
	return th.tableLen(seen) == th.tableLen(s), nil
}
