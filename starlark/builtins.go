package starlark

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"go.starlark.net/syntax"
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

func abs(th *Thread, c *Call) (Value, error) {
	if err := c.positional(1, 1); err != nil {
		return 0, err
	}
	x := c.Args[0]
	switch th.kind(x) {
	case kFloat:
		return mkFloat(math.Abs(x.float())), nil
	case kInt:
		if th.intSign(x) >= 0 {
			return th.dup(x), nil
		}
		return th.unary(syntax.MINUS, x)
	}
	return 0, fmt.Errorf("got %s, want int or float", th.typeName(x))
}

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
		return th.newBytes(transcode(th.text(x)))
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

// transcode replaces invalid UTF-8.
func transcode(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		b.WriteRune(r)
	}
	return b.String()
}

func chr(th *Thread, c *Call) (Value, error) {
	if err := exactly1(c, ""); err != nil {
		return 0, err
	}
	i, err := th.asInt(c.Args[0])
	switch {
	case err != nil:
		return 0, c.error(err)
	case i < 0:
		return 0, c.errorf("Unicode code point %d out of range (<0)", i)
	case i > unicode.MaxRune:
		return 0, c.errorf("Unicode code point U+%X out of range (>0x10FFFF)", i)
	}
	return th.newString(string(rune(i)))
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
	seen := map[string]bool{}
	for _, a := range c.Kwargs {
		if seen[a.Name] {
			return fmt.Errorf("duplicate keyword arg: %s", syntaxQuote(a.Name))
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
	names := th.attrNames(c.Args[0])
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
		x, err := th.newString(s)
		if err == nil {
			err = th.listAppend(v, x)
		}
		if err != nil {
			th.drop(v)
			return 0, err
		}
	}
	return v, nil
}

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
		if err = th.listAppend(v, y); err != nil {
			th.drop(y)
		}
		return err
	})
	return th.orDrop(v, err)
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

func floatOf(th *Thread, c *Call) (Value, error) {
	if len(c.Kwargs) > 0 {
		return 0, fmt.Errorf("float does not accept keyword arguments")
	}
	if len(c.Args) == 0 {
		return mkFloat(0), nil
	}
	if len(c.Args) != 1 {
		return 0, fmt.Errorf("float got %d arguments, wants 1", len(c.Args))
	}
	x := c.Args[0]
	switch th.kind(x) {
	case kBool:
		if x == True {
			return mkFloat(1), nil
		}
		return mkFloat(0), nil
	case kInt:
		f, err := th.finite(x)
		return mkFloat(f), err
	case kFloat:
		return x, nil
	case kString:
		s := th.text(x)
		switch strings.ToLower(s) {
		case "":
			return 0, fmt.Errorf("float: empty string")
		case "inf", "+inf", "infinity", "+infinity":
			return mkFloat(math.Inf(1)), nil
		case "-inf", "-infinity":
			return mkFloat(math.Inf(-1)), nil
		case "nan", "+nan", "-nan":
			return mkFloat(math.NaN()), nil
		}
		f, err := strconv.ParseFloat(s, 64)
		if math.IsInf(f, 0) {
			return 0, fmt.Errorf("floating-point number too large")
		}
		if err != nil {
			return 0, fmt.Errorf("invalid float literal: %s", s)
		}
		return mkFloat(f), nil
	}
	return 0, fmt.Errorf("float got %s, want number or string", th.typeName(x))
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
	return 0, fmt.Errorf("getattr: %s has no .%s field or method", th.typeName(c.Args[0]), name)
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
	return mkBool(v != 0 || err != nil && slices.Contains(th.attrNames(c.Args[0]), name)), nil
}

func hashOf(th *Thread, c *Call) (Value, error) {
	if err := c.positional(1, 1); err != nil {
		return 0, err
	}
	x := c.Args[0]
	switch th.kind(x) {
	case kString:
		return mkInt(int(javaHash(th.text(x)))), nil
	case kBytes:
		h := uint32(2166136261)
		for _, b := range []byte(th.text(x)) {
			h = (h ^ uint32(b)) * 16777619
		}
		return mkInt(int(h)), nil
	}
	return 0, fmt.Errorf("hash: got %s, want string or bytes", th.typeName(x))
}

func javaHash(s string) (h int32) {
	for _, r := range s {
		if utf16.IsSurrogate(r) {
			a, b := utf16.EncodeRune(r)
			h = 31*(31*h+a) + b
		} else {
			h = 31*h + r
		}
	}
	return h
}

func intOf(th *Thread, c *Call) (Value, error) {
	x, base := mkInt(0), Value(0)
	if err := c.Unpack(th, c.Args, []string{"x", "base?"}, &x, &base); err != nil {
		return 0, err
	}
	if s, ok := th.str(x); ok {
		b := 10
		if base != 0 {
			var err error
			if b, err = th.asInt(base); err != nil {
				return 0, fmt.Errorf("int: for base, got %s, want int", th.typeName(base))
			}
			if b != 0 && (b < 2 || b > 36) {
				return 0, fmt.Errorf("int: base must be an integer >= 2 && <= 36")
			}
		}
		if len(s) > maxBits/4 {
			return 0, fmt.Errorf("int: literal too large: %d digits", len(s))
		}
		if n := parseInt(s, b); n != nil {
			return th.newBig(n)
		}
		return 0, fmt.Errorf("int: invalid literal with base %d: %s", b, s)
	}
	if base != 0 {
		return 0, fmt.Errorf("int: can't convert non-string with explicit base")
	}
	switch x {
	case True:
		return mkInt(1), nil
	case False:
		return mkInt(0), nil
	}
	v, err := th.toInt(x)
	if err != nil {
		return 0, c.error(err)
	}
	return v, nil
}

func parseInt(s string, base int) *big.Int {
	neg := false
	if s != "" && (s[0] == '+' || s[0] == '-') {
		neg = s[0] == '-'
		s = s[1:]
	}
	if len(s) > 1 && s[0] == '0' {
		prefix := 0
		if len(s) > 2 {
			switch s[1] {
			case 'o', 'O':
				prefix = 8
			case 'x', 'X':
				prefix = 16
			case 'b', 'B':
				prefix = 2
			}
		}
		if prefix != 0 {
			if base == 0 || prefix == base {
				base = prefix
				s = s[2:]
			}
		} else if base == 0 {
			if strings.Trim(s, "0") != "" {
				return nil
			}
			return new(big.Int)
		}
	}
	if base == 0 {
		base = 10
	}
	if s != "" && (s[0] == '-' || s[0] == '+') {
		return nil
	}
	n, ok := new(big.Int).SetString(s, base)
	if !ok {
		return nil
	}
	if neg {
		n.Neg(n)
	}
	return n
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
		k := th.dup(x)
		if key != 0 {
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

func ord(th *Thread, c *Call) (Value, error) {
	if err := exactly1(c, ""); err != nil {
		return 0, err
	}
	x := c.Args[0]
	switch th.kind(x) {
	case kString:
		s := th.text(x)
		r, n := utf8.DecodeRuneInString(s)
		if n == 0 || n != len(s) {
			return 0, fmt.Errorf("ord: string encodes %d Unicode code points, want 1", utf8.RuneCountInString(s))
		}
		return mkInt(int(r)), nil
	case kBytes:
		s := th.text(x)
		if len(s) != 1 {
			return 0, fmt.Errorf("ord: bytes has length %d, want 1", len(s))
		}
		return mkInt(int(s[0])), nil
	}
	return 0, fmt.Errorf("ord: got %s, want string or bytes", th.typeName(x))
}

func rangeFunc(th *Thread, c *Call) (Value, error) {
	if err := c.positional(1, 3); err != nil {
		return 0, err
	}
	start, err := c.int(th, 0, 0)
	if err != nil {
		return 0, err
	}
	stop, err := c.int(th, 1, 0)
	if err != nil {
		return 0, err
	}
	step, err := c.int(th, 2, 1)
	if err != nil {
		return 0, err
	}
	if len(c.Args) == 1 {
		start, stop = 0, start
	}
	if step == 0 {
		return 0, c.errorf("step argument must not be zero")
	}
	return th.newRange(start, stop, step)
}

func repr(th *Thread, c *Call) (Value, error) {
	if err := c.positional(1, 1); err != nil {
		return 0, err
	}
	w := writer{th: th}
	w.value(c.Args[0], nil)
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
	drop := func() {
		for _, it := range items {
			th.drop(it.v)
			th.drop(it.key)
		}
	}
	err := th.each(x, func(x Value) error {
		if len(items) == cap(items) {
			if err := th.room(32 * cap(items)); err != nil {
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
	var sortErr error
	slices.SortStableFunc(items, func(a, b item) int {
		if reverse == True {
			a, b = b, a
		}
		n, err := th.order(a.key, b.key)
		if err != nil {
			sortErr = err
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
		return int(a.int() - b.int()), nil
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

func strOf(th *Thread, c *Call) (Value, error) {
	if err := exactly1(c, "exactly "); err != nil {
		return 0, err
	}
	x := c.Args[0]
	switch th.kind(x) {
	case kString:
		return th.dup(x), nil
	case kBytes:
		return th.newString(transcode(th.text(x)))
	}
	w := writer{th: th}
	w.value(x, nil)
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

func zip(th *Thread, c *Call) (Value, error) {
	if len(c.Kwargs) > 0 {
		return 0, fmt.Errorf("zip does not accept keyword arguments")
	}
	first := len(th.its)
	defer func() { th.endIterators(first) }()
	for i, x := range c.Args {
		if !th.iterate(x) {
			return 0, fmt.Errorf("zip: argument #%d is not iterable: %s", i+1, th.typeName(x))
		}
	}
	v, err := th.newList(0)
	if err != nil || len(c.Args) == 0 {
		return v, err
	}
	for {
		if err := th.step(); err != nil {
			th.drop(v)
			return 0, err
		}
		row := make([]Value, 0, 8)
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
		} else if err = th.listAppend(v, t); err != nil {
			th.drop(t)
		}
		if err != nil {
			th.drop(v)
			return 0, err
		}
	}
}
