package model

import (
	"cmp"
	"slices"

	"github.com/ichor-go/ichor/proptest/internal/machine"
)

// The model has no counts. It derives from reachability what counting frees and what the
// collector finds, and does so only when an operation asks for it. That can be late, because
// an unreachable value does not change. It needs a list of all containers that
// were born and have not died.
//
//	unreachable value                   fate
//	no other unreachable value          it has died by counting: a node is finalized, and may be
//	refers to it                        kept; if it is not, the values that it held are judged next
//	others refer to it, ultimately      it is garbage until a collection: all nodes of the garbage
//	in a cycle                          are finalized, then the reachable ones stay

// reachable returns all containers that are held by the program, immortal, or in the bag, and
// everything below them.
func (m *domain) reachable() map[*value]bool {
	reached := map[*value]bool{}
	for _, v := range machine.HeldBy(m.machine) {
		reach(reached, v)
	}
	for _, v := range m.bag {
		reach(reached, v)
	}
	for _, v := range m.all {
		if v.immortal {
			reach(reached, v)
		}
	}
	return reached
}

func reach(reached map[*value]bool, from *value) {
	for work := []*value{from}; len(work) > 0; {
		v := work[len(work)-1]
		work = work[:len(work)-1]
		if v != nil && v.kind > machine.Leaf && !reached[v] {
			reached[v] = true
			work = append(append(work, v.items...), v.keys...)
		}
	}
}

// settle ends the values that die by counting, and returns the reachable ones.
func (m *domain) settle() map[*value]bool {
	m.epoch++
	reached := m.reachable()
	refs := map[*value]int{}
	for _, v := range m.all {
		if !reached[v] {
			for _, x := range slices.Concat(v.items, v.keys) {
				refs[x]++
			}
		}
	}
	var dying []*value
	for _, v := range m.all {
		if !reached[v] && refs[v] == 0 {
			dying = append(dying, v)
		}
	}
	for len(dying) > 0 {
		v := dying[0]
		dying = dying[1:]
		v.lives++ // its weak references are emptied
		if m.finalize(v) {
			reach(reached, v)
			continue
		}
		v.dead = true
		for _, x := range slices.Concat(v.items, v.keys) {
			if refs[x]--; refs[x] == 0 && x.kind > machine.Leaf && !reached[x] && x != emptyTuple {
				dying = append(dying, x)
			}
		}
	}
	m.all = slices.DeleteFunc(m.all, func(v *value) bool { return v.dead })
	return reached
}

// finalize finalizes v if it is a node, and reports whether the finalizer keeps it.
func (m *domain) finalize(v *value) bool {
	if v.kind != machine.Node || v.finalized {
		return false
	}
	v.finalized = true
	m.late = append(m.late, v.serial)
	if !v.serial.Resurrects() {
		return false
	}
	m.bag = append(m.bag, v)
	return true
}

func (m *domain) Collect() string {
	reached := m.settle()
	before := len(m.late)
	for _, v := range m.all {
		if !reached[v] {
			v.lives++
			m.finalize(v)
		}
	}
	calls := len(m.late) - before
	reached = m.reachable()
	m.all = slices.DeleteFunc(m.all, func(v *value) bool {
		v.dead = !reached[v]
		return v.dead
	})
	finalized, left := m.late, 0
	m.late = nil
	slices.Sort(finalized)
	for _, v := range m.all {
		if v.kind == machine.Node {
			left++
		}
	}
	return machine.CollectionText(calls, finalized, left)
}

func (m *domain) Rescued() (*value, bool) {
	m.settle()
	if len(m.bag) == 0 {
		return nil, false
	}
	v := slices.MinFunc(m.bag, func(a, b *value) int { return cmp.Compare(a.serial, b.serial) })
	m.bag = slices.DeleteFunc(m.bag, func(x *value) bool { return x == v })
	return v, true
}

func (m *domain) Node(n machine.Serial, level int, values [machine.Fields]*value) *value {
	v := m.new(machine.Node, level, values[:]...)
	v.serial = n
	return v
}

func (m *domain) Weak(v *value) *value {
	w := m.new(machine.Weak, 0)
	if v.kind > machine.Tuple && v.kind != machine.Weak {
		w.target, w.life = v, v.lives
	}
	return w
}

func (m *domain) Follow(w *value) (*value, bool) {
	m.settle()
	if w.target == nil || w.target.lives != w.life {
		return nil, false
	}
	return w.target, true
}
