package proptest

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/puzpuzpuz/xsync/v3"

	rt "github.com/ichor-go/ichor/runtime"
)

// Words of a node's body.
const (
	nodeSerial = 0
	nodeFields = 1
)

// nodeType is the type of nodes. A node has as many fields as a record, which may hold
// anything, and a finalizer that may resurrect it.
var nodeType *rt.Type

func init() { // its functions refer to it
	nodeType = must(rt.DefineType(rt.Type{
		Name:    "proptest node",
		Mutable: true,
		Traverse: func(_ rt.Heap, o rt.Body, visit func(rt.Ref)) {
			for i := range fields {
				visit(o.LoadRef(nodeFields + i))
			}
		},
		Finalize: func(t *rt.Thread, r rt.Ref) { sessionOf(t).finalize(t, r) },
		Drop:     func(t *rt.Thread, _ rt.Ref, o rt.Body) { sessionOf(t).dropped(o.Word(nodeSerial)) },
	}))
}

// Nodes have serials. The upper half says which machine made the node; the top bit says
// that the machine is private to one program.
const (
	serialShift = 16
	serialMask  = 1<<serialShift - 1
	serialOwn   = 1 << 31
)

// resurrects reports whether the finalizer of a node keeps it.
func resurrects(serial uint32) bool { return serial&serialMask%4 == 3 }

// dawdles reports whether the finalizer of a node has a safe point.
func dawdles(serial uint32) bool { return serial&serialMask%5 == 2 }

// fate is what has happened to a node.
type fate struct {
	finalized, dropped int
	stillborn          bool // its birth failed: it dies without a finalizer
}

// census records the nodes of a session. Its bags hold the nodes that finalizers have
// kept: one for shared machines, one for private ones.
type census struct {
	mu      sync.Mutex
	fates   map[uint32]*fate
	bags    [2]map[uint32]handle
	changes int // number of changes of the bags
	over    bool
	late    []uint32 // nodes finalized since the last call of news
	calls   int      // number of finalizer calls
	broken  *failure // the first failure in a finalizer or a callback
}

var sessions = xsync.NewMapOf[*rt.Runtime, *session]()

func sessionOf(t *rt.Thread) *session {
	s, _ := sessions.Load(t.Runtime())
	return s
}

func bagOf(serial uint32) int { return int(serial >> 31) }

func (c *census) born(serial uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fates[serial] = &fate{}
}

// failed records a failure where code must not panic. The next check panics with
// it.
func (c *census) failed(f *failure) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken == nil {
		c.broken = f
	}
}

// finalize is the finalizer of nodes. It checks that the node and its children are
// intact.
func (s *session) finalize(t *rt.Thread, r rt.Ref) {
	h := s.heap(t)
	defer func() {
		if p := recover(); p != nil {
			if f, ok := p.(*failure); ok {
				s.nodes.failed(f)
			} else {
				s.nodes.failed(&failure{propAlive, fmt.Sprint(p)})
			}
		}
	}()
	v := h.found(r)
	for _, x := range h.children(v) {
		h.found(x)
	}
	serial := v.o.serial
	if s.nodes.finalize(serial, v) {
		t.IncRef(r)
	}
	if dawdles(serial) {
		t.Checkpoint()
		h.verify(v)
	}
}

// called returns the number of finalizer calls.
func (c *census) called() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls
}

// finalize records the call of a node's finalizer, and reports whether to keep the node.
func (c *census) finalize(serial uint32, v handle) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.fates[serial]
	f.finalized++
	c.calls++
	c.late = append(c.late, serial)
	if f.finalized > 1 || f.dropped > 0 {
		if c.broken == nil {
			c.broken = &failure{propFinal, fmt.Sprintf("node %d: %+v", serial, *f)}
		}
		return true // keep the node, or the finalizer might be called again and again
	}
	if !resurrects(serial) || c.over {
		return false
	}
	c.bags[bagOf(serial)][serial] = v
	c.changes++
	return true
}

// dropped records the death of a node.
func (s *session) dropped(serial uint32) {
	c := &s.nodes
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.fates[serial]
	if f.dropped++; f.dropped > 1 && c.broken == nil {
		c.broken = &failure{propFinal, fmt.Sprintf("node %d: %+v", serial, *f)}
	}
}

// check panics with the recorded failure, if there is one.
func (c *census) check() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken != nil {
		panic(c.broken)
	}
}

// take removes the node with the lowest serial from a bag, and gives its reference to the
// caller.
func (c *census) take(bag int) (handle, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := c.bags[bag]
	if len(b) == 0 {
		return handle{}, false
	}
	serial := slices.Min(slices.Collect(maps.Keys(b)))
	v := b[serial]
	delete(b, serial)
	c.changes++
	return v, true
}

// kept returns the contents of the bags, and how often the bags have changed.
func (c *census) kept() (vs []handle, changes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, b := range c.bags {
		vs = slices.AppendSeq(vs, maps.Values(b))
	}
	return vs, c.changes
}

// news returns the nodes finalized since the last call, and the number of nodes that
// have not been dropped.
func (c *census) news() (finalized []uint32, left int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	finalized, c.late = c.late, nil
	for _, f := range c.fates {
		if f.dropped == 0 {
			left++
		}
	}
	slices.Sort(finalized)
	return finalized, left
}

// close makes finalizers keep nothing from now on.
func (c *census) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
}

// judge checks the fates of all nodes. immortal has the serials of nodes that are
// immortal or held by an immortal; after Close there are none.
func (c *census) judge(immortal map[uint32]bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for serial, f := range c.fates {
		switch {
		case immortal[serial] && f.dropped > 0:
			panic(&failure{propAlive, fmt.Sprintf("node %d is held by an immortal: %+v", serial, *f)})
		case !immortal[serial] && f.dropped == 0:
			panic(&failure{propGarbage, fmt.Sprintf("node %d is left: %+v", serial, *f)})
		case !immortal[serial] && !f.stillborn && f.finalized != 1, f.finalized > 1, f.stillborn && f.finalized > 0:
			panic(&failure{propFinal, fmt.Sprintf("node %d: %+v", serial, *f)})
		}
	}
}

// buried demands, after Close, that every node was dropped once.
func (c *census) buried() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for serial, f := range c.fates {
		if f.dropped != 1 || f.finalized > 1 {
			return &failure{propFinal, fmt.Sprintf("node %d after Close: %+v", serial, *f)}
		}
	}
	return nil
}

// The calls of heap that work on nodes.

func (h *heap) node(serial uint32, level int, values [fields]handle) handle {
	r, o, err := h.t.New(nodeType, 4*(nodeFields+fields))
	if err != nil {
		panic(err)
	}
	h.nodes.born(serial)
	o.SetWord(nodeSerial, serial)
	for i, v := range values {
		h.verify(v)
		h.t.IncRef(v.ref)
		o.StoreRef(nodeFields+i, v.ref)
	}
	v := h.bornHere(r, aNode, level)
	v.o.serial = serial
	if h.birth != nil {
		h.birth = append(h.birth, serial)
	}
	return v
}

// nodeField returns a borrowed reference.
func (h *heap) nodeField(n handle, i int) rt.Ref { return h.t.Body(n.ref).LoadRef(nodeFields + i) }

func (h *heap) setNodeField(n handle, i int, v handle) {
	h.verify(n)
	h.t.IncRef(v.ref)
	h.t.Retire(h.t.Body(n.ref).SwapRef(nodeFields+i, v.ref))
}

// miscarried records that the nodes of a failed birth die without a finalizer.
func (c *census) miscarried(serials []uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range serials {
		c.fates[n].stillborn = true
	}
}

// settle reaches enough safe points for everything that the thread has dropped to be
// released and finalized, unless another thread holds it up. A finalizer may hold the last
// reference to the next node, whose death is then due at the following safe point.
func (h *heap) settle() {
	h.epoch++
	for quiet := 0; quiet < 3; quiet++ {
		before := h.nodes.called()
		if h.t.Checkpoint(); h.nodes.called() != before {
			quiet = -1
		}
	}
	h.nodes.check()
}

func (h *heap) collect() (seen string) {
	h.epoch++
	h.alone(func() {
		c := h.t.Collect()
		finalized, left := h.nodes.news()
		for i := range finalized {
			finalized[i] &= serialMask
		}
		seen = collectText(c.Finalized, finalized, left)
	})
	h.nodes.check()
	return seen
}

// collectText describes the effects of a collection and of the deaths before it.
func collectText(garbage int, finalized []uint32, left int) string {
	return fmt.Sprintf("%d of garbage, finalized %v, left %d", garbage, finalized, left)
}

func (h *heap) rescued() (handle, bool) {
	h.settle()
	return h.nodes.take(0)
}
