package starlark

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

var stringMethods map[string]Func

func init() {
	stringMethods = map[string]Func{
		"capitalize": stringCapitalize, "count": stringCount, "find": stringFind, "format": stringFormat,
		"index": stringFind, "join": stringJoin, "partition": stringPartition, "replace": stringReplace,
		"rfind": stringFind, "rindex": stringFind, "rpartition": stringPartition,
		"rsplit": stringSplit, "split": stringSplit, "splitlines": stringSplitlines,
		"startswith": stringStartswith, "endswith": stringStartswith, "title": stringTitle,
		"strip": stringStrip, "lstrip": stringStrip, "rstrip": stringStrip,
		"removeprefix": stringRemovefix, "removesuffix": stringRemovefix,
		"lower":          stringMap(unicode.ToLower, 'A'),
		"upper":          stringMap(unicode.ToUpper, 'a'),
		"elems":          stringElems(elemStrings),
		"elem_ords":      stringElems(elemOrds),
		"codepoints":     stringElems(pointStrings),
		"codepoint_ords": stringElems(pointOrds),
		"isalnum":        stringIs(func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }),
		"isalpha":        stringIs(unicode.IsLetter),
		"isdigit":        stringIs(unicode.IsDigit),
		"isspace":        stringIs(unicode.IsSpace),
		"islower":        stringTest(func(s string) bool { return cased(s) && unchanged(s, unicode.ToLower) }),
		"isupper":        stringTest(func(s string) bool { return cased(s) && unchanged(s, unicode.ToUpper) }),
		"istitle":        stringTest(isTitle),
	}
	methods[kString] = stringMethods
}

func stringElems(mode uint32) Func {
	return func(th *Thread, c *Call) (Value, error) {
		if err := c.positional(0, 0); err != nil {
			return 0, err
		}
		return th.newElems(c.Recv, mode)
	}
}

func stringTest(f func(string) bool) Func {
	return func(th *Thread, c *Call) (Value, error) {
		if err := c.positional(0, 0); err != nil {
			return 0, err
		}
		s := th.text(c.Recv)
		th.scan(len(s))
		return mkBool(f(s)), nil
	}
}

// stringIs tests that a string is not empty, and that f is true of all its runes.
func stringIs(f func(rune) bool) Func {
	return stringTest(func(s string) bool {
		return s != "" && strings.IndexFunc(s, func(r rune) bool { return !f(r) }) < 0
	})
}

func stringCapitalize(th *Thread, c *Call) (Value, error) {
	if err := c.positional(0, 0); err != nil {
		return 0, err
	}
	w := writer{th: th}
	for i, r := range th.text(c.Recv) {
		if i == 0 {
			w.rune(unicode.ToTitle(r))
		} else {
			w.rune(unicode.ToLower(r))
		}
	}
	return w.done()
}

func stringTitle(th *Thread, c *Call) (Value, error) {
	if err := c.positional(0, 0); err != nil {
		return 0, err
	}
	w := writer{th: th}
	prev := false
	for _, r := range th.text(c.Recv) {
		if prev {
			r = unicode.ToLower(r)
		} else {
			r = unicode.ToTitle(r)
		}
		prev = casedRune(r)
		w.rune(r)
	}
	return w.done()
}

// part returns the part of the receiver that arguments 1 and 2 select, and where it starts.
func (c *Call) part(th *Thread) (string, int, error) {
	s := th.text(c.Recv)
	start, end, err := th.indices(c.arg(1), c.arg(2), len(s))
	if err != nil {
		return "", 0, c.error(err)
	}
	th.scan(max(end-start, 0))
	return s[start:max(start, end)], start, nil
}

func stringCount(th *Thread, c *Call) (Value, error) {
	if err := c.positional(1, 3); err != nil {
		return 0, err
	}
	sub, err := c.str(th, 0)
	if err != nil {
		return 0, err
	}
	s, _, err := c.part(th)
	return mkInt(strings.Count(s, sub)), err
}

func stringFind(th *Thread, c *Call) (Value, error) {
	if err := c.positional(1, 3); err != nil {
		return 0, err
	}
	sub, err := c.str(th, 0)
	if err != nil {
		return 0, err
	}
	s, start, err := c.part(th)
	if err != nil {
		return 0, err
	}
	i := 0
	if c.Name[0] == 'r' {
		i = strings.LastIndex(s, sub)
	} else {
		i = strings.Index(s, sub)
	}
	if i < 0 {
		if strings.HasSuffix(c.Name, "index") {
			return 0, c.errorf("substring not found")
		}
		return mkInt(-1), nil
	}
	return mkInt(i + start), nil
}

func stringJoin(th *Thread, c *Call) (Value, error) {
	if err := c.positional(1, 1); err != nil {
		return 0, err
	}
	x, err := c.iterable(th, 0)
	if err != nil {
		return 0, err
	}
	sep := th.text(c.Recv)
	w := writer{th: th}
	i := 0
	err = th.each(x, func(e Value) error {
		if i > 0 {
			w.str(sep)
		}
		i++
		s, ok := th.str(e)
		if !ok {
			return fmt.Errorf("join: in list, want string, got %s", th.typeName(e))
		}
		w.str(s)
		return w.err
	})
	if err != nil {
		w.fail(err)
	}
	return w.done()
}

func stringPartition(th *Thread, c *Call) (Value, error) {
	if err := c.positional(1, 1); err != nil {
		return 0, err
	}
	sep, err := c.str(th, 0)
	if err != nil {
		return 0, err
	}
	if sep == "" {
		return 0, c.errorf("empty separator")
	}
	s := th.text(c.Recv)
	i := 0
	if c.Name[0] == 'p' {
		i = strings.Index(s, sep)
	} else {
		i = strings.LastIndex(s, sep)
	}
	parts := [3]string{}
	switch {
	case i >= 0:
		parts = [3]string{s[:i], sep, s[i+len(sep):]}
	case c.Name[0] == 'p':
		parts[0] = s
	default:
		parts[2] = s
	}
	vs := make([]Value, 3)
	for j, p := range parts {
		if vs[j], err = th.newString(p); err != nil {
			th.dropAll(vs)
			return 0, err
		}
	}
	v, err := th.makeTuple(vs...)
	if err != nil {
		th.dropAll(vs)
	}
	return v, err
}

func stringRemovefix(th *Thread, c *Call) (Value, error) {
	if err := c.positional(1, 1); err != nil {
		return 0, err
	}
	fix, err := c.str(th, 0)
	if err != nil {
		return 0, err
	}
	s := th.text(c.Recv)
	if c.Name == "removeprefix" {
		return th.newString(strings.TrimPrefix(s, fix))
	}
	return th.newString(strings.TrimSuffix(s, fix))
}

func stringReplace(th *Thread, c *Call) (Value, error) {
	if err := c.positional(2, 3); err != nil {
		return 0, err
	}
	old, err := c.str(th, 0)
	if err != nil {
		return 0, err
	}
	by, err := c.str(th, 1)
	if err != nil {
		return 0, err
	}
	n, err := c.int(th, 2, -1)
	if err != nil {
		return 0, err
	}
	s := th.text(c.Recv)
	if n < 0 || n > len(s)+1 {
		n = strings.Count(s, old)
	} else {
		n = min(n, strings.Count(s, old))
	}
	th.scan(len(s))
	if n == 0 {
		return th.dup(c.Recv), nil
	}
	v, b, err := th.newText(stringType, len(s)+n*(len(by)-len(old)))
	if err != nil {
		return 0, err
	}
	at := 0
	for i := range n {
		j := 0
		if old != "" {
			j = strings.Index(s, old)
		} else if i > 0 {
			_, j = utf8.DecodeRuneInString(s)
		}
		at += copy(b[at:], s[:j])
		at += copy(b[at:], by)
		s = s[j+len(old):]
	}
	copy(b[at:], s)
	return v, nil
}

func stringStartswith(th *Thread, c *Call) (Value, error) {
	if err := c.positional(1, 3); err != nil {
		return 0, err
	}
	s, _, err := c.part(th)
	if err != nil {
		return 0, err
	}
	f := strings.HasPrefix
	if c.Name[0] == 'e' {
		f = strings.HasSuffix
	}
	x := c.Args[0]
	switch th.kind(x) {
	case kTuple:
		for i := range th.tupleLen(x) {
			e := th.tupleAt(x, i)
			p, ok := th.str(e)
			if !ok {
				return 0, c.errorf("want string, got %s, for element %d", th.typeName(e), i)
			}
			if f(s, p) {
				return True, nil
			}
		}
		return False, nil
	case kString:
		return mkBool(f(s, th.text(x))), nil
	}
	return 0, c.errorf("got %s, want string or tuple of string", th.typeName(x))
}

// manyChars is from how many bytes on strip counts the search in its argument as work.
const manyChars = 64

func stringStrip(th *Thread, c *Call) (Value, error) {
	if err := c.positional(0, 1); err != nil {
		return 0, err
	}
	chars := ""
	if len(c.Args) == 1 {
		var err error
		if chars, err = c.str(th, 0); err != nil {
			return 0, err
		}
	}
	s := th.text(c.Recv)
	space := func(r rune) bool { return unicode.IsSpace(r) }
	var err error
	switch {
	case len(chars) > manyChars:
		space = func(r rune) bool {
			th.scan(len(chars))
			if err = th.work(); err != nil {
				return false
			}
			return strings.ContainsRune(chars, r)
		}
	case chars != "":
		space = func(r rune) bool { return strings.ContainsRune(chars, r) }
	}
	th.scan(len(s))
	if c.Name != "rstrip" {
		s = strings.TrimLeftFunc(s, space)
	}
	if c.Name != "lstrip" && err == nil {
		s = strings.TrimRightFunc(s, space)
	}
	if err != nil {
		return 0, err
	}
	return th.newString(s)
}

func stringSplit(th *Thread, c *Call) (Value, error) {
	if err := c.positional(0, 2); err != nil {
		return 0, err
	}
	most, err := c.int(th, 1, -1)
	if err != nil {
		return 0, err
	}
	s := th.text(c.Recv)
	th.scan(len(s))
	var parts []string
	sepValue := c.arg(0)
	if sepValue == 0 || sepValue == None {
		if most < 0 {
			return th.stringSeq(strings.FieldsSeq(s))
		}
		n := 0
		for range strings.FieldsSeq(s) {
			n++
		}
		if err := th.reserveParts(min(most, n)); err != nil {
			return 0, err
		}
		if c.Name == "split" {
			parts = splitSpace(s, most)
		} else {
			parts = rsplitSpace(s, most)
		}
		return th.stringList(parts)
	}
	sep, ok := th.str(sepValue)
	switch {
	case !ok:
		return 0, fmt.Errorf("split: got %s for separator, want string", th.typeName(sepValue))
	case sep == "":
		return 0, fmt.Errorf("split: empty separator")
	case most < 0:
		return th.stringSeq(strings.SplitSeq(s, sep))
	default:
		if err := th.reserveParts(min(most, strings.Count(s, sep))); err != nil {
			return 0, err
		}
		if c.Name == "split" {
			parts = strings.SplitN(s, sep, most+1)
			break
		}
		for range most {
			i := strings.LastIndex(s, sep)
			if i < 0 {
				break
			}
			parts = append(parts, s[i+len(sep):])
			s = s[:i]
		}
		parts = append(parts, s)
		slices.Reverse(parts)
	}
	return th.stringList(parts)
}

// reserveParts reserves memory for a slice of n strings that grows.
func (th *Thread) reserveParts(n int) error { return th.reserve(48 * n) }

// splitSpace splits s at spaces, at most n times from the left.
func splitSpace(s string, n int) (parts []string) {
	start := -1
	for i, r := range s {
		if unicode.IsSpace(r) {
			if start >= 0 {
				if len(parts) == n {
					break
				}
				parts = append(parts, s[start:i])
				start = -1
			}
		} else if start < 0 {
			start = i
		}
	}
	if start >= 0 {
		parts = append(parts, s[start:])
	}
	return parts
}

// rsplitSpace splits s at spaces, at most n times from the right.
func rsplitSpace(s string, n int) (parts []string) {
	end := -1
	for i := len(s); i > 0; {
		r, size := utf8.DecodeLastRuneInString(s[:i])
		if unicode.IsSpace(r) {
			if end >= 0 {
				if len(parts) == n {
					break
				}
				parts = append(parts, s[i:end])
				end = -1
			}
		} else if end < 0 {
			end = i
		}
		i -= size
	}
	if end >= 0 {
		parts = append(parts, s[:end])
	}
	for i, j := 0, len(parts)-1; i < j; i, j = i+1, j-1 {
		parts[i], parts[j] = parts[j], parts[i]
	}
	return parts
}

func stringSplitlines(th *Thread, c *Call) (Value, error) {
	if err := c.positional(0, 1); err != nil {
		return 0, err
	}
	keep := c.arg(0)
	if keep != 0 && keep != True && keep != False {
		return 0, c.want(th, 0, "bool")
	}
	s := th.text(c.Recv)
	if s == "" {
		return th.newList(0)
	}
	if keep == True {
		return th.stringSeq(strings.Lines(s))
	}
	return th.stringSeq(strings.SplitSeq(strings.TrimSuffix(s, "\n"), "\n"))
}
