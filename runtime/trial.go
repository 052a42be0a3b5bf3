package runtime

import (
	goruntime "runtime"
	"runtime/trace"
	"sync/atomic"

	"github.com/ichor-go/ichor/internal/arena"
	"github.com/ichor-go/ichor/internal/mutant"
)

// Trial deletion takes two passes over the candidates, which are the mortal
// containers:
//
//	count   trial(r) = count(r) − references to r from candidates
//	mark    whoever has a trial count above 0 is reached, and what it reaches
//
// What is not reached is garbage. Each candidate has a word in a table:
//
//	31 ............................ 3   2       1        0
//	trial count                         PINNED  REACHED  CANDIDATE
//
// PINNED says that the count is too large for the word: it is a root. What
// happens to the trial count then does not matter, as adding to it touches no flag.
const (
	trialCandidate = 1 << 0
	trialReached   = 1 << 1
	trialPinned    = 1 << 2
	trialShift     = 3
	trialOne       = 1 << trialShift
	trialMax       = 1<<27 - 1
)

// trialTable has the words of one span, by the granule's number: no two
// containers begin less than MinContainer granules apart.
type trialTable [arena.SpanGranules / arena.MinContainer]int32

// trial is the scratch of one collection. It lies in Go memory.
type trial struct {
	heap   Heap
	spans  []*arena.Span
	tables []*trialTable // by the span's number; nil for a span without candidates
}

// parallelFrom is how many containers there must be for tracing to use more than
// one core. Below it the pause is a millisecond or so. A guess.
const parallelFrom = 1 << 15

// word returns the word of the container r, or nil if r is none.
func (x *trial) word(r Ref) *int32 {
	if n := int(r / arena.SpanGranules); n < len(x.tables) {
		if tab := x.tables[n]; tab != nil {
			return &tab[r%arena.SpanGranules/arena.MinContainer]
		}
	}
	return nil
}

// isGarbage reports whether the collection has found that r is garbage.
func (x *trial) isGarbage(r Ref) bool {
	w := x.word(r)
	return w != nil && *w&(trialCandidate|trialReached) == trialCandidate
}

func (x *trial) release() { x.spans, x.tables = nil, nil }

// trace returns the garbage. World stopped.
func (c *collection) trace() (garbage []Ref) {
	defer trace.StartRegion(c.ctx, "ichor trace").End()
	x := &c.trial
	x.heap = c.t.Heap
	x.spans = c.t.rt.space.Tracked(nil)
	c.Workers = 1
	if c.t.rt.space.Containers() >= parallelFrom {
		c.Workers = min(goruntime.GOMAXPROCS(0), len(x.spans))
	}
	if n := len(x.spans); n > 0 {
		x.tables = make([]*trialTable, x.spans[n-1].Number()+1)
	}
	for _, sp := range x.spans {
		x.tables[sp.Number()] = new(trialTable)
	}
	team := newTeam(x, c.Workers)
	team.run((*tracer).countSpan)
	team.run((*tracer).markSpan)
	team.run((*tracer).sweepSpan)
	for _, w := range team.all {
		c.Candidates += w.candidates
		garbage = append(garbage, w.garbage...)
	}
	return garbage
}

// retrace looks at the garbage again, which has one more reference that is the
// collection's, and divides it into what is still garbage and what is not. World
// stopped.
func (c *collection) retrace() {
	defer trace.StartRegion(c.ctx, "ichor trace").End()
	x := &c.trial
	for _, sp := range x.spans {
		*x.tables[sp.Number()] = trialTable{}
	}
	w := newTeam(x, 1).all[0]
	for _, r := range c.garbage {
		w.count(r, 1)
	}
	for _, r := range c.garbage {
		w.markFrom(r)
	}
	all := c.garbage
	c.garbage = nil
	for _, r := range all {
		if x.isGarbage(r) {
			c.garbage = append(c.garbage, r)
		} else {
			c.kept = append(c.kept, r)
		}
	}
}

// tracer is what one of the goroutines that trace has for its own.
type tracer struct {
	*trial
	team       *team
	shared     bool  // others are tracing too
	stack      []Ref // reached, and not looked into yet
	candidates int
	garbage    []Ref

	// Methods as values, made once.
	counted, reached                func(Ref)
	countHandle, markHandle, sorted func(uint32)
}

func newTracer(x *trial, m *team, shared bool) *tracer {
	w := &tracer{trial: x, team: m, shared: shared}
	w.counted, w.reached = w.subtract, w.reach
	w.countHandle = func(h uint32) { w.count(Ref(h), 0) }
	w.markHandle = func(h uint32) { w.markFrom(Ref(h)) }
	w.sorted = func(h uint32) {
		if w.isGarbage(Ref(h)) {
			w.garbage = append(w.garbage, Ref(h))
		}
	}
	return w
}

func (w *tracer) countSpan(sp *arena.Span) { sp.EachTracked(w.countHandle) }
func (w *tracer) markSpan(sp *arena.Span)  { sp.EachTracked(w.markHandle) }
func (w *tracer) sweepSpan(sp *arena.Span) { sp.EachTracked(w.sorted) }

// count makes r a candidate, with its count less what the collection itself holds,
// and subtracts its references from what they lead to.
func (w *tracer) count(r Ref, held int64) {
	h := w.heap.header(r)
	meta := h.Meta()
	n, mortal := h.Count()
	if !mortal || meta&metaPoison != 0 {
		return
	}
	w.candidates++
	n -= held
	word := int32(n)<<trialShift | trialCandidate
	if n > trialMax || h.IsSticky() {
		word = trialPinned | trialCandidate
	}
	w.add(w.word(r), word)
	typeOf(meta).Traverse(w.heap, w.heap.Body(r), w.counted)
}

func (w *tracer) add(word *int32, d int32) {
	if w.shared {
		atomic.AddInt32(word, d)
	} else {
		*word += d
	}
}

// subtract takes a reference to r from its trial count.
func (w *tracer) subtract(r Ref) {
	if word := w.word(r); word != nil {
		w.add(word, -trialOne)
		if mutant.On && mutant.Is(mutant.EdgeTwice) {
			w.add(word, -trialOne)
		}
	}
}

// markFrom marks r and what it reaches, if r is a root.
func (w *tracer) markFrom(r Ref) {
	word := w.word(r)
	if v := atomic.LoadInt32(word); v&trialPinned != 0 || v>>trialShift > 0 {
		w.reach(r)
		w.drain()
	}
}

// reach marks r as reached, if nobody has.
func (w *tracer) reach(r Ref) {
	word := w.word(r)
	if word == nil || atomic.LoadInt32(word)&(trialCandidate|trialReached) != trialCandidate {
		return
	}
	if !w.shared {
		*word |= trialReached
	} else if atomic.OrInt32(word, trialReached)&trialReached != 0 {
		return
	}
	w.stack = append(w.stack, r)
}

// drain looks into what is on the stack.
func (w *tracer) drain() {
	for n := len(w.stack); n > 0; n = len(w.stack) {
		r := w.stack[n-1]
		w.stack = w.stack[:n-1]
		typeOf(w.heap.header(r).Meta()).Traverse(w.heap, w.heap.Body(r), w.reached)
		if w.shared && len(w.stack) > donateFrom && w.team.hungry.Load() > 0 {
			w.donate()
		}
	}
}
