package objects

import (
	"fmt"
	"strings"
	"testing"

	rt "github.com/ichor-go/ichor/runtime"
)

// TestKindsPrintThemselves: package fmt shows what the reference alone tells, in one line,
// and says how to print the rest.
func TestKindsPrintThemselves(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			y := must(DefineRecord("printed", "x"))
			list := must(NewList(th))
			for kind, v := range map[string]fmt.Stringer{
				"int": Int(newBig(th, 1)), "float": must(NewFloat(th, 1)), "number": Number(must(newNumber(th, []byte("1e999")))),
				"string": must(NewString(th, "a")), "bytes": must(NewBytes(th, []byte("a"))), "tuple": must(NewTuple(th, rt.None)),
				"list": list, "dict": must(NewDict(th)), "record": must(y.New(th, rt.None)), "cell": must(NewCell(th, rt.None)),
				"weak": must(NewWeak(th, list)), "foreign": must(NewForeign(th, 1, nil)), "bool": Bool(must(NewTuple(th, rt.True))),
			} {
				got := fmt.Sprint(v)
				if !strings.HasPrefix(got, kind+" 0x") || strings.Contains(got, "\n") || !strings.Contains(got, "objects.Format") || got != fmt.Sprintf("%v", v) {
					t.Errorf("a %s is printed as %s", kind, got)
				}
				defer th.DecRef(refOf(v))
			}
			for want, v := range map[string]any{
				"None": List(rt.None), "True": Bool(rt.True), "False": rt.False, `""`: String(rt.EmptyString), `bytes ""`: Bytes(rt.EmptyBytes),
				"()": Tuple(rt.EmptyTuple), "nil": Dict(rt.Nil), "-7": Int(smallInt(-7)), "int 7": smallInt(7), "[3]": []Int{Int(smallInt(3))},
			} {
				if got := fmt.Sprint(v); got != want {
					t.Errorf("printed as %s, want %s", got, want)
				}
			}
		})
	})
}

// refOf returns r as a reference of a kind.
func refOf(v any) rt.Ref {
	switch v := v.(type) {
	case Int:
		return v
	case Float:
		return v
	case Bool:
		return v
	case Number:
		return v
	case String:
		return v
	case Bytes:
		return v
	case Tuple:
		return v
	case List:
		return v
	case Dict:
		return v
	case Record:
		return v
	case Cell:
		return v
	case Weak:
		return v
	}
	return v.(Foreign)
}
