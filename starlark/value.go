package starlark

import (
	"math"

	rt "github.com/ichor-go/ichor/runtime"
)

// Value is a Starlark value, valid on the threads of its machine: see the package comment for
// its bits. The zero Value is no value.
type Value uint64

const (
	owned     Value = 1 << 48
	floatBase Value = 3 << 48
	intBase   Value = 0xFFFF << 48

	minSmall = -1 << 47
	maxSmall = 1<<47 - 1
)

// The singletons.
var (
	None  = plain(rt.None)
	True  = plain(rt.True)
	False = plain(rt.False)
)

func plain(r rt.Ref) Value { return Value(r.Handle) }

// counted returns the value of a new reference.
func counted(r rt.Ref) Value {
	if r.Handle >= rt.Limit {
		return Value(r.Handle)
	}
	return Value(r.Handle) | owned
}

func (v Value) isInt() bool    { return v >= intBase }
func (v Value) isFloat() bool  { return v-floatBase < intBase-floatBase }
func (v Value) isRef() bool    { return v < floatBase }
func (v Value) isOwned() bool  { return v>>48 == 1 }
func (v Value) int() int64     { return int64(v<<16) >> 16 }
func (v Value) float() float64 { return math.Float64frombits(uint64(v - floatBase)) }
func (v Value) ref() rt.Ref    { return rt.Ref{Handle: rt.Handle(uint32(v))} }

// index returns the integer v as an int, and whether it is one.
func (v Value) index() (int, bool) {
	return int(v.int()), v.isInt() && v.int() == int64(int(v.int()))
}

func (v Value) borrowed() Value { // the same without the count
	if v>>48 == 1 {
		return v &^ owned
	}
	return v
}

// mkInt returns the integer n, which has at most 48 bits.
func mkInt[N int | int64 | int32 | uint32](n N) Value {
	return Value(int64(n))&^intBase | intBase
}

func mkFloat(f float64) Value {
	if f != f {
		return Value(0x7FF8<<48) + floatBase
	}
	return Value(math.Float64bits(f)) + floatBase
}

func mkBool(b bool) Value {
	if b {
		return True
	}
	return False
}

// same reports whether two values have the same bits, except for counts.
func same(a, b Value) bool { return a.borrowed() == b.borrowed() }

// A kind is a type of the language, or one that only the machine uses.
type kind uint8

const (
	kOther kind = iota
	kNone
	kBool
	kInt
	kFloat
	kString
	kBytes
	kTuple
	kList
	kDict
	kSet
	kRange
	kFunction
	kBuiltin
	kMethod
	kElems
	kStruct
	kModule
	kHost
	kCell
	kGlobals
	kinds
)

var kindNames = [kinds]string{
	"object", "NoneType", "bool", "int", "float", "string", "bytes", "tuple", "list", "dict",
	"set", "range", "function", "builtin_function_or_method", "builtin_function_or_method", "elems",
	"struct", "module", "host", "cell", "globals",
}

var kindOfType [1 << 16]kind

// kind returns the kind of v.
func (th *Thread) kind(v Value) kind {
	if v >= floatBase {
		if v >= intBase {
			return kInt
		}
		return kFloat
	}
	r := v.ref()
	if k := kindOfType[th.t.QuickKind(r)]; k != 0 {
		return k
	}
	return kindOfType[th.t.Kind(r)]
}

// dup returns v with a count of its own.
func (th *Thread) dup(v Value) Value {
	if v < floatBase && v.ref().Handle < rt.Limit && v != 0 {
		th.t.IncRef(v.ref())
		return v | owned
	}
	return v
}

// drop gives up the count of v, if it owns one.
func (th *Thread) drop(v Value) {
	if v>>48 == 1 {
		th.dropSlow(v)
	}
}

func (th *Thread) dropAll(vs []Value) {
	for _, v := range vs {
		th.drop(v)
	}
}

// load returns the value that a slot refers to, with a count of its own.
func (th *Thread) load(r rt.Ref) Value {
	if r.IsInt() {
		return mkInt(int64(r.Int()))
	}
	id := th.t.QuickKind(r)
	if id == rt.TypeFloat {
		f, _, _ := th.t.Float(r)
		return mkFloat(f)
	}
	if id == rt.TypeInt || id == 0 {
		if v, ok := th.unbox(r); ok {
			return v
		}
	}
	if r.Handle < rt.Limit {
		th.t.IncRef(r)
		return Value(r.Handle) | owned
	}
	return Value(r.Handle)
}

// peek returns the value that a slot refers to as a borrowed one.
func (th *Thread) peek(r rt.Ref) Value {
	if r.IsInt() {
		return mkInt(int64(r.Int()))
	}
	id := th.t.QuickKind(r)
	if id == rt.TypeFloat || id == rt.TypeInt || id == 0 {
		if v, ok := th.unbox(r); ok {
			return v
		}
	}
	return Value(r.Handle)
}

// Int returns the integer n, which has at most 48 bits.
func Int(n int) Value { return mkInt(n) }

// Float returns the float f.
func Float(f float64) Value { return mkFloat(f) }

// Bool returns True or False.
func Bool(b bool) Value { return mkBool(b) }
