package starlark

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxJSON bounds how deeply a text is nested.
const maxJSON = 10_000

// A jsonReader decodes a text. It does not recurse: open has the lists and dicts that are not
// complete yet, from the outside to the inside. Their values wait on a stack, so that a container
// gets a block of the size that it needs.
//
//	state — condition — transition (by)
//	a value begins — - — the value is complete (text, number, null), a value begins ('[' and '{')
//	a value is complete — open is not empty — a value begins (',' in a list, and ':'), a key
//	    begins (',' in a dict), the container is complete (its bracket)
//	the value is complete — open is empty — the end
type jsonReader struct {
	th     *Thread
	s      string
	i      int
	open   []jsonLevel
	values []Value // of the open containers, as far as they are not in them
	words  *jsonWords
}

// jsonLevel is a list or dict that is not complete. Its values begin at values[first]; those of a
// dict are keys and values in turn.
type jsonLevel struct {
	v     Value
	first int
	end   byte
}

// needsKey reports whether the next value of the innermost container is a key.
func (r *jsonReader) needsKey(top *jsonLevel) bool {
	return top.end == '}' && (len(r.values)-top.first)&1 == 0
}

// jsonWaiting is how many values of a container wait at most.
const jsonWaiting = 256

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
	r := jsonReader{th: th, s: s, words: th.takeWords()}
	r.values = r.words.values
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

// value decodes the value that begins at r.i.
func (r *jsonReader) value() (v Value, err error) {
	defer func() {
		for _, l := range r.open {
			r.th.drop(l.v)
		}
		r.th.dropAll(r.values)
		r.th.giveBackWords(r.words, r.values)
	}()
	for {
		x, opened, err := r.begin()
		for err == nil && !opened {
			n := len(r.open)
			if n == 0 {
				return x, nil
			}
			top := &r.open[n-1]
			if r.needsKey(top) {
				err = r.key(top, x)
				break
			}
			if err = r.add(top, x); err != nil {
				break
			}
			var b byte
			if b, err = r.next(); err != nil {
				break
			}
			if b == top.end {
				r.i++
				if err = r.move(top); err != nil {
					break
				}
				x = top.v
				r.open = r.open[:n-1]
				continue
			}
			if b != ',' {
				if top.end == ']' {
					err = jsonFail("got %q, want ',' or ']'", b)
				} else {
					err = jsonFail("in object, got %q, want ',' or '}'", b)
				}
				break
			}
			r.i++
			break
		}
		if err != nil {
			return 0, err
		}
	}
}

// push puts x, which it steals, on the stack of values.
func (r *jsonReader) push(x Value) error {
	if n := len(r.values); n == cap(r.values) {
		if err := r.th.reserve(24*n + 512); err != nil { // the old stack and the new one
			r.th.drop(x)
			return err
		}
	}
	r.values = append(r.values, x)
	return nil
}

// key makes x, which it steals, the key of the next value of a dict.
func (r *jsonReader) key(top *jsonLevel, x Value) error {
	if r.th.kind(x) != kString {
		err := jsonFail("got %s for object key, want string", r.th.typeName(x))
		r.th.drop(x)
		return err
	}
	if err := r.push(x); err != nil {
		return err
	}
	b, err := r.next()
	if err != nil {
		return err
	}
	if b != ':' {
		return jsonFail("after object key, got %q, want ':' ", b)
	}
	r.i++
	return nil
}

// add adds x, which it steals, to the values of a container.
func (r *jsonReader) add(top *jsonLevel, x Value) error {
	if err := r.push(x); err != nil {
		return err
	}
	if len(r.values)-top.first >= jsonWaiting {
		if err := r.move(top); err != nil {
			return err
		}
	}
	return r.th.step()
}

// move moves the values of a container from the stack into it. Each value is in one place, so an
// error leaves nothing that is given up twice.
func (r *jsonReader) move(top *jsonLevel) (err error) {
	vs := r.values[top.first:]
	if top.end == ']' {
		err = r.th.listFill(top.v, vs)
	} else {
		err = r.th.tableFill(top.v, vs)
	}
	if err == nil {
		r.values = r.values[:top.first]
	}
	return err
}

// begin reads a value without parts, or opens a container with parts.
func (r *jsonReader) begin() (v Value, opened bool, err error) {
	b, err := r.next()
	if err != nil {
		return 0, false, err
	}
	rest := r.s[r.i:]
	switch b {
	case '"':
		v, err = r.string()
		return v, false, err
	case '[', '{':
		if len(r.open) >= maxJSON {
			return 0, false, jsonFail("nested too deeply: the limit is %d levels", maxJSON)
		}
		if err := r.th.reserve(64); err != nil {
			return 0, false, err
		}
		r.i++
		l := jsonLevel{end: ']', first: len(r.values)}
		if b == '[' {
			l.v, err = r.th.newList(0)
		} else {
			l.v, err = r.th.newDict(0)
			l.end = '}'
		}
		if err == nil {
			b, err = r.next()
		}
		if err != nil {
			r.th.drop(l.v)
			return 0, false, err
		}
		if b == l.end {
			r.i++
			return l.v, false, nil
		}
		r.open = append(r.open, l)
		return 0, true, nil
	}
	switch {
	case strings.HasPrefix(rest, "null"):
		r.i += len("null")
		return None, false, nil
	case strings.HasPrefix(rest, "true"):
		r.i += len("true")
		return True, false, nil
	case strings.HasPrefix(rest, "false"):
		r.i += len("false")
		return False, false, nil
	}
	if b == '-' || '0' <= b && b <= '9' {
		v, err = r.number()
		return v, false, err
	}
	return 0, false, jsonFail("unexpected character %q", b)
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
		s = s[1 : len(s)-1]
		if n := len(r.open); n > 0 && r.needsKey(&r.open[n-1]) {
			return r.th.word(&r.words.keys, s)
		}
		return r.th.word(&r.words.others, s)
	}
	if err := r.th.reserve(4 * len(s)); err != nil {
		return 0, err
	}
	var text string
	if err := json.Unmarshal([]byte(s), &text); err != nil {
		return 0, jsonFail("%s", err)
	}
	return r.th.newString(text)
}

// shortNumber is the length up to which the memory that a number takes does not count.
const shortNumber = 64

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
	if len(num) > shortNumber {
		if err := r.th.reserve(2 * len(num)); err != nil { // an error of strconv has a copy
			return 0, err
		}
	}
	digits := strings.TrimPrefix(num, "-")
	if digits == "" || digits[0] == '0' && len(digits) > 1 && digits[1] >= '0' && digits[1] <= '9' {
		return 0, jsonFail("invalid number: %s", brief(num))
	}
	if float {
		f, err := strconv.ParseFloat(num, 64)
		if err != nil {
			return 0, jsonFail("invalid number: %s", brief(num))
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
		return 0, jsonFail("invalid number: %s", brief(num))
	}
	return r.th.newBig(n)
}
