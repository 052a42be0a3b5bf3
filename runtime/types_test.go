package runtime

import "testing"

// TestBuiltinTwice: a number of a built-in type is given once.
func TestBuiltinTwice(t *testing.T) {
	for _, id := range []TypeID{0, TypeString, firstUserType} {
		wantIn(t, panics(t, func() { defineBuiltin(id, Type{Name: "x"}, nil) }), "defined twice, or out of range")
	}
}
