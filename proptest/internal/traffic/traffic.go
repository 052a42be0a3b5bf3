// Package traffic has programs that perform every operation on immortals, on several threads, while
// the system watches the pages of these for stores. They have no history, because other tests
// compare the observations. So a program performs a million operations where the others perform a
// hundred.
//
// # Files in reading order
//
//	traffic.go  programs, and running them
//	estate.go   the immortals, and the oracle that watches their pages
//	dealer.go   a thread that performs the operations
package traffic

import (
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/ichor-go/ichor/internal/aligned"
	"github.com/ichor-go/ichor/internal/pagemap"
	"github.com/ichor-go/ichor/objects"
	"github.com/ichor-go/ichor/proptest/internal/counts"
	"github.com/ichor-go/ichor/proptest/internal/heap"
	"github.com/ichor-go/ichor/proptest/internal/modes"
	"github.com/ichor-go/ichor/proptest/internal/property"
	rt "github.com/ichor-go/ichor/runtime"
)

// opcode is the operation of a step on a few consecutive immortals.
type opcode uint8

const (
	opCount opcode = iota // increment and decrement, one by one
	opSlices
	opTry
	opScope
	opTuple // put them into a tuple that dies
	opList  // put them into a list, and remove them in different ways
	opDict
	opShared // store them in slots that other threads overwrite
	opSend   // send them to another thread, which gives them up
	opRead
	opWeak
	opChange // store to immortal records
	opLook   // format objects as text
	opCheckpoint
	opImmortalize // slow from here on, and seldom run
	opFreeze
	opCollect
	opLeave
	opcodes // number of codes
)

// seldom is the number of rounds in which the slow steps run once.
const seldom = 256

// step is an operation on n immortals, from number at on.
type step struct {
	code  opcode
	at, n uint16
}

// aStep is any step.
var aStep = rapid.Custom(func(t *rapid.T) step {
	return step{
		opcode(rapid.IntRange(0, int(opcodes)-1).Draw(t, "code")),
		rapid.Uint16().Draw(t, "at"),
		rapid.Uint16Range(1, 64).Draw(t, "n"),
	}
})

// Check draws programs, and runs them until they have performed so many operations on immortals.
func Check(t *testing.T, o rt.Options, threads int, ops int64) {
	if err := newWatch(t).Close(); err != nil {
		t.Fatal(err)
	}
	var all aligned.Int64
	rapid.Check(t, func(t *rapid.T) {
		progs := make([][]step, threads)
		for i := range progs {
			progs[i] = rapid.SliceOfN(aStep, 1, 20).Draw(t, "thread")
		}
		w, err := pagemap.NewWatch()
		if err != nil {
			t.Fatal(err)
		}
		made, err := run(o, w, progs, ops)
		property.Report(t, err)
		all.Add(made)
	})
	t.Logf("%d operations on immortals: no store", all.Load())
}

// newWatch returns an oracle, or skips the test if the system has none.
func newWatch(t *testing.T) *pagemap.Watch {
	o, err := pagemap.NewWatch()
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skipf("SKIPPED: the system does not report stores to pages, so nothing shows that no thread stores to an immortal: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// run runs each program on a thread of its own, again and again, until together they
// have performed so many operations on immortals. It returns the number performed, and closes
// the oracle.
func run(o rt.Options, oracle oracle, progs [][]step, ops int64) (made int64, err error) {
	defer func() { err = errors.Join(err, oracle.Close()) }()
	defer property.Catch(&err)
	defer property.Guarded()()
	s, err := heap.Open(o, heap.OnDemand)
	if err != nil {
		return 0, err
	}
	var e *estate
	y := &yard{quota: ops / int64(len(progs))}
	err = s.Do(func(h *heap.Heap) error {
		e = newEstate(h.Thread, oracle)
		y.open(h.Thread)
		return nil
	})
	if err != nil {
		return 0, err
	}
	y.estate = e
	err = s.Parallel(len(progs), func(h *heap.Heap, worker int) error {
		d := newDealer(h, y)
		d.work(progs[worker])
		d.close()
		y.made.Add(d.ops)
		if worker == 0 {
			return e.inspect()
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	err = s.Do(func(h *heap.Heap) error {
		for range 1000 { // on a page of its own
			h.Thread.IncRef(e.control)
			h.Thread.DecRef(e.control)
		}
		err := e.close()
		h.Sample()
		y.close(h.Thread)
		h.Thread.DecRef(e.control)
		return err
	})
	if err != nil {
		return 0, err
	}
	if _, watched := oracle.(*pagemap.Watch); watched && !e.seen {
		return 0, fmt.Errorf("the oracle has missed the stores to page %#x, where a mortal was counted", e.witness)
	}
	made = y.made.Load()
	counts.Add(modes.Counting(o)+" stores: operations on immortals", int(made))
	counts.Add(modes.Counting(o)+" stores: pages watched", len(e.pages))
	return made, s.Close()
}

// yard is the shared state of all dealers.
type yard struct {
	*estate
	quota int64 // operations that each dealer makes
	made  aligned.Int64
	list  objects.List
	table objects.Dict
	cell  objects.Cell
	box   chan rt.Ref // from thread to thread
}

func (y *yard) open(t *rt.Thread) {
	y.list = property.Must(objects.NewList(t))
	for range 64 {
		property.Check(y.list.Append(t, rt.None))
	}
	y.table = property.Must(objects.NewDict(t))
	y.cell = property.Must(objects.NewCell(t, rt.None))
	y.box = make(chan rt.Ref, 16)
}

func (y *yard) close(t *rt.Thread) {
	close(y.box)
	for r := range y.box {
		t.DecRef(r)
	}
	for _, r := range y.changing {
		for i := range tract.Fields() {
			property.Check(objects.Record(r).Set(t, i, rt.None))
		}
	}
	t.DecRefs([]rt.Ref{y.list, y.table, y.cell})
}
