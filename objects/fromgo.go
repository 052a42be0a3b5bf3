package objects

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/ichor-go/ichor/internal/fault"
	"github.com/ichor-go/ichor/internal/jsonpos"
	rt "github.com/ichor-go/ichor/runtime"
)

// FromGo returns a new reference to an object with the contents of v:
//
//	Go                                    object
//	nil, a nil slice, map or pointer      None
//	bool                                  True or False
//	integers                              Int; Number if it does not fit int64
//	float32, float64                      Float
//	json.Number                           Int, Float or Number, as in FromJSON
//	string                                String
//	[]byte                                Bytes
//	[]any                                 List
//	map[string]any                        Dict, in the order of the keys
//	a reference of any kind               the object itself, with an added count
//	anything else                         the result of FromJSON on its JSON
//
// The last row holds for structs, and for maps and slices of other types. Package
// encoding/json converts them, by their tags and their MarshalJSON, so a []byte in them
// becomes base64 text, and a float64 without a fraction an Int. This may run user code,
// outside the world, so the call may be a safe point. v must not change during the call.
// References in v are borrowed: the caller must own them until the call returns. The error
// is rt.ErrMemoryLimit, or a *ConvertError with the path to a value that has no JSON,
// contains itself, or is a string that is not valid UTF-8. Attached thread.
func FromGo(t *rt.Thread, v any) (rt.Ref, error) {
	b := goBuilder{t: t}
	done := false
	t.Hold(&b.values)
	defer func() { // also if a MarshalJSON panics
		t.Unhold(&b.values)
		if !done {
			t.DecRefs(b.values)
		}
	}()
	if err := b.add(v); errors.Is(err, rt.ErrMemoryLimit) {
		return rt.Nil, err
	} else if err != nil {
		return rt.Nil, &ConvertError{b.way.String(), fmt.Sprintf("%T", b.at), err}
	}
	done = true
	return b.values[0], nil
}

// goBuilder makes objects from Go values. It holds a count of each reference in values: the
// future contents of containers that are not made yet.
type goBuilder struct {
	t      *rt.Thread
	values []rt.Ref
	way    way
	at     any // the value that was looked at last
	open   map[goContainer]bool
}

// goContainer identifies a Go slice or map.
type goContainer struct {
	address uintptr
	n       int // length of a slice; -1 for a map
}

// add makes an object from v, and appends it to values.
func (b *goBuilder) add(v any) error {
	b.at = v
	switch v := v.(type) {
	case []any:
		if v != nil {
			return b.list(v)
		}
	case map[string]any:
		if v != nil {
			return b.dict(v)
		}
	default:
		r, err := b.leaf(v)
		if err == nil {
			b.values = append(b.values, r)
		}
		return err
	}
	b.values = append(b.values, rt.None)
	return nil
}

// leaf returns a new reference to the object for v, which is neither a []any nor a
// map[string]any.
func (b *goBuilder) leaf(v any) (rt.Ref, error) {
	t := b.t
	switch v := v.(type) {
	case nil:
		return rt.None, nil
	case bool:
		return rt.Bool(v), nil
	case string:
		if !utf8.ValidString(v) {
			return rt.Nil, notUTF8("string", v)
		}
		return NewString(t, v)
	case []byte:
		if v == nil {
			return rt.None, nil
		}
		return NewBytes(t, v)
	case json.Number:
		if v == "" {
			v = "0" // as encoding/json has it
		}
		if !isJSONNumber([]byte(v)) {
			return rt.Nil, errors.New("not a JSON number: " + strconv.Quote(string(v)))
		}
		return newFromLiteral(t, []byte(v))
	case int:
		return NewInt(t, int64(v))
	case int8:
		return NewInt(t, int64(v))
	case int16:
		return NewInt(t, int64(v))
	case int32:
		return NewInt(t, int64(v))
	case int64:
		return NewInt(t, v)
	case uint:
		return newUint(t, uint64(v))
	case uint8:
		return newUint(t, uint64(v))
	case uint16:
		return newUint(t, uint64(v))
	case uint32:
		return newUint(t, uint64(v))
	case uint64:
		return newUint(t, v)
	case uintptr:
		return newUint(t, uint64(v))
	case float32:
		return NewFloat(t, float64(v))
	case float64:
		return NewFloat(t, v)
	}
	if reflect.TypeOf(v).ConvertibleTo(reflect.TypeFor[rt.Ref]()) {
		r := reflect.ValueOf(v).Convert(reflect.TypeFor[rt.Ref]()).Interface().(rt.Ref)
		if r.IsNil() {
			return rt.Nil, rt.ErrNilRef
		}
		t.IncRef(r)
		return r, nil
	}
	return b.byJSON(v)
}

func newUint(t *rt.Thread, v uint64) (rt.Ref, error) {
	if v <= math.MaxInt64 {
		return NewInt(t, int64(v))
	}
	return newNumber(t, strconv.AppendUint(nil, v, 10))
}

func (b *goBuilder) byJSON(v any) (rt.Ref, error) {
	var text []byte
	var err error
	b.t.Blocking(func() { text, err = json.Marshal(v) })
	if err != nil {
		return rt.Nil, err
	}
	if wasReplaced(text) {
		return rt.Nil, fault.Partf("string: %w", ErrNotUTF8)
	}
	return FromJSON(b.t, bytes.NewReader(text), JSONOptions{MaxDepth: jsonpos.MaxDepth})
}

// wasReplaced reports whether encoding/json has replaced bytes that are not UTF-8. It
// writes an escape sequence in their place, without an error. It does not escape the
// character U+FFFD itself.
func wasReplaced(text []byte) bool {
	for {
		i := bytes.IndexByte(text, '\\')
		if i < 0 {
			return false
		}
		if text = text[i+1:]; bytes.HasPrefix(text, []byte("ufffd")) {
			return true
		}
		text = text[1:] // the escaped character
	}
}

// enter notes that the path leads through the container c. It fails if the path has been
// there before.
func (b *goBuilder) enter(c goContainer) error {
	switch {
	case b.open[c]:
		return errContainsItself
	case len(b.way) >= jsonpos.MaxDepth:
		return errTooDeep
	case b.open == nil:
		b.open = map[goContainer]bool{}
	}
	b.open[c] = true
	return nil
}

func (b *goBuilder) list(items []any) error {
	c, start := goContainer{reflect.ValueOf(items).Pointer(), len(items)}, len(b.values)
	if err := b.enter(c); err != nil {
		return err
	}
	for i, v := range items {
		b.way = append(b.way, wayStep{i: i})
		if err := b.add(v); err != nil {
			return err
		}
		b.way = b.way[:len(b.way)-1]
	}
	delete(b.open, c)
	r, err := NewListSteal(b.t, b.values[start:]...)
	return b.made(start, items, r, err)
}

func (b *goBuilder) dict(m map[string]any) error {
	c, start := goContainer{reflect.ValueOf(m).Pointer(), -1}, len(b.values)
	if err := b.enter(c); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		b.way = append(b.way, wayStep{name, -1})
		b.at = name
		if !utf8.ValidString(name) {
			return notUTF8("key", name)
		}
		key, err := Intern(b.t, name)
		if err != nil {
			return err
		}
		b.values = append(b.values, key)
		if err := b.add(m[name]); err != nil {
			return err
		}
		b.way = b.way[:len(b.way)-1]
	}
	delete(b.open, c)
	r, err := newDictSteal(b.t, b.values[start:])
	return b.made(start, m, r, err)
}

// made replaces values from start on with the container r, which holds them and was made
// from v.
func (b *goBuilder) made(start int, v any, r rt.Ref, err error) error {
	if err != nil {
		b.at = v
		return err
	}
	b.values = append(b.values[:start], r)
	return nil
}
