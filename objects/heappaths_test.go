package objects

import (
	"fmt"
	"strings"
	"testing"

	rt "github.com/ichor-go/ichor/runtime"
)

// Paths name slots as errors of Freeze do: by key, by index, by field. An object that a scope
// owns has two paths here: the scope itself, and the container that refers to it.
func TestHeapPathSlots(t *testing.T) {
	session := must(DefineRecord("path session", "user", "log"))
	aloneInModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			must0(t, th.Scope(func(s *rt.Scope) {
				text := s.Own(NewString(th, "leaked"))
				tuple := s.Own(NewTuple(th, rt.None, rt.None, text))
				list := s.Own(NewList(th, rt.None, tuple))
				record := s.Own(session.New(th, rt.None, list))
				dict := rt.Own(NewDict(th)).In(s)
				s.Check(dict.Set(th, s.Own(NewString(th, "the key")), record))
				frozen := must(th.Freeze(text))
				into := s.Own(NewList(th, rt.None, frozen.Root()))
				scope := "a scope of " + strings.TrimSuffix(th.String(), " of "+`runtime "`+th.Runtime().Name()+`"`)
				for _, c := range []struct {
					from, to    rt.Ref
					first, want string
				}{
					{tuple, text, scope, "tuple A [2] → string B"},
					{list, tuple, scope, "list A [1] → tuple B"},
					{record, list, scope, "path session A .log → list B"},
					{dict, record, scope, `dict A ["the key"] → path session B`},
					{into, frozen.Root(), "a loaded frozen graph", "list A [1] → frozen graph B"},
				} {
					paths := must(th.Paths(c.to))
					if len(paths) != 2 || len(paths[0].Steps) != 1 || paths[0].Holder != c.first || paths[1].Holder != scope {
						t.Fatalf("paths to %s: %v", c.to, paths)
					}
					names := strings.NewReplacer(c.from.String(), "A", paths[0].Steps[0].Ref.String(), "B")
					if got, want := names.Replace(paths[1].String()), scope+" → "+c.want; got != want {
						t.Errorf("got %s, want %s", got, want)
					}
				}
			}))
		})
	})
}

// An object born immortal has its own size and that of its storage, whatever was allocated between
// the two. Storage that it has outgrown is nobody's.
func TestSizesOfImmortals(t *testing.T) {
	aloneInModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			const n = 1000
			must0(t, th.Immortally(func() error {
				list := must(NewList(th))
				for i := range n {
					must0(t, list.Append(th, must(NewString(th, fmt.Sprintf("text %03d", i)))))
				}
				return nil
			}))
			types := must(th.HeapSnapshot()).Types()
			if len(types) != 2 || types[0].Type != "string" || types[0].Bytes != 32*n || types[1].Type != "list" || types[1].Bytes < 4*n || types[1].Bytes > 8*n {
				t.Errorf("types %+v", types)
			}
		})
	})
}
