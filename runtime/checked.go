package runtime

import (
	"bytes"
	"fmt"
	goruntime "runtime"
	"strconv"
	"strings"
	"sync"

	"go.uber.org/atomic"

	"github.com/ichor-go/ichor/internal/arena"
)

const (
	historyLen      = 8           // count operations remembered for each object
	stackLen        = 8           // frames remembered for each
	quarantineBytes = 4 << 20     // freed memory that is kept from reuse
	poisonWord      = 0xDBDB_DBDB // what freed bodies are filled with
)

// checker is checked mode: what it knows of every object that was ever born.
// It is slow on purpose: one lock, a stack for each operation.
type checker struct {
	rt *Runtime

	mu         sync.Mutex
	records    map[Ref]*record
	quarantine []Ref
	held       int64              // bytes in quarantine
	inside     map[uint64]*Thread // goroutines in Do and Run
}

type record struct {
	typ   string
	born  stack
	freed stack // empty while the object lives
	last  [historyLen]operation
	n     int // operations so far
}

type operation struct {
	what string
	at   stack
}

type stack []uintptr

// checkedStarts spreads the heaps of checked runtimes over the address space,
// so that a reference of one is none of another.
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

func here(skip int) stack {
	pcs := make([]uintptr, stackLen)
	return pcs[:goruntime.Callers(skip+2, pcs)]
}

func (s stack) String() string {
	var b strings.Builder
	frames := goruntime.CallersFrames(s)
	for {
		f, more := frames.Next()
		if f.Function != "" && !strings.HasPrefix(f.Function, "runtime.") {
			fmt.Fprintf(&b, "\n      %s %s:%d", f.Function, f.File, f.Line)
		}
		if !more {
			return b.String()
		}
	}
}

// inject asks Options.Inject whether an allocation is to fail.
func (c *checker) inject() error {
	if c.rt.opts.Inject == nil {
		return nil
	}
	return c.rt.opts.Inject(AllocateObject)
}

// born notes a new object.
func (c *checker) born(r Ref, y *Type) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.records[r] = &record{typ: y.Name, born: here(2)}
}

// adopt notes what another process has made. Nobody else uses the runtime yet.
func (c *checker) adopt() {
	c.rt.eachObject(func(r Ref) {
		if r < Limit {
			c.records[r] = &record{typ: c.rt.typeAt(r).Name}
		}
	})
}

// count validates an operation on the count of r, and notes it.
func (c *checker) count(t *Thread, r Ref, what string) {
	c.access(t, r)
	c.note(r, what)
}

// note notes an operation on the count of r. There is a record of what is mortal, and none of Nil,
// which builds count that do not test for immortality.
func (c *checker) note(r Ref, what string) {
	at := here(3)
	c.mu.Lock()
	defer c.mu.Unlock()
	if rec := c.records[r]; rec != nil {
		rec.last[rec.n%historyLen] = operation{what, at}
		rec.n++
	}
}

// MustUse panics with a *Misuse in checked mode unless the thread may use r, which is
// borrowed, or Nil. It is for calls that steal or store a reference and do not look at it, and
// is inlined. Attached thread.
func (t *Thread) MustUse(r Ref) {
	if t.check != nil && r != Nil {
		t.check.access(t, r)
	}
}

// mustKnow panics unless r has named an object of this runtime at some time.
func (c *checker) mustKnow(t *Thread, r Ref) {
	if r >= Limit {
		c.accessImmortal(t, r)
		return
	}
	c.mu.Lock()
	rec := c.records[r]
	c.mu.Unlock()
	if rec == nil {
		c.misuse(r, "foreign reference: no object of this runtime was ever here")
	}
}

// access panics unless thread t may use r now.
func (c *checker) access(t *Thread, r Ref) {
	if !t.attached {
		c.misuse(r, "access by a thread that is not attached")
	}
	if r == Nil || r >= Limit {
		c.accessImmortal(t, r)
		return
	}
	c.mu.Lock()
	rec := c.records[r]
	c.mu.Unlock()
	switch {
	case rec == nil:
		c.misuse(r, "foreign reference: no object of this runtime was ever here")
	case len(rec.freed) > 0:
		c.misuse(r, "use after free")
	}
}

func (c *checker) accessImmortal(t *Thread, r Ref) {
	if r == Nil || r.IsInt() || r >= None && r < endSingletons && (r-None)%2 == 0 {
		return
	}
	if r.IsFrozen() && c.rt.frozenAt(r) != nil {
		return
	}
	c.rt.mu.Lock()
	defer c.rt.mu.Unlock()
	for _, g := range c.rt.mu.regions {
		if (g.built.Load() || g.by == t) && g.mem.Contains(uint32(r)) {
			return
		}
	}
	panic(&Misuse{What: "foreign reference: no object of this runtime was ever here", Ref: r, Type: "immortal"})
}

// freed poisons a dead object and keeps its memory from reuse for a while.
func (c *checker) freed(t *Thread, r Ref) {
	n := t.rt.space.Granules(uint32(r))
	t.header(r).Poison(metaPoison)
	t.rt.space.Fill(uint32(r)+1, n-1, poisonWord)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.records[r].freed = here(2)
	c.quarantine = append(c.quarantine, r)
	c.held += int64(n) << arena.GranuleShift
	for c.held > quarantineBytes {
		old := c.quarantine[0]
		c.quarantine = c.quarantine[1:]
		c.held -= int64(t.rt.space.Granules(uint32(old))) << arena.GranuleShift
		t.cache.Free(uint32(old))
	}
}

// misuse panics with what is known of r.
func (c *checker) misuse(r Ref, what string) {
	c.mu.Lock()
	rec := c.records[r]
	c.mu.Unlock()
	m := &Misuse{What: what, Ref: r, Type: "object"}
	if rec != nil {
		m.Type, m.History = rec.typ, c.history(rec)
	}
	panic(m)
}

// describe says what the mortal object r is and where it was made.
func (c *checker) describe(r Ref) string {
	c.mu.Lock()
	rec := c.records[r]
	c.mu.Unlock()
	return fmt.Sprintf("  %s %s%s", rec.typ, r, c.history(rec))
}

func (c *checker) history(rec *record) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	if rec.born == nil {
		b.WriteString("    born in the process that has shared the heap")
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

// goroutineID parses the number out of a stack trace: Go has no other way.
// A microsecond, which only checked mode pays.
func goroutineID() uint64 {
	var buf [64]byte
	s := buf[:goruntime.Stack(buf[:], false)]
	s = bytes.TrimPrefix(s, []byte("goroutine "))
	n, _ := strconv.ParseUint(string(s[:max(bytes.IndexByte(s, ' '), 0)]), 10, 64)
	return n
}

// mustBeAlone panics if the calling goroutine is inside Do or Run already, and has not left
// the world, as in Blocking.
func (c *checker) mustBeAlone(what string) {
	c.mu.Lock()
	t := c.inside[goroutineID()]
	c.mu.Unlock()
	if t != nil && t.attached {
		panic(fmt.Sprintf("ichor: %s by a goroutine that is attached already, as thread %d", what, t.owner))
	}
}

// enter notes that the calling goroutine has t, exit that it has the one again that it had
// before, if any.
func (c *checker) enter(t *Thread) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := goroutineID()
	t.outer = c.inside[id]
	c.inside[id] = t
}

func (c *checker) exit(t *Thread) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if id := goroutineID(); t.outer != nil {
		c.inside[id] = t.outer
	} else {
		delete(c.inside, id)
	}
	t.outer = nil
}
