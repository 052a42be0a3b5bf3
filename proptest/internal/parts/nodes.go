package parts

import (
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
	nodeType = Must(rt.DefineType(rt.Type{
		Name:    "proptest node",
		Mutable: true,
		Traverse: func(_ rt.Heap, o rt.Body, visit func(rt.Ref)) {
			for i := range fields {
				visit(o.LoadRef(nodeFields + i))
			}
		},
		Finalize: func(t *rt.Thread, r rt.Ref) { sessionOf(t).finalize(t, r) },
		Drop:     func(t *rt.Thread, _ rt.Ref, o rt.Body) { sessionOf(t).nodes.dropped(serial(o.Word(nodeSerial))) },
	}))
}

// sessions has the session of each runtime, for finalizers.
var sessions = xsync.NewMapOf[*rt.Runtime, *session]()

func sessionOf(t *rt.Thread) *session {
	s, _ := sessions.Load(t.Runtime())
	return s
}

// dawdles reports whether the finalizer of a node has a safe point.
func dawdles(n serial) bool { return n.number()%5 == 2 }

// finalize is the finalizer of nodes. It checks that the node and its children are intact.
func (s *session) finalize(t *rt.Thread, r rt.Ref) {
	defer func() {
		if p := recover(); p != nil {
			s.nodes.failed(failureOf(p))
		}
	}()
	h := s.heap(t)
	v := h.found(r)
	for _, x := range h.children(v) {
		h.found(x)
	}
	n := v.o.serial
	if s.nodes.finalize(n, v) {
		t.IncRef(r)
	}
	if dawdles(n) {
		t.Checkpoint()
		h.verify(v)
	}
}

// The calls of heap that work on nodes.

func (h *heap) node(n serial, level int, values [fields]handle) handle {
	r, o, err := h.t.New(nodeType, 4*(nodeFields+fields))
	Check(err)
	h.s.nodes.born(n)
	o.SetWord(nodeSerial, uint32(n))
	for i, v := range values {
		h.verify(v)
		h.t.IncRef(v.ref)
		o.StoreRef(nodeFields+i, v.ref)
	}
	v := h.bornHere(r, aNode, level)
	v.o.serial = n
	if h.birth != nil {
		h.birth = append(h.birth, n)
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

// settle reaches enough safe points for everything that the thread has dropped to be
// released and finalized, unless another thread holds it up. A finalizer may hold the last
// reference to the next node, whose death is then due at the following safe point.
func (h *heap) settle() {
	h.epoch++
	for quiet := 0; quiet < 3; quiet++ {
		before := h.s.nodes.called()
		if h.t.Checkpoint(); h.s.nodes.called() != before {
			quiet = -1
		}
	}
	h.s.nodes.check()
}

func (h *heap) collect() (seen string) {
	h.epoch++
	h.alone(func() {
		c := h.t.Collect()
		finalized, left := h.s.nodes.news()
		seen = collectionText(c.Finalized, finalized, left)
	})
	h.s.nodes.check()
	return seen
}

func (h *heap) rescued() (handle, bool) {
	h.settle()
	return h.s.nodes.take(0)
}
