package proptest

import (
	"github.com/puzpuzpuz/xsync/v3"
	"go.uber.org/atomic"

	rt "github.com/ichor-go/ichor/runtime"
)

// origin is what the program knows of a container since its birth.
type origin struct {
	kind  kind
	level int
	items []rt.Ref // of a tuple

	serial uint32 // of a node

	// Of a weak reference: what it leads to, nil for a leaf; whether the model
	// knows when that dies; and how often its callback was called.
	target *origin
	unique bool
	calls  atomic.Int32
}

// handle is a reference, and for a container what must be found there. If the
// object is freed under a holder and another one is born in its place, the two
// no longer agree.
type handle struct {
	ref rt.Ref
	o   *origin // nil for a leaf
}

const originsPerPage = 1 << 12

// origins maps references to what was born there last. Its entries are read and
// written plainly, on purpose: a birth is ordered before every use of the
// object by the runtime alone, or the race detector says so.
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
