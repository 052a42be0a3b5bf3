package runtime

import (
	"fmt"
	"strings"
	"sync"

	"go.uber.org/atomic"

	"github.com/ichor-go/ichor/internal/arena"
	"github.com/ichor-go/ichor/internal/fault"
	"github.com/ichor-go/ichor/internal/traces"
)

const (
	historyLen      = 8           // number of count operations remembered for each object
	quarantineBytes = 4 << 20     // bytes of freed memory that are kept from reuse
	poisonWord      = 0xDBDB_DBDB // freed bodies are filled with it
)

// checker is checked mode: it has a record of every object that was ever born. It makes no
// attempt to be fast: it takes one lock, and a stack for each operation.
type checker struct {
	rt *Runtime

	mu         sync.Mutex
	records    map[Ref]*record
	quarantine []Ref
	held       int64              // bytes in quarantine
	inside     map[uint64]*Thread // goroutines in Do and Run, by id
}

type record struct {
	typ   string
	born  fault.Stack // the user's frames, as in all of these
	freed fault.Stack // empty while the object is alive
	last  [historyLen]operation
	n     int // number of operations so far
}

type operation struct {
	what string
	at   fault.Stack
}

// checkedStarts spreads the heaps of checked runtimes over the address space, so that a
// reference of one runtime is invalid in all others.
var checkedStarts atomic.Uint32

func nextCheckedStart(o Options) uint32 {
	n := checkedStarts.Inc()
	if o.AddressSpace > 0 && o.AddressSpace < 256<<20 {
		return 0
	}
	return n % 8 * (16 << 20 >> arena.SpanShift)
}

func newChecker(r *Runtime) *checker {
	return &checker{rt: r, records: make(map[Ref]*record), inside: make(map[uint64]*Thread)}
}

// inject asks Options.Inject whether an allocation should fail.
func (c *checker) inject() error {
	if c.rt.opts.Inject == nil {
		return nil
	}
	return c.rt.opts.Inject(AllocateObject)
}

// born records a new object.
func (c *checker) born(r Ref, y *Type) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.records[r] = &record{typ: y.String(), born: fault.Here()}
}

// adopt records the objects that another process has made. The runtime is not yet published.
func (c *checker) adopt() {
	c.rt.eachObject(func(r Ref) {
		if r.Handle < Limit {
			c.records[r] = &record{typ: c.rt.typeAt(r).String()}
		}
	})
}

// count validates an operation on the count of r, and records it.
func (c *checker) count(t *Thread, r Ref, what string) {
	c.access(t, r)
	c.note(r, what)
}

// note records an operation on the count of r. Only mortals have records. Builds that do not
// test for immortality count Nil too, which has none.
func (c *checker) note(r Ref, what string) {
	at := fault.Here()
	c.mu.Lock()
	defer c.mu.Unlock()
	if rec := c.records[r]; rec != nil {
		rec.last[rec.n%historyLen] = operation{what, at}
		rec.n++
	}
}

// MustUse panics with a *Misuse in checked mode unless the thread may use r, which is borrowed,
// or Nil. It is for calls that steal or store a reference without accessing the object. It is
// inlined. Attached thread.
func (t *Thread) MustUse(r Ref) {
	if t.check != nil && !r.IsNil() {
		t.check.access(t, r)
	}
}

// mustKnow panics unless r has named an object of this runtime at some time.
func (c *checker) mustKnow(t *Thread, r Ref) {
	if r.Handle >= Limit {
		c.accessImmortal(t, r)
		return
	}
	c.mu.Lock()
	rec := c.records[r]
	c.mu.Unlock()
	if rec == nil {
		c.misuse(r, foreignRef)
	}
}

// access panics unless thread t may use r now.
func (c *checker) access(t *Thread, r Ref) {
	if !t.looking.CompareAndSwap(false, true) {
		c.twoGoroutines(t)
	}
	defer t.looking.Store(false)
	if !t.attached {
		t.misused("the thread is not attached", wantAttached)
	}
	if r.IsNil() || r.Handle >= Limit {
		c.accessImmortal(t, r)
		return
	}
	c.mu.Lock()
	rec := c.records[r]
	c.mu.Unlock()
	switch {
	case rec == nil:
		c.misuse(r, foreignRef)
	case len(rec.freed) > 0:
		c.misuse(r, "use after free")
	}
}

func (c *checker) accessImmortal(t *Thread, r Ref) {
	if r.IsNil() || r.IsInt() || isSingleton(r) {
		return
	}
	if r.IsFrozen() && c.rt.frozenAt(r) != nil {
		return
	}
	c.rt.mu.Lock()
	defer c.rt.mu.Unlock()
	for _, g := range c.rt.mu.regions {
		if (g.built.Load() || g.by == t) && g.mem.Contains(uint32(r.Handle)) {
			return
		}
	}
	fault.Throw(Misuse{What: foreignRef, On: "immortal " + r.String(), Want: wantAlive})
}

// freed poisons a dead object, and keeps its memory from reuse for a while.
func (c *checker) freed(t *Thread, r Ref) {
	n := t.rt.space.Granules(uint32(r.Handle))
	t.header(r).Poison(metaPoison)
	t.rt.space.Fill(uint32(r.Handle)+1, n-1, poisonWord)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.records[r].freed = fault.Here()
	c.quarantine = append(c.quarantine, r)
	c.held += int64(n) << arena.GranuleShift
	for c.held > quarantineBytes {
		old := c.quarantine[0]
		c.quarantine = c.quarantine[1:]
		c.held -= int64(t.rt.space.Granules(uint32(old.Handle))) << arena.GranuleShift
		t.cache.Free(uint32(old.Handle))
	}
}

// foreignRef is the misuse of a reference that no object of the runtime ever had.
const foreignRef = "foreign reference: this runtime never had an object here"

// misuse panics with a *Misuse that has the history of r.
func (c *checker) misuse(r Ref, what string) {
	c.mu.Lock()
	rec := c.records[r]
	c.mu.Unlock()
	m := Misuse{What: what, On: "object " + r.String(), Want: wantAlive}
	if rec != nil {
		m.Type, m.On, m.History = rec.typ, rec.typ+" "+r.String(), c.history(rec)
	}
	fault.Throw(m)
}

// twoGoroutines panics, since another goroutine is in access with the same thread. Access runs
// no user code, which could pass the thread on, and does not nest.
func (c *checker) twoGoroutines(t *Thread) {
	other := "    and another one, whose call has ended by now"
	if trace, found := traces.InCall(traces.All(), "(*checker).access", t.address(), "(*checker).twoGoroutines"); found {
		other = "    and " + fault.Trim(trace)
	}
	fault.Throw(Misuse{
		What: "two goroutines use one thread at the same time", On: t.name(), Want: "one goroutine at a time on a thread",
		History: fmt.Sprintf("    goroutine %d is at%s\n%s", traces.GoroutineID(), fault.Here(), other),
	})
}

// birth returns where r was made, in one line, and its history.
func (c *checker) birth(r Ref) (site, history string) {
	c.mu.Lock()
	rec := c.records[r]
	c.mu.Unlock()
	switch {
	case rec == nil:
		return "an unknown place", ""
	case rec.born == nil:
		return "a place in the process that shared the heap", ""
	}
	return rec.born.Site(), c.history(rec)
}

func (c *checker) history(rec *record) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	if rec.born == nil {
		b.WriteString("    born in the process that shared the heap")
	} else {
		fmt.Fprintf(&b, "    born at%s", rec.born)
	}
	for i := max(0, rec.n-historyLen); i < rec.n; i++ {
		op := rec.last[i%historyLen]
		fmt.Fprintf(&b, "\n    %s at%s", op.what, op.at)
	}
	if len(rec.freed) > 0 {
		fmt.Fprintf(&b, "\n    freed at%s", rec.freed)
	}
	return b.String()
}

// mustBeAlone panics if the calling goroutine is inside Do or Run, and not in Blocking there.
func (c *checker) mustBeAlone() {
	c.mu.Lock()
	t := c.inside[traces.GoroutineID()]
	c.mu.Unlock()
	if t != nil && t.attached {
		fault.Throw(Misuse{
			What: "the goroutine is already attached", On: t.name(), Want: wantOutside,
			History: "    called at" + fault.Here().String(),
		})
	}
}

// enter records that the calling goroutine has t. exit restores the thread that it had before,
// if any.
func (c *checker) enter(t *Thread) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := traces.GoroutineID()
	t.outer = c.inside[id]
	c.inside[id] = t
}

func (c *checker) exit(t *Thread) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if id := traces.GoroutineID(); t.outer != nil {
		c.inside[id] = t.outer
	} else {
		delete(c.inside, id)
	}
	t.outer = nil
}
