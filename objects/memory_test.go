package objects

import (
	"testing"

	rt "github.com/ichor-go/ichor/runtime"
)

// TestChangesInOneUnitOfWork: a container that is replaced again and again, without a safe
// point in between, takes the memory of a few containers, alone and beside a thread that
// waits.
func TestChangesInOneUnitOfWork(t *testing.T) {
	const n = 20_000 // a list's block of 80 KB, a dict's of 500 KB and more
	changes := map[string]func(th *rt.Thread, times int){
		"list": func(th *rt.Thread, times int) {
			l := must(NewList(th))
			for i := range n {
				must0(t, l.Append(th, smallInt(i)))
			}
			for range times {
				must0(t, l.Remove(th, n/2))
				must0(t, l.Insert(th, n/2, smallInt(0)))
			}
			th.DecRef(l)
		},
		"dict": func(th *rt.Thread, times int) {
			d := must(NewDict(th))
			for i := range n {
				must0(t, d.Set(th, smallInt(i), rt.None))
			}
			for range times / 50 {
				for i := range n {
					must(d.Delete(th, smallInt(i)))
					must0(t, d.Set(th, smallInt(i), rt.None))
				}
			}
			th.DecRef(d)
		},
	}
	aloneInModes(t, func(t *testing.T, o rt.Options) {
		for name, change := range changes {
			for _, beside := range []bool{false, true} {
				withRuntime(t, o, func(r *rt.Runtime) {
					most := int64(0)
					work := func() {
						must0(t, r.Do(func(th *rt.Thread) error {
							change(th, min(scaled(1000), 100)) // 16 MB if nothing is given back
							most = r.Memory().Committed
							return nil
						}))
					}
					if beside {
						must0(t, r.Do(func(th *rt.Thread) error { th.Blocking(work); return nil }))
					} else {
						work()
					}
					if most > 12<<20 {
						t.Errorf("%s, beside a thread that waits: %t: %d bytes are committed", name, beside, most)
					}
				})
			}
		}
	})
}
