package runtime

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/ichor-go/ichor/internal/arena"
	"github.com/ichor-go/ichor/internal/fault"
	"github.com/ichor-go/ichor/internal/heapfile"
	"github.com/ichor-go/ichor/internal/heapgraph"
)

// HeapSnapshot is a copy of the heap's graph at one moment: the type, size and count of each
// object, and what it refers to. It has none of the contents: no text, no numbers. It lies in Go
// memory, refers to no object, and outlives the runtime. The references in it are borrowed:
// they identify objects, and do not keep them alive.
//
// A frozen graph counts as one object, since it is freed as a whole. The size of an object
// includes its block.
//
// Questions about paths and retained bytes make tables when first asked, which takes some
// seconds for ten million objects. Any goroutine may use a HeapSnapshot, several at a time.
type HeapSnapshot struct {
	raw *heapfile.Snapshot
	g   *heapgraph.Graph
}

// HeapSnapshot copies the heap's graph with the world stopped. It settles nothing: retired
// objects are included. The world runs while the copy is being prepared for questions. In
// checked mode the stop takes far longer, since it also finds out where counts were taken. The
// error says that there are more references than a snapshot can hold, 2^32. A safe point.
// Attached thread.
func (t *Thread) HeapSnapshot() (s *HeapSnapshot, err error) {
	raw := t.copyHeap()
	t.Blocking(func() { s, err = newHeapSnapshot(raw) })
	return s, err
}

// HeapSnapshot is Thread.HeapSnapshot for goroutines that are not attached. The error may also be
// ErrClosed.
func (r *Runtime) HeapSnapshot() (*HeapSnapshot, error) {
	r.mustNotWait(nil)
	raw, err := r.copyHeap()
	if err != nil {
		return nil, err
	}
	return newHeapSnapshot(raw)
}

func (r *Runtime) copyHeap() (*heapfile.Snapshot, error) {
	return DoValue(r, func(t *Thread) (*heapfile.Snapshot, error) { return t.copyHeap(), nil })
}

func newHeapSnapshot(raw *heapfile.Snapshot) (*HeapSnapshot, error) {
	g, err := raw.Graph()
	if err != nil {
		return nil, fault.Errorf("heap snapshot: %w", err)
	}
	return &HeapSnapshot{raw, g}, nil
}

// WriteHeapSnapshot is HeapSnapshot followed by HeapSnapshot.WriteTo, without the preparation for
// questions. w is called while the world runs, with the thread in Blocking. The error is w's. A
// safe point. Attached thread.
func (t *Thread) WriteHeapSnapshot(w io.Writer) (err error) {
	raw := t.copyHeap()
	t.Blocking(func() { _, err = raw.WriteTo(w) })
	return err
}

// WriteHeapSnapshot is Thread.WriteHeapSnapshot for goroutines that are not attached. The error
// is w's, or ErrClosed.
func (r *Runtime) WriteHeapSnapshot(w io.Writer) error {
	r.mustNotWait(nil)
	raw, err := r.copyHeap()
	if err == nil {
		_, err = raw.WriteTo(w)
	}
	return err
}

// ReadHeapSnapshot reads what HeapSnapshot.WriteTo or WriteHeapSnapshot has written, to the end
// of the reader. The snapshot may be of another process. A file that was cut short or changed
// gives an error, and one that was made by an attacker does no harm. Any goroutine.
func ReadHeapSnapshot(from io.Reader) (*HeapSnapshot, error) {
	raw, err := heapfile.Read(from)
	if err != nil {
		return nil, fault.Errorf("heap snapshot: %w", err)
	}
	return newHeapSnapshot(raw)
}

// WriteTo writes the snapshot as a file, for ReadHeapSnapshot and for the command bench heap.
func (s *HeapSnapshot) WriteTo(w io.Writer) (n int64, err error) { return s.raw.WriteTo(w) }

// String returns the number of objects and the name of their runtime.
func (s *HeapSnapshot) String() string {
	return fmt.Sprintf("heap snapshot of %d objects of runtime %q (%s)", s.Objects(), s.raw.Runtime, s.raw.Mode)
}

// Objects returns the number of objects. Each frozen graph counts as one.
func (s *HeapSnapshot) Objects() int { return s.g.Len() }

// Stopped returns for how long the world was stopped.
func (s *HeapSnapshot) Stopped() time.Duration { return s.raw.Stopped }

// HeapType says what the objects of a type add up to.
type HeapType struct {
	Type    string
	Objects int64
	Bytes   int64

	// Retained is what the objects keep alive: the bytes of these objects, and of all others
	// that only one of these objects leads to.
	Retained int64
}

// Types returns the types that have objects, in descending order of bytes.
func (s *HeapSnapshot) Types() []HeapType {
	var list []HeapType
	for _, x := range s.g.Sums(true) {
		if x.Nodes > 0 {
			list = append(list, HeapType{x.Name, x.Nodes, x.Bytes, x.Retained})
		}
	}
	slices.SortStableFunc(list, func(a, b HeapType) int { return cmp.Compare(b.Bytes, a.Bytes) })
	return list
}

// Retained returns the bytes that the object r keeps alive: those that would be freed if it
// were. These are its own, and those of the objects to which every chain of references leads
// through r. If r is mortal, they leave out immortals. It returns 0 if r is not in the snapshot. r
// is borrowed.
func (s *HeapSnapshot) Retained(r Ref) int64 {
	n := s.find(r)
	if n == heapgraph.None {
		return 0
	}
	return s.g.Tree().Retained[n]
}

func (s *HeapSnapshot) find(r Ref) heapgraph.Node { return s.g.Find(uint32(r.Handle)) }

// HeapCount is an object with counts that nothing in the heap explains: Go code owns them. The
// reference is borrowed.
type HeapCount struct {
	Ref     Ref
	Type    string
	Count   int64  // references that Go code owns
	History string // in checked mode: where the object was made, and its last count operations
}

// HeldByCode returns the objects of which Go code owns counts, outside of scopes and of calls of
// the library: those with the most such counts first, and at most that many. References that a
// program has forgotten to give up are among them. The references are borrowed.
func (s *HeapSnapshot) HeldByCode(most int) (list []HeapCount) {
	for _, e := range s.g.Excess(most) {
		list = append(list, HeapCount{s.ref(e.Node), s.g.Name(e.Node), int64(e.Count), s.note(e.Node)})
	}
	return list
}

func (s *HeapSnapshot) ref(n heapgraph.Node) Ref     { return refAt(s.g.Handles[n]) }
func (s *HeapSnapshot) note(n heapgraph.Node) string { return s.raw.Notes[s.g.Handles[n]] }

// HeapPath is a chain of references that keeps an object alive.
type HeapPath struct {
	Holder  string     // what keeps the first object alive: "Go code", "a scope of thread 1"
	Count   int64      // how many counts the holder owns; 0 where nothing is counted
	History string     // in checked mode, if the holder is Go code: as in HeapCount
	Steps   []HeapStep // from the first object to the one that was asked for
}

// HeapStep is an object on a path. The reference is borrowed.
type HeapStep struct {
	Ref   Ref
	Type  string
	Bytes int64
	Slot  string // where the object before it holds it, such as ["key"], [3] or .name; "" in the first step
}

// String returns the path in one line, without the history.
func (p HeapPath) String() string {
	return heapgraph.PathText(p.Holder, p.Count, len(p.Steps), func(i int) (slot, name, ref string) {
		return p.Steps[i].Slot, p.Steps[i].Type, p.Steps[i].Ref.String()
	})
}

// Paths returns shortest chains of references that keep the object r alive, shortest first, and
// at most that many: one for each holder of the nearest objects that have any. It returns none
// if r is not in the snapshot. Slots are numbered: <2> is the third reference that the type's
// Traverse visits, where Nil counts too. r is borrowed, and so are the references in paths.
func (s *HeapSnapshot) Paths(r Ref, most int) []HeapPath {
	var list []HeapPath
	for _, p := range s.g.Paths(s.find(r), most) {
		x := HeapPath{Holder: p.Entry.Holder.Name, Count: int64(p.Entry.Count)}
		if p.Entry.Holder.Kind == heapgraph.Code {
			x.History = s.note(p.Entry.Node)
		}
		slots := s.raw.Slots(s.g, p.Nodes)
		for i, n := range p.Nodes {
			step := HeapStep{Ref: s.ref(n), Type: s.g.Name(n), Bytes: s.g.Bytes(n)}
			if i > 0 {
				step.Slot = fmt.Sprintf("<%d>", slots[i-1])
			}
			x.Steps = append(x.Steps, step)
		}
		list = append(list, x)
	}
	return list
}

// maxPaths is how many paths Thread.Paths returns at most.
const maxPaths = 10

// Paths says why the object r is alive. It takes a HeapSnapshot, and returns the ten shortest
// paths of HeapSnapshot.Paths with slots as errors of Freeze name them: ["key"], [3], .name. It
// looks for these names in a second stop, which is short. Slots that have changed since the
// first one keep their numbers. The caller's own count of r is one of the paths. r is borrowed,
// and so are the references in paths. The error is that of HeapSnapshot. A safe point. Attached
// thread.
func (t *Thread) Paths(r Ref) ([]HeapPath, error) {
	t.MustUse(r)
	s, err := t.HeapSnapshot()
	if err != nil {
		return nil, err
	}
	var list []HeapPath
	t.Blocking(func() { list = s.Paths(r, maxPaths) })
	t.nameSlots(list)
	return list, nil
}

// nameSlots names the slots of the paths' steps.
func (t *Thread) nameSlots(list []HeapPath) {
	t.StopTheWorld(func() {
		c := heapCopy{t: t}
		c.survey()
		for _, p := range list {
			for i := 1; i < len(p.Steps); i++ {
				c.nameSlot(&p.Steps[i-1], &p.Steps[i])
			}
		}
	})
}

// Paths is Thread.Paths for goroutines that are not attached. A counted reference to r, which is
// borrowed, must exist throughout the call. The error may also be ErrClosed.
func (r *Runtime) Paths(of Ref) (list []HeapPath, err error) {
	r.mustNotWait(nil)
	return DoValue(r, func(t *Thread) ([]HeapPath, error) { return t.Paths(of) })
}

// nameSlot names the slot with which one step refers to the next, unless that has changed. World
// stopped.
func (c *heapCopy) nameSlot(from, to *HeapStep) {
	t := c.t
	y := c.liveType(from.Ref)
	if y == nil || y.String() != from.Type || y.Freezing == nil || y.Freezing.Label == nil {
		return
	}
	i, slot := 0, -1
	y.Traverse(t.Heap, t.Body(from.Ref), func(c Ref) {
		if slot < 0 && (c == to.Ref || c.IsFrozen() && t.sameFrozen(c, to.Ref)) {
			slot = i
		}
		i++
	})
	if slot >= 0 {
		to.Slot = y.Freezing.Label(t, from.Ref, slot)
	}
}

// liveType returns the type of r if it is an object that is not frozen, else nil. World stopped.
func (c *heapCopy) liveType(r Ref) (y *Type) {
	t := c.t
	if r.Handle < Limit {
		p, _, ok := t.rt.space.Block(uint32(r.Handle))
		if _, dead := c.roots.dead[r]; dead || !ok || p > arena.Containers {
			return nil
		}
		return typeOf(t.header(r).Meta())
	}
	t.rt.mu.Lock()
	defer t.rt.mu.Unlock()
	for _, g := range t.rt.mu.regions {
		if g.mem.Contains(uint32(r.Handle)) {
			return typeOf(t.header(r).Meta())
		}
	}
	return nil
}

// sameFrozen reports whether the Frozen that begins at start contains r.
func (t *Thread) sameFrozen(r, start Ref) bool {
	f := t.rt.frozenAt(r)
	return f != nil && f.start == start.Handle
}
