package model

import "github.com/ichor-go/ichor/proptest/internal/machine"

func (m *domain) Freeze(v *value, _ bool) (*value, machine.Outcome) {
	m.epoch++
	copies := map[*value]*value{}
	w, ok := frozenCopy(v, copies)
	if !ok {
		return nil, machine.NotFreezable
	}
	for _, c := range copies {
		if c.kind > machine.Leaf {
			m.all = append(m.all, c)
		}
	}
	return w, machine.Fine
}

// frozenCopy returns a copy of v, and reports whether there can be one.
func frozenCopy(v *value, copies map[*value]*value) (*value, bool) {
	switch {
	case v == emptyTuple:
		return v, true
	case v.kind == machine.Node, v.kind == machine.Weak:
		return nil, false
	}
	if w, ok := copies[v]; ok {
		return w, true
	}
	w := &value{kind: v.kind, text: v.text, immortal: true, frozen: true}
	copies[v] = w
	level := 0
	for _, list := range []struct{ from, to *[]*value }{{&v.keys, &w.keys}, {&v.items, &w.items}} {
		for _, x := range *list.from {
			y, ok := frozenCopy(x, copies)
			if !ok {
				return nil, false
			}
			level = max(level, y.lvl)
			*list.to = append(*list.to, y)
		}
	}
	if w.kind > machine.Leaf {
		w.lvl = level + 1
	}
	return w, true
}
