package parts

import (
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/ichor-go/ichor/internal/aligned"
	"github.com/ichor-go/ichor/internal/pagemap"
	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// Programs that perform every operation on immortals, on several threads, while
// an oracle looks for stores to their pages: see estate.go. They have no history, because
// other tests compare the observations. So a program performs a million operations where
// the others perform a hundred.

// opcode is the operation of a step on a few consecutive immortals.
type opcode uint8

const (
	trafficCount opcode = iota // increments and decrements, one by one
	opSlices
	opTry
	trafficScope
	trafficTuple // they are in a tuple that dies
	opList       // they are in a list, and leave it in different ways
	trafficDict
	opShared // they are in slots that other threads overwrite
	opSend   // to another thread, which gives them up
	opRead
	opWeak
	opChange // store to immortal records
	opLook   // format objects as text
	opCheckpoint
	opImmortalize // slow from here on, and seldom run
	opFreeze
	opCollect
	opLeave
	allTraffic
)

// seldom is the number of rounds in which the slow steps run once.
const seldom = 256

// trafficStep is an operation on n immortals, from number at on.
type trafficStep struct {
	code  opcode
	at, n uint16
}

var aStep = rapid.Custom(func(t *rapid.T) trafficStep {
	return trafficStep{
		opcode(rapid.IntRange(0, int(allTraffic)-1).Draw(t, "code")),
		rapid.Uint16().Draw(t, "at"),
		rapid.Uint16Range(1, 64).Draw(t, "n"),
	}
})

// CheckTraffic draws programs and runs them until they have made so many operations on immortals.
func CheckTraffic(t *testing.T, o rt.Options, threads int, ops int64) {
	if err := newWatch(t).Close(); err != nil {
		t.Fatal(err)
	}
	var all aligned.Int64
	rapid.Check(t, func(t *rapid.T) {
		progs := make([][]trafficStep, threads)
		for i := range progs {
			progs[i] = rapid.SliceOfN(aStep, 1, 20).Draw(t, "thread")
		}
		w, err := pagemap.NewWatch()
		if err != nil {
			t.Fatal(err)
		}
		made, err := run(o, w, progs, ops)
		Report(t, err)
		all.Add(made)
	})
	t.Logf("%d operations on immortals: no store", all.Load())
}

// newWatch returns an oracle, or skips the test if the system has none.
func newWatch(t *testing.T) *pagemap.Watch {
	o, err := pagemap.NewWatch()
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skipf("NOBODY LOOKS FOR STORES TO THE PAGES OF IMMORTALS: the other checks of headers run, this one cannot: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// run runs each program on a thread of its own, again and again, until together they
// have made so many operations on immortals. It returns the number made, and closes the
// oracle.
func run(o rt.Options, oracle oracle, progs [][]trafficStep, ops int64) (made int64, err error) {
	defer func() { err = errors.Join(err, oracle.Close()) }()
	defer Catch(&err)
	defer Guarded()()
	s, err := Open(o, OnDemand)
	if err != nil {
		return 0, err
	}
	var e *estate
	y := &yard{quota: ops / int64(len(progs))}
	err = s.Do(func(h *Heap) error {
		e = newEstate(h.Thread, oracle)
		y.open(h.Thread)
		return nil
	})
	if err != nil {
		return 0, err
	}
	y.estate = e
	err = s.Parallel(len(progs), func(h *Heap, worker int) error {
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
	err = s.Do(func(h *Heap) error {
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
		return 0, fmt.Errorf("the oracle is blind: it has not seen stores to %#x, where a mortal was counted", e.witness)
	}
	made = y.made.Load()
	Add(Counting(o)+" stores: operations on immortals", int(made))
	Add(Counting(o)+" stores: pages watched", len(e.pages))
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
	y.list = Must(objects.NewList(t))
	for range 64 {
		Check(y.list.Append(t, rt.None))
	}
	y.table = Must(objects.NewDict(t))
	y.cell = Must(objects.NewCell(t, rt.None))
	y.box = make(chan rt.Ref, 16)
}

func (y *yard) close(t *rt.Thread) {
	close(y.box)
	for r := range y.box {
		t.DecRef(r)
	}
	for _, r := range y.changing {
		for i := range tract.Fields() {
			Check(objects.Record(r).Set(t, i, rt.None))
		}
	}
	t.DecRefs([]rt.Ref{y.list, y.table, y.cell})
}
