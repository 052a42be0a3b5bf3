package parts

import (
	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// dealer runs a program of trafficSteps on one thread.
type dealer struct {
	*heap
	*yard
	list objects.List // its own; the yard's list is shared
	ops  int64        // operations on immortals so far
	hand []rt.Ref     // the objects of the current step
}

func newDealer(h *heap, y *yard) *dealer {
	return &dealer{heap: h, yard: y, list: Must(objects.NewList(h.t))}
}

func (d *dealer) close() { d.t.DecRef(d.list) }

// work runs the program until it has performed its quota of operations.
func (d *dealer) work(program []trafficStep) {
	for round := 0; d.ops < d.quota; round++ {
		for _, s := range program {
			if s.code < trafficImmortal || round%seldom == 0 {
				d.deal(s)
				d.step(s)
			}
		}
		d.ops++ // so that the loop ends
		d.t.Checkpoint()
	}
}

// deal fills the hand for a step: mostly still objects, now and then frozen ones, and
// immortals without an object, such as small integers.
func (d *dealer) deal(s trafficStep) {
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

func (d *dealer) step(s trafficStep) {
	t := d.t
	switch s.code {
	case trafficCount:
		for _, r := range d.hand {
			t.IncRef(r)
		}
		for _, r := range d.hand {
			t.DecRef(r)
		}
		d.did(2)
	case trafficSlices:
		t.IncRefs(d.hand)
		t.DecRefs(d.hand)
		d.did(2)
	case trafficTry:
		for _, r := range d.hand {
			if !t.TryIncRef(r) {
				panic(propAlive.broken("an immortal is dead"))
			}
			t.DecRef(r)
		}
		d.did(2)
	case trafficScope:
		Check(t.Scope(func(s *rt.Scope) {
			for _, r := range d.hand {
				s.Own(s.Keep(r), nil)
			}
		}))
		d.did(2)
	case trafficTuple:
		t.DecRef(Must(objects.NewTuple(t, d.hand...)))
		d.did(2)
	case trafficList:
		d.fill(int(s.at))
	case trafficDict:
		d.enter(s)
	case trafficShared:
		for i, r := range d.hand {
			Check(d.yard.list.Set(t, (int(s.at)+i)%64, r))
			borrowed, _ := d.yard.list.At(t, i)
			t.IncRef(borrowed)
			t.DecRef(borrowed)
			old := Must(d.cell.Swap(t, r))
			Must(d.cell.CompareAndSwap(t, r, old))
			t.DecRef(old)
		}
		d.did(7)
	case trafficSend:
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
	case trafficRead:
		d.read()
	case trafficWeak:
		for _, r := range d.hand {
			if r.IsInt() {
				continue
			}
			w := Must(objects.NewWeak(t, r))
			if got, ok := w.Get(t); !ok || got != r {
				panic(propAlive.broken("a weak reference has lost an immortal"))
			}
			t.DecRef(r)
			t.DecRef(w)
		}
		d.did(3)
	case trafficChange:
		d.change(s)
	case trafficLook:
		for _, r := range d.hand[:min(4, len(d.hand))] {
			objects.Format(t, r)
		}
		d.ops += 4
	case trafficCheckpoint:
		t.Checkpoint()
	default:
		d.slow(s)
	}
}

// fill puts the hand into a list, and removes it in one of three ways.
func (d *dealer) fill(how int) {
	for _, r := range d.hand {
		Check(d.list.Append(d.t, r))
	}
	for i, r := range d.hand {
		Check(d.list.Set(d.t, len(d.hand)-1-i, r))
	}
	switch how % 3 {
	case 0:
		Check(d.list.Clear(d.t))
	case 1:
		for range d.hand {
			d.t.DecRef(Must(d.list.Pop(d.t)))
		}
	default:
		old := d.list
		d.list = Must(objects.NewList(d.t))
		d.t.DecRef(old)
	}
	d.did(4)
}

// enter uses immortals as keys and values of a dict that all threads share.
func (d *dealer) enter(s trafficStep) {
	for i, r := range d.hand {
		key := d.text[(int(s.at)+i)%len(d.text)]
		Check(d.table.Set(d.t, key, r))
		if v, ok := d.table.Lookup(d.t, key); ok {
			d.t.IncRef(v)
			d.t.DecRef(v)
		}
		if i%2 == 0 {
			Must(d.table.Delete(d.t, key))
		}
	}
	d.did(6)
}

// read reads each object of the hand by the calls of its type.
func (d *dealer) read() {
	t := d.t
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
			Must(objects.Hash(t, r))
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
func (d *dealer) change(s trafficStep) {
	for i, v := range d.hand {
		r := d.changing[(int(s.at)+i)%len(d.changing)]
		Check(objects.Record(r).Set(d.t, i%len(tract.Fields()), v))
		Check(objects.Record(r).Set(d.t, (i+1)%len(tract.Fields()), d.control))
		v, _ := objects.Record(r).At(d.t, i%len(tract.Fields()))
		d.t.IncRef(v)
		d.t.DecRef(v)
		d.t.IncRef(r)
		d.t.DecRef(r)
	}
	d.did(6)
}

func (d *dealer) slow(s trafficStep) {
	switch s.code {
	case trafficImmortal:
		Check(d.t.Immortalize(d.hand...))
		d.did(1)
	case trafficFreeze:
		tuple := Must(objects.NewTuple(d.t, d.text[:s.n]...))
		f := Must(d.t.Freeze(tuple))
		d.t.DecRef(tuple)
		Check(d.t.Unload(f))
		d.ops += int64(s.n)
	case trafficCollect:
		d.t.Collect()
		d.sample()
	case trafficLeave:
		d.leave()
	}
}
