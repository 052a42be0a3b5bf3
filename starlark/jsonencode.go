package starlark

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

func jsonEncode(th *Thread, c *Call) (Value, error) {
	if err := c.positional(1, 1); err != nil {
		return 0, err
	}
	w := writer{th: th}
	if err := w.json(c.Args[0]); err != nil {
		w.fail(err)
		return 0, c.error(err)
	}
	return w.done()
}

// jsonString writes s as starlark-go does: a text of ASCII as strconv.Quote, others as
// encoding/json.
func (w *writer) jsonString(s string) {
	w.char('"')
	if ascii(s) {
		for s != "" {
			n := 0
			for n < len(s) && s[n] != '"' && s[n] != '\\' && s[n] != 0x7f {
				n++
			}
			w.str(s[:n])
			if s = s[n:]; s == "" {
				break
			}
			if s[0] == 0x7f {
				w.str(`\x7f`)
			} else {
				w.char('\\')
				w.char(s[0])
			}
			s = s[1:]
		}
		w.char('"')
		return
	}
	for s != "" {
		n := 0
		for n < len(s) && s[n] >= 0x20 && s[n] < utf8.RuneSelf && !strings.ContainsRune("\"\\<>&\x7f", rune(s[n])) {
			n++
		}
		w.str(s[:n])
		if s = s[n:]; s == "" {
			break
		}
		r, n := utf8.DecodeRuneInString(s)
		if r >= utf8.RuneSelf && n > 1 && r != '\u2028' && r != '\u2029' {
			w.str(s[:n])
		} else {
			data, _ := json.Marshal(s[:n])
			w.str(string(data[1 : len(data)-1]))
		}
		s = s[n:]
	}
	w.char('"')
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// json writes the JSON of v.
func (w *writer) json(v Value) error {
	if w.err != nil {
		return w.err
	}
	th := w.th
	switch k := th.kind(v); k {
	case kNone:
		w.str("null")
	case kBool:
		if v == True {
			w.str("true")
		} else {
			w.str("false")
		}
	case kInt:
		w.int(v)
	case kFloat:
		f := v.float()
		if math.IsInf(f, 0) || f != f {
			return fmt.Errorf("cannot encode non-finite float %s", formatFloat(f, 'g'))
		}
		w.float(f)
	case kString:
		w.jsonString(th.text(v))
	case kList, kTuple, kDict, kSet, kStruct, kModule, kHost:
		if len(w.path) > maxNesting {
			return errNesting
		}
		if (k != kTuple || th.tupleLen(v) > 0) && w.inside(v) {
			return fmt.Errorf("cycle in JSON structure")
		}
		w.enter(v)
		err := w.jsonContainer(k, v)
		w.leave()
		if err != nil {
			return err
		}
	default:
		if th.iterable(v) {
			return w.jsonItems(v)
		}
		if k == kBytes { // it has attributes, which are methods
			const name = "elems"
			x, err := th.getAttr(v, name)
			if err != nil {
				return err
			}
			return w.jsonField(0, name, x)
		}
		return fmt.Errorf("cannot encode %s as JSON", th.typeName(v))
	}
	return w.err
}

// jsonContainer writes a value with parts.
func (w *writer) jsonContainer(k kind, v Value) error {
	th := w.th
	switch {
	case k == kDict:
		return w.jsonDict(v)
	case k == kStruct || k == kModule:
		w.char('{')
		for i := range th.structLen(v) {
			if err := w.jsonField(i, th.structName(v, i), th.dup(th.structAt(v, i))); err != nil {
				return err
			}
		}
		w.char('}')
		return nil
	case th.iterable(v):
		return w.jsonItems(v)
	}
	h, ok := th.host(v).(HostAttrs)
	if !ok {
		return fmt.Errorf("cannot encode %s as JSON", th.typeName(v))
	}
	names := h.AttrNames()
	slices.Sort(names)
	w.char('{')
	for i, name := range names {
		x, err := h.Attr(th, name)
		if err != nil {
			return fmt.Errorf("cannot access attribute %s.%s: %w", th.typeName(v), name, err)
		}
		if err := w.jsonField(i, name, x); err != nil {
			return err
		}
	}
	w.char('}')
	return nil
}

// jsonField writes field i of an object. It steals x.
func (w *writer) jsonField(i int, name string, x Value) error {
	if i > 0 {
		w.char(',')
	}
	w.jsonString(name)
	w.char(':')
	err := w.json(x)
	w.th.drop(x)
	if err != nil {
		return jsonWithin(err, "in field .%s", brief(name))
	}
	return nil
}

// jsonWithin says where err is about, unless err is about the depth or says enough about where.
func jsonWithin(err error, format string, args ...any) error {
	if err == errNesting || len(err.Error()) > maxErrorText {
		return err
	}
	return fmt.Errorf(format+": %w", append(args, err)...)
}

// jsonItems writes an iterable.
func (w *writer) jsonItems(v Value) error {
	th := w.th
	n := len(th.its)
	th.iterate(v)
	defer th.endIterators(n)
	w.char('[')
	for i := 0; ; i++ {
		if err := th.step(); err != nil {
			return err
		}
		x, err := th.next(n)
		if err != nil {
			return err
		}
		if x == 0 {
			break
		}
		if i > 0 {
			w.char(',')
		}
		err = w.json(x)
		th.drop(x)
		if err != nil {
			return jsonWithin(err, "at %s index %d", th.typeName(v), i)
		}
	}
	w.char(']')
	return nil
}

// A jsonEntry is an entry of a dict. It owns k and v; name is the text of k.
type jsonEntry struct {
	name string
	k, v Value
}

// keptEntries is how many entries a writer keeps room for when it needs less.
const keptEntries = 1 << 10

// jsonDict writes a dict, in the order of its keys.
func (w *writer) jsonDict(v Value) error {
	th := w.th
	held, base := th.held, len(w.entries)
	defer func() {
		for _, e := range w.entries[base:] {
			th.drop(e.k)
			th.drop(e.v)
		}
		clear(w.entries[base:])
		if w.entries = w.entries[:base]; cap(w.entries) > max(keptEntries, 4*base) {
			w.entries = slices.Clone(w.entries)
		}
		th.release(held)
	}()
	if err := th.reserve(64 * th.tableLen(v)); err != nil {
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
		w.entries = append(w.entries, jsonEntry{name, th.dup(k), th.dup(x)})
	}
	end := len(w.entries)
	slices.SortFunc(w.entries[base:], func(a, b jsonEntry) int { return strings.Compare(a.name, b.name) })
	w.char('{')
	for i := base; i < end; i++ {
		if i > base {
			w.char(',')
		}
		e := w.entries[i]
		w.jsonString(e.name)
		w.char(':')
		if err := w.json(e.v); err != nil {
			return jsonWithin(err, "in %s key %s", th.typeName(v), quoteName(e.name))
		}
	}
	w.char('}')
	return nil
}
