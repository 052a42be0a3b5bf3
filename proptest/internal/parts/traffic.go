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

// trafficCode is the operation of a step on a few consecutive immortals.
type trafficCode uint8

const (
	trafficCount trafficCode = iota // increments and decrements, one by one
	trafficSlices
	trafficTry
	trafficScope
	trafficTuple // they are in a tuple that dies
	trafficList  // they are in a list, and leave it in different ways
	trafficDict
	trafficShared // they are in slots that other threads overwrite
	trafficSend   // to another thread, which gives them up
	trafficRead
	trafficWeak
	trafficChange // store to immortal records
	trafficLook   // format objects as text
	trafficCheckpoint
	trafficImmortal // slow from here on, and seldom run
	trafficFreeze
	trafficCollect
	trafficLeave
	allTraffic
)

// seldom is the number of rounds in which the slow steps run once.
const seldom = 256

// trafficStep is an operation on n immortals, from number at on.
type trafficStep struct {
	code  trafficCode
	at, n uint16
}

var aTrafficStep = rapid.Custom(func(t *rapid.T) trafficStep {
	return trafficStep{
		trafficCode(rapid.IntRange(0, int(allTraffic)-1).Draw(t, "code")),
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
			progs[i] = rapid.SliceOfN(aTrafficStep, 1, 20).Draw(t, "thread")
		}
		w, err := pagemap.NewWatch()
		if err != nil {
			t.Fatal(err)
		}
		made, err := traffic(o, w, progs, ops)
		report(t, err)
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

// traffic runs each program on a thread of its own, again and again, until together they
// have made so many operations on immortals. It returns the number made, and closes the
// oracle.
func traffic(o rt.Options, oracle oracle, progs [][]trafficStep, ops int64) (made int64, err error) {
	defer func() { err = errors.Join(err, oracle.Close()) }()
	defer catch(&err)
	defer guarded()()
	s, err := open(o, onDemand)
	if err != nil {
		return 0, err
	}
	var e *estate
	y := &yard{quota: ops / int64(len(progs))}
	err = s.do(func(h *heap) error {
		e = newEstate(h.t, oracle)
		y.open(h.t)
		return nil
	})
	if err != nil {
		return 0, err
	}
	y.estate = e
	err = s.parallel(len(progs), func(h *heap, worker int) error {
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
	err = s.do(func(h *heap) error {
		for range 1000 { // on a page of its own
			h.t.IncRef(e.control)
			h.t.DecRef(e.control)
		}
		err := e.close()
		h.sample()
		y.close(h.t)
		h.t.DecRef(e.control)
		return err
	})
	if err != nil {
		return 0, err
	}
	if _, watched := oracle.(*pagemap.Watch); watched && !e.seen {
		return 0, fmt.Errorf("the oracle is blind: it has not seen stores to %#x, where a mortal was counted", e.witness)
	}
	made = y.made.Load()
	count(counting(o)+" stores: operations on immortals", int(made))
	count(counting(o)+" stores: pages watched", len(e.pages))
	return made, s.close()
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
