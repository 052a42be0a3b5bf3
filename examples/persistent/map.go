package main

import (
	"fmt"

	rt "github.com/ichor-go/ichor/runtime"
)

// A map is a treap: a search tree by keys, in which each node has a higher priority
// than the nodes below it. A priority is a hash of the key. So equal sets of keys have
// trees of the same shape, and the trees of most sets are low. Nodes never change. An
// empty tree is None.

// Words of a node's body. The slots come last, as rt.CopySlots requires.
const (
	nodeKey   = 0
	nodeLeft  = 1
	nodeRight = 2
	nodeValue = 3
	nodeWords = 4
)

var nodeType = func() *rt.Type {
	y, err := rt.DefineType(rt.Type{
		Name:  "persistent map node",
		Slots: func(_ rt.Heap, o rt.Body) (rt.Body, int, int) { return o, nodeLeft, nodeWords - nodeLeft },
		Freezing: &rt.Freezing{
			Layout:    "key, left, right, value",
			Copy:      rt.CopySlots,
			Check:     rt.CheckSlots(nodeWords),
			CheckDeep: checkChildren,
		},
	})
	if err != nil {
		panic(err)
	}
	return y
}()

// checkChildren refuses an image in which a child is not a node, or has a higher priority than the
// node above it. So the nodes of an image that is opened lead in no circle.
func checkChildren(k *rt.Check) error {
	t := k.Reader()
	node := t.TypeOf(k.Object()).ID()
	for _, i := range []int{nodeLeft, nodeRight} {
		child := k.Ref(i)
		if child == rt.None {
			continue
		}
		o, ok := t.Object(child, node)
		if !ok {
			return fmt.Errorf("word %d does not lead to a node", i)
		}
		if !above(k.Body().Word(nodeKey), o.Word(nodeKey)) {
			return fmt.Errorf("word %d leads to a node of higher priority", i)
		}
	}
	return nil
}

// Map is an immutable map from keys to references. Set and Delete return a new map,
// which shares all nodes with the old one except those on the path to the key. Any
// number of threads may use it concurrently, without a lock.
type Map rt.Ref

// Empty has no keys. It is immortal.
var Empty = Map(rt.None)

// node is a copy of a node's contents. Its references are borrowed from the map.
type node struct {
	key                uint32
	left, right, value rt.Ref
}

// look returns the contents of node r.
func look(t *rt.Thread, r rt.Ref) node {
	o, ok := t.Object(r, nodeType.ID())
	if !ok {
		panic(fmt.Sprintf("not a persistent map: %s", r))
	}
	return node{o.Word(nodeKey), t.Slot(r, o, nodeLeft), t.Slot(r, o, nodeRight), t.Slot(r, o, nodeValue)}
}

// make returns a new reference to a new node with the contents n.
func (n node) make(t *rt.Thread) (rt.Ref, error) {
	r, o, err := t.New(nodeType, 4*nodeWords)
	if err != nil {
		return rt.Nil, err
	}
	o.SetWord(nodeKey, n.key)
	for i, v := range []rt.Ref{n.left, n.right, n.value} {
		t.IncRef(v)
		o.SetRef(nodeLeft+i, v)
	}
	return r, nil
}

// above reports whether a node with key a has a higher priority than one with key b.
// The multiplier is odd, so no two keys have the same priority.
func above(a, b uint32) bool { return a*2654435761 > b*2654435761 }

// Get returns a new reference to the value of a key, or Nil if there is none. Attached
// thread.
func (m Map) Get(t *rt.Thread, key uint32) rt.Ref {
	for r := m; r != rt.None; {
		n := look(t, r)
		switch {
		case key < n.key:
			r = n.left
		case key > n.key:
			r = n.right
		default:
			t.IncRef(n.value)
			return n.value
		}
	}
	return rt.Nil
}

// Len returns the number of keys. Attached thread.
func (m Map) Len(t *rt.Thread) int {
	if m == Empty {
		return 0
	}
	n := look(t, m)
	return Map(n.left).Len(t) + 1 + Map(n.right).Len(t)
}

// Set returns a new reference to a map like m, except that the key has the value v.
// Attached thread.
func (m Map) Set(t *rt.Thread, key uint32, v rt.Ref) (rt.Ref, error) {
	if m == Empty {
		return node{key, rt.None, rt.None, v}.make(t)
	}
	n := look(t, m)
	switch {
	case key < n.key:
		return n.with(t, &n.left, func(child Map) (rt.Ref, error) { return child.Set(t, key, v) })
	case key > n.key:
		return n.with(t, &n.right, func(child Map) (rt.Ref, error) { return child.Set(t, key, v) })
	}
	n.value = v
	return n.make(t)
}

// Delete returns a new reference to a map like m without the key. Attached thread.
func (m Map) Delete(t *rt.Thread, key uint32) (rt.Ref, error) {
	if m == Empty {
		return rt.None, nil
	}
	n := look(t, m)
	switch {
	case key < n.key:
		return n.with(t, &n.left, func(child Map) (rt.Ref, error) { return child.Delete(t, key) })
	case key > n.key:
		return n.with(t, &n.right, func(child Map) (rt.Ref, error) { return child.Delete(t, key) })
	}
	return join(t, n.left, n.right)
}

// with returns a new reference to a node like n, in which change has replaced one
// child. If that has a higher priority than n, it becomes the parent of n. n is the
// caller's copy.
func (n *node) with(t *rt.Thread, child *rt.Ref, change func(Map) (rt.Ref, error)) (rt.Ref, error) {
	c, err := change(Map(*child))
	if err != nil {
		return rt.Nil, err
	}
	defer t.DecRef(c)
	*child = c
	if c == rt.None {
		return n.make(t)
	}
	top := look(t, c)
	if above(n.key, top.key) {
		return n.make(t)
	}
	inner := &top.right // the subtree between the two keys changes its parent
	if top.key > n.key {
		inner = &top.left
	}
	*child = *inner
	low, err := n.make(t)
	if err != nil {
		return rt.Nil, err
	}
	defer t.DecRef(low)
	*inner = low
	return top.make(t)
}

// join returns a new reference to the union of two trees. All keys of the left one are
// lower.
func join(t *rt.Thread, left, right rt.Ref) (rt.Ref, error) {
	switch {
	case left == rt.None:
		t.IncRef(right)
		return right, nil
	case right == rt.None:
		t.IncRef(left)
		return left, nil
	}
	l, r := look(t, left), look(t, right)
	top, child, a, b := &l, &l.right, l.right, right
	if above(r.key, l.key) {
		top, child, a, b = &r, &r.left, left, r.left
	}
	c, err := join(t, a, b)
	if err != nil {
		return rt.Nil, err
	}
	defer t.DecRef(c)
	*child = c
	return top.make(t)
}
