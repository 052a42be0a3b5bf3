package objects

import (
	"runtime/debug"
	"strings"
	"testing"

	rt "github.com/ichor-go/ichor/runtime"
)

// TestDepth builds objects that are nested deep. Freeing them, showing them, and every other
// call take little stack.
func TestDepth(t *testing.T) {
	littleStack(t)
	modes := forAllModes
	if racesOnly() {
		modes = aloneInModes
	}
	modes(t, func(t *testing.T, o rt.Options) {
		wraps := map[string]func(th *rt.Thread, x rt.Ref) rt.Ref{
			"list":  func(th *rt.Thread, x rt.Ref) rt.Ref { return must(NewListSteal(th, x)) },
			"tuple": func(th *rt.Thread, x rt.Ref) rt.Ref { return must(NewTupleSteal(th, x)) },
			"dict": func(th *rt.Thread, x rt.Ref) rt.Ref {
				d := must(NewDict(th))
				ok(d.SetSteal(th, rt.True, x))
				return d
			},
			"cell": func(th *rt.Thread, x rt.Ref) rt.Ref {
				c := must(NewCell(th, x))
				th.DecRef(x)
				return c
			},
			"foreign": func(th *rt.Thread, x rt.Ref) rt.Ref {
				return must(NewForeignOwner(th, x, func(th *rt.Thread, x any) { th.DecRef(x.(rt.Ref)) }))
			},
			"weak": func(th *rt.Thread, x rt.Ref) rt.Ref {
				y := must(NewList(th))
				var w rt.Ref
				w = must(NewWeak(th, y, func(th *rt.Thread) { th.DecRefs([]rt.Ref{w, x}) }))
				return y
			},
		}
		for name, wrap := range wraps {
			t.Run(name, func(t *testing.T) {
				r, err := rt.New(o)
				must0(t, err)
				must0(t, r.Do(func(th *rt.Thread) error {
					x := must(NewList(th))
					for range levels {
						x = wrap(th, x)
					}
					_ = Format(th, x)
					_, _ = Hash(th, x)
					th.DecRef(x)
					return nil
				}))
				must0(t, r.Close()) // which runs pending calls
			})
		}
		t.Run("JSON", func(t *testing.T) { // it recurses, and refuses more levels than this
			defer debug.SetMaxStack(debug.SetMaxStack(16 << 20))
			clean(t, o, func(th *rt.Thread) {
				text := strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000)
				x := must(FromJSON(th, strings.NewReader(text), JSONOptions{MaxDepth: 10_000}))
				if got := string(must(AppendJSON(th, nil, x))); got != text {
					t.Errorf("%d bytes came back as %d", len(text), len(got))
				}
				f := must(th.Freeze(x))
				must0(t, th.Unload(f))
				th.DecRef(x)
			})
		})
	})
}
