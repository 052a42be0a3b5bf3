package runtime

import (
	"cmp"
	"context"
	goruntime "runtime"
	"slices"
	"time"

	"go.uber.org/atomic"

	"github.com/ichor-go/ichor/internal/arena"
	"github.com/ichor-go/ichor/internal/heapfile"
	"github.com/ichor-go/ichor/internal/heapgraph"
	"github.com/ichor-go/ichor/sched"
)

// A copy of the heap's graph is made with the world stopped. So everything that can be done
// before or after is not done in the stop:
//
//	before  make buffers, and touch their pages, so that the system provides them
//	stop    note the roots. Record each object with its type, size, count and slots, in
//	        parallel: see heapfile.Recorder. In checked mode, also note where counts were
//	        taken that nothing in the heap explains
//	after   find the names of types; make a heapgraph.Graph of the records, or write them
//
// Nothing is settled, unlike in a collection: what waits for a grace period, or in a merge
// queue, is alive, and the copy says why. For each mortal object
//
//	local + shared count = references in objects + roots + references that Go code holds
//
// A reference that waits for a grace period is a root, and so is an entry of a merge queue. The
// memory of a dead object that waits for a grace period is no object.
type heapCopy struct {
	t       *Thread
	objects int64 // about how many there are
	buffers [][]byte
	taken   atomic.Int32  // buffers that are in use
	spans   []*arena.Span // with objects
	roots   roots
	parts   [][][]byte // chunks by task
	tasks   []copyTask
}

// copyTask is a part of the heap for one goroutine: some spans, a region, or all Frozens.
type copyTask struct {
	spans  []*arena.Span
	region *region
}

// copySpans is how many spans make a task: 1 MiB, which takes about a millisecond. The value is a
// guess.
const copySpans = 16

// copyRecordBytes is about what a record takes, without and with references. It decides how many
// buffers are ready before the stop. The values are guesses.
const copyRecordBytes, copySlotsBytes = 8, 16

// frozenKind is the type number of a Frozen in a copy. No type has it.
const frozenKind = 0

// copyHeap copies the heap's graph. A safe point.
func (t *Thread) copyHeap() *heapfile.Snapshot {
	c := &heapCopy{t: t}
	c.makeBuffers()
	s := &heapfile.Snapshot{Tables: heapfile.Tables{Runtime: t.rt.label, Mode: t.rt.opts.Mode.String()}}
	if t.rt.gil == nil {
		s.Mode += ", " + t.rt.opts.Counting.String()
	}
	t.StopTheWorld(func() {
		began := time.Now()
		c.run()
		s.Taken, s.Stopped = began, time.Since(began)
		s.Holders, s.Chunks = c.roots.holders, slices.Concat(c.parts...)
		if t.check != nil {
			s.Kinds = typeNames()
			s.Notes = t.excessNotes(s)
		}
	})
	s.Kinds = typeNames()
	return s
}

// makeBuffers makes about as many buffers as the objects need.
func (c *heapCopy) makeBuffers() {
	m := c.t.rt.Memory()
	c.objects = m.Objects + m.Immortals
	bytes := c.objects*copyRecordBytes + (m.Containers+m.Immortals)*copySlotsBytes
	c.buffers = make([][]byte, bytes/heapfile.BufferBytes)
	for i := range c.buffers {
		b := make([]byte, heapfile.BufferBytes)
		for at := 0; at < len(b); at += 4096 {
			b[at] = 1 // the page is there from now on
		}
		c.buffers[i] = b[:0]
	}
}

// buffer returns an empty buffer.
func (c *heapCopy) buffer() []byte {
	if i := int(c.taken.Inc()) - 1; i < len(c.buffers) {
		return c.buffers[i]
	}
	return make([]byte, 0, heapfile.BufferBytes)
}

// run records everything. World stopped.
func (c *heapCopy) run() {
	t := c.t
	c.survey()
	for some := range slices.Chunk(c.spans, copySpans) {
		c.tasks = append(c.tasks, copyTask{spans: some})
	}
	t.rt.mu.Lock()
	regions := slices.Clone(t.rt.mu.regions)
	t.rt.mu.Unlock()
	for _, g := range regions {
		c.tasks = append(c.tasks, copyTask{region: g})
	}
	c.tasks = append(c.tasks, copyTask{}) // Frozens
	c.parts = make([][][]byte, len(c.tasks))
	workers := 1
	if c.objects >= parallelFrom {
		workers = min(cmp.Or(t.rt.opts.CollectWorkers, goruntime.GOMAXPROCS(0)), len(c.tasks))
	}
	_ = sched.ForEach(context.Background(), workers, len(c.tasks), // no task returns an error
		func(context.Context, int) (*copier, error) { return newCopier(c), nil }, nil,
		func(_ context.Context, w *copier, i int) error {
			c.parts[i] = w.task(c.tasks[i])
			return nil
		})
}

// survey finds what is alive: it notes the spans with objects, the memory of dead objects in
// them, and the roots. It frees what a panic has left half freed, as a safe point does. After it
// the space knows each live slot. World stopped.
func (c *heapCopy) survey() {
	for _, x := range c.t.rt.threadsAnd(c.t) {
		c.t.mendFor(x)
	}
	c.roots = c.t.findRoots()
	c.spans = c.t.rt.space.ObjectSpans(nil)
}

// copier records objects on one goroutine.
type copier struct {
	c       *heapCopy
	heap    Heap
	rec     heapfile.Recorder
	handles []uint32      // of the current span
	region  *arena.Region // the current one
	visit   func(Ref)     // a method value, made once
}

func newCopier(c *heapCopy) *copier {
	w := &copier{c: c, heap: c.t.Heap}
	w.visit = w.slot
	return w
}

// task records a part of the heap, and returns the chunks.
func (w *copier) task(x copyTask) [][]byte {
	w.rec = heapfile.Recorder{Buffers: w.c.buffer}
	switch {
	case x.region != nil:
		w.region = x.region.mem
		w.region.WalkSizes(func(h, granules uint32, gap bool) {
			if gap {
				w.rec.Cut() // objects of another region may lie between
			}
			w.object(refAt(h), granules)
		})
	case x.spans == nil:
		for _, f := range *w.c.t.rt.frozen.Load() {
			w.rec.Object(uint32(f.start), frozenKind, heapgraph.Immortal|heapgraph.Frozen, f.granules, 0, false)
		}
	default:
		for _, sp := range x.spans {
			w.handles = sp.Objects(w.handles[:0])
			_, granules, _ := sp.Slots()
			for _, h := range w.handles {
				w.object(refAt(h), granules)
			}
		}
	}
	return w.rec.Chunks()
}

// object records the object r, which takes some granules without its block.
func (w *copier) object(r Ref, granules uint32) {
	h := w.heap.header(r)
	meta := h.Meta()
	y := typeOf(meta)
	if y == nil { // freed, in checked mode
		return
	}
	if h.IsWeak() {
		if _, dead := w.c.roots.dead[r]; dead {
			return
		}
	}
	flags := uint8(0)
	n, mortal := h.Count()
	switch {
	case !mortal:
		flags = heapgraph.Immortal
	case h.IsSticky():
		flags = heapgraph.Sticky
	}
	if y.Block != nil {
		if b := y.Block(w.heap.Body(r)); b.Handle < Limit {
			granules += w.c.t.rt.space.Granules(uint32(b.Handle)) // 0 for Nil
		} else {
			granules += w.region.Granules(uint32(b.Handle))
		}
	}
	w.rec.Object(uint32(r.Handle), uint32(y.id), flags, granules, n, meta&metaRefs != 0)
	switch {
	case y.Slots != nil:
		for b, i, n := y.Slots(w.heap, w.heap.Body(r)); n > 0; i, n = i+1, n-1 { // slot, inlined by hand
			if r := b.LoadRef(i); r.IsNil() || r.Handle >= selfBase {
				w.rec.Other()
			} else {
				w.rec.Slot(uint32(r.Handle))
			}
		}
	case meta&metaRefs != 0:
		y.Traverse(w.heap, w.heap.Body(r), w.visit)
	default:
		return
	}
	w.rec.End()
}

// slot records a slot that holds r.
func (w *copier) slot(r Ref) {
	if r.IsNil() || r.Handle >= selfBase {
		w.rec.Other()
		return
	}
	w.rec.Slot(uint32(r.Handle))
}

// typeNames returns the names of all types.
func typeNames() []heapfile.Kind {
	types.Lock()
	defer types.Unlock()
	list := []heapfile.Kind{{ID: frozenKind, Name: "frozen graph"}}
	for id := range types.table[:max(types.next, firstUserType)] {
		if y := types.table[id].Load(); y != nil {
			list = append(list, heapfile.Kind{ID: uint16(id), Name: y.String()})
		}
	}
	return list
}

// maxNotes bounds the objects with notes in a snapshot.
const maxNotes = 10_000

// excessNotes returns the histories of objects with counts that nothing in the heap explains.
// Checked mode. World stopped.
func (t *Thread) excessNotes(s *heapfile.Snapshot) map[uint32]string {
	g, err := s.Graph()
	if err != nil {
		return nil
	}
	notes := map[uint32]string{}
	for _, e := range g.Excess(maxNotes) {
		h := g.Handles[e.Node]
		_, notes[h] = t.check.birth(refAt(h))
	}
	return notes
}
