package runs

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/ichor-go/ichor/proptest/internal/heap"
	"github.com/ichor-go/ichor/proptest/internal/machine"
	"github.com/ichor-go/ichor/proptest/internal/property"
	rt "github.com/ichor-go/ichor/runtime"
)

// CheckInterleaved draws at most n turns of several threads. Lock-free mode only: under the GIL the threads would wait for each other.
func CheckInterleaved(t *testing.T, o rt.Options, threads, n int) {
	rapid.Check(t, func(t *rapid.T) {
		property.Report(t, interleaved(o, threads, machine.DrawTurns(t, threads, n)))
	})
}

// interleaved runs several threads on one goroutine, in the order of the turns. After a thread
// ends, its machine gets another one at its next turn.
func interleaved(o rt.Options, threads int, turns []machine.Turn) (err error) {
	defer property.Catch(&err)
	defer property.Guarded()()
	s, err := heap.Open(o, heap.OnDemand)
	if err != nil {
		return err
	}
	heaps := make([]*heap.Heap, threads)
	for i := range heaps {
		heaps[i] = s.Attach()
	}
	shared := machine.NewShared(heaps[0], 0)
	machines := make([]*machine.Machine[heap.Handle], threads)
	for i, h := range heaps {
		machines[i] = machine.New(h, shared, machine.SerialsOf(i))
		h.Machines = machines
		h.Replace = func() { h.Detach() }
		h.Alone = func(f func()) {
			var running []*heap.Heap
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
