package parts

import (
	"testing"

	"pgregory.net/rapid"

	rt "github.com/ichor-go/ichor/runtime"
)

// CheckInterleaved draws at most n turns of several threads. Lock-free mode only: under the GIL the threads would wait for each other.
func CheckInterleaved(t *testing.T, o rt.Options, threads, n int) {
	rapid.Check(t, func(t *rapid.T) {
		Report(t, interleaved(o, threads, DrawTurns(t, threads, n)))
	})
}

// interleaved runs several threads on one goroutine, in the order of the turns. After a thread
// ends, its machine gets another one at its next turn.
func interleaved(o rt.Options, threads int, turns []Turn) (err error) {
	defer Catch(&err)
	defer Guarded()()
	s, err := Open(o, OnDemand)
	if err != nil {
		return err
	}
	heaps := make([]*Heap, threads)
	for i := range heaps {
		heaps[i] = s.Attach()
	}
	shared := NewShared(heaps[0], 0)
	machines := make([]*Machine[Handle], threads)
	for i, h := range heaps {
		machines[i] = New(h, shared, SerialsOf(i))
		h.Machines = machines
		h.Replace = func() { h.Detach() }
		h.Alone = func(f func()) {
			var running []*Heap
			for _, x := range heaps {
				if x != h && x.Thread != nil {
					running = append(running, x)
					x.Detach()
				}
			}
			f()
			for _, x := range running {
				x.Attach()
			}
		}
	}
	for _, x := range turns {
		i := int(x.Thread) % threads
		heaps[i].Attach()
		machines[i].Step(x.Op)
	}
	for _, h := range heaps[1:] {
		h.Detach()
	}
	heaps[0].Attach()
	heaps[0].Finish(machines...)
	heaps[0].Detach()
	ran("interleaved", len(turns))
	return s.Close()
}
