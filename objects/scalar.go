package objects

import rt "github.com/ichor-go/ichor/runtime"

var (
	_ = rt.DefineBuiltin(rt.TypeNone, rt.Type{Name: "None"})
	_ = rt.DefineBuiltin(rt.TypeBool, rt.Type{Name: "bool"})

	// A Float is its header alone: the number is in there, and how it is written
	// is the runtime's note on it.
	_ = rt.DefineBuiltin(rt.TypeFloat, rt.Type{Name: "float", Freezing: &floatFreezing})

	intType = rt.DefineBuiltin(rt.TypeInt, rt.Type{Name: "int", Freezing: &intFreezing})
)

// NewInt returns a new reference to the integer v. From -2^28 to 2^28-1 it is in
// the reference itself and takes no memory. Immutable. Attached thread.
func NewInt(t *rt.Thread, v int64) (rt.Ref, error) {
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

// IntOf returns the integer that r, which it borrows, is, and whether it is one. Attached
// thread.
func IntOf(t *rt.Thread, r rt.Ref) (int64, bool) {
	if r.IsInt() {
		return r.Int(), true
	}
	o, ok := t.Object(r, rt.TypeInt)
	if !ok {
		return 0, false
	}
	return int64(o.Uint64(0)), true
}

// NewFloat returns a new reference to the number v, which takes 16 bytes.
// Immutable. Attached thread.
func NewFloat(t *rt.Thread, v float64) (rt.Ref, error) {
	return newFloat(t, v, shortest)
}

func newFloat(t *rt.Thread, v float64, f floatFormatting) (rt.Ref, error) {
	return t.NewFloat(v, uint32(f))
}

// FloatOf returns the number that r, which it borrows, is, and whether it is a Float.
// Attached thread.
func FloatOf(t *rt.Thread, r rt.Ref) (float64, bool) {
	v, _, ok := t.Float(r)
	return v, ok
}

// BoolOf returns the boolean that r, which it borrows, is, and whether it is one. Any
// goroutine.
func BoolOf(r rt.Ref) (v, ok bool) { return r == rt.True, r == rt.True || r == rt.False }
