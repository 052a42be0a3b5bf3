package heap

import (
	"maps"
	"slices"
	"sync"

	"github.com/ichor-go/ichor/proptest/internal/machine"
	"github.com/ichor-go/ichor/proptest/internal/property"
)

// fate is what has happened to a node.
type fate struct {
	finalized, dropped int
	stillborn          bool // its birth failed: it dies without a finalizer
}

// census records the nodes of a session. Its bags hold the nodes that finalizers have kept: one
// those of machines that share, the other those of private machines.
type census struct {
	mu      sync.Mutex
	fates   map[machine.Serial]*fate
	bags    [2]map[machine.Serial]Handle
	changes int               // number of changes of the bags
	over    bool              // finalizers keep nothing
	late    []machine.Serial  // nodes finalized since the last call of news
	calls   int               // number of finalizer calls
	broken  *property.Failure // the first failure in a finalizer or a callback
}

func newCensus() *census {
	return &census{fates: map[machine.Serial]*fate{}, bags: [2]map[machine.Serial]Handle{{}, {}}}
}

// clone returns a census with the same nodes.
func (c *census) clone() *census {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := newCensus()
	for n, f := range c.fates {
		now := *f
		d.fates[n] = &now
	}
	for i, bag := range c.bags {
		d.bags[i] = maps.Clone(bag)
	}
	return d
}

// bagOf returns the index of a node's bag.
func bagOf(n machine.Serial) int {
	if n.IsPrivate() {
		return 1
	}
	return 0
}

// born records a birth.
func (c *census) born(n machine.Serial) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fates[n] = &fate{}
}

// failed records a failure where code must not panic. The next check panics with it.
func (c *census) failed(f *property.Failure) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken == nil {
		c.broken = f
	}
}

// called returns the number of finalizer calls.
func (c *census) called() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls
}

// finalize records the call of a node's finalizer, and reports whether to keep the node.
func (c *census) finalize(n machine.Serial, v Handle) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.fates[n]
	f.finalized++
	c.calls++
	c.late = append(c.late, n)
	if f.finalized > 1 || f.dropped > 0 {
		if c.broken == nil {
			c.broken = property.Final.Broken("node %d: %+v", n, *f)
		}
		return true // keep the node, or the finalizer might be called again and again
	}
	if !n.Resurrects() || c.over {
		return false
	}
	c.bags[bagOf(n)][n] = v
	c.changes++
	return true
}

// dropped records the death of a node.
func (c *census) dropped(n machine.Serial) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.fates[n]
	if f.dropped++; f.dropped > 1 && c.broken == nil {
		c.broken = property.Final.Broken("node %d: %+v", n, *f)
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
func (c *census) take(bag int) (Handle, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := c.bags[bag]
	if len(b) == 0 {
		return Handle{}, false
	}
	n := slices.Min(slices.Collect(maps.Keys(b)))
	v := b[n]
	delete(b, n)
	c.changes++
	return v, true
}

// kept returns the contents of the bags, and how often the bags have changed.
func (c *census) kept() (vs []Handle, changes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, b := range c.bags {
		vs = slices.AppendSeq(vs, maps.Values(b))
	}
	return vs, c.changes
}

// news returns the nodes finalized since the last call, and the number of nodes that
// have not been dropped.
func (c *census) news() (finalized []machine.Serial, left int) {
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

// judge checks the fates of all nodes, of which only those are left that are immortal or held by an
// immortal.
func (c *census) judge(immortal map[machine.Serial]bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for n, f := range c.fates {
		switch {
		case immortal[n] && f.dropped > 0:
			panic(property.Alive.Broken("node %d is held by an immortal: %+v", n, *f))
		case !immortal[n] && f.dropped == 0:
			panic(property.Garbage.Broken("node %d is left: %+v", n, *f))
		case !immortal[n] && !f.stillborn && f.finalized != 1, f.finalized > 1, f.stillborn && f.finalized > 0:
			panic(property.Final.Broken("node %d: %+v", n, *f))
		}
	}
}

// buried demands, after Close, that every node was dropped once.
func (c *census) buried() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for n, f := range c.fates {
		if f.dropped != 1 || f.finalized > 1 {
			return property.Final.Broken("node %d after Close: %+v", n, *f)
		}
	}
	return nil
}

// miscarried records that the nodes of a failed birth die without a finalizer.
func (c *census) miscarried(nodes []machine.Serial) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range nodes {
		c.fates[n].stillborn = true
	}
}
