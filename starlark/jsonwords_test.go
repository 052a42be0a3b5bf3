package starlark

import (
	"fmt"
	"strings"
	"testing"
)

// readers are programs for the tests below.
const readers = "def read(text):\n    return json.decode(text)\n"

// A document has one string for each of its keys and of the short texts that it repeats, even if
// other texts come between them.
func TestDocumentSharesTexts(t *testing.T) {
	const n = 100
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{"number": %d, "name": "name %d", "state": ["ready", "ready"]},`, i, i)
	}
	text := "[" + b.String() + `{"long": "` + strings.Repeat("x", maxWord+1) + `"}, {"long": "` + strings.Repeat("x", maxWord+1) + `"}]`
	forModes(t, func(t *testing.T, opts Options) {
		m := open(t, opts)
		do(t, m, func(th *Thread) error {
			mod, err := th.Exec("doc.star", readers)
			if err != nil {
				return err
			}
			defer th.Clear(mod)
			s, err := th.FromGo(text)
			if err != nil {
				return err
			}
			defer th.Drop(s)
			before := live(t, th)
			v := call(t, th, mod, "read", s)
			// A list, and in each record a dict, a name and a list; two more dicts with long
			// texts; four keys. Names take the place of ready now and then.
			least := int64(1 + 3*n + 4 + 4 + 1)
			if got := live(t, th) - before; got < least || got > least+n/20 {
				t.Errorf("the document has %d objects, want %d and a few", got, least)
			}
			th.Drop(v)
			if got := live(t, th) - before; got != 0 {
				t.Errorf("%d objects are left", got)
			}
			return nil
		})
	})
}

// A container that a document brings has room for what it has, and can grow.
func TestDocumentFits(t *testing.T) {
	m := open(t, Options{})
	do(t, m, func(th *Thread) error {
		mod, err := th.Exec("doc.star", readers+"def grow(text):\n    x = json.decode(text)\n    x['l'].append(4)\n    x['e'] = x['l']\n    return x\n")
		if err != nil {
			return err
		}
		defer th.Clear(mod)
		s, err := th.FromGo(`{"a": 1, "b": null, "l": [1, 2, 3], "a": 5}`)
		if err != nil {
			return err
		}
		defer th.Drop(s)
		v := call(t, th, mod, "read", s)
		block := th.t.Block(th.t.Body(v.ref()).LoadRef(tableBlock))
		if n := block.Word(entryCap); n != 4 {
			t.Errorf("room for %d entries, want 4", n)
		}
		l, err := th.tableGet(v, s)
		if l != 0 || err != nil {
			t.Errorf("found %d, %v", l, err)
		}
		if got := th.Repr(v); got != `{"a": 5, "b": None, "l": [1, 2, 3]}` {
			t.Errorf("read %s", got)
		}
		th.Drop(v)
		v = call(t, th, mod, "grow", s)
		if got := th.Repr(v); got != `{"a": 5, "b": None, "l": [1, 2, 3, 4], "e": [1, 2, 3, 4]}` {
			t.Errorf("grown to %s", got)
		}
		th.Drop(v)
		return nil
	})
}

// Containers with more values than the reader lets wait are whole, in order, at any depth.
func TestWideDocuments(t *testing.T) {
	for _, n := range []int{jsonWaiting/2 - 1, jsonWaiting / 2, jsonWaiting/2 + 1, jsonWaiting - 1, jsonWaiting, jsonWaiting + 1, 3*jsonWaiting + 7} {
		var list, dict strings.Builder
		for i := range n {
			if i > 0 {
				list.WriteString(", ")
				dict.WriteString(", ")
			}
			fmt.Fprintf(&list, `[%d.5, "%d"]`, i, i)
			fmt.Fprintf(&dict, `"%d": {"x": %d}`, i, i)
		}
		text := "[[" + list.String() + "], {" + dict.String() + "}]"
		m := open(t, Options{})
		do(t, m, func(th *Thread) error {
			mod, err := th.Exec("doc.star", readers)
			if err != nil {
				return err
			}
			defer th.Clear(mod)
			s, err := th.FromGo(text)
			if err != nil {
				return err
			}
			defer th.Drop(s)
			v := call(t, th, mod, "read", s)
			if got := th.Repr(v); got != text {
				t.Errorf("%d items: %.300s", n, got)
			}
			th.Drop(v)
			return nil
		})
	}
}

// A text that ends anywhere is an error, and nothing is left of what was read before.
func TestBrokenDocuments(t *testing.T) {
	text := `{"a": [1.5, "word", {"b": "word", "c": []}], "d": {"a": 2, "e": -1e3}, "a": "é\n"}`
	m := open(t, Options{})
	for i := range len(text) {
		do(t, m, func(th *Thread) error {
			mod, err := th.Exec("doc.star", "def read(text):\n    return json.decode(text, None)\n")
			if err != nil {
				return err
			}
			defer th.Clear(mod)
			s, err := th.FromGo(text[:i])
			if err != nil {
				return err
			}
			defer th.Drop(s)
			before := live(t, th)
			if v := call(t, th, mod, "read", s); v != None {
				t.Errorf("%s: %s", text[:i], th.Repr(v))
			}
			if got := live(t, th) - before; got != 0 {
				t.Errorf("%s: %d objects are left", text[:i], got)
			}
			return nil
		})
	}
}
