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
	if err := w.json(c.Args[0], nil); err != nil {
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
		w.str(map[bool]string{false: "false", true: "true"}[v == True])
	case kInt:
		w.int(v)
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
	held := th.held
	defer func() {
		for _, e := range entries {
			th.drop(e.k)
			th.drop(e.v)
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
