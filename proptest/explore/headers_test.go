//go:build explore

package explore

import (
	"fmt"
	"testing"
	"time"

	"github.com/ichor-go/ichor/internal/header"
)

// A header alone, without a runtime: all short programs of two and three threads, under all
// schedules. The threads act on verdicts as the runtime does: on Dead a thread frees, and on
// Queue it leaves the object to its owner, which drains the queue at the end.

// headerOp is an operation on a header.
type headerOp uint8

const (
	inc headerOp = iota
	dec
	try   // increment, from a weak table
	drain // merge queued objects: the owner's checkpoint
	headerOps
)

var headerOpNames = [headerOps]string{"inc", "dec", "try", "drain"}

// headerCase is a program.
type headerCase struct {
	owner int32 // at birth
	weak  bool
	ops   [][]headerOp // one sequence for each thread; the ids are 2, 3, 4, and each holds one reference
}

func (c headerCase) String() string {
	s := fmt.Sprintf("born to %d", c.owner)
	for i, ops := range c.ops {
		s += fmt.Sprintf(", thread %d:", i+2)
		for _, o := range ops {
			s += " " + headerOpNames[o]
		}
	}
	return s
}

// program builds the program.
func (c headerCase) program() Program {
	h := new(header.Header)
	h.Birth(c.owner, 1)
	first := int32(99) // not a thread of the program
	if c.owner > 0 {
		first = c.owner
	}
	for range len(c.ops) - 1 {
		h.Inc(first)
	}
	if c.weak {
		h.SetWeak()
	}
	freed, queued, held := 0, 0, len(c.ops)
	heard := func(v header.Verdict) {
		switch v {
		case header.Dead:
			freed++
		case header.Queue:
			queued++
		case header.Broken, header.Sticky:
			panic(fmt.Sprintf("verdict %d", v))
		}
	}
	var threads []func()
	for i, ops := range c.ops {
		id := int32(i + 2)
		threads = append(threads, func() {
			own := 1
			for _, o := range ops {
				switch {
				case o == try:
					if h.TryInc(id) {
						own++
						held++
						if freed > 0 {
							panic("a dead object has got a reference")
						}
					}
				case o == drain:
					if id == c.owner && queued > 0 {
						queued--
						heard(h.Drain())
					}
				case own == 0: // the thread has no reference left
				case o == inc:
					own++
					held++
					heard(h.Inc(id))
				default:
					own--
					held--
					heard(h.Dec(id))
				}
			}
		})
	}
	return Program{Threads: threads, Check: func() error {
		for ; queued > 0 && freed == 0; queued-- {
			heard(h.Drain())
		}
		switch n, _ := h.Count(); {
		case freed > 1:
			return fmt.Errorf("it was freed %d times", freed)
		case held == 0 && freed == 0:
			return fmt.Errorf("no reference is left, and it is alive")
		case held > 0 && freed > 0:
			return fmt.Errorf("%d references, and it was freed", held)
		case freed == 0 && n != int64(held):
			return fmt.Errorf("it counts %d references, there are %d", n, held)
		}
		return nil
	}}
}

// sequences returns all sequences of n operations.
func sequences(n int) [][]headerOp {
	if n == 0 {
		return [][]headerOp{nil}
	}
	var all [][]headerOp
	for _, s := range sequences(n - 1) {
		for o := range headerOps {
			all = append(all, append(s[:len(s):len(s)], o))
		}
	}
	return all
}

// headerCases returns all programs in which the threads perform so many operations each.
func headerCases(lengths ...int) []headerCase {
	cases := []headerCase{{owner: header.Nobody}, {owner: 2}}
	for i := range cases {
		cases[i].weak = true
	}
	for _, n := range lengths {
		var more []headerCase
		for _, c := range cases {
			for _, ops := range sequences(n) {
				more = append(more, headerCase{c.owner, c.weak, append(c.ops[:len(c.ops):len(c.ops)], ops)})
			}
		}
		cases = more
	}
	return cases
}

// TestHeaders explores all programs.
func TestHeaders(t *testing.T) {
	all := func(c headerCase) Result { return All(c.program) }
	bounded := func(c headerCase) Result { return Bounded(c.program, bound()) }
	total := int64(0)
	for _, x := range []struct {
		what    string
		lengths []int
		search  func(headerCase) Result
	}{
		{"all schedules", []int{2, 2}, all},
		{"all schedules", []int{1, 1, 1}, all},
		{fmt.Sprintf("%d preemptions", bound()), []int{3, 3}, bounded},
		{fmt.Sprintf("%d preemptions", bound()), []int{2, 1, 1}, bounded},
		{fmt.Sprintf("%d preemptions", bound()), []int{2, 2, 1}, bounded},
	} {
		began, schedules, steps := time.Now(), int64(0), int64(0)
		cases := headerCases(x.lengths...)
		for _, c := range cases {
			res := x.search(c)
			schedules += res.Schedules
			steps += res.Steps
			if res.Failure != nil {
				t.Fatalf("%s: %v", c, res.Failure)
			}
		}
		t.Logf("operations %v: %d programs, %d schedules (%s), %d steps, %s",
			x.lengths, len(cases), schedules, x.what, steps, time.Since(began).Round(time.Second))
		total += schedules
	}
	conclude(t, "%d schedules of headers", total)
}
