package parts

import rt "github.com/ichor-go/ichor/runtime"

// interleaved runs several threads on one goroutine, in the order of the turns. Lock-free mode
// only: under the GIL the threads would wait for each other. After a thread ends, its machine
// gets another one at its next turn.
func interleaved(o rt.Options, threads int, turns []turn) (err error) {
	defer catch(&err)
	defer guarded()()
	s, err := open(o, onDemand)
	if err != nil {
		return err
	}
	heaps := make([]*heap, threads)
	for i := range heaps {
		heaps[i] = s.attach()
	}
	shared := newShared(heaps[0], 0)
	machines := make([]*machine[handle], threads)
	for i, h := range heaps {
		machines[i] = newMachine(h, shared, serialsOf(i+1))
		h.machines = machines
		h.replace = func() { h.detach() }
		h.alone = func(f func()) {
			var running []*heap
			for _, x := range heaps {
				if x != h && x.t != nil {
					running = append(running, x)
					x.detach()
				}
			}
			f()
			for _, x := range running {
				x.attach()
			}
		}
	}
	for _, x := range turns {
		i := int(x.thread) % threads
		heaps[i].attach()
		machines[i].step(x.op)
	}
	for _, h := range heaps[1:] {
		h.detach()
	}
	heaps[0].attach()
	heaps[0].finish(machines...)
	heaps[0].detach()
	ran("interleaved", len(turns))
	return s.close()
}
