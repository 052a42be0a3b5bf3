package parts

import "fmt"

// The operations of a machine on lists and dicts, and the rare ones.

func (m *machine[V]) doList(o op) string {
	d := m.d
	v := m.value(o.b, maxLevel)
	l := m.container(o.a, aList, d.level(v))
	switch o.code {
	case opAppend:
		switch {
		case o.n%4 == 1 && m.regs[o.b%regs] == v: // move the register's reference
			e := d.append(l, v, true)
			if e == fine {
				m.regs[o.b%regs] = *new(V)
			}
			return string(e)
		case o.n%4 > 1: // an object that nothing else holds
			x := d.leaf(bigInt+o.b%3, o.n)
			e := d.append(l, x, true)
			if e != fine {
				d.drop(x)
			}
			return string(e)
		}
		return string(d.append(l, v, false))
	case opSet:
		return string(d.setItem(l, index(o.n, d.length(l)), v))
	case opInsert:
		return string(d.insert(l, index(o.n, d.length(l)), v))
	case opGet:
		return m.got(o.b)(d.getItem(l, index(o.n, d.length(l))))
	case opPop:
		seen := m.got(o.b)(d.pop(l))
		if o.n%2 == 1 && seen != string(isEmpty) && seen != string(isFrozen) {
			m.set(o.b, *new(V))
		}
		return seen
	case opPopFirst:
		return m.got(o.b)(d.popFirst(l))
	case opRemove:
		return string(d.remove(l, index(o.n, d.length(l))))
	case opClear:
		if o.n%4 == 1 {
			d.clear(l)
		}
	case opExtend:
		from := m.container(o.b, aList, 0)
		if d.level(from) <= d.level(l) && d.length(from)+d.length(l) <= maxItems {
			d.extend(l, from)
		}
	case opFill:
		if n := 2 * int(o.n); d.length(l)+n <= maxFilled {
			for range n {
				d.append(l, v, false)
			}
		}
	}
	return fmt.Sprint(d.length(l))
}

func (m *machine[V]) doDict(o op) (seen string) {
	d := m.d
	v := m.value(o.b, maxLevel)
	dict := m.container(o.a, aDict, d.level(v))
	m.withKey(o, d.level(dict), func(key V) {
		switch o.code {
		case opPut:
			if o.n%8 != 1 || m.regs[o.b%regs] != v {
				seen = string(d.put(dict, key, v, false))
				return
			}
			e := d.put(dict, key, v, true)
			if e == fine {
				m.regs[o.b%regs] = *new(V)
			}
			seen = string(e)
		case opLookup:
			seen = m.got(o.b)(d.lookup(dict, key))
		case opDelete:
			ok, e := d.deleteKey(dict, key)
			seen = fmt.Sprint(ok, e)
		case opTake:
			seen = m.got(o.b)(d.take(dict, key))
		case opLoadOrStore:
			seen = m.gotIf(o.b)(d.loadOrStore(dict, key, v))
		case opLoadDelete:
			seen = m.gotIf(o.b)(d.loadDelete(dict, key))
		case opSwapKey:
			seen = m.gotIf(o.b)(d.swapKey(dict, key, v))
		case opCASKey, opDeleteIf:
			now, e := d.lookup(dict, key)
			if e != fine {
				now = d.copy(v)
			}
			var done bool
			if old := m.expected(o.n/8, now); o.code == opCASKey {
				done, e = d.casKey(dict, key, old, v)
			} else {
				done, e = d.deleteIf(dict, key, old)
			}
			d.drop(now)
			seen = fmt.Sprint(done, e)
		}
	})
	switch o.code {
	case opPopOldest:
		key, v, e := d.popOldest(dict)
		if e != fine {
			return string(e)
		}
		seen = d.render(key) + m.got(o.b)(v, e)
		d.drop(key)
	case opEmpty:
		if o.n%4 == 1 {
			d.clear(dict)
		}
	case opUpdate:
		from := m.container(o.b, aDict, 0)
		if d.level(from) <= d.level(dict) && d.length(from)+d.length(dict) <= maxItems {
			d.extend(dict, from)
		}
	case opFillDict:
		if d.length(dict)+int(o.n) <= maxFilled {
			for i := range o.n {
				key := d.leaf([...]uint8{smallInt, aFloat, someBytes}[o.b%3], i)
				d.put(dict, key, v, false)
				d.drop(key)
			}
		}
	}
	return seen + fmt.Sprint(" ", d.length(dict))
}

// doNode runs the operations on nodes and weak references, and those that hand objects over.
func (m *machine[V]) doNode(o op) string {
	d := m.d
	isNode := func(v V) bool { return d.kind(v) == aNode }
	switch o.code {
	case opNode:
		m.set(o.a, m.node(m.value(o.b, maxLevel), m.value(o.b+1, maxLevel), m.value(o.n, maxLevel)))
	case opLink:
		n, _ := m.pick(o.a, isNode)
		d.setField(n, int(o.n)%fields, m.value(o.b, maxLevel))
	case opGetLink:
		n, _ := m.pick(o.a, isNode)
		m.set(o.b, d.getField(n, int(o.n)%fields))
		return d.render(m.regs[o.b%regs])
	case opRing:
		m.set(o.a, m.ring(m.value(o.b, maxLevel), 1+int(o.n/2)%8))
		if o.n%2 == 0 {
			m.set(o.a, *new(V))
		}
	case opHerd:
		n, text := m.ring(m.value(o.b, maxLevel), herd), d.leaf(bigText, o.n)
		d.setField(n, 2, text)
		d.drop(text)
		if m.set(o.a, n); o.n%2 == 0 {
			m.set(o.a, *new(V))
		}
	case opWeak:
		m.set(o.a, d.weak(m.value(o.b, maxLevel)))
	case opFollow:
		if w, ok := m.pick(o.a, func(v V) bool { return d.kind(v) == aWeak }); ok {
			return m.revealed(o.b)(d.follow(w))
		}
	case opCollect:
		return d.collect()
	case opRescue:
		return m.revealed(o.a)(d.rescued())
	case opSend:
		if r := &m.regs[o.a%regs]; *r != *new(V) && m.shared.box.put(*r) {
			*r = *new(V)
		}
	case opReceive:
		return m.revealed(o.a)(m.shared.box.take())
	case opLeave:
		d.leave()
	}
	return ""
}

// revealed returns a function that puts a value, if there is one, into register i and
// returns the observation.
func (m *machine[V]) revealed(i uint8) func(v V, ok bool) string {
	return func(v V, ok bool) string {
		if !ok {
			return "nothing"
		}
		m.set(i, v)
		return m.d.render(v)
	}
}

func (m *machine[V]) node(values ...V) V {
	m.last++
	return m.d.node(m.last, nodeLevel, [fields]V(values))
}

// ring makes n nodes that refer to each other, to themselves and to v, and returns
// one of them.
func (m *machine[V]) ring(v V, n int) V {
	d := m.d
	first := m.node(v, v, v)
	last := d.copy(first)
	for range n - 1 {
		next := m.node(first, v, v)
		d.setField(last, 0, next)
		d.setField(last, 1, last)
		d.drop(last)
		last = next
	}
	d.setField(last, 0, first)
	d.drop(last)
	return first
}

func (m *machine[V]) doRare(o op) string {
	d := m.d
	anything := func(V) bool { return true }
	switch o.code {
	case opDocument:
		m.set(o.a, d.document(o.n, o.b%4 == 0))
	case opBorn, opMiscarry:
		v := m.value(o.b, maxLevel-2)
		w := d.born(func() V { return m.litter(v, o.n) }, o.code == opMiscarry)
		if o.code == opBorn {
			m.set(o.a, w)
		}
	case opImmortalise:
		d.immortalise(m.value(o.a, maxLevel))
	case opFreeze:
		if v, ok := m.pick(o.a, func(v V) bool { return d.kind(v) != aNode && d.kind(v) != aWeak || o.n%8 == 0 }); ok {
			return m.got(o.b)(d.freeze(v, o.n%2 == 1))
		}
	case opState:
		v, _ := m.pick(o.a, anything)
		w, _ := m.pick(o.b, anything)
		// Not for tuples: a dead entry of a dict, unknown to the model, may have a tuple as
		// its key, which becomes immortal with the dict.
		return fmt.Sprint(d.kind(v) > aTuple && d.immortal(v), d.same(v, w))
	case opMistype:
		if v, _ := m.pick(o.a, anything); d.kind(v) != aList {
			return string(d.append(v, m.value(o.b, maxLevel), false))
		}
	case opIterate:
		if v, ok := m.pick(o.a, func(v V) bool { return d.kind(v) == aList || d.kind(v) == aDict }); ok {
			return d.iterate(v)
		}
	case opAudit:
		d.audit()
	}
	return ""
}

// litter makes a few values of every kind, around v. Its callers make births
// immortal.
func (m *machine[V]) litter(v V, n uint8) V {
	d := m.d
	level := d.level(v) + 1
	text, number := d.leaf(aString, n), d.leaf(bigInt, n)
	pair := d.tuple([]V{text, number})
	dict := d.dict(max(level, 2))
	d.put(dict, text, pair, false)
	d.put(dict, number, v, false)
	node := m.node(v, text, dict)
	d.setField(node, 1, node)
	list := d.list(max(level, 2)+1, []V{dict, text, v, node})
	for _, x := range []V{text, number, pair, dict, node} {
		d.drop(x)
	}
	return list
}
