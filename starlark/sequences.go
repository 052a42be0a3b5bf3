package starlark

import (
	"cmp"
	"fmt"
	"slices"

	"go.starlark.net/syntax"
)

// The functions of the universe that are about sequences.

func enumerate(th *Thread, c *Call) (Value, error) {
	if err := c.positional(1, 2); err != nil {
		return 0, err
	}
	x, err := c.iterable(th, 0)
	if err != nil {
		return 0, err
	}
	i, err := c.int(th, 1, 0)
	if err != nil {
		return 0, err
	}
	return th.collect(x, func(x Value) (Value, error) {
		n, err := th.newInt(int64(i))
		if err != nil {
			return 0, err
		}
		i++
		pair := []Value{n, th.dup(x)}
		v, err := th.makeTuple(pair...)
		if err != nil {
			th.dropAll(pair)
		}
		return v, err
	})
}

// collect returns a list of what f makes of each item.
func (th *Thread) collect(x Value, f func(x Value) (Value, error)) (Value, error) {
	n := th.length(x)
	if th.kind(x) == kRange {
		n = min(n, 1<<20)
	}
	v, err := th.newList(max(n, 0))
	if err != nil {
		return 0, err
	}
	err = th.each(x, func(x Value) error {
		y, err := f(x)
		if err != nil {
			return err
		}
		return th.listAdd(v, y)
	})
	return th.orDrop(v, err)
}

func minmax(th *Thread, c *Call) (Value, error) {
	if len(c.Args) == 0 {
		return 0, fmt.Errorf("%s requires at least one positional argument", c.Name)
	}
	key := Value(0)
	if err := c.Unpack(th, nil, []string{"key?"}, &key); err != nil {
		return 0, err
	}
	if key != 0 && !th.callable(key) {
		return 0, c.parameter(th, "key", key, "callable")
	}
	op := syntax.LT
	if c.Name == "max" {
		op = syntax.GT
	}
	var best, bestKey Value
	defer func() { th.drop(bestKey) }()
	see := func(x Value) error {
		var k Value
		if key == 0 {
			k = th.dup(x)
		} else {
			var err error
			if k, err = th.Call(key, []Value{x}); err != nil {
				return err
			}
		}
		if best != 0 {
			ok, err := th.compare(op, k, bestKey)
			if err != nil || !ok {
				th.drop(k)
				if err != nil {
					err = c.error(err)
				}
				return err
			}
		}
		th.drop(best)
		th.drop(bestKey)
		best, bestKey = th.dup(x), k
		return nil
	}
	if len(c.Args) > 1 {
		for _, x := range c.Args {
			if err := see(x); err != nil {
				th.drop(best)
				return 0, err
			}
		}
		return best, nil
	}
	x := c.Args[0]
	if !th.iterable(x) {
		return 0, fmt.Errorf("%s: %s value is not iterable", c.Name, th.typeName(x))
	}
	if err := th.each(x, see); err != nil {
		th.drop(best)
		return 0, err
	}
	if best == 0 {
		return 0, c.errorf("argument is an empty sequence")
	}
	return best, nil
}

func sorted(th *Thread, c *Call) (Value, error) {
	var x, key, reverse Value
	if err := c.Unpack(th, c.Args, []string{"iterable", "key?", "reverse?"}, &x, &key, &reverse); err != nil {
		return 0, err
	}
	switch {
	case !th.iterable(x):
		return 0, c.parameter(th, "iterable", x, "iterable")
	case key != 0 && !th.callable(key):
		return 0, c.parameter(th, "key", key, "callable")
	case reverse != 0 && reverse != True && reverse != False:
		return 0, c.parameter(th, "reverse", reverse, "bool")
	}
	type item struct{ v, key Value }
	var items []item
	if n := min(th.length(x), 1<<20); n > 0 {
		if err := th.reserve(16 * n); err != nil {
			return 0, err
		}
		items = make([]item, 0, n)
	}
	drop := func() {
		for _, it := range items {
			th.drop(it.v)
			th.drop(it.key)
		}
	}
	err := th.each(x, func(x Value) error {
		if len(items) == cap(items) {
			if err := th.reserve(32 * cap(items)); err != nil {
				return err
			}
		}
		items = append(items, item{th.dup(x), 0})
		return nil
	})
	for i := 0; i < len(items) && err == nil; i++ {
		if key == 0 {
			items[i].key = th.dup(items[i].v)
		} else {
			items[i].key, err = th.Call(key, []Value{items[i].v})
		}
	}
	if err != nil {
		drop()
		return 0, err
	}
	var sortErr error // the last one, as in starlark-go, unless it is a limit
	over := false
	slices.SortStableFunc(items, func(a, b item) int {
		if over {
			return 0
		}
		if reverse == True {
			a, b = b, a
		}
		n, err := th.order(a.key, b.key)
		if err != nil {
			sortErr, over = err, limitOnly(err) != nil
		}
		return n
	})
	if sortErr != nil {
		drop()
		return 0, sortErr
	}
	v, err := th.newList(len(items))
	if err != nil {
		drop()
		return 0, err
	}
	for i := range items {
		th.drop(items[i].key)
		items[i].key = 0
		if err := th.listAppend(v, items[i].v); err != nil {
			drop()
			th.drop(v)
			return 0, err
		}
		items[i].v = 0
	}
	return v, nil
}

// order compares two values for sorting.
func (th *Thread) order(a, b Value) (int, error) {
	if a&b >= intBase {
		return cmp.Compare(a.int(), b.int()), nil
	}
	less, err := th.compare(syntax.LT, a, b)
	if err != nil {
		return 0, err
	}
	if less {
		return -1, nil
	}
	if less, err = th.compare(syntax.LT, b, a); less {
		return 1, err
	}
	return 0, err
}

func zip(th *Thread, c *Call) (Value, error) {
	if len(c.Kwargs) > 0 {
		return 0, fmt.Errorf("zip does not accept keyword arguments")
	}
	first := len(th.its)
	if err := th.reserve((2*iteratorSize + 8) * len(c.Args)); err != nil {
		return 0, err
	}
	defer func() {
		if th.endIterators(first); cap(th.its) > keptIterators {
			th.its = append(make([]iterator, 0, keptIterators), th.its...)
		}
	}()
	for i, x := range c.Args {
		if !th.iterate(x) {
			return 0, fmt.Errorf("zip: argument #%d is not iterable: %s", i+1, th.typeName(x))
		}
	}
	v, err := th.newList(0)
	if err != nil || len(c.Args) == 0 {
		return v, err
	}
	row := make([]Value, 0, len(c.Args))
	for {
		if err := th.step(); err != nil {
			th.drop(v)
			return 0, err
		}
		row = row[:0]
		var err error
		for i := range c.Args {
			var x Value
			if x, err = th.next(first + i); x == 0 || err != nil {
				th.dropAll(row)
				if err != nil {
					th.drop(v)
					return 0, err
				}
				return v, nil
			}
			row = append(row, x)
		}
		t, err := th.makeTuple(row...)
		if err != nil {
			th.dropAll(row)
		} else {
			err = th.listAdd(v, t)
		}
		if err != nil {
			th.drop(v)
			return 0, err
		}
	}
}
