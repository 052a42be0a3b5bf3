package objects

import (
	"math"

	rt "github.com/ichor-go/ichor/runtime"
)

// Words of a Float's body.
const (
	floatBits   = 0 // two words
	floatFormat = 2 // see floatformat.go
	floatBytes  = 12
)

var (
	_ = rt.DefineBuiltin(rt.TypeNone, rt.Type{Name: "None"})
	_ = rt.DefineBuiltin(rt.TypeBool, rt.Type{Name: "bool"})

	intType   = rt.DefineBuiltin(rt.TypeInt, rt.Type{Name: "int"})
	floatType = rt.DefineBuiltin(rt.TypeFloat, rt.Type{Name: "float"})
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

// IntOf returns the integer that r is, and whether it is one. Attached thread.
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

// NewFloat returns a new reference to the number v. Immutable. Attached thread.
func NewFloat(t *rt.Thread, v float64) (rt.Ref, error) {
	return newFloat(t, v, shortest)
}

func newFloat(t *rt.Thread, v float64, f floatFormatting) (rt.Ref, error) {
	r, o, err := t.New(floatType, floatBytes)
	if err != nil {
		return rt.Nil, err
	}
	o.SetUint64(floatBits, math.Float64bits(v))
	o.SetWord(floatFormat, uint32(f))
	return r, nil
}

// FloatOf returns the number that r is, and whether it is a Float. Attached thread.
func FloatOf(t *rt.Thread, r rt.Ref) (float64, bool) {
	o, ok := t.Object(r, rt.TypeFloat)
	if !ok {
		return 0, false
	}
	return math.Float64frombits(o.Uint64(floatBits)), true
}

// BoolOf returns the boolean that r is, and whether it is one. Any goroutine.
func BoolOf(r rt.Ref) (v, ok bool) { return r == rt.True, r == rt.True || r == rt.False }
