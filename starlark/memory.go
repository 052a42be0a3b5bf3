package starlark

import (
	"sync/atomic"

	rt "github.com/ichor-go/ichor/runtime"
)

// A machine's memory limit bounds a sum:
//
//	part          what                                             bounded by
//	values        objects and blocks, in spans of 64 KiB           the runtime, at each allocation
//	code          what the compiler makes in Go memory             Compile
//	for a while   Go memory of builtins, stacks of deep calls      reserve
//	collector     its tables, collectorBytes for each container    each checkpoint
//
// The runtime knows the first part only. The others are Go memory, which is reserved before it
// is used. An allocation of many values looks at the whole sum; one of few values looks at the
// first part, and the next checkpoint at the others.
//
// The Go memory of errors, of frames of few calls, and the garbage that Go's collector has not
// freed yet do not count.
type account struct {
	code atomic.Int64
	held atomic.Int64 // by threads, for a while
}

// collectorBytes is what a collection of cycles needs for a container: a word in a table for
// each 32 bytes, and a place on a stack that grows by copying. The value is a guess;
// TestAttacks shows that it is enough for small tuples, the worst that we know.
const collectorBytes = 24

// admitEvery is how much Go memory a thread uses before it tells the machine.
const admitEvery = 16 << 10

// reserveType is an object as large as the limit, for which there is never room.
var reserveType = define(kOther, rt.Type{Name: "starlark.reserve"})

// outside returns the bytes that count and that the runtime does not know, and the sum.
func (m *Machine) outside() (outside, sum int64) {
	mem := m.rt.Memory()
	outside = m.account.code.Load() + m.account.held.Load() + collectorBytes*mem.Containers
	return outside, outside + mem.Committed
}

// fits returns an error if n more bytes would exceed the limit.
func (th *Thread) fits(n int64) error {
	if th.m.limit == 0 {
		return nil
	}
	outside, sum := th.m.outside()
	switch {
	case sum+n <= th.m.limit:
		return nil
	case outside+n > th.m.limit:
		return rt.ErrMemoryLimit
	}
	// Empty spans that the runtime keeps for reuse are part of the sum. An allocation that cannot
	// succeed makes it give them up.
	if th.m.limit <= 1<<30 { // else it is too large an object, and they are little
		_, _, _ = th.t.New(reserveType, int(th.m.limit))
	}
	if _, sum = th.m.outside(); sum+n > th.m.limit {
		return rt.ErrMemoryLimit
	}
	return nil
}

// reserve counts n bytes of Go memory that is about to be used. They count until release is
// called with what held was before, which callBuiltin does for builtins.
func (th *Thread) reserve(n int) error {
	if th.m.limit == 0 {
		return nil
	}
	th.held += int64(n)
	if th.held-th.told < admitEvery {
		return nil
	}
	n64 := th.held - th.told
	if err := th.fits(n64); err != nil {
		th.held = th.told
		return err
	}
	th.m.account.held.Add(n64)
	th.told = th.held
	return nil
}

// release gives up what was reserved since held had the value to.
func (th *Thread) release(to int64) {
	th.held = to
	if th.told > to {
		th.m.account.held.Add(to - th.told)
		th.told = to
	}
}

// large counts an allocation of n bytes as steps, and returns an error if it does not fit.
func (th *Thread) large(n int) error {
	th.fuel -= n >> 8
	th.allocated += int64(n)
	if n < admitEvery {
		return nil
	}
	return th.fits(int64(n))
}

// collectSoon collects cycles if memory gets short and has been used since it did so before.
// The error says that what counts exceeds the limit.
func (th *Thread) collectSoon() error {
	th.allocated = 0
	m := th.m
	outside, sum := m.outside()
	values := sum - outside
	if sum < m.limit*3/4 {
		th.collected = 0
		return nil
	}
	if values-th.collected > m.limit/16 {
		th.t.Collect()
		outside, sum = m.outside()
		th.collected = sum - outside
	}
	if sum <= m.limit {
		return nil
	}
	return th.fits(0)
}

// tidy collects the cycles that earlier programs have left, if they may be the reason that memory is
// nearly used up. It is called where Go begins to compile or to call something.
func (th *Thread) tidy() {
	if !th.untidy || len(th.frames) > 0 {
		return
	}
	th.untidy = false
	if _, sum := th.m.outside(); sum > th.m.limit/8*7 {
		th.t.Collect()
	}
}

// freed collects cycles if err says that there is no memory, and reports whether there is some
// now.
func (th *Thread) freed(err error) bool {
	return isMemoryLimit(err) && th.t.Collect().Freed > 0
}
