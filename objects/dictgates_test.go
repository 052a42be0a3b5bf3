package objects

import (
	"fmt"
	"strings"
	"testing"

	rt "github.com/ichor-go/ichor/runtime"
)

// TestGates has threads overwrite values of a table with gates, each the values of its own
// keys, while another thread replaces the table by insertions, deletions and updates. Each
// thread finds its last write.
func TestGates(t *testing.T) {
	const (
		writers = 3
		kept    = 4096
	)
	forModes(t, func(t *testing.T, o rt.Options) {
		if o.Checked {
			return // a lock for each access keeps the threads apart
		}
		withRuntime(t, o, func(r *rt.Runtime) {
			var d, other Dict
			must0(t, r.Do(func(th *rt.Thread) error {
				d, other = must(NewDict(th)), must(NewDict(th))
				for i := range kept {
					ok(d.SetSteal(th, smallInt(i), newBig(th, 0)))
				}
				if b := th.Block(th.Body(d).LoadRef(boxBlock)); hasGates(b) != th.LockFree() {
					t.Errorf("a table of %d has gates: %v", b.Word(dictCap), hasGates(b))
				}
				for i := range 100 {
					ok(other.Set(th, smallInt(3*kept+i), rt.True))
				}
				return nil
			}))
			run(t, r, writers+1, func(th *rt.Thread, worker int) error {
				if worker == writers {
					return replaceTables(th, d, other, kept)
				}
				for i := range scaled(60_000) {
					key := smallInt(i*7919%kept/writers*writers + worker)
					if int(key.Int()) >= kept {
						continue
					}
					v := newBig(th, i%1000)
					ok(d.SetSteal(th, key, v))
					if got, found := d.Lookup(th, key); !found || got != v {
						return fmt.Errorf("key %s: wrote %s, read %s", Format(th, key), v, got)
					}
					if i%16 == 0 {
						th.Checkpoint()
					}
				}
				return nil
			})
			must0(t, r.Do(func(th *rt.Thread) error {
				audit(t, th, d, other)
				th.DecRefs([]rt.Ref{d, other})
				return nil
			}))
		})
	})
}

// replaceTables adds keys above kept and deletes them, several times.
func replaceTables(th *rt.Thread, d, other Dict, kept int) error {
	for range scaled(40) {
		for i := range kept {
			ok(d.Set(th, smallInt(kept+i), rt.None))
			if i%64 == 0 {
				th.Checkpoint()
			}
		}
		ok(d.Update(th, other))
		th.Checkpoint()
		for i := range kept {
			if _, err := d.Delete(th, smallInt(kept+i)); err != nil {
				return err
			}
			if i%64 == 0 {
				th.Checkpoint()
			}
		}
	}
	return nil
}

// withGates gives tables of n entries gates, for the time of a test.
func withGates(t *testing.T, n int) {
	was := gatesFrom
	gatesFrom = n
	t.Cleanup(func() { gatesFrom = was })
}

// TestDictVersion: each change raises the version, and no sequence of tables lowers the sum
// of the gates' versions.
func TestDictVersion(t *testing.T) {
	withGates(t, 20)
	forModes(t, func(t *testing.T, o rt.Options) {
		clean(t, o, func(th *rt.Thread) {
			d, one, two := must(NewDict(th)), must(NewDict(th)), must(NewDict(th))
			ok(one.Set(th, smallInt(0), rt.True))
			for i := range 50 {
				ok(two.Set(th, smallInt(i), rt.True))
			}
			o := th.Body(d)
			was, overwritten := dictVersion(th.Heap, o), uint32(0)
			change := func(what string, f func()) {
				t.Helper()
				f()
				v := dictVersion(th.Heap, o)
				if v == was || uint32(v) < overwritten {
					t.Fatalf("%s: version %#x after %#x, with %d overwrites through gates", what, v, was, overwritten)
				}
				was = v
			}
			set := func(i int) {
				gated := false
				if r := o.LoadRef(boxBlock); r != rt.Nil && hasGates(th.Block(r)) {
					gated = d.Has(th, smallInt(i))
				}
				change("set", func() { ok(d.Set(th, smallInt(i), rt.None)) })
				if gated {
					overwritten++
				}
			}
			for range 3 {
				for i := range 60 { // tables without gates, and several with some
					set(i)
					set(i / 2)
				}
				change("update", func() { ok(d.Update(th, two)) })
				for i := range 58 {
					change("delete", func() { must(d.Delete(th, smallInt(i))) })
				}
				change("clear", func() { ok(d.Clear(th)) })
				change("update", func() { ok(d.Update(th, one)) })
			}
			if th.LockFree() != (overwritten > 0) {
				t.Errorf("%d overwrites went through gates", overwritten)
			}
			th.DecRefs([]rt.Ref{d, one, two})
		})
	})
}

// TestDictLabel: the label of an entry that is no longer in the dict's table says so, and
// reads no word beyond the table.
func TestDictLabel(t *testing.T) {
	clean(t, rt.Options{}, func(th *rt.Thread) {
		d := must(NewDict(th))
		for i := range 1000 {
			ok(d.Set(th, smallInt(i), rt.None))
		}
		if got := dictLabel(th, d, 2*999+1); got != "[999]" {
			t.Error(got)
		}
		ok(d.Clear(th))
		if got := dictLabel(th, d, 1); got != "[?]" {
			t.Error(got)
		}
		ok(d.Set(th, smallInt(7), rt.None))
		for i, want := range map[int]string{0: "[key 7]", 1: "[7]", 2: "[?]", 2*999 + 1: "[?]"} {
			if got := dictLabel(th, d, i); got != want {
				t.Errorf("reference %d is called %s, want %s", i, got, want)
			}
		}
		text := strings.Repeat("x", formatted)
		for key, want := range map[string]string{"a": ".a", "a b": `["a b"]`, text: "." + text, text + "x": `["` + text[:formatted-4] + "...]"} {
			ok(d.Clear(th))
			name := must(NewString(th, key))
			ok(d.Set(th, name, rt.None))
			th.DecRef(name)
			if got := dictLabel(th, d, 1); got != want {
				t.Errorf("the value at %q is called %s, want %s", key, got, want)
			}
		}
		th.DecRef(d)
	})
}
