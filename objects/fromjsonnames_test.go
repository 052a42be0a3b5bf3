package objects

import (
	"fmt"
	"hash/maphash"
	"strings"
	"testing"

	rt "github.com/ichor-go/ichor/runtime"
)

// TestJSONNames: a name is known again, also among many, and in each object once.
func TestJSONNames(t *testing.T) {
	clean(t, rt.Options{}, func(th *rt.Thread) {
		n := newJSONNames()
		const many = 10 * namesAtFirst
		first, second, refs := n.container(0), uint64(0), []rt.Ref{}
		for _, in := range []*uint64{&first, &second} {
			if *in == 0 {
				*in = n.container(0)
			}
			for i := range many {
				text := []byte(fmt.Sprint(i))
				r, again, err := n.reference(th, *in, text)
				if s, _ := String(r).Text(th); again || err != nil || s != string(text) {
					t.Fatalf("name %d is %q; %t, %v", i, s, again, err)
				}
				refs = append(refs, r)
				if _, again, _ := n.reference(th, *in, text); !again {
					t.Fatalf("name %d is new again", i)
				}
			}
		}
		for i := range many {
			if refs[i] != refs[many+i] {
				t.Fatalf("name %d became two objects", i)
			}
		}
		if len(n.names) != many || len(n.table) < 2*many {
			t.Errorf("%d names in a table of %d", len(n.names), len(n.table))
		}
		if n.forget(); len(n.table) != namesAtFirst || len(n.names)+cap(n.names) > 0 {
			t.Errorf("a large table of %d is kept", len(n.table))
		}
		th.DecRefs(refs)
	})
}

// TestJSONNamesCollide: names with the same hash are told apart.
func TestJSONNamesCollide(t *testing.T) {
	clean(t, rt.Options{}, func(th *rt.Thread) {
		n := newJSONNames()
		a, _, _ := n.reference(th, n.container(0), []byte("a"))
		h := uint32(maphash.Bytes(n.seed, []byte("b")))
		clear(n.table)
		n.table[n.place(h)] = uint64(h)<<32 | 1 // leads to "a"
		b, again, err := n.reference(th, n.begun, []byte("b"))
		if a == b || again || err != nil {
			t.Errorf("%s and %s", Format(th, a), Format(th, b))
		}
		if c, _, _ := n.reference(th, n.container(0), []byte("b")); c != b {
			t.Errorf("%s and %s", Format(th, c), Format(th, b))
		}
		if n.forget(); len(n.names) > 0 || n.table[n.place(h)] != 0 || cap(n.names) == 0 {
			t.Error("it remembers a name, or has lost its memory")
		}
		th.DecRefs([]rt.Ref{a, b, b})
	})
}

// TestJSONNamesNested: an object inside another one may have the same names, and the outer one
// still has each name once.
func TestJSONNamesNested(t *testing.T) {
	clean(t, rt.Options{}, func(th *rt.Thread) {
		deep := strings.Repeat(`{"a":`, 50) + "1" + strings.Repeat("}", 50)
		for text, good := range map[string]bool{
			`{"a":{"a":{"a":1}}}`:                             true,
			`{"a":{"a":1},"a":2}`:                             false,
			`{"a":{"b":1},"b":2}`:                             true,
			`{"a":[{"a":1},{"a":2}],"b":{"a":1,"b":2}}`:       true,
			`{"a":[{"a":1},{"a":2}],"b":{"a":1},"a":2}`:       false,
			`{"a":[{"b":{"a":1}},{"b":{"a":1},"b":2}]}`:       false,
			`[{"a":1},{"a":1},[{"a":1}],{"a":1}]`:             true,
			`[{"a":{"a":1}},{"a":{"a":1},"b":1,"a":1}]`:       false,
			`[{"x":{"a":1}},{"a":1,"x":{"a":1},"a":1}]`:       false,
			`{"a":` + deep + `,"b":` + deep + `}`:             true,
			`{"a":` + deep + `,"b":` + deep + `,"a":1}`:       false,
			`{"b":` + deep + `,"a":` + deep + `,"c":0,"b":1}`: false,
		} {
			r, err := FromJSON(th, strings.NewReader(text))
			if (err == nil) != good {
				t.Errorf("%s: %v", text, err)
			}
			if err == nil {
				th.DecRef(r)
			}
			if want := referenceJSON([]byte(text), 1000); (want == nil) != good {
				t.Errorf("%s: the reference says %v", text, want)
			}
		}
	})
}

// TestJSONContainerNumbers: no two containers have the same number, and the number says how
// deep the container is.
func TestJSONContainerNumbers(t *testing.T) {
	n, seen := newJSONNames(), map[uint64]bool{0: true}
	for i := range 100 {
		for _, depth := range []int{0, 1, i, jsonDepth} {
			x := n.container(depth)
			if seen[x] || x&jsonDepth != uint64(depth) {
				t.Fatalf("number %x at depth %d", x, depth)
			}
			seen[x] = true
		}
	}
}
