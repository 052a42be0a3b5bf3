package proptest

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"pgregory.net/rapid"

	"github.com/ichor-go/ichor/proptest/explore"
	rt "github.com/ichor-go/ichor/runtime"
)

// Short programs of a Subject under all schedules. A program has some calls that come first, and two
// or three threads of one to three calls each, on one object. In builds with the tag explore, all
// schedules with at most two preemptions are run, in a mode that is drawn with the program.

const propExplored = "conformance: concurrent calls, in each order in which threads can take turns"

// The limits of Explore: of all programs, and of one.
const (
	exploreTime      = 7 * time.Second
	exploreSchedules = 20_000
	exploreEach      = 2 * time.Second
)

// turns is a program: what comes first, and the calls of each thread.
type turns struct {
	first   []step
	threads [][]step
}

// Explore draws short concurrent programs of the subject with rapid, and explores each: package
// proptest/explore. It fails t if a schedule has calls that are not linearizable, although they are
// said to be, leaves a reference that nobody has counted, races, panics or deadlocks. The log has the
// shrunk program and the steps of the schedule. It ends after some seconds. Without the tag explore,
// each program runs once, with real goroutines. Any goroutine that is not attached.
func Explore[M any](t *testing.T, s Subject[M]) {
	t.Helper()
	x := &trials[M]{Subject: s}
	end := time.Now().Add(exploreTime)
	failures := map[string]error{} // by program, so that rapid finds a failure again after the time is up
	programs, schedules := 0, int64(0)
	defer func() {
		t.Helper()
		what := "explored"
		if !explore.On {
			what = "run once, and not explored for want of -tags explore"
		}
		t.Logf("%d programs were %s, %d schedules", programs, what, schedules)
	}()
	rapid.Check(t, func(t *rapid.T) {
		o := rapid.SampledFrom(exploredModes).Draw(t, "mode")
		p := x.drawTurns(t)
		text := fmt.Sprintf("mode %s\n%s", modeName(o), x.turnsText(p))
		err, known := failures[text]
		if !known {
			if time.Now().After(end) {
				return
			}
			programs++
			var n int64
			n, err = explore.Run("Explore", explore.Config{Time: exploreEach, Schedules: exploreSchedules}, func() explore.Fixed { return x.fixed(o, p) })
			schedules += n
			if err != nil {
				if len(failures) == 0 { // what follows only makes it shorter
					end = time.Now().Add(2 * time.Second)
				}
				failures[text] = err
			}
		}
		if err != nil {
			report(t, &failure{propExplored, text + "\n" + err.Error()})
		}
	})
}

// exploredModes are the modes in which programs are explored.
var exploredModes = []rt.Options{
	{Mode: rt.LockFree, Counting: rt.Atomic},
	{Mode: rt.LockFree, Counting: rt.Biased},
	{Mode: rt.GIL},
}

// drawTurns draws a program.
func (x *trials[M]) drawTurns(t *rapid.T) turns {
	aCall := rapid.Custom(func(t *rapid.T) step {
		return step{what: uint8(rapid.IntRange(0, len(x.Ops)-1).Draw(t, "what")), n: uint8(rapid.IntRange(0, 15).Draw(t, "n"))}
	})
	p := turns{first: rapid.SliceOfN(aCall, 0, 5).Draw(t, "first")}
	for range rapid.SampledFrom([]int{2, 2, 2, 3}).Draw(t, "threads") {
		p.threads = append(p.threads, rapid.SliceOfN(aCall, 1, 3).Draw(t, "calls"))
	}
	return p
}

// turnsText returns a program as text.
func (x *trials[M]) turnsText(p turns) string {
	line := func(calls []step) string {
		var names []string
		for _, s := range calls {
			names = append(names, fmt.Sprintf("%s(%d)", x.Ops[s.what].Name, s.n))
		}
		return strings.Join(names, ", ")
	}
	text := "first: " + line(p.first)
	for i, calls := range p.threads {
		text += fmt.Sprintf("\nthread %d: %s", i, line(calls))
	}
	return text
}

// explored is a program that runs.
type explored[M any] struct {
	x       *trials[M]
	r       *rt.Runtime
	threads []*rt.Thread
	object  rt.Ref
	calls   [][]porcupine.Operation // of each thread; the last are those that come first
}

// fixed makes the program on a runtime of its own.
func (x *trials[M]) fixed(o rt.Options, p turns) explore.Fixed {
	o.AddressSpace, o.Backing, o.CollectAfter = 1<<20, rt.GoBacking, -1
	r, err := rt.New(o)
	if err != nil {
		panic(err)
	}
	y := &explored[M]{x: x, r: r, calls: make([][]porcupine.Operation, len(p.threads)+1)}
	moment := int64(0)
	err = r.Do(func(t *rt.Thread) error {
		var err error
		if y.object, err = x.New(t); err != nil {
			return err
		}
		for _, s := range p.first {
			y.call(t, len(p.threads), s, func() int64 { moment++; return moment - 1<<40 })
		}
		return nil
	})
	if err != nil {
		panic(err)
	}
	f := explore.Fixed{Check: y.check, Tick: time.Microsecond}
	for i, calls := range p.threads {
		if o.Mode != rt.GIL {
			t, err := r.Attach()
			if err != nil {
				panic(err)
			}
			y.threads = append(y.threads, t)
		}
		f.Threads = append(f.Threads, func() { y.run(i, calls) })
	}
	return f
}

// run makes the calls of a thread.
func (y *explored[M]) run(i int, calls []step) {
	all := func(t *rt.Thread) error {
		for _, s := range calls {
			y.call(t, i, s, explore.Moment)
		}
		return nil
	}
	if y.threads == nil { // under the GIL, one thread is attached at a time
		if err := y.r.Do(all); err != nil {
			panic(err)
		}
		return
	}
	if err := all(y.threads[i]); err != nil {
		panic(err)
	}
}

// call makes a call, and records it.
func (y *explored[M]) call(t *rt.Thread, client int, s step, moment func() int64) {
	op := &y.x.Ops[s.what]
	if op.Derive != nil {
		r, err := op.Derive(t, y.object, int(s.n))
		if err != nil {
			panic(fmt.Sprintf("%s(%d): %v", op.Name, s.n, err))
		}
		t.DecRef(r)
		return
	}
	began := moment()
	out, err := op.Do(t, y.object, int(s.n))
	if err != nil {
		panic(fmt.Sprintf("%s(%d): %v", op.Name, s.n, err))
	}
	y.calls[client] = append(y.calls[client], porcupine.Operation{ClientId: client, Input: s, Output: out, Call: began, Return: moment()})
}

// check checks what must be true when all threads have ended.
func (y *explored[M]) check() error {
	for _, t := range y.threads {
		t.Detach()
	}
	err := y.linear()
	err = errors.Join(err, y.r.Do(func(t *rt.Thread) error {
		t.Checkpoint()
		if err := t.Audit(y.object); err != nil {
			return err
		}
		t.DecRef(y.object)
		for range 3 {
			t.Checkpoint()
		}
		t.Collect()
		return nil
	}))
	if m := y.r.Memory(); err == nil && m.Objects+m.Blocks > 0 {
		err = fmt.Errorf("%d objects and %d blocks are left", m.Objects, m.Blocks)
	}
	return errors.Join(err, y.r.Close())
}

// linear returns an error if the calls are not linearizable, although all are said to be.
func (y *explored[M]) linear() error {
	var all []porcupine.Operation
	for _, calls := range y.calls {
		all = append(all, calls...)
	}
	for _, c := range all {
		if !y.x.Ops[c.Input.(step).what].Linearizable {
			return nil
		}
	}
	if porcupine.CheckOperations(y.x.porcupine(), all) {
		return nil
	}
	slices.SortFunc(all, func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
	text := "no order of these calls explains what they return:"
	for _, c := range all {
		s, who := c.Input.(step), fmt.Sprint("thread ", c.ClientId)
		if c.ClientId == len(y.calls)-1 {
			who = "first"
		}
		text += fmt.Sprintf("\n  %s: %s(%d) = %v", who, y.x.Ops[s.what].Name, s.n, plain(c.Output))
	}
	return errors.New(text)
}

// plain returns a value for a reader.
func plain(v any) any {
	if v == nil || reflect.ValueOf(v).Kind() == reflect.Pointer {
		return "ok"
	}
	return v
}
