package traffic

import (
	"github.com/ichor-go/ichor/objects"
	"github.com/ichor-go/ichor/proptest/internal/heap"
	"github.com/ichor-go/ichor/proptest/internal/property"
	rt "github.com/ichor-go/ichor/runtime"
)

// dealer runs a program on one thread.
type dealer struct {
	*heap.Heap
	*yard
	list objects.List // its own; the yard's list is shared
	ops  int64        // operations on immortals so far
	hand []rt.Ref     // the objects of the current step
}

func newDealer(h *heap.Heap, y *yard) *dealer {
	return &dealer{Heap: h, yard: y, list: property.Must(objects.NewList(h.Thread))}
}

func (d *dealer) close() { d.Thread.DecRef(d.list) }

// work runs the program until it has performed its quota of operations.
func (d *dealer) work(program []step) {
	for round := 0; d.ops < d.quota; round++ {
		for _, s := range program {
			if s.code < opImmortalize || round%seldom == 0 {
				d.deal(s)
				d.step(s)
			}
		}
		d.ops++ // so that the loop ends
		d.Thread.Checkpoint()
	}
}

// deal fills the hand for a step: mostly still objects, now and then frozen ones, and
// immortals without an object, such as small integers.
func (d *dealer) deal(s step) {
	d.hand = d.hand[:0]
	for i := range int(s.n) {
		r := d.still[(int(s.at)+i)%len(d.still)]
		switch i % 16 {
		case 13:
			r = d.frozen[i%len(d.frozen)]
		case 14:
			r, _ = rt.Int(int64(i))
		case 15:
			r = [2]rt.Ref{rt.None, rt.True}[i/16%2]
		}
		d.hand = append(d.hand, r)
	}
}

// did counts so many operations on each object of the hand.
func (d *dealer) did(each int) { d.ops += int64(each * len(d.hand)) }

// step performs a step on the hand.
func (d *dealer) step(s step) {
	t := d.Thread
	switch s.code {
	case opCount:
		for _, r := range d.hand {
			t.IncRef(r)
		}
		for _, r := range d.hand {
			t.DecRef(r)
		}
		d.did(2)
	case opSlices:
		t.IncRefs(d.hand)
		t.DecRefs(d.hand)
		d.did(2)
	case opTry:
		for _, r := range d.hand {
			if !t.TryIncRef(r) {
				panic(property.Alive.Broken("an immortal is dead"))
			}
			t.DecRef(r)
		}
		d.did(2)
	case opScope:
		property.Check(t.Scope(func(s *rt.Scope) {
			for _, r := range d.hand {
				s.Own(s.Keep(r), nil)
			}
		}))
		d.did(2)
	case opTuple:
		t.DecRef(property.Must(objects.NewTuple(t, d.hand...)))
		d.did(2)
	case opList:
		d.fill(int(s.at))
	case opDict:
		d.enter(s)
	case opShared:
		for i, r := range d.hand {
			property.Check(d.yard.list.Set(t, (int(s.at)+i)%64, r))
			borrowed, _ := d.yard.list.At(t, i)
			t.IncRef(borrowed)
			t.DecRef(borrowed)
			old := property.Must(d.cell.Swap(t, r))
			property.Must(d.cell.CompareAndSwap(t, r, old))
			t.DecRef(old)
		}
		d.did(7)
	case opSend:
		for _, r := range d.hand {
			t.IncRef(r)
			select {
			case d.box <- r:
			default:
				t.DecRef(r)
			}
			select {
			case r := <-d.box:
				t.DecRef(r)
			default:
			}
		}
		d.did(2)
	case opRead:
		d.read()
	case opWeak:
		for _, r := range d.hand {
			if r.IsInt() {
				continue
			}
			w := property.Must(objects.NewWeak(t, r))
			if got, ok := w.Get(t); !ok || got != r {
				panic(property.Alive.Broken("a weak reference has lost an immortal"))
			}
			t.DecRef(r)
			t.DecRef(w)
		}
		d.did(3)
	case opChange:
		d.change(s)
	case opLook:
		for _, r := range d.hand[:min(4, len(d.hand))] {
			objects.Format(t, r)
		}
		d.ops += 4
	case opCheckpoint:
		t.Checkpoint()
	default:
		d.slow(s)
	}
}

// fill puts the hand into a list, and removes it in one of three ways.
func (d *dealer) fill(how int) {
	for _, r := range d.hand {
		property.Check(d.list.Append(d.Thread, r))
	}
	for i, r := range d.hand {
		property.Check(d.list.Set(d.Thread, len(d.hand)-1-i, r))
	}
	switch how % 3 {
	case 0:
		property.Check(d.list.Clear(d.Thread))
	case 1:
		for range d.hand {
			d.Thread.DecRef(property.Must(d.list.Pop(d.Thread)))
		}
	default:
		old := d.list
		d.list = property.Must(objects.NewList(d.Thread))
		d.Thread.DecRef(old)
	}
	d.did(4)
}

// enter uses immortals as keys and values of a dict that all threads share.
func (d *dealer) enter(s step) {
	for i, r := range d.hand {
		key := d.text[(int(s.at)+i)%len(d.text)]
		property.Check(d.table.Set(d.Thread, key, r))
		if v, ok := d.table.Lookup(d.Thread, key); ok {
			d.Thread.IncRef(v)
			d.Thread.DecRef(v)
		}
		if i%2 == 0 {
			property.Must(d.table.Delete(d.Thread, key))
		}
	}
	d.did(6)
}

// read reads each object of the hand by the calls of its type.
func (d *dealer) read() {
	t := d.Thread
	for _, r := range d.hand {
		var v rt.Ref
		switch y := t.TypeOf(r); y.ID() {
		case rt.TypeTuple:
			v, _ = objects.Tuple(r).At(t, 0)
		case rt.TypeList:
			v, _ = objects.List(r).At(t, 0)
		case rt.TypeCell:
			v, _ = objects.Cell(r).At(t)
		case rt.TypeWeak:
			v, _ = objects.Weak(r).Get(t) // an immortal needs no DecRef
		case rt.TypeDict:
			objects.Dict(r).Has(t, r)
			v, _ = objects.Dict(r).Lookup(t, d.text[0])
		case rt.TypeString:
			objects.String(r).View(t)
			property.Must(objects.Hash(t, r))
		case rt.TypeBytes:
			objects.Bytes(r).View(t)
		case rt.TypeForeign:
			objects.Foreign(r).Value(t)
		case tract.ID():
			v, _ = objects.Record(r).At(t, 5)
		}
		t.IncRef(v)
		t.DecRef(v)
	}
	d.did(3)
}

// change stores to the contents of immortal records: other immortals, and mortals, whose
// counts the record gives up.
func (d *dealer) change(s step) {
	for i, v := range d.hand {
		r := d.changing[(int(s.at)+i)%len(d.changing)]
		property.Check(objects.Record(r).Set(d.Thread, i%len(tract.Fields()), v))
		property.Check(objects.Record(r).Set(d.Thread, (i+1)%len(tract.Fields()), d.control))
		v, _ := objects.Record(r).At(d.Thread, i%len(tract.Fields()))
		d.Thread.IncRef(v)
		d.Thread.DecRef(v)
		d.Thread.IncRef(r)
		d.Thread.DecRef(r)
	}
	d.did(6)
}

// slow performs one of the slow steps.
func (d *dealer) slow(s step) {
	switch s.code {
	case opImmortalize:
		property.Check(d.Thread.Immortalize(d.hand...))
		d.did(1)
	case opFreeze:
		tuple := property.Must(objects.NewTuple(d.Thread, d.text[:s.n]...))
		f := property.Must(d.Thread.Freeze(tuple))
		d.Thread.DecRef(tuple)
		property.Check(d.Thread.Unload(f))
		d.ops += int64(s.n)
	case opCollect:
		d.Thread.Collect()
		d.Sample()
	case opLeave:
		d.Leave()
	}
}
