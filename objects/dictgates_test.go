package objects

import (
	"fmt"
	"testing"

	rt "github.com/ichor-go/ichor/runtime"
)

// TestGates has threads overwrite values of a table with gates, each those of
// its own keys, while another has the table replaced by insertions, deletions and
// updates: each finds what it has written last.
func TestGates(t *testing.T) {
	const (
		writers = 3
		kept    = 2 * gatesFrom
	)
	forModes(t, func(t *testing.T, o rt.Options) {
		if o.Checked {
			return // a lock of its own for each access keeps them apart
		}
		withRuntime(t, o, func(r *rt.Runtime) {
			var d, other Dict
			must0(t, r.Do(func(th *rt.Thread) error {
				d, other = Dict(must(NewDict(th))), Dict(must(NewDict(th)))
				for i := range kept {
					ok(d.SetSteal(th, smallInt(i), newBig(th, 0)))
				}
				if b := th.Block(th.Body(rt.Ref(d)).LoadRef(boxBlock)); hasGates(b) != th.LockFree() {
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
				audit(t, th, rt.Ref(d), rt.Ref(other))
				th.DecRefs([]rt.Ref{rt.Ref(d), rt.Ref(other)})
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
