package parts

import (
	"errors"
	"strings"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// record is the type of the programs' records. Types live as long as the process.
var record = func() *objects.RecordType {
	y, err := objects.DefineRecord("proptest record", "x", "y", "z")
	if err != nil {
		panic(err)
	}
	return y
}()

// heap is the domain of a runtime's objects, as one thread sees it.
type heap struct {
	t *rt.Thread
	s *session

	epoch    int // safe points so far
	borrowed int // the epoch of the last borrow

	// birth has the serials of nodes born inside an Immortally; nil outside of one.
	birth []serial

	// machines are those that hold the references of the program. There are none while other
	// threads are running, because these hold references as well.
	machines []*machine[handle]

	// replace detaches the thread and attaches another one in its place.
	replace func()

	// alone runs a function that stops the world.
	alone func(func())
}

func (h *heap) check(ok bool, what string) {
	if !ok {
		panic(propAlive.broken("%s", what))
	}
}

// bornHere notes a new container.
func (h *heap) bornHere(r rt.Ref, k kind, level int, items ...rt.Ref) handle {
	o := &origin{kind: k, level: level, items: items}
	*h.s.origins.at(r) = o
	return handle{r, o}
}

// found returns the handle of a reference that was read somewhere, after checking
// the object.
func (h *heap) found(r rt.Ref) handle {
	h.check(r != rt.Nil, "a slot holds a nil reference")
	y := h.t.TypeOf(r)
	h.check(y != nil, "a reference leads to no object")
	var k kind
	switch y.ID() {
	case rt.TypeInt:
		v, _ := objects.Int(r).Value(h.t)
		h.check(isInt(v), "an int has another value than it was born with")
		return handle{ref: r}
	case rt.TypeFloat:
		v, _ := objects.Float(r).Value(h.t)
		h.check(isFloat(v), "a float has another value than it was born with")
		return handle{ref: r}
	case rt.TypeString:
		s, _ := objects.String(r).View(h.t)
		h.check(isText(s), "a string has another text than it was born with")
		return handle{ref: r}
	case rt.TypeBytes:
		b, _ := objects.Bytes(r).View(h.t)
		h.check(isText(string(b)), "bytes are not those that they were born with")
		return handle{ref: r}
	case rt.TypeNone, rt.TypeBool:
		return handle{ref: r}
	case rt.TypeTuple:
		if r == rt.EmptyTuple {
			return handle{r, emptyTuple}
		}
		k = aTuple
	case rt.TypeList:
		k = aList
	case rt.TypeDict:
		k = aDict
	case nodeType.ID():
		k = aNode
	case rt.TypeWeak:
		k = aWeak
	default:
		h.check(y == record.Type, "an object has a type that the program does not use")
		k = aRecord
	}
	o := *h.s.origins.at(r)
	h.check(o != nil && o.kind == k, "a container is of another kind than it was born")
	switch k {
	case aNode:
		h.check(h.t.Body(r).Word(nodeSerial) == uint32(o.serial), "a node has another number than it was born with")
	case aTuple:
		items := objects.Tuple(r).Items(h.t)
		h.check(len(items) == len(o.items), "a tuple has another length than it was born with")
		for i, x := range items {
			h.check(x == o.items[i], "a tuple has other items than it was born with")
		}
	}
	return handle{r, o}
}

var emptyTuple = &origin{kind: aTuple}

// verify checks that a handle still leads to the same object.
func (h *heap) verify(v handle) {
	h.check(h.found(v.ref) == v, "a held object has given way to another one")
}

// fetch turns a new reference that a call returned into a handle.
func (h *heap) fetch(r rt.Ref, err error) (handle, outcome) {
	if e := classify(err); e != fine {
		return handle{}, e
	}
	return h.found(r), fine
}

// classify returns the class of an error, and panics with one that has none.
func classify(err error) outcome {
	var (
		i *objects.IndexError
		k *objects.KeyError
		u *objects.UnhashableError
		y *rt.TypeError
	)
	switch {
	case err == nil:
		return fine
	case errors.Is(err, objects.ErrEmpty):
		return isEmpty
	case errors.As(err, &i):
		return badIndex
	case errors.As(err, &k):
		return badKey
	case errors.As(err, &u):
		return unhashable
	case errors.As(err, &y):
		return badType
	case errors.Is(err, rt.ErrFrozen):
		return isFrozen
	case errors.Is(err, rt.ErrNotFreezable):
		return noFreezing
	case errors.Is(err, rt.ErrChanged):
		return hasChanged
	}
	panic(err)
}

func (h *heap) leaf(k, n uint8) handle {
	t := h.t
	switch k {
	case smallInt:
		return handle{ref: Must(objects.NewInt(t, int64(n)))}
	case bigInt:
		return handle{ref: Must(objects.NewInt(t, nthBigInt(n)))}
	case aFloat:
		return handle{ref: Must(objects.NewFloat(t, nthFloat(n)))}
	case aString:
		return handle{ref: Must(objects.NewString(t, text(n)))}
	case interned:
		return handle{ref: Must(objects.Intern(t, text(n)))}
	case bigText:
		return handle{ref: Must(objects.NewString(t, longText(n)))}
	case someBytes:
		return handle{ref: Must(objects.NewBytes(t, []byte(text(n))))}
	}
	if n%6 == 5 {
		return handle{rt.EmptyTuple, emptyTuple}
	}
	return handle{ref: [...]rt.Ref{rt.None, rt.True, rt.False, rt.EmptyString, rt.EmptyBytes}[n%6]}
}

func refsOf(hs []handle) []rt.Ref {
	var rs []rt.Ref
	for _, v := range hs {
		rs = append(rs, v.ref)
	}
	return rs
}

func (h *heap) tuple(items []handle) handle {
	rs := refsOf(items)
	r := Must(objects.NewTuple(h.t, rs...))
	if len(rs) == 0 {
		return handle{r, emptyTuple}
	}
	level := 0
	for _, v := range items {
		level = max(level, h.level(v))
	}
	return h.bornHere(r, aTuple, level+1, rs...)
}

func (h *heap) list(level int, items []handle) handle {
	return h.bornHere(Must(objects.NewList(h.t, refsOf(items)...)), aList, level)
}

func (h *heap) dict(level int) handle {
	return h.bornHere(Must(objects.NewDict(h.t)), aDict, level)
}

func (h *heap) record(level int, values [fields]handle) handle {
	return h.bornHere(Must(record.New(h.t, refsOf(values[:])...)), aRecord, level)
}

// document reads JSON, and notes the containers that it creates.
func (h *heap) document(n uint8, immortal bool) handle {
	h.epoch++
	t := h.t
	r := Must(objects.FromJSON(t, strings.NewReader(jsonText(n)), objects.JSONOptions{Immortal: immortal}))
	if string(Must(objects.AppendJSON(t, nil, r))) != jsonText(n) {
		panic(propAgree.broken("a document is written in another way than it was read"))
	}
	for _, v := range objects.Dict(r).All(t) {
		switch y := t.TypeOf(v); y.ID() {
		case rt.TypeDict:
			h.bornHere(v, aDict, objectLevel)
		case rt.TypeList:
			h.bornHere(v, aList, arrayLevel)
			inner, ok := objects.List(v).At(t, 2)
			h.check(ok, "a document is not what was read")
			h.bornHere(inner, aDict, objectLevel)
		}
	}
	return h.bornHere(r, aDict, documentLevel)
}

// errMiscarried ends a birth that must fail.
var errMiscarried = errors.New("miscarried")

func (h *heap) born(f func() handle, fail bool) (v handle) {
	h.birth = []serial{}
	defer func() { h.birth = nil }()
	err := h.t.Immortally(func() error {
		v = f()
		if fail {
			h.s.nodes.miscarried(h.birth)
			return errMiscarried
		}
		return nil
	})
	if fail != (err == errMiscarried) {
		panic(err)
	}
	return v
}

// scoped makes a list of a string and v in a scope, across a safe point.
func (h *heap) scoped(v handle, n uint8) (list handle) {
	h.epoch++
	err := h.t.Scope(func(s *rt.Scope) {
		str := s.Own(objects.NewString(h.t, text(n)))
		l := s.Own(objects.NewList(h.t, str, v.ref))
		h.t.Checkpoint()
		list = h.bornHere(s.Keep(l), aList, h.level(v)+1)
	})
	if err != nil {
		panic(err)
	}
	return list
}

func (h *heap) kind(v handle) kind {
	switch {
	case v == handle{}:
		return nothing
	case v.o == nil:
		return leaf
	}
	return v.o.kind
}

func (h *heap) level(v handle) int {
	if v.o == nil {
		return 0
	}
	return v.o.level
}

func (h *heap) copy(v handle) handle {
	h.verify(v)
	h.t.IncRef(v.ref)
	return v
}

func (h *heap) drop(v handle) {
	h.verify(v)
	h.t.DecRef(v.ref)
}

func (h *heap) churn(v handle, n int) {
	h.epoch++
	many := make([]rt.Ref, n)
	for i := range many {
		many[i] = v.ref
	}
	h.t.IncRefs(many)
	h.t.Checkpoint()
	h.verify(v)
	h.t.DecRefs(many)
}

func (h *heap) leave() {
	h.epoch++
	h.replace()
}

func (h *heap) same(v, w handle) bool { return v.o != nil && v == w }

func (h *heap) immortalise(v handle) {
	h.epoch++
	h.alone(func() {
		if err := h.t.Immortalize(v.ref); err != nil {
			panic(err)
		}
		h.sample()
	})
}

func (h *heap) sample() {
	if err := h.s.headers.Take(h.t); err != nil {
		panic(propHeaders.broken("%v", err))
	}
}

func (h *heap) immortal(v handle) bool { return h.t.IsImmortal(v.ref) }

func (h *heap) borrow(v handle, i int) handle {
	h.borrowed = h.epoch
	var r rt.Ref
	switch v.o.kind {
	case aList:
		l := objects.List(v.ref)
		r, _ = l.At(h.t, l.Len(h.t)-1-i)
	case aDict:
		key, _ := rt.Int(int64(i))
		r, _ = objects.Dict(v.ref).Lookup(h.t, key)
	case aRecord:
		r, _ = objects.Record(v.ref).At(h.t, i%fields)
	case aNode:
		r = h.nodeField(v, i%fields)
	}
	if r == rt.Nil {
		return handle{}
	}
	return h.found(r)
}

func (h *heap) validBorrow() bool { return h.borrowed == h.epoch }

func (h *heap) checkpoint() {
	h.epoch++
	h.t.Checkpoint()
}

func (h *heap) blocking() {
	h.epoch++
	h.t.Blocking(func() {})
}

func (h *heap) audit() {
	h.epoch++
	h.alone(func() {
		h.sample()
		h.s.frozen.check()
		if len(h.machines) == 0 {
			return
		}
		for {
			kept, changes := h.s.nodes.kept()
			err := h.t.Audit(refsOf(append(heldBy(h.machines...), kept...))...)
			switch _, now := h.s.nodes.kept(); {
			case now != changes: // a finalizer kept a node before the audit
				continue
			case err != nil:
				h.s.nodes.check() // a finalizer that found a failure may also have kept its node
				panic(PropAudit.broken("%v", err))
			}
			return
		}
	})
	h.s.nodes.check()
}
