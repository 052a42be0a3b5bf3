package heap

import (
	"github.com/puzpuzpuz/xsync/v3"

	"github.com/ichor-go/ichor/proptest/internal/machine"
	"github.com/ichor-go/ichor/proptest/internal/property"
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
	nodeType = property.Must(rt.DefineType(rt.Type{
		Name:    "proptest node",
		Mutable: true,
		Traverse: func(_ rt.Heap, o rt.Body, visit func(rt.Ref)) {
			for i := range machine.Fields {
				visit(o.LoadRef(nodeFields + i))
			}
		},
		Finalize: func(t *rt.Thread, r rt.Ref) { sessionOf(t).finalize(t, r) },
		Drop: func(t *rt.Thread, _ rt.Ref, o rt.Body) {
			sessionOf(t).nodes.dropped(machine.Serial(o.Word(nodeSerial)))
		},
	}))
}

// sessions has the session of each runtime, for finalizers.
var sessions = xsync.NewMapOf[*rt.Runtime, *Session]()

// sessionOf returns the session of a thread.
func sessionOf(t *rt.Thread) *Session {
	s, _ := sessions.Load(t.Runtime())
	return s
}

// dawdles reports whether the finalizer of a node has a safe point.
func dawdles(n machine.Serial) bool { return n.Number()%5 == 2 }

// finalize is the finalizer of nodes. It checks that the node and its children are intact.
func (s *Session) finalize(t *rt.Thread, r rt.Ref) {
	defer func() {
		if p := recover(); p != nil {
			s.nodes.failed(property.FailureOf(p))
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

// The methods of machine.Domain that work on nodes.

func (h *Heap) Node(n machine.Serial, level int, values [machine.Fields]Handle) Handle {
	r, o, err := h.Thread.New(nodeType, 4*(nodeFields+machine.Fields))
	property.Check(err)
	h.s.nodes.born(n)
	o.SetWord(nodeSerial, uint32(n))
	for i, v := range values {
		h.verify(v)
		h.Thread.IncRef(v.ref)
		o.StoreRef(nodeFields+i, v.ref)
	}
	v := h.bornHere(r, machine.Node, level)
	v.o.serial = n
	if h.birth != nil {
		h.birth = append(h.birth, n)
	}
	return v
}

// nodeField returns a borrowed reference.
func (h *Heap) nodeField(n Handle, i int) rt.Ref { return h.Thread.Body(n.ref).LoadRef(nodeFields + i) }

// setNodeField stores v, which it borrows.
func (h *Heap) setNodeField(n Handle, i int, v Handle) {
	h.verify(n)
	h.Thread.IncRef(v.ref)
	h.Thread.Retire(h.Thread.Body(n.ref).SwapRef(nodeFields+i, v.ref))
}

// settle reaches enough safe points for everything that the thread has dropped to be
// released and finalized, unless another thread holds it up. A finalizer may hold the last
// reference to the next node, whose death is then due at the following safe point.
func (h *Heap) settle() {
	h.epoch++
	for quiet := 0; quiet < 3; quiet++ {
		before := h.s.nodes.called()
		if h.Thread.Checkpoint(); h.s.nodes.called() != before {
			quiet = -1
		}
	}
	h.s.nodes.check()
}

func (h *Heap) Collect() (seen string) {
	h.epoch++
	h.Alone(func() {
		c := h.Thread.Collect()
		finalized, left := h.s.nodes.news()
		seen = machine.CollectionText(c.Finalized, finalized, left)
	})
	h.s.nodes.check()
	return seen
}

func (h *Heap) Rescued() (Handle, bool) {
	h.settle()
	return h.s.nodes.take(0)
}
