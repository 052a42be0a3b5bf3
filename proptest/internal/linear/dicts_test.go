package linear

import (
	"errors"
	"slices"
	"strings"

	"github.com/anishathalye/porcupine"

	"github.com/ichor-go/ichor/objects"
	"github.com/ichor-go/ichor/proptest/internal/property"
	rt "github.com/ichor-go/ichor/runtime"
)

// Dicts as subjects of histories.

type dictArena struct {
	values
	dict objects.Dict
}

const absent = -1

// maybe is the result of a call that may find a value.
type maybe struct {
	value int
	ok    bool
}

// otherKeys is the first of the keys that fill a dict and that no call of a history uses.
const otherKeys = 100

func newDictArena(t *rt.Thread, fill int) *dictArena {
	a := &dictArena{newValues(t), property.Must(objects.NewDict(t))}
	for i := range fill {
		key, _ := rt.Int(int64(otherKeys + i))
		property.Check(a.dict.Set(t, key, rt.None))
	}
	return a
}

func (a *dictArena) end(t *rt.Thread) {
	t.DecRef(a.dict)
	t.DecRefs(a.values[:])
}

// dictCalls are the calls on one key.
var dictCalls = []string{"get", "has", "set", "delete", "pop", "loadOrStore", "loadAndDelete", "swap", "cas", "compareAndDelete"}

func doDict(t *rt.Thread, arena, _ any, c call) (any, bool) {
	a := arena.(*dictArena)
	key, _ := rt.Int(int64(c.a % 4))
	v, old := a.values[c.b], a.values[c.a/4] // one of two, so that it often is the current value
	seen := func(r rt.Ref, ok bool, err error) (any, bool) {
		property.Check(err)
		return maybe{a.taken(t, r, nil), ok}, true
	}
	switch c.what {
	case 0:
		r, err := a.dict.Get(t, key)
		return a.taken(t, r, err), true
	case 1:
		return a.dict.Has(t, key), true
	case 2:
		property.Check(a.dict.Set(t, key, v))
		return 0, true
	case 3:
		return property.Must(a.dict.Delete(t, key)), true
	case 4:
		r, err := a.dict.Pop(t, key)
		return a.taken(t, r, err), true
	case 5:
		return seen(a.dict.LoadOrStore(t, key, v))
	case 6:
		return seen(a.dict.LoadAndDelete(t, key))
	case 7:
		return seen(a.dict.Swap(t, key, v))
	case 8:
		return property.Must(a.dict.CompareAndSwap(t, key, old, a.values[c.b%2])), true
	case 9:
		return property.Must(a.dict.CompareAndDelete(t, key, old)), true
	}
	return a.dict.Len(t), true
}

// stepKey applies a call to the value of its key, and reports whether out is possible.
func stepKey(now int, c call, out any) (bool, int) {
	v, old, isIn := int(c.b), int(c.a/4), now != absent
	switch c.what {
	case 0:
		return out == now, now
	case 1:
		return out == isIn, now
	case 2:
		return true, v
	case 3:
		return out == isIn, absent
	case 4:
		return out == now, absent
	case 5:
		if isIn {
			return out == maybe{now, true}, now
		}
		return out == maybe{v, false}, v
	case 6:
		return out == maybe{now, isIn}, absent
	case 7:
		return out == maybe{now, isIn}, v
	case 8:
		if now == old {
			return out == true, int(c.b % 2)
		}
		return out == false, now
	}
	if now == old {
		return out == true, absent
	}
	return out == false, now
}

// withGates is a number of other keys for which a dict's table has gates.
const withGates = 4200

// dictSubject is a dict with so many other keys. It is modelled as one register for each
// key that calls use; each register is checked by itself.
func dictSubject(fill int) subject {
	return subject{
		calls: dictCalls,
		make:  func(t *rt.Thread) any { return newDictArena(t, fill) },
		do:    doDict,
		end:   func(t *rt.Thread, arena any) { arena.(*dictArena).end(t) },
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
}

// A dict whose calls include its length is modelled as one object.
var dictLenSubject = subject{
	calls: append(slices.Clone(dictCalls), "len"),
	make:  dictSubject(0).make, do: doDict, end: dictSubject(0).end,
	model: porcupine.Model{
		Init: func() any { return [4]int{absent, absent, absent, absent} },
		Step: func(state, in, out any) (bool, any) {
			c, now := in.(call), state.([4]int)
			if int(c.what) == len(dictCalls) {
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

// A dict is a queue in insertion order. The model has a byte for each key and one for its value.
var orderSubject = subject{
	calls: []string{"set", "popFirst", "delete", "loadOrStore", "swap", "len", "get"},
	make:  dictSubject(0).make, end: dictSubject(0).end,
	do: func(t *rt.Thread, arena, _ any, c call) (any, bool) {
		a := arena.(*dictArena)
		key, _ := rt.Int(int64(c.a % 4))
		v := a.values[c.b]
		switch c.what {
		case 0:
			property.Check(a.dict.Set(t, key, v))
			return 0, true
		case 1:
			k, r, err := a.dict.PopFirst(t)
			if errors.Is(err, objects.ErrEmpty) {
				return "", true
			}
			return entryText(k.Int(), a.taken(t, r, err)), true
		case 2:
			return property.Must(a.dict.Delete(t, key)), true
		case 3:
			r, loaded, err := a.dict.LoadOrStore(t, key, v)
			return maybe{a.taken(t, r, err), loaded}, true
		case 4:
			r, loaded, err := a.dict.Swap(t, key, v)
			return maybe{a.taken(t, r, err), loaded}, true
		case 5:
			return a.dict.Len(t), true
		}
		r, err := a.dict.Get(t, key)
		return a.taken(t, r, err), true
	},
	model: porcupine.Model{
		Init:  func() any { return "" },
		Equal: func(a, b any) bool { return a == b },
		Step: func(state, in, out any) (bool, any) {
			c, now := in.(call), state.(string)
			at, is := strings.Index(now, string(rune('a'+c.a%4))), absent
			if at >= 0 {
				is = int(now[at+1] - '0')
			}
			set := func() string {
				e := entryText(int64(c.a%4), int(c.b))
				if at < 0 {
					return now + e
				}
				return now[:at] + e + now[at+2:]
			}
			switch c.what {
			case 0:
				return true, set()
			case 1:
				first := now[:min(2, len(now))]
				return out == first, now[len(first):]
			case 2:
				if at < 0 {
					return out == false, now
				}
				return out == true, now[:at] + now[at+2:]
			case 3:
				if at < 0 {
					return out == maybe{int(c.b), false}, set()
				}
				return out == maybe{is, true}, now
			case 4:
				return out == maybe{is, at >= 0}, set()
			case 5:
				return out == len(now)/2, now
			}
			return out == is, now
		},
	},
}

// entryText is an entry of a dict in orderSubject's model.
func entryText(key int64, value int) string {
	return string([]byte{'a' + byte(key), '0' + byte(value)})
}
