package machine

import "fmt"

// The operations of a machine on lists, dicts and nodes, and the rare ones.

// doList runs the operations on lists.
func (m *Machine[V]) doList(o Op) string {
	d := m.d
	v := m.value(o.B, MaxLevel)
	l := m.container(o.A, List, d.Level(v))
	switch o.Code {
	case OpAppend:
		switch {
		case o.N%4 == 1 && m.regs[o.B%regs] == v: // move the register's reference
			e := d.Append(l, v, true)
			if e == Fine {
				m.regs[o.B%regs] = *new(V)
			}
			return string(e)
		case o.N%4 > 1: // an object that nothing else holds
			x := d.Leaf(BigInt+o.B%3, o.N)
			e := d.Append(l, x, true)
			if e != Fine {
				d.Drop(x)
			}
			return string(e)
		}
		return string(d.Append(l, v, false))
	case OpSet:
		return string(d.SetItem(l, index(o.N, d.Length(l)), v))
	case opInsert:
		return string(d.Insert(l, index(o.N, d.Length(l)), v))
	case OpGet:
		return m.got(o.B)(d.Item(l, index(o.N, d.Length(l))))
	case OpPop:
		seen := m.got(o.B)(d.Pop(l))
		if o.N%2 == 1 && seen != string(Empty) && seen != string(Frozen) {
			m.set(o.B, *new(V))
		}
		return seen
	case opPopFirst:
		return m.got(o.B)(d.PopFirst(l))
	case OpRemove:
		return string(d.Remove(l, index(o.N, d.Length(l))))
	case opClear:
		if o.N%4 == 1 {
			d.Clear(l)
		}
	case opExtend:
		from := m.container(o.B, List, 0)
		if d.Level(from) <= d.Level(l) && d.Length(from)+d.Length(l) <= MaxItems {
			d.Extend(l, from)
		}
	case opFill:
		if n := 2 * int(o.N); d.Length(l)+n <= maxFilled {
			for range n {
				d.Append(l, v, false)
			}
		}
	}
	return fmt.Sprint(d.Length(l))
}

// doDict runs the operations on dicts.
func (m *Machine[V]) doDict(o Op) (seen string) {
	d := m.d
	v := m.value(o.B, MaxLevel)
	dict := m.container(o.A, Dict, d.Level(v))
	m.withKey(o, d.Level(dict), func(key V) {
		switch o.Code {
		case OpPut:
			if o.N%8 != 1 || m.regs[o.B%regs] != v {
				seen = string(d.Put(dict, key, v, false))
				return
			}
			e := d.Put(dict, key, v, true)
			if e == Fine {
				m.regs[o.B%regs] = *new(V)
			}
			seen = string(e)
		case opLookup:
			seen = m.got(o.B)(d.Lookup(dict, key))
		case opDelete:
			ok, e := d.DeleteKey(dict, key)
			seen = fmt.Sprint(ok, e)
		case OpTake:
			seen = m.got(o.B)(d.Take(dict, key))
		case opLoadOrStore:
			seen = m.gotIf(o.B)(d.LoadOrStore(dict, key, v))
		case opLoadDelete:
			seen = m.gotIf(o.B)(d.LoadDelete(dict, key))
		case opSwapKey:
			seen = m.gotIf(o.B)(d.SwapKey(dict, key, v))
		case opCASKey, opDeleteIf:
			now, e := d.Lookup(dict, key)
			if e != Fine {
				now = d.Copy(v)
			}
			var done bool
			if old := m.expected(o.N/8, now); o.Code == opCASKey {
				done, e = d.CASKey(dict, key, old, v)
			} else {
				done, e = d.DeleteIf(dict, key, old)
			}
			d.Drop(now)
			seen = fmt.Sprint(done, e)
		}
	})
	switch o.Code {
	case opPopOldest:
		key, v, e := d.PopOldest(dict)
		if e != Fine {
			return string(e)
		}
		seen = d.Render(key) + m.got(o.B)(v, e)
		d.Drop(key)
	case opEmpty:
		if o.N%4 == 1 {
			d.Clear(dict)
		}
	case opUpdate:
		from := m.container(o.B, Dict, 0)
		if d.Level(from) <= d.Level(dict) && d.Length(from)+d.Length(dict) <= MaxItems {
			d.Extend(dict, from)
		}
	case opFillDict:
		if d.Length(dict)+int(o.N) <= maxFilled {
			for i := range o.N {
				key := d.Leaf([...]uint8{SmallInt, Float, Bytes}[o.B%3], i)
				d.Put(dict, key, v, false)
				d.Drop(key)
			}
		}
	}
	return seen + fmt.Sprint(" ", d.Length(dict))
}

// doNode runs the operations on nodes and weak references, and those that hand objects over.
func (m *Machine[V]) doNode(o Op) string {
	d := m.d
	isNode := func(v V) bool { return d.Kind(v) == Node }
	switch o.Code {
	case OpNode:
		m.set(o.A, m.node(m.value(o.B, MaxLevel), m.value(o.B+1, MaxLevel), m.value(o.N, MaxLevel)))
	case opLink:
		n, _ := m.pick(o.A, isNode)
		d.SetField(n, int(o.N)%Fields, m.value(o.B, MaxLevel))
	case opGetLink:
		n, _ := m.pick(o.A, isNode)
		m.set(o.B, d.Field(n, int(o.N)%Fields))
		return d.Render(m.regs[o.B%regs])
	case OpRing:
		m.set(o.A, m.ring(m.value(o.B, MaxLevel), 1+int(o.N/2)%8))
		if o.N%2 == 0 {
			m.set(o.A, *new(V))
		}
	case opHerd:
		n, text := m.ring(m.value(o.B, MaxLevel), herd), d.Leaf(BigText, o.N)
		d.SetField(n, 2, text)
		d.Drop(text)
		if m.set(o.A, n); o.N%2 == 0 {
			m.set(o.A, *new(V))
		}
	case OpWeak:
		m.set(o.A, d.Weak(m.value(o.B, MaxLevel)))
	case OpFollow:
		if w, ok := m.pick(o.A, func(v V) bool { return d.Kind(v) == Weak }); ok {
			return m.revealed(o.B)(d.Follow(w))
		}
	case OpCollect:
		return d.Collect()
	case OpRescue:
		return m.revealed(o.A)(d.Rescued())
	case OpSend:
		if r := &m.regs[o.A%regs]; *r != *new(V) && m.shared.box.put(*r) {
			*r = *new(V)
		}
	case OpReceive:
		return m.revealed(o.A)(m.shared.box.take())
	case OpLeave:
		d.Leave()
	}
	return ""
}

// revealed returns a function that puts a value, if there is one, into register i and
// returns the observation.
func (m *Machine[V]) revealed(i uint8) func(v V, ok bool) string {
	return func(v V, ok bool) string {
		if !ok {
			return "nothing"
		}
		m.set(i, v)
		return m.d.Render(v)
	}
}

// node makes a node with the next serial.
func (m *Machine[V]) node(values ...V) V {
	m.last++
	return m.d.Node(m.last, nodeLevel, [Fields]V(values))
}

// ring makes n nodes that refer to each other, to themselves and to v, and returns
// one of them.
func (m *Machine[V]) ring(v V, n int) V {
	d := m.d
	first := m.node(v, v, v)
	last := d.Copy(first)
	for range n - 1 {
		next := m.node(first, v, v)
		d.SetField(last, 0, next)
		d.SetField(last, 1, last)
		d.Drop(last)
		last = next
	}
	d.SetField(last, 0, first)
	d.Drop(last)
	return first
}

// doRare runs the operations that are not in frequent.
func (m *Machine[V]) doRare(o Op) string {
	d := m.d
	anything := func(V) bool { return true }
	switch o.Code {
	case opDocument:
		m.set(o.A, d.Document(o.N, o.B%4 == 0))
	case opBorn, opMiscarry:
		v := m.value(o.B, MaxLevel-2)
		w := d.Born(func() V { return m.litter(v, o.N) }, o.Code == opMiscarry)
		if o.Code == opBorn {
			m.set(o.A, w)
		}
	case opImmortalize:
		d.Immortalize(m.value(o.A, MaxLevel))
	case OpFreeze:
		if v, ok := m.pick(o.A, func(v V) bool { return d.Kind(v) != Node && d.Kind(v) != Weak || o.N%8 == 0 }); ok {
			return m.got(o.B)(d.Freeze(v, o.N%2 == 1))
		}
	case OpState:
		v, _ := m.pick(o.A, anything)
		w, _ := m.pick(o.B, anything)
		// Not for tuples: a dead entry of a dict, unknown to the model, may have a tuple as
		// its key, which becomes immortal with the dict.
		return fmt.Sprint(d.Kind(v) > Tuple && d.Immortal(v), d.Same(v, w))
	case opMistype:
		if v, _ := m.pick(o.A, anything); d.Kind(v) != List {
			return string(d.Append(v, m.value(o.B, MaxLevel), false))
		}
	case opIterate:
		if v, ok := m.pick(o.A, func(v V) bool { return d.Kind(v) == List || d.Kind(v) == Dict }); ok {
			return d.Iterate(v)
		}
	case OpAudit:
		d.Audit()
	}
	return ""
}

// litter makes a few values of every kind, around v. In a birth of immortals all of them are
// immortal.
func (m *Machine[V]) litter(v V, n uint8) V {
	d := m.d
	level := d.Level(v) + 1
	text, number := d.Leaf(String, n), d.Leaf(BigInt, n)
	pair := d.Tuple([]V{text, number})
	dict := d.Dict(max(level, 2))
	d.Put(dict, text, pair, false)
	d.Put(dict, number, v, false)
	node := m.node(v, text, dict)
	d.SetField(node, 1, node)
	list := d.List(max(level, 2)+1, []V{dict, text, v, node})
	for _, x := range []V{text, number, pair, dict, node} {
		d.Drop(x)
	}
	return list
}
