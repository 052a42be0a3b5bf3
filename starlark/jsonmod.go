package starlark

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// JSONModule returns the module json of starlark-go.
func (th *Thread) JSONModule() (Value, error) {
	return th.NewModule("json", map[string]Func{
		"json.encode": jsonEncode, "json.encode_indent": jsonEncodeIndent,
		"json.decode": jsonDecode, "json.indent": jsonIndent,
	})
}

func jsonEncode(th *Thread, c *Call) (Value, error) {
	if err := c.positional(1, 1); err != nil {
		return 0, err
	}
	w := writer{th: th}
	if err := w.json(c.Args[0], nil); err != nil {
		w.fail(err)
		return 0, c.error(err)
	}
	return w.done()
}

func (w *writer) jsonString(s string) {
	if ascii(s) {
		w.quoted(s, strconv.Quote)
		return
	}
	w.quoted(s, func(s string) string {
		data, _ := json.Marshal(s)
		return string(data)
	})
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// json writes the JSON of v. path has the containers around it.
func (w *writer) json(v Value, path []Value) error {
	th := w.th
	if w.err != nil {
		return w.err
	}
	k := th.kind(v)
	switch k {
	case kList, kTuple, kDict, kSet, kStruct, kModule, kHost:
		if len(path) > maxNesting {
			return errNesting
		}
		if (k != kTuple || th.tupleLen(v) > 0) && slices.Contains(path, v.borrowed()) {
			return fmt.Errorf("cycle in JSON structure")
		}
		path = append(path, v.borrowed())
	}
	switch k {
	case kNone:
		w.str("null")
	case kBool:
		w.str(strings.ToLower(th.Repr(v)))
	case kInt:
		w.str(th.intString(v))
	case kFloat:
		f := v.float()
		if math.IsInf(f, 0) || f != f {
			return fmt.Errorf("cannot encode non-finite float %s", formatFloat(f, 'g'))
		}
		w.str(formatFloat(f, 'g'))
	case kString:
		w.jsonString(th.text(v))
	case kDict:
		return w.jsonDict(v, path)
	default:
		if th.iterable(v) {
			w.char('[')
			i := 0
			err := th.each(v, func(x Value) error {
				if i > 0 {
					w.char(',')
				}
				if err := w.json(x, path); err == errNesting {
					return err
				} else if err != nil {
					return fmt.Errorf("at %s index %d: %w", th.typeName(v), i, err)
				}
				i++
				return nil
			})
			w.char(']')
			return err
		}
		if k != kStruct && k != kModule && k != kHost && k != kBytes {
			return fmt.Errorf("cannot encode %s as JSON", th.typeName(v))
		}
		if k == kHost {
			if _, ok := th.host(v).(HostAttrs); !ok {
				return fmt.Errorf("cannot encode %s as JSON", th.typeName(v))
			}
		}
		names := th.attrNames(v)
		slices.Sort(names)
		w.char('{')
		for i, name := range names {
			if i > 0 {
				w.char(',')
			}
			x, err := th.getAttr(v, name)
			if err != nil {
				return fmt.Errorf("cannot access attribute %s.%s: %w", th.typeName(v), name, err)
			}
			w.jsonString(name)
			w.char(':')
			err = w.json(x, path)
			th.drop(x)
			if err != nil {
				return fmt.Errorf("in field .%s: %w", name, err)
			}
		}
		w.char('}')
	}
	return w.err
}

func (w *writer) jsonDict(v Value, path []Value) error {
	th := w.th
	type entry struct {
		name string
		k, v Value
	}
	var entries []entry
	defer func() {
		for _, e := range entries {
			th.drop(e.k)
			th.drop(e.v)
		}
	}()
	if err := th.room(64 * th.tableLen(v)); err != nil {
		return err
	}
	for i := 0; ; {
		k, x, next := th.tableNext(v, i)
		if k == 0 {
			break
		}
		i = next
		name, ok := th.str(k)
		if !ok {
			return fmt.Errorf("%s has %s key, want string", th.typeName(v), th.typeName(k))
		}
		entries = append(entries, entry{name, th.dup(k), th.dup(x)})
	}
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	w.char('{')
	for i, e := range entries {
		if i > 0 {
			w.char(',')
		}
		w.jsonString(e.name)
		w.char(':')
		if err := w.json(e.v, path); err != nil {
			return fmt.Errorf("in %s key %s: %w", th.typeName(v), syntaxQuote(e.name), err)
		}
	}
	w.char('}')
	return w.err
}

func indentArgs(th *Thread, c *Call) (prefix, indent string, err error) {
	var p, i Value
	if err := c.Unpack(th, nil, []string{"prefix?", "indent?"}, &p, &i); err != nil {
		return "", "", err
	}
	indent = "\t"
	for _, a := range []struct {
		name string
		v    Value
		to   *string
	}{{"prefix", p, &prefix}, {"indent", i, &indent}} {
		if a.v == 0 {
			continue
		}
		s, ok := th.str(a.v)
		if !ok {
			return "", "", c.parameter(th, a.name, a.v, "string")
		}
		*a.to = s
	}
	return prefix, indent, nil
}

func jsonEncodeIndent(th *Thread, c *Call) (Value, error) {
	prefix, indent, err := indentArgs(th, c)
	if err != nil {
		return 0, err
	}
	v, err := jsonEncode(th, &Call{Name: c.Name, Args: c.Args})
	if err != nil {
		return 0, err
	}
	defer th.drop(v)
	return th.indented(c, v, prefix, indent)
}

func jsonIndent(th *Thread, c *Call) (Value, error) {
	prefix, indent, err := indentArgs(th, c)
	if err != nil {
		return 0, err
	}
	p := Call{Name: c.Name, Args: c.Args}
	if err := p.positional(1, 1); err != nil {
		return 0, err
	}
	if _, err := p.str(th, 0); err != nil {
		return 0, err
	}
	return th.indented(c, c.Args[0], prefix, indent)
}

func (th *Thread) indented(c *Call, text Value, prefix, indent string) (Value, error) {
	s := th.text(text)
	// Each byte can begin a line as deep as the nesting.
	depth, deepest, breaks := 0, 0, 0
	for i := range len(s) {
		switch s[i] {
		case '[', '{':
			depth++
			breaks++
			deepest = max(deepest, depth)
		case ']', '}':
			depth--
			breaks++
		case ',':
			breaks++
		}
	}
	if err := th.room(2*len(s) + breaks*(len(prefix)+deepest*len(indent)+1)); err != nil {
		return 0, err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(s), prefix, indent); err != nil {
		return 0, c.error(err)
	}
	return th.newString(b.String())
}

// A jsonReader decodes a text.
type jsonReader struct {
	th    *Thread
	s     string
	i     int
	depth int
}

// jsonFailure says what is wrong with a text, and is not an error of the machine.
type jsonFailure string

func (e jsonFailure) Error() string { return string(e) }

func jsonFail(format string, args ...any) error { return jsonFailure(fmt.Sprintf(format, args...)) }

func jsonDecode(th *Thread, c *Call) (Value, error) {
	var x, d Value
	if err := c.Unpack(th, c.Args, []string{"x", "default?"}, &x, &d); err != nil {
		return 0, err
	}
	s, ok := th.str(x)
	if !ok {
		return 0, c.parameter(th, "x", x, "string")
	}
	if len(c.Args) < 1 {
		return 0, c.errorf("unexpected keyword argument x")
	}
	r := jsonReader{th: th, s: s}
	v, err := r.value()
	if err == nil && r.skip() {
		th.drop(v)
		v, err = 0, jsonFail("unexpected character %q after value", s[r.i])
	}
	if _, ok := err.(jsonFailure); ok {
		if d != 0 {
			return th.dup(d), nil
		}
		return 0, fmt.Errorf("json.decode: at offset %d, %s", r.i, err)
	}
	return v, err
}

// skip skips space, and reports whether anything is left.
func (r *jsonReader) skip() bool {
	for ; r.i < len(r.s); r.i++ {
		switch r.s[r.i] {
		case ' ', '\t', '\n', '\r':
		default:
			return true
		}
	}
	return false
}

func (r *jsonReader) next() (byte, error) {
	if r.skip() {
		return r.s[r.i], nil
	}
	return 0, jsonFail("unexpected end of file")
}

func (r *jsonReader) value() (Value, error) {
	b, err := r.next()
	if err != nil {
		return 0, err
	}
	rest := r.s[r.i:]
	switch b {
	case '"':
		return r.string()
	case '[', '{':
		if r.depth++; r.depth > 10_000 {
			return 0, jsonFail("nested too deeply: the limit is 10000 levels")
		}
		defer func() { r.depth-- }()
		r.i++
		if b == '[' {
			v, err := r.th.newList(0)
			if err != nil {
				return 0, err
			}
			return r.th.orDrop(v, r.array(v))
		}
		v, err := r.th.newDict(0)
		if err != nil {
			return 0, err
		}
		return r.th.orDrop(v, r.object(v))
	}
	switch {
	case strings.HasPrefix(rest, "null"):
		r.i += len("null")
		return None, nil
	case strings.HasPrefix(rest, "true"):
		r.i += len("true")
		return True, nil
	case strings.HasPrefix(rest, "false"):
		r.i += len("false")
		return False, nil
	}
	if b == '-' || '0' <= b && b <= '9' {
		return r.number()
	}
	return 0, jsonFail("unexpected character %q", b)
}

func (r *jsonReader) string() (Value, error) {
	safe := true
	j := r.i + 1
	for ; j < len(r.s) && r.s[j] != '"'; j++ {
		if r.s[j] == '\\' {
			safe = false
			j++
		} else if r.s[j] >= utf8.RuneSelf {
			safe = false
		}
	}
	if j >= len(r.s) {
		return 0, jsonFail("unclosed string literal")
	}
	s := r.s[r.i : j+1]
	r.i = j + 1
	if safe {
		return r.th.newString(s[1 : len(s)-1])
	}
	var text string
	if err := json.Unmarshal([]byte(s), &text); err != nil {
		return 0, jsonFail("%s", err)
	}
	return r.th.newString(text)
}

func (r *jsonReader) array(v Value) error {
	b, err := r.next()
	for err == nil && b != ']' {
		if err = r.th.step(); err != nil {
			break
		}
		var x Value
		if x, err = r.value(); err != nil {
			break
		}
		if err = r.th.listAppend(v, x); err != nil {
			r.th.drop(x)
			break
		}
		if b, err = r.next(); err != nil || b == ']' {
			break
		}
		if b != ',' {
			err = jsonFail("got %q, want ',' or ']'", b)
			break
		}
		r.i++
		b = 0
	}
	if err == nil {
		r.i++
	}
	return err
}

func (r *jsonReader) object(v Value) error {
	th := r.th
	b, err := r.next()
	for err == nil && b != '}' {
		if err = th.step(); err != nil {
			break
		}
		var k, x Value
		if k, err = r.value(); err != nil {
			break
		}
		if th.kind(k) != kString {
			err = jsonFail("got %s for object key, want string", th.typeName(k))
		} else if b, err = r.next(); err == nil && b != ':' {
			err = jsonFail("after object key, got %q, want ':' ", b)
		}
		if err == nil {
			r.i++
			if x, err = r.value(); err == nil {
				_, err = th.tableSet(v, k, x)
				th.drop(x)
			}
		}
		th.drop(k)
		if err != nil {
			break
		}
		if b, err = r.next(); err != nil || b == '}' {
			break
		}
		if b != ',' {
			err = jsonFail("in object, got %q, want ',' or '}'", b)
			break
		}
		r.i++
		b = 0
	}
	if err == nil {
		r.i++
	}
	return err
}

func (r *jsonReader) number() (Value, error) {
	float := false
	j := r.i + 1
	for ; j < len(r.s); j++ {
		b := r.s[j]
		if b == '.' || b == 'e' || b == 'E' || b == '+' || b == '-' {
			float = true
		} else if b < '0' || b > '9' {
			break
		}
	}
	num := r.s[r.i:j]
	r.i = j
	digits := strings.TrimPrefix(num, "-")
	if digits == "" || digits[0] == '0' && len(digits) > 1 && digits[1] >= '0' && digits[1] <= '9' {
		return 0, jsonFail("invalid number: %s", num)
	}
	if float {
		f, err := strconv.ParseFloat(num, 64)
		if err != nil {
			return 0, jsonFail("invalid number: %s", num)
		}
		return mkFloat(f), nil
	}
	if n, err := strconv.ParseInt(num, 10, 64); err == nil {
		return r.th.newInt(n)
	}
	if len(num) > maxBits/4 {
		return 0, jsonFail("number too large: %d digits", len(num))
	}
	n, ok := new(big.Int).SetString(num, 10)
	if !ok {
		return 0, jsonFail("invalid number: %s", num)
	}
	return r.th.newBig(n)
}
