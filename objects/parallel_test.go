package objects

import (
	"testing"

	rt "github.com/ichor-go/ichor/runtime"
)

// TestCollectLists has two goroutines trace lists in rings, some of which are held. The
// tracer reads the slots of lists and dicts itself, and calls the functions of other types.
func TestCollectLists(t *testing.T) {
	const rings, size = 700, 50 // more containers than one goroutine would trace alone
	r := must(rt.New(rt.Options{CollectWorkers: 2, CollectAfter: -1, AddressSpace: 1 << 28}))
	must0(t, r.Do(func(th *rt.Thread) error {
		var held []rt.Ref
		for i := range rings {
			all := make([]rt.Ref, size)
			for k := range all {
				all[k] = must(NewList(th))
			}
			for k, l := range all {
				must0(t, List(l).Append(th, all[(k+1)%size]))
			}
			th.DecRefs(all[1:])
			if i%2 == 0 {
				held = append(held, all[0])
			} else {
				th.DecRef(all[0])
			}
		}
		got := th.Collect()
		if want := (rings - len(held)) * size; got.Workers != 2 || got.Garbage != want || got.Freed != want {
			t.Errorf("%+v, want %d freed by 2 workers", got, want)
		}
		must0(t, th.Audit(held...))
		th.DecRefs(held)
		if got := th.Collect(); got.Freed != len(held)*size {
			t.Errorf("%+v, want the rest freed", got)
		}
		return nil
	}))
	must0(t, r.Close())
}
