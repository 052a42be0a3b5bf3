package objects

import (
	"bytes"
	"fmt"
	"math"
	"testing"

	rt "github.com/ichor-go/ichor/runtime"
)

// TestFrozenTwins looks for keys of which several have one hash, among few entries and among many:
// in a frozen dict, in a copy of that, and in one from an image. A key is found by any object that
// is equal to it, and never for another key of its hash.
func TestFrozenTwins(t *testing.T) {
	numbers, float := colliding(4), math.Float64frombits(uint64(unhash(1, floatMark, 0x1234_5678)[0]))
	a, b := collidingTexts("twin ")
	makers := []func(th *rt.Thread) rt.Ref{
		func(th *rt.Thread) rt.Ref { return must(NewFloat(th, float)) },
		func(th *rt.Thread) rt.Ref { return must(NewString(th, a)) },
		func(th *rt.Thread) rt.Ref { return must(NewString(th, b)) },
		func(th *rt.Thread) rt.Ref { return must(NewTuple(th, smallInt(1), smallInt(2))) },
	}
	for _, n := range numbers {
		makers = append(makers, func(th *rt.Thread) rt.Ref { return must(NewInt(th, n)) })
	}
	for i := range 20 {
		makers = append(makers, func(*rt.Thread) rt.Ref { return smallInt(i) })
	}
	forAllModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			for _, n := range []int{linearMax, len(makers)} {
				for absent := range 10 { // all but two of these have twins
					d := must(NewDict(th))
					for i, maker := range makers[:n] {
						if i != absent {
							key := maker(th)
							must0(t, d.Set(th, key, smallInt(i)))
							th.DecRef(key)
						}
					}
					f := must(th.Freeze(d))
					again := must(th.Freeze(f.Root()))
					var image bytes.Buffer
					must(f.WriteTo(&image))
					opened := must(th.Runtime().OpenImageAt(bytes.NewReader(image.Bytes())))
					th.DecRef(d)
					for what, g := range map[string]*rt.Frozen{"the frozen dict": f, "its copy": again, "the opened one": opened} {
						for i, maker := range makers[:n] {
							key := maker(th)
							if v, found := Dict(g.Root()).Lookup(th, key); found != (i != absent) || found && v != smallInt(i) {
								t.Errorf("%d keys without %d, %s: at key %d there is %s, %t", n, absent, what, i, fmt.Sprint(v), found)
							}
							th.DecRef(key)
						}
						must0(t, th.Unload(g))
					}
				}
			}
		})
	})
}
