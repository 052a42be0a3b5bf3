package starlark

import (
	"errors"
	"fmt"
)

// methods has the methods of each kind.
var methods map[kind]map[string]Func

func init() {
	methods = map[kind]map[string]Func{
		kString: stringMethods,
		kBytes:  {"elems": bytesElems},
		kDict: {
			"clear": dictClear, "get": dictGet, "items": dictItems, "keys": dictKeys, "pop": dictPop,
			"popitem": dictPopitem, "setdefault": dictSetdefault, "update": dictUpdate, "values": dictValues,
		},
		kList: {
			"append": listAppend, "clear": listClear, "extend": listExtend, "index": listIndex,
			"insert": listInsert, "pop": listPop, "remove": listRemove,
		},
		kSet: {
			"add": setAdd, "clear": setClear, "difference": setDifference, "discard": setDiscard,
			"intersection": setIntersection, "issubset": setIssubset, "issuperset": setIssuperset,
			"pop": setPop, "remove": setRemove, "symmetric_difference": setSymmetric, "union": setUnion,
			"update": setUpdate,
		},
	}
}

func bytesElems(th *Thread, c *Call) (Value, error) {
	if err := c.positional(0, 0); err != nil {
		return 0, err
	}
	return th.newElems(c.Recv, byteInts)
}

func dictClear(th *Thread, c *Call) (Value, error) {
	if err := c.positional(0, 0); err != nil {
		return 0, err
	}
	return None, th.tableClear(c.Recv)
}

func dictGet(th *Thread, c *Call) (Value, error) {
	if err := c.positional(1, 2); err != nil {
		return 0, err
	}
	v, err := th.tableGet(c.Recv, c.Args[0])
	switch {
	case err != nil:
		return 0, c.error(err)
	case v != 0:
		return th.dup(v), nil
	case len(c.Args) == 2:
		return th.dup(c.Args[1]), nil
	}
	return None, nil
}

// entries returns a list of what f makes of each entry.
func (th *Thread) entries(c *Call, f func(k, v Value) (Value, error)) (Value, error) {
	if err := c.positional(0, 0); err != nil {
		return 0, err
	}
	list, err := th.newList(th.tableLen(c.Recv))
	if err != nil {
		return 0, err
	}
	for i := 0; ; {
		k, v, next := th.tableNext(c.Recv, i)
		if k == 0 {
			return list, nil
		}
		i = next
		x, err := f(k, v)
		if err == nil {
			err = th.listAdd(list, x)
		}
		if err != nil {
			th.drop(list)
			return 0, err
		}
	}
}

// pair returns a tuple of two borrowed values.
func (th *Thread) pair(a, b Value) (Value, error) {
	vs := [2]Value{th.dup(a), th.dup(b)}
	v, err := th.makeTuple(vs[:]...)
	if err != nil {
		th.dropAll(vs[:])
	}
	return v, err
}

func dictItems(th *Thread, c *Call) (Value, error) { return th.entries(c, th.pair) }

func dictKeys(th *Thread, c *Call) (Value, error) {
	return th.entries(c, func(k, _ Value) (Value, error) { return th.dup(k), nil })
}

func dictValues(th *Thread, c *Call) (Value, error) {
	return th.entries(c, func(_, v Value) (Value, error) { return th.dup(v), nil })
}

func dictPop(th *Thread, c *Call) (Value, error) {
	if err := c.positional(1, 2); err != nil {
		return 0, err
	}
	v, err := th.tableDelete(c.Recv, c.Args[0])
	switch {
	case err != nil:
		return 0, c.error(err)
	case v != 0:
		return v, nil
	case len(c.Args) == 2:
		return th.dup(c.Args[1]), nil
	}
	return 0, c.errorf("missing key")
}

// popFirst removes the first entry, and returns its key and value with counts of their own.
func (th *Thread) popFirst(c *Call, what string) (k, v Value, err error) {
	for {
		k, _, _ = th.tableNext(c.Recv, 0)
		if k == 0 {
			return 0, 0, c.errorf("empty %s", what)
		}
		k = th.dup(k)
		if v, err = th.tableDelete(c.Recv, k); err != nil {
			th.drop(k)
			return 0, 0, c.error(err)
		}
		if v != 0 {
			return k, v, nil
		}
		th.drop(k) // another thread was faster
	}
}

func dictPopitem(th *Thread, c *Call) (Value, error) {
	if err := c.positional(0, 0); err != nil {
		return 0, err
	}
	k, v, err := th.popFirst(c, "dict")
	if err != nil {
		return 0, err
	}
	defer th.drop(k)
	defer th.drop(v)
	return th.pair(k, v)
}

func dictSetdefault(th *Thread, c *Call) (Value, error) {
	if err := c.positional(1, 2); err != nil {
		return 0, err
	}
	v, err := th.tableGet(c.Recv, c.Args[0])
	if err != nil {
		return 0, c.error(err)
	}
	if v != 0 {
		return th.dup(v), nil
	}
	v = None
	if len(c.Args) == 2 {
		v = c.Args[1]
	}
	if v, err = th.tableDefault(c.Recv, c.Args[0], v); err != nil {
		th.drop(v)
		return 0, c.error(err)
	}
	return v, nil
}

func dictUpdate(th *Thread, c *Call) (Value, error) {
	if len(c.Args) > 1 {
		return 0, fmt.Errorf("update: got %d arguments, want at most 1", len(c.Args))
	}
	if err := updateDict(th, c.Recv, c); err != nil {
		return 0, c.error(err)
	}
	return None, nil
}

func listAppend(th *Thread, c *Call) (Value, error) {
	if err := c.positional(1, 1); err != nil {
		return 0, err
	}
	if err := th.listMutable(c.Recv, "append to"); err != nil {
		return 0, c.error(err)
	}
	return None, th.listAppend(c.Recv, c.Args[0].borrowed())
}

func listClear(th *Thread, c *Call) (Value, error) {
	if err := c.positional(0, 0); err != nil {
		return 0, err
	}
	if err := th.listMutable(c.Recv, "clear"); err != nil {
		return 0, c.error(err)
	}
	th.listClear(c.Recv)
	return None, nil
}

func listExtend(th *Thread, c *Call) (Value, error) {
	if err := c.positional(1, 1); err != nil {
		return 0, err
	}
	x, err := c.iterable(th, 0)
	if err != nil {
		return 0, err
	}
	if err := th.listMutable(c.Recv, "extend"); err != nil {
		return 0, c.error(err)
	}
	return None, th.listExtend(c.Recv, x)
}

func listIndex(th *Thread, c *Call) (Value, error) {
	if err := c.positional(1, 3); err != nil {
		return 0, err
	}
	start, end, err := th.indices(c.arg(1), c.arg(2), th.listLen(c.Recv))
	if err != nil {
		return 0, c.error(err)
	}
	for i := start; i < end; i++ {
		x := th.listAt(c.Recv, i)
		if x == 0 {
			break
		}
		if err := th.work(); err != nil {
			return 0, err
		}
		if eq, err := th.equal(x, c.Args[0]); err != nil {
			return 0, c.error(err)
		} else if eq {
			return mkInt(i), nil
		}
	}
	return 0, c.errorf("value not in list")
}

func listInsert(th *Thread, c *Call) (Value, error) {
	if err := c.positional(2, 2); err != nil {
		return 0, err
	}
	i, err := c.int(th, 0, 0)
	if err != nil {
		return 0, err
	}
	if err := th.listMutable(c.Recv, "insert into"); err != nil {
		return 0, c.error(err)
	}
	if i < 0 {
		i = max(i+th.listLen(c.Recv), 0)
	}
	return None, th.listInsert(c.Recv, i, c.Args[1].borrowed())
}

func listRemove(th *Thread, c *Call) (Value, error) {
	if err := c.positional(1, 1); err != nil {
		return 0, err
	}
	if err := th.listMutable(c.Recv, "remove from"); err != nil {
		return 0, c.error(err)
	}
	found, err := th.listDelete(c.Recv, c.Args[0])
	switch {
	case err != nil:
		return 0, c.error(err)
	case !found:
		return 0, errors.New("remove: element not found")
	}
	return None, nil
}

func listPop(th *Thread, c *Call) (Value, error) {
	n := th.listLen(c.Recv)
	if err := c.positional(0, 1); err != nil {
		return 0, err
	}
	i, err := c.int(th, 0, -1)
	if err != nil {
		return 0, err
	}
	at := i
	if at < 0 {
		at += n
	}
	if at < 0 || at >= n {
		return 0, c.error(th.outOfRange(c.Recv, i, n))
	}
	if err := th.listMutable(c.Recv, "pop from"); err != nil {
		return 0, c.error(err)
	}
	v, err := th.listPop(c.Recv, i)
	if err != nil {
		return 0, c.error(err)
	}
	return v, nil
}

func setAdd(th *Thread, c *Call) (Value, error) {
	if err := c.positional(1, 1); err != nil {
		return 0, err
	}
	if err := th.mutable(c.Recv.ref(), th.t.Body(c.Recv.ref()), "insert into", "hash table"); err != nil {
		return 0, c.error(err)
	}
	found, err := th.tableGet(c.Recv, c.Args[0])
	if err == nil && found == 0 {
		_, err = th.tableSet(c.Recv, c.Args[0], None)
	}
	if err != nil {
		return 0, c.error(err)
	}
	return None, nil
}

func setClear(th *Thread, c *Call) (Value, error) {
	if err := c.positional(0, 0); err != nil {
		return 0, err
	}
	if th.tableLen(c.Recv) > 0 {
		if err := th.tableClear(c.Recv); err != nil {
			return 0, c.error(err)
		}
	}
	return None, nil
}

func setOp(th *Thread, c *Call, f func(s, other Value) (Value, error)) (Value, error) {
	if err := c.positional(0, 1); err != nil {
		return 0, err
	}
	if len(c.Args) == 0 {
		return 0, c.errorf("got 0 arguments, want 1")
	}
	x, err := c.iterable(th, 0)
	if err != nil {
		return 0, err
	}
	v, err := f(c.Recv, x)
	if err != nil {
		return 0, c.error(err)
	}
	return v, nil
}

func setDifference(th *Thread, c *Call) (Value, error)   { return setOp(th, c, th.difference) }
func setIntersection(th *Thread, c *Call) (Value, error) { return setOp(th, c, th.intersection) }
func setSymmetric(th *Thread, c *Call) (Value, error)    { return setOp(th, c, th.symmetricDifference) }

func setIssubset(th *Thread, c *Call) (Value, error) {
	return setOp(th, c, func(s, other Value) (Value, error) {
		ok, err := th.isSubset(s, other)
		return mkBool(ok), err
	})
}

func setIssuperset(th *Thread, c *Call) (Value, error) {
	return setOp(th, c, func(s, other Value) (Value, error) {
		ok, err := th.isSuperset(s, other)
		return mkBool(ok), err
	})
}

func setDiscard(th *Thread, c *Call) (Value, error) {
	if err := c.positional(1, 1); err != nil {
		return 0, err
	}
	if err := th.mutable(c.Recv.ref(), th.t.Body(c.Recv.ref()), "delete from", "hash table"); err != nil {
		return 0, c.error(err)
	}
	v, err := th.tableDelete(c.Recv, c.Args[0])
	th.drop(v)
	if err != nil {
		return 0, c.error(err)
	}
	return None, nil
}

func setPop(th *Thread, c *Call) (Value, error) {
	if err := c.positional(0, 0); err != nil {
		return 0, err
	}
	k, v, err := th.popFirst(c, "set")
	th.drop(v)
	return k, err
}

func setRemove(th *Thread, c *Call) (Value, error) {
	if err := c.positional(1, 1); err != nil {
		return 0, err
	}
	v, err := th.tableDelete(c.Recv, c.Args[0])
	if err != nil {
		return 0, c.error(err)
	}
	if v == 0 {
		return 0, c.errorf("missing key")
	}
	return None, nil
}

func setUnion(th *Thread, c *Call) (Value, error) {
	v, err := th.clone(setType, c.Recv)
	if err != nil {
		return 0, err
	}
	if err := setInsert(th, v, c); err != nil {
		th.drop(v)
		return 0, c.error(err)
	}
	return v, nil
}

func setUpdate(th *Thread, c *Call) (Value, error) {
	if err := setInsert(th, c.Recv, c); err != nil {
		return 0, c.error(err)
	}
	return None, nil
}

func setInsert(th *Thread, s Value, c *Call) error {
	if len(c.Kwargs) > 0 {
		return errors.New("does not accept keyword arguments")
	}
	for i, x := range c.Args {
		if !th.iterable(x) {
			return fmt.Errorf("argument #%d is not iterable: %s", i+1, th.typeName(x))
		}
		if err := th.each(x, func(x Value) error { _, err := th.tableSet(s, x, None); return err }); err != nil {
			return err
		}
	}
	return nil
}
