package proptest

import (
	"github.com/anishathalye/porcupine"
	"github.com/puzpuzpuz/xsync/v3"
	"go.uber.org/atomic"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// The subjects of histories, by name. A model's state is a Go value that is never changed.
var subjects = map[string]subject{
	"cell": cellSubject, "dict": dictSubject, "dict with length": dictLenSubject, "list": listSubject,
	"counts": countSubject(false), "biased counts": countSubject(true),
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
		return &cellArena{v, must(objects.NewCell(t, v[0]))}
	},
	do: func(t *rt.Thread, arena, _ any, c call) (any, bool) {
		a := arena.(*cellArena)
		switch c.what {
		case 0:
			r, err := a.cell.Load(t)
			return a.taken(t, r, err), true
		case 1:
			must(0, a.cell.Store(t, a.values[c.a]))
			return 0, true
		case 2:
			r, err := a.cell.Swap(t, a.values[c.a])
			return a.taken(t, r, err), true
		}
		return must(a.cell.CompareAndSwap(t, a.values[c.a], a.values[c.b])), true
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

type dictArena struct {
	values
	dict objects.Dict
}

const absent = -1

func doDict(t *rt.Thread, arena, _ any, c call) (any, bool) {
	a := arena.(*dictArena)
	key, _ := rt.Int(int64(c.a % 4))
	switch c.what {
	case 0:
		r, err := a.dict.Get(t, key)
		return a.taken(t, r, err), true
	case 1:
		return a.dict.Has(t, key), true
	case 2:
		must(0, a.dict.Set(t, key, a.values[c.b]))
		return 0, true
	case 3:
		return must(a.dict.Delete(t, key)), true
	case 4:
		r, err := a.dict.Pop(t, key)
		return a.taken(t, r, err), true
	}
	return a.dict.Len(t), true
}

// stepKey is what a call does to the value of its key.
func stepKey(now int, c call, out any) (bool, int) {
	switch c.what {
	case 0:
		return out == now, now
	case 1:
		return out == (now != absent), now
	case 2:
		return true, int(c.b)
	case 3:
		return out == (now != absent), absent
	}
	return out == now, absent
}

// A dict is as many registers as there are keys, each of which is checked by itself.
var dictSubject = subject{
	calls: []string{"get", "has", "set", "delete", "pop"},
	make: func(t *rt.Thread) any {
		return &dictArena{newValues(t), must(objects.NewDict(t))}
	},
	do: doDict,
	end: func(t *rt.Thread, arena any) {
		a := arena.(*dictArena)
		t.DecRef(a.dict)
		t.DecRefs(a.values[:])
	},
	model: porcupine.Model{
		Partition: func(all []porcupine.Operation) [][]porcupine.Operation {
			parts := make([][]porcupine.Operation, 4)
			for _, x := range all {
				k := x.Input.(call).a % 4
				parts[k] = append(parts[k], x)
			}
			return parts
		},
		Init: func() any { return absent },
		Step: func(state, in, out any) (bool, any) {
			ok, next := stepKey(state.(int), in.(call), out)
			return ok, next
		},
	},
}

// With its length, a dict is one object.
var dictLenSubject = subject{
	calls: []string{"get", "has", "set", "delete", "pop", "len"},
	make:  dictSubject.make, do: doDict, end: dictSubject.end,
	model: porcupine.Model{
		Init: func() any { return [4]int{absent, absent, absent, absent} },
		Step: func(state, in, out any) (bool, any) {
			c, now := in.(call), state.([4]int)
			if c.what == 5 {
				n := 0
				for _, v := range now {
					if v != absent {
						n++
					}
				}
				return out == n, now
			}
			ok, next := stepKey(now[c.a%4], c, out)
			now[c.a%4] = next
			return ok, now
		},
	},
}

type listArena struct {
	values
	list objects.List
}

// A list is a slice.
var listSubject = subject{
	calls: []string{"get", "len", "append", "set", "pop", "insert", "remove"},
	make: func(t *rt.Thread) any {
		return &listArena{newValues(t), must(objects.NewList(t))}
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
			must(0, a.list.Append(t, a.values[c.b]))
			return true, true
		case 3:
			return classify(a.list.Set(t, int(c.a), a.values[c.b])) == fine, true
		case 4:
			r, err := a.list.Pop(t)
			return a.taken(t, r, err), true
		case 5:
			return classify(a.list.Insert(t, int(c.a), a.values[c.b])) == fine, true
		}
		return classify(a.list.Remove(t, int(c.a))) == fine, true
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
			}
			if !within {
				return out == false, now
			}
			return out == true, now[:i] + now[i+1:]
		},
	},
}

// A mourned object notes which thread it has died on.
var (
	mourned = must(rt.DefineType(rt.Type{
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

// holding are the references to the target that a thread has.
type holding struct{ n int }

const startWith = 3 // references that each thread has in the beginning

// countState is what is known of a target: how many references threads have, and whether
// somebody has found it dead.
type countState struct {
	n    int
	dead bool
}

// countSubject is an object whose references threads take, drop, and get from a weak
// reference. It dies in the call that drops the last one, and in no other; nothing gets
// it back. With biased counting it may live on for a while when nobody holds it, as its owner
// has not heard of that: then it is found, or not, but never again once it was not.
func countSubject(biased bool) subject {
	return subject{
		calls: []string{"get", "inc", "drop"},
		make: func(t *rt.Thread) any {
			a := &countArena{number: mourner.Inc()}
			r, o, err := t.New(mourned, 4)
			must(0, err)
			o.SetWord(0, a.number)
			a.target, a.weak = r, must(objects.NewWeak(t, r))
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
					panic(&failure{propAlive, "a weak reference leads to another object"})
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
