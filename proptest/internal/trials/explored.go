package trials

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
	"github.com/ichor-go/ichor/proptest/internal/modes"
	"github.com/ichor-go/ichor/proptest/internal/property"
	rt "github.com/ichor-go/ichor/runtime"
)

// Short programs of a Subject under all schedules. A program has some calls that come first, and two
// or three threads of one or two calls each, on one object. In builds with the tag explore, all
// schedules with at most one or two preemptions are run, in a mode that is drawn with the program.

// The limits of Explore: of all programs, and of one. On a machine that does other things as well, it
// goes on until there were enough programs.
const (
	exploreTime      = 6 * time.Second
	explorePrograms  = 150
	exploreSchedules = 20_000
	exploreEach      = time.Second
	shrinkTime       = time.Second
)

// shallow says how many programs are explored with one preemption before any is with two, and deeper
// how many there are for each one from then on. One preemption is enough for most bugs of two calls,
// and leaves time for more programs.
const (
	shallow = 64
	deeper  = 8
)

// turns is a program: what comes first, and the calls of each thread.
type turns struct {
	first   []step
	threads [][]step
}

// Explore draws programs of a subject, and explores each: see proptest.Explore.
func Explore[M any](t *testing.T, s Subject[M]) {
	t.Helper()
	x := &trials[M]{Subject: s}
	end := time.Now().Add(exploreTime)
	results := map[string]error{} // by program, so that rapid finds a failure again after the time is up
	failed := false
	programs, schedules := 0, int64(0)
	defer func() {
		t.Helper()
		what := "explored"
		if !explore.On {
			what = "run once, and not explored for want of -tags explore"
		}
		t.Logf("%d programs were %s, %d schedules", programs, what, schedules)
	}()
	check := func(t *rapid.T) {
		o := rapid.SampledFrom(drawnModes).Draw(t, "mode")
		p := x.drawTurns(t)
		text := fmt.Sprintf("mode %s\n%s", modes.Name(o), x.turnsText(p))
		err, known := results[text]
		if !known {
			if time.Now().After(end) && (failed || programs >= explorePrograms) {
				return
			}
			c := explore.Config{Bound: 1, Time: exploreEach, Schedules: exploreSchedules}
			if programs++; programs > shallow && programs%deeper == 0 {
				c.Bound = 2
			}
			var n int64
			n, err = explore.Run("Explore", c, func() explore.Fixed { return x.fixed(o, p) })
			schedules += n
			if results[text] = err; err != nil && !failed {
				failed, end = true, time.Now().Add(shrinkTime) // what follows only makes it shorter
			}
		}
		if err != nil {
			property.Report(t, property.Turns.Broken("%s\n%v", text, err))
		}
	}
	for before := -1; programs > before && (programs < explorePrograms || time.Now().Before(end)); {
		before = programs
		rapid.Check(t, check)
		if !explore.On {
			return
		}
	}
}

// exploredModes are the modes in which programs are explored.
var exploredModes = []rt.Options{
	{Mode: rt.LockFree, Counting: rt.Atomic},
	{Mode: rt.LockFree, Counting: rt.Biased},
	{Mode: rt.GIL},
}

// drawnModes has the lock-free modes more often: under the GIL there is less to find.
var drawnModes = append(slices.Clone(exploredModes), exploredModes[:2]...)

// drawTurns draws a program. Threads find something only where they meet, so most programs have few
// operands, and thread 0 begins with a call that writes, if it is known which ones do.
func (x *trials[M]) drawTurns(t *rapid.T) turns {
	least, operands := rapid.IntRange(0, 2).Draw(t, "least"), rapid.SampledFrom([]int{1, 1, 2, 3, 14}).Draw(t, "operands")
	var all, writers []int
	for i, op := range x.Ops {
		if all = append(all, i); op.Writes {
			writers = append(writers, i)
		}
	}
	oneOf := func(ops []int) *rapid.Generator[step] {
		return rapid.Custom(func(t *rapid.T) step {
			return step{what: uint8(rapid.SampledFrom(ops).Draw(t, "what")), n: uint8(least + rapid.IntRange(0, operands-1).Draw(t, "n"))}
		})
	}
	calls := oneOf(all)
	p := turns{first: rapid.SliceOfN(calls, 0, 5).Draw(t, "first")}
	for range rapid.SampledFrom([]int{2, 2, 2, 3}).Draw(t, "threads") {
		p.threads = append(p.threads, rapid.SliceOfN(calls, 1, 2).Draw(t, "calls"))
	}
	if len(writers) > 0 {
		p.threads[0][0] = oneOf(writers).Draw(t, "writes")
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
