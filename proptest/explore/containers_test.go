//go:build explore

package explore

import (
	"errors"
	"fmt"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// boxed returns a new reference to an int that has a count.
func boxed(t *rt.Thread, n int64) rt.Ref { return must(objects.NewInt(t, 1<<40+n)) }

func key(n int64) rt.Ref {
	r, _ := rt.Int(n)
	return r
}

// listOf makes a list that holds the only references to n boxed ints.
func (s *stage) listOf(n int) objects.List {
	l := must(objects.NewList(s.t[0]))
	for i := range n {
		ok(objects.List(l).AppendSteal(s.t[0], boxed(s.t[0], int64(i))))
	}
	s.own(l)
	return objects.List(l)
}

// dictOf makes a dict that holds the only references to n boxed ints.
func (s *stage) dictOf(n int) objects.Dict {
	d := must(objects.NewDict(s.t[0]))
	for i := range n {
		ok(objects.Dict(d).SetSteal(s.t[0], key(int64(i)), boxed(s.t[0], int64(i))))
	}
	s.own(d)
	return objects.Dict(d)
}

// read takes a reference to item i, reads the int and gives the reference up.
func read(t *rt.Thread, l objects.List, i int) {
	if r, err := l.Get(t, i); err == nil {
		look(t, r)
	}
}

// look reads an int and gives its reference up.
func look(t *rt.Thread, r rt.Ref) {
	if v, isInt := objects.Int(r).Value(t); r != rt.None && (!isInt || v < 1<<40) {
		panic(fmt.Sprintf("found %s", objects.Format(t, r)))
	}
	t.DecRef(r)
}

func readKey(t *rt.Thread, d objects.Dict, n int64) {
	if r, err := d.Get(t, key(n)); err == nil {
		look(t, r)
	}
}

// freezeUntorn freezes a list of two lists, dicts or records, and reads their first items. Another
// thread sets the first item of the first one to 1, and then that of the second.
func freezeUntorn(t *rt.Thread, both rt.Ref) {
	f, err := t.Freeze(both)
	if errors.Is(err, rt.ErrChanged) {
		return
	}
	ok(err)
	var seen [2]rt.Ref
	for i := range seen {
		x, _ := objects.List(f.Root()).At(t, i)
		switch t.Kind(x) {
		case rt.TypeList:
			seen[i], _ = objects.List(x).At(t, 0)
		case rt.TypeDict:
			seen[i], _ = objects.Dict(x).Lookup(t, key(0))
		default:
			seen[i], _ = objects.Record(x).At(t, 0)
		}
	}
	if seen[1] == key(1) && seen[0] != key(1) {
		panic("torn: the second one is new and the first one old")
	}
	ok(t.Unload(f))
}

var point3 = must(objects.DefineRecord("explored point", "x"))
