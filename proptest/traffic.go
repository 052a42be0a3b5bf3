package proptest

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

// Programs that do to immortals all that can be done to objects, on several threads, while
// an oracle looks for stores to their pages: see estate.go. There is no history: what
// machines see is compared elsewhere. So these make a million operations where the others
// make a hundred.

// trafficCode says what a step does with a few immortals in a row.
type trafficCode uint8

const (
	trafficCount trafficCode = iota // increments and decrements, one by one
	trafficSlices
	trafficTry
	trafficScope
	trafficTuple // a tuple holds them, and dies
	trafficList  // so does a list, from which they go in different ways
	trafficDict
	trafficShared // slots that other threads overwrite
	trafficSend   // to another thread, who gives them up
	trafficRead
	trafficWeak
	trafficChange // the contents of records that are immortal
	trafficLook   // what shows an object to people
	trafficCheckpoint
	trafficImmortal // from here on slow, and seldom run
	trafficFreeze
	trafficCollect
	trafficLeave
	allTraffic
)

// seldom is how many rounds there are to one in which the slow steps run.
const seldom = 256

// trafficStep is an operation on n immortals from the one with number at on.
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

// checkTraffic has each program go on until it has made so many operations on immortals.
func checkTraffic(t *testing.T, c Config, ops int64) {
	if err := newWatch(t).Close(); err != nil {
		t.Fatal(err)
	}
	var all aligned.Int64
	rapid.Check(t, func(t *rapid.T) {
		progs := make([][]trafficStep, c.Threads)
		for i := range progs {
			progs[i] = rapid.SliceOfN(aTrafficStep, 1, 20).Draw(t, "thread")
		}
		o, err := pagemap.NewWatch()
		if err != nil {
			t.Fatal(err)
		}
		made, err := traffic(c.Options, o, progs, ops)
		report(t, err)
		all.Add(made)
	})
	t.Logf("%d operations on immortals: no store", all.Load())
}

// newWatch returns an oracle, or skips the test where the system has none.
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
// have made so many operations on immortals. It returns how many it made, and closes the
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
		e = found(h.t, oracle)
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
	count(modeName(o)+" stores: operations on immortals", int(made))
	count(modeName(o)+" stores: pages watched", len(e.pages))
	return made, s.close()
}

// yard is what all dealers work with.
type yard struct {
	*estate
	quota int64 // operations that each dealer makes
	made  aligned.Int64
	list  objects.List
	table objects.Dict
	cell  objects.Cell
	box   mailbox[rt.Ref]
}

func (y *yard) open(t *rt.Thread) {
	y.list = must(objects.NewList(t))
	for range 64 {
		check(y.list.Append(t, rt.None))
	}
	y.table = must(objects.NewDict(t))
	y.cell = must(objects.NewCell(t, rt.None))
}

func (y *yard) close(t *rt.Thread) {
	for r, ok := y.box.take(); ok; r, ok = y.box.take() {
		t.DecRef(r)
	}
	for _, r := range y.changing {
		for i := range tract.Fields() {
			check(objects.Record(r).Set(t, i, rt.None))
		}
	}
	t.DecRefs([]rt.Ref{y.list, y.table, y.cell})
}
