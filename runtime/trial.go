package runtime

import (
	"cmp"
	"context"
	goruntime "runtime"
	"runtime/trace"
	"sync"
	"sync/atomic"

	"github.com/ichor-go/ichor/internal/aligned"
	"github.com/ichor-go/ichor/internal/arena"
	"github.com/ichor-go/ichor/internal/mutant"
	"github.com/ichor-go/ichor/sched"
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
// one core. Below it the pause is a millisecond or so. A guess; tests change it.
var parallelFrom int64 = 1 << 15

// word returns the word of the container r, or nil if r is none.
func (x *trial) word(r Ref) *int32 {
	if n := int(r.Handle / arena.SpanGranules); n < len(x.tables) {
		if tab := x.tables[n]; tab != nil {
			return &tab[r.Handle%arena.SpanGranules/arena.MinContainer]
		}
	}
	return nil
}

// isGarbage reports whether the collection has found that r is garbage.
func (x *trial) isGarbage(r Ref) bool {
	w := x.word(r)
	return w != nil && isGarbage(*w)
}

func (x *trial) release() { x.spans, x.tables = nil, nil }

func (x *trial) makeTables() {
	if n := len(x.spans); n > 0 {
		x.tables = make([]*trialTable, x.spans[n-1].Number()+1)
	}
	for _, sp := range x.spans {
		x.tables[sp.Number()] = new(trialTable)
	}
}

// trace returns the garbage. World stopped.
func (c *collection) trace() (garbage []Ref) {
	defer trace.StartRegion(c.ctx, "ichor trace").End()
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

// retrace looks at the garbage again, which has one more reference that is the
// collection's, and divides it into what is still garbage and what is not. World
// stopped.
func (c *collection) retrace() {
	defer trace.StartRegion(c.ctx, "ichor trace").End()
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

// tracer is what one of the goroutines that trace has for its own.
type tracer struct {
	trial
	team       *team
	shared     bool // others are tracing too
	candidates int
	marked     int
	handles    []uint32 // of the span at hand
	stack      []Ref    // reached, and not looked into yet
	garbage    []Ref
	touched    uint32 // keeps the compiler from dropping loads

	counted, reached func(Ref) // methods as values, made once
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

// isRoot reports whether a candidate with this word is a root that nobody has
// reached.
func isRoot(word int32) bool {
	if mutant.On && mutant.Is(mutant.RootMissed) {
		return isGarbage(word) && word >= 2*trialOne
	}
	return isGarbage(word) && (word >= trialOne || word&trialPinned != 0)
}

// isGarbage reports whether a candidate with this word has not been reached.
func isGarbage(word int32) bool { return word&(trialCandidate|trialReached) == trialCandidate }

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
	if uint64(n) > trialMax { // a count that is sticky is either larger, or below 0
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
	for b, i, n := y.Slots(w.heap, w.heap.Body(r)); n > 0; i, n = i+1, n-1 { // subtract, written out
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

// subtract takes a reference to r from its trial count.
func (w *tracer) subtract(r Ref) {
	if word := w.word(r); word != nil && !(mutant.On && mutant.Is(mutant.EdgeMissed)) {
		w.add(word, -trialOne)
		if mutant.On && mutant.Is(mutant.EdgeTwice) {
			w.add(word, -trialOne)
		}
	}
}

// reach marks r as reached, if nobody has.
func (w *tracer) reach(r Ref) {
	word := w.word(r)
	if word == nil || !isGarbage(atomic.LoadInt32(word)) || !w.claim(word) {
		return
	}
	w.marked++
	w.stack = append(w.stack, r)
}

// claim marks a word, unless another tracer has done so meanwhile.
func (w *tracer) claim(word *int32) bool {
	if w.shared {
		return atomic.OrInt32(word, trialReached)&trialReached == 0
	}
	*word |= trialReached
	return true
}

// drain looks into what is on the stack.
func (w *tracer) drain() {
	for n := len(w.stack); n > 0; n = len(w.stack) {
		if n >= touchFrom {
			// Touching some ahead lets their cache misses overlap.
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

// touchWord returns a word of r's body in the cache line behind the header's, or in the
// same one. The last object of a span may be the last memory there is.
func touchWord(r Ref) int {
	if r.Handle%arena.SpanGranules == arena.SpanGranules-arena.MinContainer {
		return 3
	}
	return 4
}

// touchFrom is how many objects are touched ahead: about as many misses as a core
// has in flight.
const touchFrom = 16

// lookInto takes some objects from the stack and reaches what they refer to.
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
		for b, i, n := y.Slots(w.heap, o); n > 0; i, n = i+1, n-1 { // reach, written out
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

// team is the goroutines that trace together. In each pass they take spans from a
// counter until there is none left. What marking finds is its finder's to look
// into, however much it is; so who has a long stack gives half of it to those who
// have run out of spans.
type team struct {
	ctx    context.Context // when it ends, spans are left out
	all    []*tracer
	spans  []*arena.Span
	next   aligned.Int64 // number of the first span that nobody has taken
	hungry aligned.Int64 // tracers that wait for a gift

	mu    sync.Mutex
	wake  *sync.Cond
	gifts [][]Ref
	done  bool // all are waiting, and there is no gift
}

// donateFrom is the length of a stack that is worth dividing. A guess.
const donateFrom = 256

func newTeam(ctx context.Context, x *trial, n int) *team {
	m := &team{ctx: ctx, spans: x.spans}
	m.wake = sync.NewCond(&m.mu)
	for range n {
		m.all = append(m.all, newTracer(x, m, n > 1))
	}
	return m
}

// run has every span passed to pass by one of the tracers.
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
	err := sched.Run(context.Background(), len(m.all),
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
	if err != nil {
		panic(err) // no tracer returns one
	}
}

// abandon has nobody wait any more.
func (m *team) abandon() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done, m.gifts = true, nil
	m.wake.Broadcast()
}

// donate gives away the older half of the stack, which leads to more.
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

// receive waits for a gift, which becomes the stack, or until nobody can give one.
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
