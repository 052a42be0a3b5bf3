//go:build explore

package explore

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/ichor-go/ichor/internal/header"
)

// A header at the edges of the protocol: immortal, frozen, with a count close to a band,
// counted once too often, or resurrected. Together with headers_test.go these cases take every
// branch of package header.

// edge is an initial state, the operations of threads on it, and the final check.
type edge struct {
	name    string
	born    func(h *header.Header)
	threads [][][]headerOp // the sequences to try, for each thread; the ids are 2, 3, 4
	check   func(h *header.Header, o outcome) error

	// dead, if not nil, is called by the thread that gets the verdict Dead, for the n-th time.
	// It returns the verdict on its own operation.
	dead func(h *header.Header, id int32, n int) header.Verdict
}

// Operations on objects that nobody owns, which add before they look.
const (
	incMerged = headerOps + 1 + iota
	decMerged
)

// addingFirst returns the sequences with operations that add before they look.
func addingFirst(all [][]headerOp) [][]headerOp {
	first := map[headerOp]headerOp{inc: incMerged, dec: decMerged, try: try, drain: drain}
	for _, ops := range all {
		for i := range ops {
			ops[i] = first[ops[i]]
		}
	}
	return all
}

// outcome is what the threads have observed.
type outcome struct {
	born       [4]uint32 // the bytes at the start
	heard      [header.Broken + 1]int
	net        int // increments less decrements
	met, found int // tries, and successful ones
}

// program makes the threads perform ops as the runtime does. The owner drains the queue, and so
// does the check at the end.
func (e edge) program(ops [][]headerOp) Program {
	h := new(header.Header)
	e.born(h)
	o := outcome{born: h.Bytes()}
	queued := 0
	heard := func(id int32, v header.Verdict) {
		o.heard[v]++
		switch {
		case v == header.Queue:
			queued++
		case v == header.Dead && e.dead != nil:
			o.heard[e.dead(h, id, o.heard[v])]++
		}
	}
	do := func(id int32, op headerOp) {
		switch op {
		case inc:
			o.net++
			heard(id, h.Inc(id))
		case dec:
			o.net--
			heard(id, h.Dec(id))
		case incMerged:
			o.net++
			if h.IncMerged() {
				heard(id, header.Alive)
			} else {
				heard(id, h.Inc(id))
			}
		case decMerged:
			o.net--
			heard(id, h.DecMerged())
		case try:
			o.met++
			if h.Owner() < 0 {
				h.SetWeak() // which must change nothing
			}
			if h.TryInc(id) {
				o.found++
				o.net++
			}
		case drain:
			if queued > 0 && h.Owner() == id {
				queued--
				heard(id, h.Drain())
			} else if h.Owner() < 0 {
				heard(id, h.Drain())
			}
		}
	}
	var threads []func()
	for i, ops := range ops {
		threads = append(threads, func() {
			for _, op := range ops {
				do(int32(i+2), op)
			}
		})
	}
	return Program{Threads: threads, Check: func() error {
		for ; queued > 0; queued-- {
			heard(2, h.Drain())
		}
		return e.check(h, o)
	}}
}

const (
	note = 5
	band = 1<<28 - 1<<26 // where a count in the shared word becomes sticky
)

var bits = math.Float64bits(-math.Pi)

// unchanged checks an object that is counted by nobody.
func unchanged(h *header.Header, o outcome) error {
	_, counted := h.Count()
	switch {
	case h.Bytes() != o.born:
		return fmt.Errorf("the header was %x, and is %x", o.born, h.Bytes())
	case o.heard[header.Dead]+o.heard[header.Queue]+o.heard[header.Sticky]+o.heard[header.Broken] > 0:
		return fmt.Errorf("verdicts %v", o.heard)
	case o.found != o.met:
		return fmt.Errorf("%d of %d gets found it alive", o.found, o.met)
	case counted || h.IsSticky() || h.IsWeak():
		return errors.New("it has a count, or weak references")
	case h.Immortalize() || h.Bytes() != o.born:
		return errors.New("it was mortal")
	}
	return nil
}

// both is one check after the other.
func both(first func(h *header.Header) error, then func(h *header.Header, o outcome) error) func(h *header.Header, o outcome) error {
	return func(h *header.Header, o outcome) error {
		if err := first(h); err != nil {
			return err
		}
		return then(h, o)
	}
}

// banded returns the check of an object with so many references, close to a band: its count
// is right, or sticky for good.
func banded(references int64) func(h *header.Header, o outcome) error {
	return func(h *header.Header, o outcome) error {
		n, _ := h.Count()
		switch {
		case o.heard[header.Dead]+o.heard[header.Broken] > 0:
			return fmt.Errorf("verdicts %v", o.heard)
		case o.found != o.met:
			return fmt.Errorf("%d of %d gets found it alive", o.found, o.met)
		case h.IsSticky():
			return nil
		case o.heard[header.Sticky] > 0:
			return errors.New("its count was frozen, and thawed")
		case n != references+int64(o.net):
			return fmt.Errorf("it counts %d references, there are %d", n, references+int64(o.net))
		}
		return nil
	}
}

// misused checks an object that is counted after its death.
func misused(h *header.Header, o outcome) error {
	switch {
	case o.heard[header.Dead] == 0:
		return errors.New("no verdict reported its death")
	case o.heard[header.Dead]+o.heard[header.Broken] < 2:
		return fmt.Errorf("no verdict reported the misuse: verdicts %v", o.heard)
	}
	return nil
}

// revived checks an object with two references that is resurrected at its first
// death, with one more reference for the thread that resurrects it.
func revived(h *header.Header, o outcome) error {
	n, _ := h.Count()
	deaths, held := o.heard[header.Dead], 2+o.net
	switch {
	case o.heard[header.Broken] > 0:
		return fmt.Errorf("verdicts %v", o.heard)
	case held == 0 && deaths != 2:
		return fmt.Errorf("no reference is left, and it died %d times", deaths)
	case held > 0 && (deaths > 1 || n != int64(held)):
		return fmt.Errorf("it counts %d references, there are %d, and it died %d times", n, held, deaths)
	}
	return nil
}

// edges returns all edge cases.
func edges() []edge {
	anything := [][][]headerOp{sequences(2), sequences(2)}
	each := func(ops ...headerOp) [][]headerOp { return [][]headerOp{ops} }
	counts := func(owner int32, local uint32, shared int32) func(h *header.Header) {
		return func(h *header.Header) {
			h.Birth(owner, 9)
			h.SetCounts(local, shared)
		}
	}
	weak := func(owner int32, local uint32, shared int32) func(h *header.Header) {
		return func(h *header.Header) {
			counts(owner, local, shared)(h)
			h.SetWeak()
		}
	}
	isFloat := func(h *header.Header) error {
		if b, n, ok := h.Number(); b != bits || n != note || !ok || h.Meta() != header.FloatMeta {
			return fmt.Errorf("its number is %x with the note %d, a float: %t", b, n, ok)
		}
		return nil
	}
	return []edge{
		{name: "immortal", threads: anything, check: unchanged,
			born: func(h *header.Header) { h.Birth(header.Immortal, 9) }},
		{name: "immortal float", threads: anything, check: both(isFloat, unchanged),
			born: func(h *header.Header) { h.BirthFloat(bits, note, true) }},
		{name: "float made immortal", threads: anything, check: both(isFloat, unchanged),
			born: func(h *header.Header) { h.BirthFloat(bits, note, false); h.Immortalize() }},
		{name: "frozen", threads: anything,
			born: func(h *header.Header) { h.BirthFrozen(9, 5, 3) },
			check: both(func(h *header.Header) error {
				meta, size, ok := h.Frozen(5)
				_, _, elsewhere := h.Frozen(6)
				_, isFloat := h.FrozenFloat()
				if !ok || elsewhere || meta != 9 || size != 3 || isFloat || h.Offset() != 5 || h.FrozenSize() != 3 {
					return fmt.Errorf("it is of type %d and %d granules", meta, size)
				}
				return nil
			}, unchanged)},
		{name: "frozen float", threads: anything,
			born: func(h *header.Header) { h.BirthFrozenFloat(bits, note) },
			check: both(func(h *header.Header) error {
				meta, size, ok := h.Frozen(5)
				if v, isFloat := h.FrozenFloat(); !ok || meta != header.FloatMeta || size != 1 || !isFloat || math.Float64bits(v) != bits {
					return fmt.Errorf("it is of type %d and %d granules, %v", meta, size, v)
				}
				return isFloat(h)
			}, unchanged)},

		{name: "local below its band", threads: anything,
			born: weak(2, header.StickyLocal-1, 0), check: banded(header.StickyLocal - 1)},
		{name: "shared below its band, owned", threads: anything,
			born: weak(2, 1, band-1), check: banded(band)},
		{name: "shared below its band, merged", threads: anything,
			born: weak(header.Nobody, 0, band-1), check: banded(band - 1)},
		{name: "shared above the band below 0", threads: anything,
			born: weak(2, header.StickyLocal-8, -band+1), check: banded(header.StickyLocal - 7 - band)},

		{name: "float below its band", threads: anything,
			born: func(h *header.Header) {
				h.BirthFloat(bits, note, false)
				h.SetCounts(0, band-1)
				h.SetWeak()
			},
			check: both(isFloat, banded(band-1))},

		{name: "merged, one thread adds first", threads: [][][]headerOp{addingFirst(sequences(2)), sequences(2)},
			born: weak(header.Nobody, 0, 5), check: banded(5)},
		{name: "shared below its band, merged, both add first", threads: [][][]headerOp{addingFirst(sequences(2)), addingFirst(sequences(2))},
			born: weak(header.Nobody, 0, band-1), check: banded(band - 1)},
		{name: "two references, three give them up and add first", check: misused,
			born: counts(header.Nobody, 0, 2), threads: [][][]headerOp{each(decMerged), each(decMerged), each(dec)}},
		{name: "a dead object that is counted first", check: misused,
			born: counts(header.Nobody, 0, 1), threads: [][][]headerOp{{{decMerged, incMerged}, {decMerged, decMerged}}}},

		{name: "one reference, two give it up", check: misused,
			born: counts(header.Nobody, 0, 1), threads: [][][]headerOp{each(dec), each(dec)}},
		{name: "two references, three give them up", check: misused,
			born: counts(header.Nobody, 0, 2), threads: [][][]headerOp{each(dec), each(dec), each(dec)}},
		{name: "counted by its owner when dead", check: misused,
			born: counts(2, 1, 0), threads: [][][]headerOp{{{dec, dec}, {dec, inc}, {dec, try, dec}}}},
		{name: "merged with less than nothing",
			born: counts(2, 1, -1), threads: [][][]headerOp{each(dec)},
			check: func(_ *header.Header, o outcome) error {
				if o.heard[header.Broken] != 1 {
					return fmt.Errorf("verdicts %v", o.heard)
				}
				return nil
			}},
		{name: "poisoned", check: misused,
			born: counts(2, 1, 0), threads: [][][]headerOp{{{dec, dec}, {dec, inc}, {dec, try, dec}}},
			dead: func(h *header.Header, _ int32, _ int) header.Verdict {
				h.Poison(8)
				return header.Alive
			}},
		{name: "linked", threads: [][][]headerOp{each(dec), each(dec)},
			born: counts(header.Nobody, 0, 2),
			dead: func(h *header.Header, id int32, _ int) header.Verdict {
				h.SetLink(uint32(id))
				return header.Alive
			},
			check: func(h *header.Header, o outcome) error {
				if l := h.Link(); o.heard[header.Dead] != 1 || l != 2 && l != 3 {
					return fmt.Errorf("the link is %d, verdicts %v", l, o.heard)
				}
				return nil
			}},
		{name: "revived", check: revived,
			born: weak(header.Nobody, 0, 2), threads: [][][]headerOp{each(dec), each(dec), {{try}, {try, try}}},
			dead: func(h *header.Header, id int32, n int) header.Verdict {
				if n > 1 {
					return header.Alive
				}
				h.Revive()
				return h.Dec(id)
			}},
	}
}

// choices returns all ways to take one element of each slice.
func choices[T any](each [][]T) [][]T {
	if len(each) == 0 {
		return [][]T{nil}
	}
	var all [][]T
	for _, head := range each[0] {
		for _, tail := range choices(each[1:]) {
			all = append(all, append([]T{head}, tail...))
		}
	}
	return all
}

// TestHeaderEdges explores all edge cases.
func TestHeaderEdges(t *testing.T) {
	schedules, programs := int64(0), 0
	for _, e := range edges() {
		for _, ops := range choices(e.threads) {
			res := Bounded(func() Program { return e.program(ops) }, bound())
			if res.Failure != nil {
				t.Fatalf("%s, %v: %v", e.name, ops, res.Failure)
			}
			programs++
			schedules += res.Schedules
		}
	}
	conclude(t, "%d schedules of %d programs of headers at the edges of the protocol", schedules, programs)
}
