package machine

import (
	"slices"
	"sync"
)

// Shared is what the machines of a program share: containers, and a mailbox.
type Shared[V comparable] struct {
	roots [Roots]V // a list, a dict, a record and a node
	box   mailbox[V]
}

// NewShared makes the containers in d. n is the serial of the node among them.
func NewShared[V comparable](d Domain[V], n Serial) *Shared[V] {
	var none [Fields]V
	for i := range none {
		none[i] = d.Leaf(Singleton, 0)
	}
	return &Shared[V]{roots: [Roots]V{d.List(rootLevel, nil), d.Dict(rootLevel), d.Record(rootLevel, none), d.Node(n, rootLevel, none)}}
}

// maxMail bounds the values in a mailbox.
const maxMail = 16

// mailbox passes values from machine to machine.
type mailbox[V comparable] struct {
	mu    sync.Mutex
	items []V
}

// put reports whether the mailbox has taken v. It then owns v.
func (b *mailbox[V]) put(v V) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.items) >= maxMail {
		return false
	}
	b.items = append(b.items, v)
	return true
}

// take hands the oldest value over to the caller.
func (b *mailbox[V]) take() (v V, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.items) == 0 {
		return v, false
	}
	v = b.items[0]
	b.items = b.items[1:]
	return v, true
}

// all returns the values that the mailbox owns.
func (b *mailbox[V]) all() []V {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.items)
}
