package objects

import (
	"fmt"
	goruntime "runtime"
	"testing"

	rt "github.com/ichor-go/ichor/runtime"
)

// setLocked is Set by a thread that has the dict's lock.
func setLocked(th *rt.Thread, d Dict, key, value rt.Ref) {
	b := table(th, d)
	th.IncRef(value)
	if p := search(th, b, key, must(Hash(th, key))); p.e != 0 && alive(b, p.e) {
		th.Retire(b.SwapRef(p.e+entryValue, value))
	} else {
		th.IncRef(key)
		insert(b, p, key, value)
	}
}

// deleteLocked is Delete by a thread that has the dict's lock. The table stays.
func deleteLocked(th *rt.Thread, d Dict, key rt.Ref) {
	b := table(th, d)
	th.Retire(remove(b, search(th, b, key, must(Hash(th, key))).e))
}

// clearLocked is Clear by a thread that has the dict's lock.
func clearLocked(th *rt.Thread, d Dict) {
	o := th.Body(d)
	r := o.LoadRef(boxBlock)
	empty(th, o, r)
	retireTable(th, r, true)
}

// TestDictCallsBesideOthers: what another thread does between a call's lookup, which takes
// no lock, and its lock is neither lost nor overlooked. No outcome leaves the dict locked.
func TestDictCallsBesideOthers(t *testing.T) {
	if goruntime.GOOS == "js" {
		t.Skip("SKIPPED: for several threads, of which there is one here")
	}
	type outcome struct {
		ref, now rt.Ref // what the call returns, and the key's value afterwards; Nil for none
		done     bool
	}
	type call func(th *rt.Thread, d Dict, key, old, v rt.Ref) (rt.Ref, bool, error)
	loadOrStore := func(th *rt.Thread, d Dict, key, _, v rt.Ref) (rt.Ref, bool, error) { return d.LoadOrStore(th, key, v) }
	swap := func(th *rt.Thread, d Dict, key, _, v rt.Ref) (rt.Ref, bool, error) { return d.Swap(th, key, v) }
	cas := func(th *rt.Thread, d Dict, key, old, v rt.Ref) (rt.Ref, bool, error) {
		done, err := d.CompareAndSwap(th, key, old, v)
		return rt.Nil, done, err
	}
	cad := func(th *rt.Thread, d Dict, key, old, _ rt.Ref) (rt.Ref, bool, error) {
		done, err := d.CompareAndDelete(th, key, old)
		return rt.Nil, done, err
	}
	for _, counting := range []rt.Counting{rt.Atomic, rt.Biased} {
		withRuntime(t, rt.Options{Mode: rt.LockFree, Counting: counting}, func(r *rt.Runtime) {
			for _, n := range []int{3, 30, 300} {
				var d Dict
				var key, old, v, x rt.Ref // old is the value before, x the one that another thread stores
				must0(t, r.Do(func(th *rt.Thread) error {
					key, old, v, x = newBig(th, 1), newBig(th, 2), newBig(th, 3), newBig(th, 4)
					return nil
				}))
				set := func(th *rt.Thread) { setLocked(th, d, key, x) }
				gone := func(th *rt.Thread) { deleteLocked(th, d, key) }
				back := func(th *rt.Thread) { setLocked(th, d, key, x); deleteLocked(th, d, key) }
				again := func(th *rt.Thread) { deleteLocked(th, d, key); setLocked(th, d, key, old) }
				clear := func(th *rt.Thread) { clearLocked(th, d) }
				nothing := func(*rt.Thread) {}
				for i, c := range []struct {
					call      call
					before    rt.Ref
					meanwhile func(th *rt.Thread)
					want      outcome
				}{
					{loadOrStore, rt.Nil, nothing, outcome{v, v, false}},
					{loadOrStore, rt.Nil, set, outcome{x, x, true}},
					{loadOrStore, rt.Nil, back, outcome{v, v, false}},
					{loadOrStore, rt.Nil, clear, outcome{v, v, false}},
					{swap, rt.Nil, nothing, outcome{rt.Nil, v, false}},
					{swap, rt.Nil, set, outcome{x, v, true}},
					{swap, rt.Nil, back, outcome{rt.Nil, v, false}},
					{swap, old, nothing, outcome{old, v, true}},
					{swap, old, gone, outcome{rt.Nil, v, false}},
					{swap, old, clear, outcome{rt.Nil, v, false}},
					{cas, old, nothing, outcome{rt.Nil, v, true}},
					{cas, old, set, outcome{rt.Nil, x, false}},
					{cas, old, gone, outcome{rt.Nil, rt.Nil, false}},
					{cas, old, again, outcome{rt.Nil, v, true}},
					{cas, old, clear, outcome{rt.Nil, rt.Nil, false}},
					{cad, old, nothing, outcome{rt.Nil, rt.Nil, true}},
					{cad, old, set, outcome{rt.Nil, x, false}},
					{cad, old, gone, outcome{rt.Nil, rt.Nil, false}},
					{cad, old, again, outcome{rt.Nil, rt.Nil, true}},
					{cad, old, clear, outcome{rt.Nil, rt.Nil, false}},
				} {
					what := fmt.Sprintf("case %d with %d entries", i, n)
					all := func() []rt.Ref { return []rt.Ref{d, key, old, v, x} }
					must0(t, r.Do(func(th *rt.Thread) error {
						d = must(NewDict(th))
						for i := range n {
							ok(d.Set(th, smallInt(i), rt.None))
						}
						if c.before != rt.Nil {
							ok(d.Set(th, key, c.before))
						}
						return nil
					}))
					waitsAtUntil(t, r, r.Body(d).Lock(boxLock), func() {
						must0(t, r.Do(func(th *rt.Thread) error { c.meanwhile(th); return nil }))
					}, func(th *rt.Thread) {
						ref, done, err := c.call(th, d, key, old, v)
						if ref != c.want.ref || done != c.want.done || err != nil {
							t.Errorf("%s: returned %s, %v, %v", what, ref, done, err)
						}
						if w := th.Body(d).Load(boxLock); w != 0 { // before a safe point, which would release it
							t.Errorf("%s has left %#x in the lock word", what, w)
						}
						th.DecRef(ref)
					})
					must0(t, r.Do(func(th *rt.Thread) error {
						if now, _ := d.Lookup(th, key); now != c.want.now {
							t.Errorf("%s: the key's value is %s", what, now)
						}
						audit(t, th, all()...)
						th.DecRef(d)
						return nil
					}))
				}
				must0(t, r.Do(func(th *rt.Thread) error {
					th.DecRefs([]rt.Ref{key, old, v, x})
					return nil
				}))
			}
		})
	}
}
