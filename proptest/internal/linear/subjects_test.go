package linear

import (
	"errors"

	"github.com/anishathalye/porcupine"
	"github.com/puzpuzpuz/xsync/v3"
	"go.uber.org/atomic"

	"github.com/ichor-go/ichor/objects"
	"github.com/ichor-go/ichor/proptest/internal/property"
	rt "github.com/ichor-go/ichor/runtime"
)

// The subjects of histories, by name. A model's state is a Go value that is never changed.
var subjects = map[string]subject{
	"cell": cellSubject, "cell of sums": sumSubject, "record": recordSubject, "list": listSubject,
	"dict": dictSubject(0), "dict with length": dictLenSubject, "dict with gates": dictSubject(withGates),
	"dict in order": orderSubject,
	"counts":        countSubject(false), "biased counts": countSubject(true),
}

type cellArena struct {
	values
	cell objects.Cell
}

// A cell holds one of the values.
var cellSubject = subject{
	calls: []string{"load", "store", "swap", "cas"},
	make: func(t *rt.Thread) any {
		v := newValues(t)
		return &cellArena{v, property.Must(objects.NewCell(t, v[0]))}
	},
	do: func(t *rt.Thread, arena, _ any, c call) (any, bool) {
		a := arena.(*cellArena)
		switch c.what {
		case 0:
			r, err := a.cell.Load(t)
			return a.taken(t, r, err), true
		case 1:
			property.Check(a.cell.Store(t, a.values[c.a]))
			return 0, true
		case 2:
			r, err := a.cell.Swap(t, a.values[c.a])
			return a.taken(t, r, err), true
		}
		return property.Must(a.cell.CompareAndSwap(t, a.values[c.a], a.values[c.b])), true
	},
	end: func(t *rt.Thread, arena any) {
		a := arena.(*cellArena)
		t.DecRef(a.cell)
		t.DecRefs(a.values[:])
	},
	model: porcupine.Model{
		Init: func() any { return 0 },
		Step: func(state, in, out any) (bool, any) {
			c, now := in.(call), state.(int)
			switch c.what {
			case 0:
				return out == now, now
			case 1:
				return true, int(c.a)
			case 2:
				return out == now, int(c.a)
			}
			if now == int(c.a) {
				return out == true, int(c.b)
			}
			return out == false, now
		},
	},
}

// A cell of sums holds an int; calls add to it.
var sumSubject = subject{
	calls: []string{"load", "store", "add"},
	make: func(t *rt.Thread) any {
		return property.Must(objects.NewCell(t, property.Must(objects.NewInt(t, 0))))
	},
	do: func(t *rt.Thread, arena, _ any, c call) (any, bool) {
		cell := arena.(objects.Cell)
		switch c.what {
		case 0:
			r := property.Must(cell.Load(t))
			v, _ := objects.Int(r).Value(t)
			t.DecRef(r)
			return v, true
		case 1:
			property.Check(cell.StoreSteal(t, property.Must(objects.NewInt(t, boxed+int64(c.a)))))
			return 0, true
		}
		return property.Must(cell.Add(t, int64(c.a)-4)), true
	},
	end: func(t *rt.Thread, arena any) { t.DecRef(arena.(objects.Cell)) },
	model: porcupine.Model{
		Init: func() any { return int64(0) },
		Step: func(state, in, out any) (bool, any) {
			c, now := in.(call), state.(int64)
			switch c.what {
			case 0:
				return out == now, now
			case 1:
				return true, boxed + int64(c.a)
			}
			now += int64(c.a) - 4
			return out == now, now
		},
	},
}

// triple is a type of records.
var triple = property.Must(objects.DefineRecord("linear triple", "x", "y", "z"))

const fields = 3

type recordArena struct {
	values
	record objects.Record
}

// A record is modelled as one register for each field.
var recordSubject = subject{
	calls: []string{"get", "set", "swap", "cas"},
	make: func(t *rt.Thread) any {
		v := newValues(t)
		return &recordArena{v, property.Must(triple.New(t, v[0], v[0], v[0]))}
	},
	do: func(t *rt.Thread, arena, _ any, c call) (any, bool) {
		a := arena.(*recordArena)
		i, old := int(c.a)%fields, int(c.a)/fields
		switch c.what {
		case 0:
			r, err := a.record.Get(t, i)
			return a.taken(t, r, err), true
		case 1:
			property.Check(a.record.Set(t, i, a.values[c.b]))
			return 0, true
		case 2:
			r, err := a.record.Swap(t, i, a.values[c.b])
			return a.taken(t, r, err), true
		}
		return property.Must(a.record.CompareAndSwap(t, i, a.values[old], a.values[c.b%3])), true
	},
	end: func(t *rt.Thread, arena any) {
		a := arena.(*recordArena)
		t.DecRef(a.record)
		t.DecRefs(a.values[:])
	},
	model: porcupine.Model{
		Partition: func(all []porcupine.Operation) [][]porcupine.Operation {
			parts := make([][]porcupine.Operation, fields)
			for _, x := range all {
				i := int(x.Input.(call).a) % fields
				parts[i] = append(parts[i], x)
			}
			return parts
		},
		Init: func() any { return 0 },
		Step: func(state, in, out any) (bool, any) {
			c, now := in.(call), state.(int)
			switch c.what {
			case 0:
				return out == now, now
			case 1:
				return true, int(c.b)
			case 2:
				return out == now, int(c.b)
			}
			if now == int(c.a)/fields {
				return out == true, int(c.b % 3)
			}
			return out == false, now
		},
	},
}

// inRange reports whether a call did not return an *objects.IndexError. It panics with any
// other error.
func inRange(err error) bool {
	var outside *objects.IndexError
	if errors.As(err, &outside) {
		return false
	}
	property.Check(err)
	return true
}

type listArena struct {
	values
	list objects.List
}

// A list is modelled as a slice.
var listSubject = subject{
	calls: []string{"get", "len", "append", "set", "pop", "insert", "remove", "popFirst", "snapshot"},
	make: func(t *rt.Thread) any {
		return &listArena{newValues(t), property.Must(objects.NewList(t))}
	},
	do: func(t *rt.Thread, arena, _ any, c call) (any, bool) {
		a := arena.(*listArena)
		switch c.what {
		case 0:
			r, err := a.list.Get(t, int(c.a))
			return a.taken(t, r, err), true
		case 1:
			return a.list.Len(t), true
		case 2:
			property.Check(a.list.Append(t, a.values[c.b]))
			return true, true
		case 3:
			return inRange(a.list.Set(t, int(c.a), a.values[c.b])), true
		case 4:
			r, err := a.list.Pop(t)
			return a.taken(t, r, err), true
		case 5:
			return inRange(a.list.Insert(t, int(c.a), a.values[c.b])), true
		case 6:
			return inRange(a.list.Remove(t, int(c.a))), true
		case 7:
			r, err := a.list.PopFirst(t)
			return a.taken(t, r, err), true
		}
		text := []byte{}
		for _, r := range a.list.Snapshot(t, nil) {
			text = append(text, '0'+byte(a.taken(t, r, nil)))
		}
		return string(text), true
	},
	end: func(t *rt.Thread, arena any) {
		a := arena.(*listArena)
		t.DecRef(a.list)
		t.DecRefs(a.values[:])
	},
	model: porcupine.Model{
		Init:  func() any { return "" }, // a byte for each item
		Equal: func(a, b any) bool { return a == b },
		Step: func(state, in, out any) (bool, any) {
			c, now := in.(call), state.(string)
			i, v := int(c.a), string(rune('0'+c.b))
			within := i < len(now)
			item := func(i int) int { return int(now[i] - '0') }
			switch c.what {
			case 0:
				if !within {
					return out == absent, now
				}
				return out == item(i), now
			case 1:
				return out == len(now), now
			case 2:
				return true, now + v
			case 3:
				if !within {
					return out == false, now
				}
				return out == true, now[:i] + v + now[i+1:]
			case 4:
				if now == "" {
					return out == absent, now
				}
				return out == item(len(now)-1), now[:len(now)-1]
			case 5:
				if i > len(now) {
					return out == false, now
				}
				return out == true, now[:i] + v + now[i:]
			case 7:
				if now == "" {
					return out == absent, now
				}
				return out == item(0), now[1:]
			case 8:
				return out == now, now
			}
			if !within {
				return out == false, now
			}
			return out == true, now[:i] + now[i+1:]
		},
	},
}

// A mourned object records the thread on which it dies.
var (
	mourned = property.Must(rt.DefineType(rt.Type{
		Name: "proptest mourned",
		Drop: func(t *rt.Thread, _ rt.Ref, o rt.Body) { deaths.Store(o.Word(0), t) },
	}))
	deaths  = xsync.NewMapOf[uint32, *rt.Thread]() // by the number in word 0
	mourner atomic.Uint32                          // the last number
)

type countArena struct {
	target, weak rt.Ref
	number       uint32
}

// holding counts a thread's references to the target.
type holding struct{ n int }

// startWith is the number of references that each thread has at the start.
const startWith = 3

// countState is the state of a target: how many references threads have, and whether
// a call has found it dead.
type countState struct {
	n    int
	dead bool
}

// countSubject is an object whose references threads take, drop, and get from a weak
// reference. It dies in the call that drops the last reference, and in no other call; nothing
// brings it back. With biased counting the owner may not know yet that the last reference is
// gone. Until it knows, a call may find the object or not. Once a call has not found it, no
// later call may find it.
func countSubject(biased bool) subject {
	return subject{
		calls: []string{"get", "inc", "drop"},
		make: func(t *rt.Thread) any {
			a := &countArena{number: mourner.Inc()}
			r, o, err := t.New(mourned, 4)
			property.Check(err)
			o.SetWord(0, a.number)
			a.target, a.weak = r, property.Must(objects.NewWeak(t, r))
			for range startWith*historyThreads - 1 {
				t.IncRef(r)
			}
			return a
		},
		own: func() any { return &holding{startWith} }, last: call{what: 2},
		do: func(t *rt.Thread, arena, own any, c call) (any, bool) {
			a, h := arena.(*countArena), own.(*holding)
			switch {
			case c.what == 0:
				r, ok := objects.Weak(a.weak).Get(t)
				if ok && r != a.target {
					panic(property.Alive.Broken("a weak reference leads to another object"))
				}
				if ok {
					h.n++
				}
				return ok, true
			case h.n == 0:
				return nil, false
			case c.what == 1:
				h.n++
				t.IncRef(a.target)
				return nil, true
			}
			h.n--
			t.DecRef(a.target)
			on, _ := deaths.Load(a.number)
			return on == t, true
		},
		end: func(t *rt.Thread, arena any) {
			t.DecRef(arena.(*countArena).weak)
			deaths.Delete(arena.(*countArena).number)
		},
		model: porcupine.Model{
			Init: func() any { return countState{n: startWith * historyThreads} },
			Step: func(state, in, out any) (bool, any) {
				now := state.(countState)
				switch {
				case in.(call).what == 1:
					now.n++
					return true, now
				case in.(call).what == 2:
					now.n--
					return biased || out == (now.n == 0), now
				case out == true:
					ok := !now.dead && (biased || now.n > 0)
					now.n++
					return ok, now
				}
				now.dead = true
				return now.n == 0, now
			},
		},
		skip: func(o rt.Options) bool { return biased != (o.Mode == rt.LockFree && o.Counting == rt.Biased) },
	}
}
