package runtime

import (
	"cmp"
	"context"
	goruntime "runtime"
	"sync"
	"sync/atomic"

	"github.com/ichor-go/ichor/internal/aligned"
	"github.com/ichor-go/ichor/internal/arena"
	"github.com/ichor-go/ichor/internal/mutant"
	"github.com/ichor-go/ichor/sched"
)

// Trial deletion takes two passes over the candidates, which are the mortal containers:
//
//	count   trial(r) = count(r) − references to r from candidates
//	mark    every candidate with a trial count above 0 is reached, and so is everything
//	        that it leads to
//
// Candidates that are not reached are garbage. Each candidate has a word in a table:
//
//	31 ............................ 3   2       1        0
//	trial count                         PINNED  REACHED  CANDIDATE
//
// PINNED says that the count is too large for the word, so the candidate is a root. Its trial
// count no longer matters; changing it does not affect the flags.
const (
	trialCandidate = 1 << 0
	trialReached   = 1 << 1
	trialPinned    = 1 << 2
	trialShift     = 3
	trialOne       = 1 << trialShift
	trialMax       = 1<<27 - 1
)

// trialTable has the words of one span, by granule: containers begin at least MinContainer
// granules apart.
type trialTable [arena.SpanGranules / arena.MinContainer]int32

// trial is the scratch memory of one collection. It is Go memory.
type trial struct {
	heap   Heap
	spans  []*arena.Span
	tables []*trialTable // by span number; nil for a span without candidates
}

// parallelFrom is the number of containers from which on tracing uses more than one core. Below
// it, a pause takes about a millisecond. The value is a guess; tests change it.
var parallelFrom int64 = 1 << 15

// word returns the table word of the container r, or nil if r is not a candidate.
func (x *trial) word(r Ref) *int32 {
	if n := int(r.Handle / arena.SpanGranules); n < len(x.tables) {
		if tab := x.tables[n]; tab != nil {
			return &tab[r.Handle%arena.SpanGranules/arena.MinContainer]
		}
	}
	return nil
}

// isGarbage reports whether the collection has found r to be garbage.
func (x *trial) isGarbage(r Ref) bool {
	w := x.word(r)
	return w != nil && isGarbage(*w)
}

func (x *trial) makeTables() {
	if n := len(x.spans); n > 0 {
		x.tables = make([]*trialTable, x.spans[n-1].Number()+1)
	}
	for _, sp := range x.spans {
		x.tables[sp.Number()] = new(trialTable)
	}
}

// trace traces the heap and returns the garbage. World stopped.
func (c *collection) trace() (garbage []Ref) {
	defer c.region("ichor trace").End()
	x := &c.trial
	x.heap = c.t.Heap
	x.spans = c.t.rt.space.Tracked(nil)
	c.Workers = 1
	if c.t.rt.space.Containers() >= parallelFrom {
		c.Workers = cmp.Or(c.t.rt.opts.CollectWorkers, goruntime.GOMAXPROCS(0))
		c.Workers = max(1, min(c.Workers, len(x.spans)))
	}
	x.makeTables()
	team := newTeam(c.ctx, x, c.Workers)
	team.run((*tracer).countSpan)
	team.run((*tracer).markSpan)
	marked := 0
	for _, w := range team.all {
		c.Candidates += w.candidates
		marked += w.marked
	}
	if marked == c.Candidates {
		return nil
	}
	team.run((*tracer).sweepSpan)
	for _, w := range team.all {
		garbage = append(garbage, w.garbage...)
	}
	return garbage
}

// retrace traces the garbage again, after the collection has taken an extra reference to each
// object, and divides it into objects that still are garbage and objects that are reachable
// again. World stopped.
func (c *collection) retrace() {
	defer c.region("ichor trace again").End()
	x := &c.trial
	for _, sp := range x.spans {
		*x.tables[sp.Number()] = trialTable{}
	}
	w := newTeam(c.ctx, x, 1).all[0]
	for _, r := range c.garbage {
		w.count(r, 1)
	}
	for _, r := range c.garbage {
		if isRoot(*w.word(r)) && !(mutant.On && mutant.Is(mutant.RevivedFreed)) {
			w.reach(r)
			w.drain()
		}
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

// tracer is the state of one tracing goroutine.
type tracer struct {
	trial
	team       *team
	shared     bool // other tracers run at the same time
	candidates int
	marked     int
	handles    []uint32 // of the current span
	stack      []Ref    // reached, but not scanned yet
	garbage    []Ref
	touched    uint32 // keeps the compiler from removing loads

	counted, reached func(Ref) // method values, made once
}

func newTracer(x *trial, m *team, shared bool) *tracer {
	w := &tracer{trial: *x, team: m, shared: shared}
	w.counted, w.reached = w.subtract, w.reach
	return w
}

func (w *tracer) countSpan(sp *arena.Span) {
	w.handles = sp.Containers(w.handles[:0])
	for _, h := range w.handles {
		w.count(refAt(h), 0)
	}
}

func (w *tracer) markSpan(sp *arena.Span) {
	tab := w.tables[sp.Number()]
	r, size, n := sp.Slots()
	for range n {
		if isRoot(atomic.LoadInt32(&tab[r%arena.SpanGranules/2])) {
			w.reach(refAt(r))
			w.drain()
		}
		r += size
	}
}

func (w *tracer) sweepSpan(sp *arena.Span) {
	tab := w.tables[sp.Number()]
	r, size, n := sp.Slots()
	for range n {
		if isGarbage(tab[r%arena.SpanGranules/2]) {
			w.garbage = append(w.garbage, refAt(r))
		}
		r += size
	}
}

// isRoot reports whether a candidate with this word is a root that no tracer has reached.
func isRoot(word int32) bool {
	if mutant.On && mutant.Is(mutant.RootMissed) {
		return isGarbage(word) && word >= 2*trialOne
	}
	return isGarbage(word) && (word >= trialOne || word&trialPinned != 0)
}

// isGarbage reports whether a candidate with this word has not been reached.
func isGarbage(word int32) bool { return word&(trialCandidate|trialReached) == trialCandidate }

// count makes r a candidate. Its trial count starts at its count less the references that the
// collection itself holds. Then count subtracts r's references from the trial counts of their
// targets.
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
	if uint64(n) > trialMax { // a sticky count is larger, or below 0
		word = trialPinned | trialCandidate
	}
	w.add(w.word(r), word)
	y := typeOf(meta)
	if y.Slots == nil || mutant.On {
		y.Traverse(w.heap, w.heap.Body(r), w.counted)
		return
	}
	if w.shared {
		for b, i, n := y.Slots(w.heap, w.heap.Body(r)); n > 0; i, n = i+1, n-1 {
			w.subtract(b.LoadRef(i))
		}
		return
	}
	tables := w.tables
	for b, i, n := y.Slots(w.heap, w.heap.Body(r)); n > 0; i, n = i+1, n-1 { // subtract, inlined by hand
		r := b.LoadRef(i)
		if n := int(r.Handle / arena.SpanGranules); n < len(tables) && tables[n] != nil {
			tables[n][r.Handle%arena.SpanGranules/2] -= trialOne
		}
	}
}

func (w *tracer) add(word *int32, d int32) {
	if w.shared {
		atomic.AddInt32(word, d)
	} else {
		*word += d
	}
}

// subtract subtracts one reference from the trial count of r.
func (w *tracer) subtract(r Ref) {
	if word := w.word(r); word != nil && !(mutant.On && mutant.Is(mutant.EdgeMissed)) {
		w.add(word, -trialOne)
		if mutant.On && mutant.Is(mutant.EdgeTwice) {
			w.add(word, -trialOne)
		}
	}
}

// reach marks r as reached, and pushes it onto the stack, unless it is marked.
func (w *tracer) reach(r Ref) {
	word := w.word(r)
	if word == nil || !isGarbage(atomic.LoadInt32(word)) || !w.claim(word) {
		return
	}
	w.marked++
	w.stack = append(w.stack, r)
}

// claim marks a word, and reports whether it did: not if another tracer has done so.
func (w *tracer) claim(word *int32) bool {
	if w.shared {
		return atomic.OrInt32(word, trialReached)&trialReached == 0
	}
	*word |= trialReached
	return true
}

// drain scans the objects on the stack until it is empty.
func (w *tracer) drain() {
	for n := len(w.stack); n > 0; n = len(w.stack) {
		if n >= touchFrom {
			// Touching several objects ahead lets their cache misses overlap.
			for _, r := range w.stack[n-touchFrom:] {
				w.touched += w.heap.header(r).Meta() + w.heap.Body(r).Word(touchWord(r))
			}
			w.lookInto(touchFrom)
		} else {
			w.lookInto(1)
		}
		if w.shared && len(w.stack) > donateFrom && w.team.hungry.Load() > 0 {
			w.donate()
		}
	}
}

// touchWord returns the number of a word of r's body that lies in the cache line behind the
// header's, or in the header's own line. The word must not lie behind the object, since the
// last object of a span may end where memory ends.
func touchWord(r Ref) int {
	if r.Handle%arena.SpanGranules == arena.SpanGranules-arena.MinContainer {
		return 3
	}
	return 4
}

// touchFrom is how many objects are touched ahead: about as many as the misses that a core can
// have in flight.
const touchFrom = 16

// lookInto pops some objects off the stack and reaches their targets.
func (w *tracer) lookInto(some int) {
	var batch [touchFrom]Ref
	n := len(w.stack) - some
	copy(batch[:some], w.stack[n:])
	stack, tables := w.stack[:n], w.tables
	for _, r := range batch[:some] {
		o := w.heap.Body(r)
		y := typeOf(w.heap.header(r).Meta())
		if mutant.On && mutant.Is(mutant.MarkShallow) {
			continue
		}
		if y.Slots == nil {
			w.stack = stack
			y.Traverse(w.heap, o, w.reached)
			stack = w.stack
			continue
		}
		if w.shared {
			w.stack = stack
			for b, i, n := y.Slots(w.heap, o); n > 0; i, n = i+1, n-1 {
				w.reach(b.LoadRef(i))
			}
			stack = w.stack
			continue
		}
		before := len(stack)
		for b, i, n := y.Slots(w.heap, o); n > 0; i, n = i+1, n-1 { // reach, inlined by hand
			r := b.LoadRef(i)
			if n := int(r.Handle / arena.SpanGranules); n < len(tables) && tables[n] != nil {
				if word := &tables[n][r.Handle%arena.SpanGranules/2]; isGarbage(*word) {
					*word |= trialReached
					stack = append(stack, r)
				}
			}
		}
		w.marked += len(stack) - before
	}
	w.stack = stack
}

// team is the goroutines that trace together. In each pass they take spans from a counter until
// none is left. A tracer scans the objects that it has reached itself. If it has a long stack,
// it gives half of it to tracers that have run out of spans.
type team struct {
	ctx    context.Context // when it ends, the remaining spans are skipped
	all    []*tracer
	spans  []*arena.Span
	next   aligned.Int64 // number of the next span to take
	hungry aligned.Int64 // tracers that wait for a share of another stack

	mu    sync.Mutex
	wake  *sync.Cond
	gifts [][]Ref
	done  bool // all tracers are waiting, and there is nothing to share
}

// donateFrom is the length from which on a stack is worth dividing. The value is a guess.
const donateFrom = 256

func newTeam(ctx context.Context, x *trial, n int) *team {
	m := &team{ctx: ctx, spans: x.spans}
	m.wake = sync.NewCond(&m.mu)
	for range n {
		m.all = append(m.all, newTracer(x, m, n > 1))
	}
	return m
}

// run has the tracers call pass for every span.
func (m *team) run(pass func(*tracer, *arena.Span)) {
	if len(m.all) == 1 {
		for _, sp := range m.spans {
			if m.ctx.Err() != nil {
				return
			}
			pass(m.all[0], sp)
		}
		return
	}
	m.next.Store(0)
	m.hungry.Store(0)
	m.done = false
	_ = sched.Run(context.Background(), len(m.all), // no tracer returns an error
		func(_ context.Context, i int) (*tracer, error) { return m.all[i], nil },
		func(*tracer) {},
		func(_ context.Context, w *tracer, _ int) error {
			over := false
			defer func() {
				if !over {
					m.abandon() // a Traverse has panicked
				}
			}()
			for i := m.next.Inc() - 1; i < int64(len(m.spans)) && m.ctx.Err() == nil; i = m.next.Inc() - 1 {
				pass(w, m.spans[i])
			}
			for m.receive(w) {
				w.drain()
			}
			over = true
			return nil
		})
}

// abandon ends the wait of all tracers.
func (m *team) abandon() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done, m.gifts = true, nil
	m.wake.Broadcast()
}

// donate gives away the older half of the stack, which leads to more objects.
func (w *tracer) donate() {
	half := len(w.stack) / 2
	gift := append([]Ref(nil), w.stack[:half]...)
	w.stack = append(w.stack[:0], w.stack[half:]...)
	m := w.team
	m.mu.Lock()
	defer m.mu.Unlock()
	m.gifts = append(m.gifts, gift)
	m.wake.Signal()
}

// receive waits until another tracer donates objects, which become w's stack, or until none
// can.
func (m *team) receive(w *tracer) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.hungry.Inc() == int64(len(m.all)) {
		m.done = len(m.gifts) == 0
	}
	for len(m.gifts) == 0 && !m.done {
		m.wake.Wait()
	}
	if len(m.gifts) == 0 {
		m.wake.Broadcast()
		return false
	}
	n := len(m.gifts) - 1
	w.stack = append(w.stack[:0], m.gifts[n]...)
	m.gifts = m.gifts[:n]
	m.hungry.Dec()
	return true
}
