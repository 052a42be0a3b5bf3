package objects

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/bits"
	"reflect"

	"github.com/ichor-go/ichor/internal/jsonpos"
	rt "github.com/ichor-go/ichor/runtime"
)

// ToGo returns a Go value with the contents of the object r. With T = any:
//
//	object                       Go
//	None                         nil
//	True, False                  bool
//	Int                          int64
//	Float                        float64
//	Number                       json.Number
//	String                       string
//	Bytes                        []byte
//	List, Tuple                  []any
//	Dict whose keys are strings  map[string]any
//	Record                       map[string]any
//
// If T is another type of the table, except json.Number, only the objects in its rows
// convert to it. None becomes nil if T has a nil. An Int also converts to float64 if that
// represents it exactly.
//
// Any other T is filled from the text that AppendJSON writes, as package encoding/json does
// it, by tags and UnmarshalJSON. Then Bytes are base64 text, and numbers in a field of type
// any are json.Number. A number that the field's type cannot hold is an error, except that
// a float may lose digits. None leaves a field unchanged if its type has no nil. A member
// without a field in the struct is an error. This may run user code, outside the world, so
// the call is a safe point. With the types of the table it is not.
//
// The error is a *ConvertError with the path to an object that cannot be converted, or
// contains itself; if encoding/json fails, Path is the root, and Err names the field. While
// other threads write to the graph, ToGo sees some state of each slot. An object that
// several paths lead to is copied once for each path. r is borrowed. Attached thread.
func ToGo[T any](t *rt.Thread, r rt.Ref) (T, error) {
	var v T
	if err := toGo(t, r, &v); err != nil {
		var zero T
		return zero, err
	}
	return v, nil
}

// toGo is ToGo with a pointer to the result, which is zero.
func toGo(t *rt.Thread, r rt.Ref, to any) error {
	c := goReader{t: t}
	switch to.(type) {
	case *any, *bool, *int64, *float64, *string, *[]byte, *[]any, *map[string]any:
		v, err := c.value(r)
		if err != nil {
			return c.fault(err)
		}
		return c.assign(r, to, v)
	}
	if r == rt.None && !takesNil(reflect.TypeOf(to)) {
		return c.wants(r, to)
	}
	text, err := AppendJSON(t, nil, r)
	if err != nil {
		if _, err := c.value(r); err != nil { // this error has the path
			return c.fault(err)
		}
		c.at = r
		return c.fault(err)
	}
	t.Blocking(func() {
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		d.DisallowUnknownFields()
		err = d.Decode(to)
	})
	if err != nil {
		c.at = r
		return c.fault(err)
	}
	return nil
}

// takesNil reports whether null changes the value that a pointer of type y leads to.
// encoding/json leaves a number, a string or a struct as it is.
func takesNil(y reflect.Type) bool {
	switch y.Elem().Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Interface:
		return true
	}
	return y.Implements(reflect.TypeFor[json.Unmarshaler]())
}

// assign stores v, the value made from r, through the pointer to.
func (c *goReader) assign(r rt.Ref, to, v any) error {
	if x, isInt := v.(int64); isInt {
		if f, isFloat := to.(*float64); isFloat && fitsFloat(x) {
			*f = float64(x)
			return nil
		}
	}
	from, place := reflect.ValueOf(v), reflect.ValueOf(to).Elem()
	switch {
	case v == nil && takesNil(reflect.TypeOf(to)): // it is nil
	case v != nil && from.Type().AssignableTo(place.Type()):
		place.Set(from)
	default:
		return c.wants(r, to)
	}
	return nil
}

// fitsFloat reports whether a float64, which has 53 bits, represents x exactly.
func fitsFloat(x int64) bool {
	u := uint64(max(x, -x)) // also of the least one, which has no opposite
	return bits.Len64(u)-bits.TrailingZeros64(u) <= 53
}

// wants returns the error for an r of another kind than the pointer to requires.
func (c *goReader) wants(r rt.Ref, to any) error {
	c.at = r
	return c.fault(fmt.Errorf("it cannot become a Go %s", reflect.TypeOf(to).Elem()))
}

// goReader makes Go values from objects.
type goReader struct {
	t    *rt.Thread
	way  way
	at   rt.Ref // the object that was looked at last, borrowed
	open map[rt.Ref]bool
}

// fault adds the path of the reader to an error.
func (c *goReader) fault(err error) error {
	name := "nil"
	if y := c.t.TypeOf(c.at); y != nil {
		name = y.Name
	}
	return &ConvertError{c.way.String(), name, err}
}

// value returns the Go value for r.
func (c *goReader) value(r rt.Ref) (any, error) {
	c.at = r
	t := c.t
	if r.IsNil() {
		return nil, rt.ErrNilRef
	}
	switch t.Kind(r) {
	case rt.TypeNone:
		return nil, nil
	case rt.TypeBool:
		return r == rt.True, nil
	case rt.TypeInt:
		v, _ := Int(r).Value(t)
		return v, nil
	case rt.TypeFloat:
		v, _ := Float(r).Value(t)
		return v, nil
	case rt.TypeNumber:
		s, _ := Number(r).View(t)
		return json.Number([]byte(s)), nil
	case rt.TypeString:
		s, _ := String(r).Text(t)
		return s, nil
	case rt.TypeBytes:
		b, _ := Bytes(r).View(t)
		return bytes.Clone(b), nil
	case rt.TypeTuple:
		return c.items(r, Tuple(r).Len(t), Tuple(r).At)
	case rt.TypeList:
		return c.items(r, List(r).Len(t), List(r).At)
	case rt.TypeDict:
		return c.dict(Dict(r))
	}
	if y := Record(r).Type(t); y != nil {
		return c.record(Record(r), y)
	}
	return nil, errors.New("it cannot become a Go value")
}

// enter notes that the path leads through r. It fails if the path has been there before.
func (c *goReader) enter(r rt.Ref) error {
	switch {
	case c.open[r]:
		return errContainsItself
	case len(c.way) >= jsonpos.MaxDepth:
		return errTooDeep
	case c.open == nil:
		c.open = map[rt.Ref]bool{}
	}
	c.open[r] = true
	return nil
}

// step is value for r, which is one step further along the path.
func (c *goReader) step(s wayStep, r rt.Ref) (any, error) {
	c.way = append(c.way, s)
	v, err := c.value(r)
	if err == nil {
		c.way = c.way[:len(c.way)-1]
	}
	return v, err
}

func (c *goReader) items(r rt.Ref, n int, at func(t *rt.Thread, i int) (rt.Ref, bool)) (any, error) {
	if err := c.enter(r); err != nil {
		return nil, err
	}
	list := make([]any, 0, n)
	for i := range n {
		x, ok := at(c.t, i)
		if !ok {
			break
		}
		v, err := c.step(wayStep{i: i}, x)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	delete(c.open, r)
	return list, nil
}

func (c *goReader) dict(d Dict) (any, error) {
	if err := c.enter(d); err != nil {
		return nil, err
	}
	pairs := d.appendBorrowed(c.t, nil)
	m := make(map[string]any, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		name, ok := String(pairs[i]).Text(c.t)
		if !ok {
			c.at = d
			return nil, fmt.Errorf("the key %s is not a string", Format(c.t, pairs[i]))
		}
		v, err := c.step(wayStep{name, -1}, pairs[i+1])
		if err != nil {
			return nil, err
		}
		m[name] = v
	}
	delete(c.open, d)
	return m, nil
}

func (c *goReader) record(r Record, y *RecordType) (any, error) {
	if err := c.enter(r); err != nil {
		return nil, err
	}
	m := make(map[string]any, len(y.fields))
	for i, name := range y.fields {
		x, _ := r.At(c.t, i)
		v, err := c.step(wayStep{name, -1}, x)
		if err != nil {
			return nil, err
		}
		m[name] = v
	}
	delete(c.open, r)
	return m, nil
}
