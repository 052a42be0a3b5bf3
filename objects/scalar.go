package objects

import rt "github.com/ichor-go/ichor/runtime"

var (
	_ = core.Define(rt.TypeNone, rt.Type{Name: "None"}, nil, nil)
	_ = core.Define(rt.TypeBool, rt.Type{Name: "bool"}, nil, nil)

	// A Float is a header alone: the header holds the number, and the runtime's note on it
	// says how to format it.
	_ = core.Define(rt.TypeFloat, rt.Type{Name: "float", Freezing: &floatFreezing}, nil, nil)

	intType = core.Define(rt.TypeInt, rt.Type{Name: "int", Freezing: &intFreezing}, nil, nil)
)

// Int is an integer of 64 bits. Immutable. Its methods borrow it.
type Int rt.Ref

// NewInt returns a new reference to the integer v. An integer from -2^28 to 2^28-1 is the
// reference itself and takes no memory. The error is rt.ErrMemoryLimit. Attached thread.
func NewInt(t *rt.Thread, v int64) (Int, error) {
	if r, ok := rt.Int(v); ok {
		return r, nil
	}
	r, o, err := t.New(intType, 8)
	if err != nil {
		return rt.Nil, err
	}
	o.SetUint64(0, uint64(v))
	return r, nil
}

// Value returns the integer, and whether i is an Int. Attached thread.
func (i Int) Value(t *rt.Thread) (int64, bool) {
	if i.IsInt() {
		return i.Int(), true
	}
	o, ok := t.Object(i, rt.TypeInt)
	if !ok {
		return 0, false
	}
	return int64(o.Uint64(0)), true
}

// Float is a floating-point number of 64 bits. Immutable. Its methods borrow it.
type Float rt.Ref

// NewFloat returns a new reference to the number v, which takes 16 bytes. The error is
// rt.ErrMemoryLimit. Attached thread.
func NewFloat(t *rt.Thread, v float64) (Float, error) {
	return newFloat(t, v, shortest)
}

// bareFloat makes a Float with a note. It is the runtime's own function, since a method of an
// interface would take another call.
var bareFloat = core.Floats()

func newFloat(t *rt.Thread, v float64, f floatFormatting) (Float, error) {
	return bareFloat(t, v, uint32(f))
}

// Value returns the number, and whether f is a Float. Attached thread.
func (f Float) Value(t *rt.Thread) (float64, bool) {
	v, _, ok := t.Float(f)
	return v, ok
}

// Bool is rt.True or rt.False. Immutable. Its methods borrow it, and count nothing.
type Bool rt.Ref

// Value returns the boolean, and whether b is one. Any goroutine.
func (b Bool) Value() (v, ok bool) { return b == rt.True, b == rt.True || b == rt.False }
