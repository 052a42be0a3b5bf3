package heap

import (
	"github.com/puzpuzpuz/xsync/v3"
	"go.uber.org/atomic"

	"github.com/ichor-go/ichor/proptest/internal/machine"
	rt "github.com/ichor-go/ichor/runtime"
)

// origin is what the program notes about a container at its birth.
type origin struct {
	kind  machine.Kind
	level int
	items []rt.Ref // of a tuple

	serial machine.Serial // of a node

	// Of a weak reference: its target, nil for a leaf; whether the model can tell when
	// the target dies; and how often the callback was called.
	target *origin
	unique bool
	calls  atomic.Int32
}

// Handle is a reference and, for a container, the origin that must be found there. If the object
// is freed while it is held, and another one is born in its place, the two differ.
type Handle struct {
	ref rt.Ref
	o   *origin // nil for a leaf
}

// refsOf returns the references of handles.
func refsOf(hs []Handle) []rt.Ref {
	var rs []rt.Ref
	for _, v := range hs {
		rs = append(rs, v.ref)
	}
	return rs
}

const originsPerPage = 1 << 12

// origins maps references to the origin of the last object born there. Its entries are read
// and written without synchronization, on purpose: only the runtime orders a birth before
// every use of the object, and if it does not, the race detector reports it.
type origins struct {
	pages *xsync.MapOf[rt.Handle, *[originsPerPage]*origin]
}

func newOrigins() origins {
	return origins{xsync.NewMapOf[rt.Handle, *[originsPerPage]*origin]()}
}

func (s origins) at(r rt.Ref) **origin {
	page, _ := s.pages.LoadOrCompute(r.Handle/originsPerPage, func() *[originsPerPage]*origin {
		return new([originsPerPage]*origin)
	})
	return &page[r.Handle%originsPerPage]
}
