package starlark

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"unicode/utf8"

	rt "github.com/ichor-go/ichor/runtime"
)

// universe has the functions that every program can call.
var universe map[string]Func

func init() {
	universe = map[string]Func{
		"abs": abs, "any": anyTrue, "all": allTrue, "bool": boolOf, "bytes": bytesOf, "chr": chr,
		"dict": dictOf, "dir": dir, "enumerate": enumerate, "fail": fail, "float": floatOf,
		"getattr": getattr, "hasattr": hasattr, "hash": hashOf, "int": intOf, "len": lenOf,
		"list": listOf, "max": minmax, "min": minmax, "ord": ord, "print": printArgs,
		"range": rangeFunc, "repr": repr, "reversed": reversed, "set": setOf, "sorted": sorted,
		"str": strOf, "tuple": tupleFunc, "type": typeOf, "zip": zip,
	}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func anyTrue(th *Thread, c *Call) (Value, error) { return quantify(th, c, true) }
func allTrue(th *Thread, c *Call) (Value, error) { return quantify(th, c, false) }

func quantify(th *Thread, c *Call, stop bool) (Value, error) {
	if err := c.positional(1, 1); err != nil {
		return 0, err
	}
	x, err := c.iterable(th, 0)
	if err != nil {
		return 0, err
	}
	result := !stop
	err = th.each(x, func(x Value) error {
		if th.truth(x) == stop {
			result = stop
			return errStop
		}
		return nil
	})
	return mkBool(result), err
}

func boolOf(th *Thread, c *Call) (Value, error) {
	if err := c.positional(0, 1); err != nil {
		return 0, err
	}
	return mkBool(len(c.Args) == 1 && th.truth(c.Args[0])), nil
}

func exactly1(c *Call, exact string) error {
	if len(c.Kwargs) > 0 {
		return fmt.Errorf("%s does not accept keyword arguments", c.Name)
	}
	if len(c.Args) != 1 {
		return fmt.Errorf("%s: got %d arguments, want %s1", c.Name, len(c.Args), exact)
	}
	return nil
}

func bytesOf(th *Thread, c *Call) (Value, error) {
	if err := exactly1(c, "exactly "); err != nil {
		return 0, err
	}
	x := c.Args[0]
	switch th.kind(x) {
	case kBytes:
		return th.dup(x), nil
	case kString:
		return th.transcode(bytesType, th.text(x))
	}
	if !th.iterable(x) {
		return 0, fmt.Errorf("bytes: got %s, want string, bytes, or iterable of ints", th.typeName(x))
	}
	w := writer{th: th}
	i := 0
	err := th.each(x, func(e Value) error {
		if th.kind(e) != kInt {
			return fmt.Errorf("bytes: at index %d, got %s, want int", i, th.typeName(e))
		}
		if !e.isInt() || e.int() < 0 || e.int() > 255 {
			return fmt.Errorf("bytes: at index %d, %s out of range (want value in unsigned 8-bit range)", i, th.intString(e))
		}
		w.char(byte(e.int()))
		i++
		return w.err
	})
	if err != nil {
		w.fail(err)
	}
	return w.doneAs(bytesType)
}

// transcode returns the string s as an object of the type y, without invalid UTF-8.
func (th *Thread) transcode(y *rt.Type, s string) (Value, error) {
	w := writer{th: th}
	if utf8.ValidString(s) {
		w.str(s)
		return w.doneAs(y)
	}
	for _, r := range s {
		w.rune(r)
	}
	return w.doneAs(y)
}

func dictOf(th *Thread, c *Call) (Value, error) {
	if len(c.Args) > 1 {
		return 0, fmt.Errorf("dict: got %d arguments, want at most 1", len(c.Args))
	}
	d, err := th.newDict(0)
	if err != nil {
		return 0, err
	}
	if err := updateDict(th, d, c); err != nil {
		th.drop(d)
		return 0, c.error(err)
	}
	return d, nil
}

// kwargBytes is what a table of names takes for each, when it is full by half.
const kwargBytes = 64

// updateDict sets what the arguments of dict or dict.update say.
func updateDict(th *Thread, d Value, c *Call) error {
	if len(c.Args) == 1 {
		x := c.Args[0]
		if th.kind(x) == kDict {
			if th.tableLen(x) > 0 {
				if err := th.mutable(d.ref(), th.t.Body(d.ref()), "insert into", "hash table"); err != nil {
					return err
				}
			}
			if err := th.addAll(d, x); err != nil {
				return err
			}
		} else {
			if !th.iterable(x) {
				return fmt.Errorf("got %s, want iterable", th.typeName(x))
			}
			i := 0
			err := th.each(x, func(pair Value) error {
				if !th.iterable(pair) {
					return fmt.Errorf("dictionary update sequence element #%d is not iterable (%s)", i, th.typeName(pair))
				}
				switch n := th.length(pair); {
				case n < 0:
					return fmt.Errorf("dictionary update sequence element #%d has unknown length (%s)", i, th.typeName(pair))
				case n != 2:
					return fmt.Errorf("dictionary update sequence element #%d has length %d, want 2", i, n)
				}
				i++
				kv := make([]Value, 0, 2)
				defer func() { th.dropAll(kv) }()
				if err := th.each(pair, func(x Value) error { kv = append(kv, th.dup(x)); return nil }); err != nil {
					return err
				}
				if len(kv) < 2 {
					return errors.New("dictionary update sequence element changed")
				}
				_, err := th.tableSet(d, kv[0], kv[1])
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	if err := th.reserve(kwargBytes * len(c.Kwargs)); err != nil {
		return err
	}
	seen := make(map[string]bool, len(c.Kwargs))
	for _, a := range c.Kwargs {
		if seen[a.Name] {
			return fmt.Errorf("duplicate keyword arg: %s", quoteName(a.Name))
		}
		seen[a.Name] = true
		k, err := th.newString(a.Name)
		if err != nil {
			return err
		}
		_, err = th.tableSet(d, k, a.Value)
		th.drop(k)
		if err != nil {
			return err
		}
	}
	return nil
}

func dir(th *Thread, c *Call) (Value, error) {
	if err := exactly1(c, ""); err != nil {
		return 0, err
	}
	names, err := th.attrNames(c.Args[0])
	if err != nil {
		return 0, err
	}
	slices.Sort(names)
	return th.stringList(names)
}

// stringList returns a list of strings.
func (th *Thread) stringList(ss []string) (Value, error) { return th.stringSeq(slices.Values(ss)) }

// stringSeq returns a list of strings.
func (th *Thread) stringSeq(ss iter.Seq[string]) (Value, error) {
	v, err := th.newList(0)
	if err != nil {
		return 0, err
	}
	for s := range ss {
		th.charge(1)
		x, err := th.newString(s)
		if err == nil {
			err = th.listAdd(v, x)
		}
		if err != nil {
			th.drop(v)
			return 0, err
		}
	}
	return v, nil
}

func fail(th *Thread, c *Call) (Value, error) {
	sep := Value(0)
	if err := c.Unpack(th, nil, []string{"sep?"}, &sep); err != nil {
		return 0, err
	}
	w := writer{th: th}
	w.str("fail: ")
	if err := w.join(c, sep); err != nil {
		return 0, err
	}
	if len(w.pieces) > 0 {
		s := brief(th.text(w.pieces[0]))
		w.abandon()
		return 0, errors.New(s)
	}
	return 0, errors.New(w.goString())
}

// join writes the arguments as print does.
func (w *writer) join(c *Call, sepValue Value) error {
	sep := " "
	if sepValue != 0 {
		var ok bool
		if sep, ok = w.th.str(sepValue); !ok {
			return c.parameter(w.th, "sep", sepValue, "string")
		}
	}
	for i, v := range c.Args {
		if i > 0 {
			w.str(sep)
		}
		if w.th.kind(v) == kBytes && c.Name == "print" {
			w.str(w.th.text(v))
		} else {
			w.display(v)
		}
	}
	return w.err
}

func printArgs(th *Thread, c *Call) (Value, error) {
	sep := Value(0)
	if err := c.Unpack(th, nil, []string{"sep?"}, &sep); err != nil {
		return 0, err
	}
	w := writer{th: th}
	if err := w.join(c, sep); err != nil {
		return 0, err
	}
	if err := w.reserveString(2); err != nil {
		return 0, err
	}
	text := w.goString()
	if th.m.opts.Print != nil {
		th.m.opts.Print(th, text)
		return None, nil
	}
	th.t.Blocking(func() {
		th.m.outMu.Lock()
		defer th.m.outMu.Unlock()
		_, _ = io.WriteString(th.m.opts.Output, text+"\n")
	})
	return None, nil
}

func getattr(th *Thread, c *Call) (Value, error) {
	if err := c.positional(2, 3); err != nil {
		return 0, err
	}
	name, err := c.str(th, 1)
	if err != nil {
		return 0, err
	}
	v, err := th.getAttr(c.Args[0], name)
	switch {
	case v != 0:
		return v, nil
	case len(c.Args) == 3:
		return th.dup(c.Args[2]), nil
	case err != nil:
		return 0, c.error(err)
	}
	return 0, fmt.Errorf("getattr: %s has no .%s field or method", th.typeName(c.Args[0]), brief(name))
}

func hasattr(th *Thread, c *Call) (Value, error) {
	if err := c.positional(2, 2); err != nil {
		return 0, err
	}
	name, err := c.str(th, 1)
	if err != nil {
		return 0, err
	}
	v, err := th.getAttr(c.Args[0], name)
	th.drop(v)
	if v != 0 || err == nil || th.kind(c.Args[0]) != kHost {
		return mkBool(v != 0), nil
	}
	names, err := th.attrNames(c.Args[0]) // of a Host, whose attribute is there, but failed
	return mkBool(slices.Contains(names, name)), err
}

func lenOf(th *Thread, c *Call) (Value, error) {
	if err := c.positional(1, 1); err != nil {
		return 0, err
	}
	n := th.length(c.Args[0])
	if n < 0 {
		return 0, fmt.Errorf("len: value of type %s has no len", th.typeName(c.Args[0]))
	}
	return th.newInt(int64(n))
}

func listOf(th *Thread, c *Call) (Value, error) {
	if err := c.positional(0, 1); err != nil {
		return 0, err
	}
	if len(c.Args) == 0 {
		return th.newList(0)
	}
	x, err := c.iterable(th, 0)
	if err != nil {
		return 0, err
	}
	return th.collect(x, func(x Value) (Value, error) { return th.dup(x), nil })
}

func repr(th *Thread, c *Call) (Value, error) {
	if err := c.positional(1, 1); err != nil {
		return 0, err
	}
	w := writer{th: th}
	w.value(c.Args[0])
	return w.done()
}

func reversed(th *Thread, c *Call) (Value, error) {
	if err := c.positional(1, 1); err != nil {
		return 0, err
	}
	x, err := c.iterable(th, 0)
	if err != nil {
		return 0, err
	}
	v, err := th.collect(x, func(x Value) (Value, error) { return th.dup(x), nil })
	if err != nil {
		return 0, err
	}
	n := th.listLen(v)
	if n > 0 {
		slices.Reverse(th.t.Block(th.t.Body(v.ref()).LoadRef(listBlock)).Refs(blockSlots, n))
	}
	return v, nil
}

func setOf(th *Thread, c *Call) (Value, error) {
	if err := c.positional(0, 1); err != nil {
		return 0, err
	}
	v, err := th.newSet(0)
	if err != nil || len(c.Args) == 0 {
		return v, err
	}
	x, err := c.iterable(th, 0)
	if err == nil {
		err = th.each(x, func(x Value) error {
			if _, err := th.tableSet(v, x, None); err != nil {
				return c.error(err)
			}
			return nil
		})
	}
	return th.orDrop(v, err)
}

func strOf(th *Thread, c *Call) (Value, error) {
	if err := exactly1(c, "exactly "); err != nil {
		return 0, err
	}
	x := c.Args[0]
	switch th.kind(x) {
	case kString:
		return th.dup(x), nil
	case kBytes:
		return th.transcode(stringType, th.text(x))
	}
	w := writer{th: th}
	w.value(x)
	return w.done()
}

func tupleFunc(th *Thread, c *Call) (Value, error) {
	if err := c.positional(0, 1); err != nil {
		return 0, err
	}
	if len(c.Args) == 0 {
		return th.m.emptyTuple, nil
	}
	if th.kind(c.Args[0]) == kTuple {
		return th.dup(c.Args[0]), nil
	}
	list, err := listOf(th, c)
	if err != nil {
		return 0, err
	}
	defer th.drop(list)
	return th.tupleOf(list)
}

func typeOf(th *Thread, c *Call) (Value, error) {
	if err := exactly1(c, "exactly "); err != nil {
		return 0, err
	}
	return th.newString(th.typeName(c.Args[0]))
}
