//go:build explore

package explore

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// A scenario is a short program of two or three threads on a runtime of its own. Its objects
// are made before the threads start, without the explorer. At the end every count must be
// the sum of the references, and nothing is left when all references are given up.
type scenario struct {
	name  string
	modes string // letters: g is the GIL, a atomic counts, b biased ones
	set   func(s *stage)
}

// stage is the state of a scenario.
type stage struct {
	r       *rt.Runtime
	t       []*rt.Thread // attached threads, in the order of their ids
	held    []rt.Ref     // references held when the threads have ended
	threads []func()
	stops   bool                     // a thread stops the world, so the others detach when they end
	also    func() error             // a further check at the end
	last    func(t *rt.Thread) error // breaks cycles that would leak
}

// enter attaches threads. Under the GIL only one of them can be attached outside of an
// exploration, so there the threads attach by themselves.
func (s *stage) enter(n int) {
	if s.r.Mode() == rt.GIL {
		n = 1
	}
	for range n {
		s.t = append(s.t, must(s.r.Attach()))
	}
}

// run adds a thread to the explorer's program. It works on attached thread i.
func (s *stage) run(i int, fn func(t *rt.Thread)) {
	s.threads = append(s.threads, func() {
		if s.r.Mode() == rt.GIL {
			ok(s.r.Do(func(t *rt.Thread) error { fn(t); return nil }))
			return
		}
		fn(s.t[i])
		if s.stops && s.t[i] != nil { // so that no stop waits for it
			s.t[i].Detach()
			s.t[i] = nil
		}
	})
}

// tally is a number of the scenario's own, which the race detector need not judge.
type tally struct{ n int }

// add adds to it, and returns it.
//
//go:norace
func (c *tally) add(d int) int {
	c.n += d
	return c.n
}

// own adds references that the test holds at the end. The list is the scenario's own.
//
//go:norace
func (s *stage) own(refs ...rt.Ref) { s.held = append(s.held, refs...) }

// disown undoes own for one reference.
//
//go:norace
func (s *stage) disown(r rt.Ref) {
	for i, x := range s.held {
		if x == r {
			s.held[i] = s.held[len(s.held)-1]
			s.held = s.held[:len(s.held)-1]
			return
		}
	}
	panic("not owned")
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func ok(err error) {
	if err != nil {
		panic(err)
	}
}

// program makes the stage of a scenario.
func (c *scenario) program(o rt.Options) Program {
	o.AddressSpace, o.Backing, o.CollectAfter = 1<<20, rt.GoBacking, -1 // Go memory is cheaper to free
	s := &stage{r: must(rt.New(o))}
	objects.UsualSizes()
	c.set(s)
	if o.Mode == rt.GIL {
		s.t[0].Detach()
		s.t = nil
	}
	return Program{Threads: s.threads, Check: s.check, Tick: time.Microsecond}
}

// check gives up all references and checks that nothing is left.
func (s *stage) check() error {
	for _, t := range s.t {
		if t != nil {
			t.Detach()
		}
	}
	err := s.r.Do(func(t *rt.Thread) error {
		for range 3 {
			t.Checkpoint()
		}
		if err := t.Audit(s.held...); err != nil {
			return err
		}
		if s.also != nil {
			if err := s.also(); err != nil {
				return err
			}
		}
		if s.last != nil {
			if err := s.last(t); err != nil {
				return err
			}
		}
		t.DecRefs(s.held)
		for range 3 {
			t.Checkpoint()
		}
		t.Collect()
		return nil
	})
	// Objects that are immortal in place stay until Close, with their blocks.
	if m := s.r.Memory(); err == nil && m.InPlace == 0 && m.Objects+m.Blocks > 0 {
		err = fmt.Errorf("%d objects and %d blocks are left", m.Objects, m.Blocks)
	}
	if err = errors.Join(err, s.r.Close()); err != nil {
		return err
	}
	return nil
}

// bound returns the limit of preemptions in a schedule.
func bound() int {
	if n, err := strconv.Atoi(os.Getenv("PROPTEST_BOUND")); err == nil {
		return n
	}
	return 2
}

// wide has the scenarios in which three threads and a stop have so many schedules that the limit
// is one preemption lower.
var wide = map[string]bool{"immortalize against queue": true, "a stop against a container's lock": true}

// deep has the scenarios whose possible bugs need one preemption more.
var deep = map[string]bool{"dict deletions against length": true, "list pop and append against get and length": true}

// TestScenarios explores each scenario in its modes.
func TestScenarios(t *testing.T) {
	modes := map[rune]rt.Options{
		'g': {Mode: rt.GIL},
		'a': {Mode: rt.LockFree, Counting: rt.Atomic},
		'b': {Mode: rt.LockFree, Counting: rt.Biased},
	}
	names := map[string]bool{}
	all, began := int64(0), time.Now()
	for _, c := range scenarios {
		if names[c.name] {
			t.Errorf("two scenarios are called %s", c.name)
		}
		names[c.name] = true
		for _, mode := range c.modes {
			t.Run(fmt.Sprintf("%s/%c", c.name, mode), func(t *testing.T) {
				begin, most := time.Now(), bound()
				if wide[c.name] {
					most--
				}
				if deep[c.name] {
					most++
				}
				res := Bounded(func() Program { return c.program(modes[mode]) }, most)
				t.Logf("%d schedules with at most %d preemptions, %d steps, %s", res.Schedules, most, res.Steps, time.Since(begin).Round(time.Millisecond))
				all += res.Schedules
				if res.Failure != nil {
					t.Fatal(res.Failure)
				}
				if res.Schedules < 2 {
					t.Error("there is only one schedule: the threads do not interact")
				}
			})
		}
	}
	conclude(t, "%d scenarios of the runtime, %d schedules, %s", len(scenarios), all, time.Since(began).Round(time.Second))
}
