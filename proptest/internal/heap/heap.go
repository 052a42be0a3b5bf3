package heap

import (
	"errors"
	"strings"

	"github.com/ichor-go/ichor/objects"
	"github.com/ichor-go/ichor/proptest/internal/machine"
	"github.com/ichor-go/ichor/proptest/internal/property"
	rt "github.com/ichor-go/ichor/runtime"
)

// record is the type of the programs' records. Types live as long as the process.
var record = property.Must(objects.DefineRecord("proptest record", "x", "y", "z"))

// Heap is the domain of a runtime's objects, as one thread sees it. It is a machine.Domain, which
// documents most of its methods.
type Heap struct {
	Thread *rt.Thread
	s      *Session

	epoch    int // safe points so far
	borrowed int // the epoch of the last borrow

	// birth has the serials of nodes born inside an Immortally; nil outside of one.
	birth []machine.Serial

	// Machines hold the references of the program. There are none while other threads are running,
	// because those hold references as well: then audits compare no counts.
	Machines []*machine.Machine[Handle]

	// Replace detaches the thread and attaches another one in its place.
	Replace func()

	// Alone runs a function that stops the world.
	Alone func(func())
}

// bornHere notes the birth of a container.
func (h *Heap) bornHere(r rt.Ref, k machine.Kind, level int, items ...rt.Ref) Handle {
	o := &origin{kind: k, level: level, items: items}
	*h.s.origins.at(r) = o
	return Handle{r, o}
}

func (h *Heap) Leaf(k, n uint8) Handle {
	t := h.Thread
	switch k {
	case machine.SmallInt:
		return Handle{ref: property.Must(objects.NewInt(t, int64(n)))}
	case machine.BigInt:
		return Handle{ref: property.Must(objects.NewInt(t, machine.NthBigInt(n)))}
	case machine.Float:
		return Handle{ref: property.Must(objects.NewFloat(t, machine.NthFloat(n)))}
	case machine.String:
		return Handle{ref: property.Must(objects.NewString(t, machine.NthText(n)))}
	case machine.Interned:
		return Handle{ref: property.Must(objects.Intern(t, machine.NthText(n)))}
	case machine.BigText:
		return Handle{ref: property.Must(objects.NewString(t, machine.NthLongText(n)))}
	case machine.Bytes:
		return Handle{ref: property.Must(objects.NewBytes(t, []byte(machine.NthText(n))))}
	}
	if n%6 == 5 {
		return Handle{rt.EmptyTuple, emptyTuple}
	}
	return Handle{ref: [...]rt.Ref{rt.None, rt.True, rt.False, rt.EmptyString, rt.EmptyBytes}[n%6]}
}

func (h *Heap) Tuple(items []Handle) Handle {
	rs := refsOf(items)
	r := property.Must(objects.NewTuple(h.Thread, rs...))
	if len(rs) == 0 {
		return Handle{r, emptyTuple}
	}
	level := 0
	for _, v := range items {
		level = max(level, h.Level(v))
	}
	return h.bornHere(r, machine.Tuple, level+1, rs...)
}

func (h *Heap) List(level int, items []Handle) Handle {
	return h.bornHere(property.Must(objects.NewList(h.Thread, refsOf(items)...)), machine.List, level)
}

func (h *Heap) Dict(level int) Handle {
	return h.bornHere(property.Must(objects.NewDict(h.Thread)), machine.Dict, level)
}

func (h *Heap) Record(level int, values [machine.Fields]Handle) Handle {
	return h.bornHere(property.Must(record.New(h.Thread, refsOf(values[:])...)), machine.Record, level)
}

// Document reads JSON, and notes the containers that it creates.
func (h *Heap) Document(n uint8, immortal bool) Handle {
	h.epoch++
	t := h.Thread
	r := property.Must(objects.FromJSON(t, strings.NewReader(machine.NthDocument(n)), objects.JSONOptions{Immortal: immortal}))
	if string(property.Must(objects.AppendJSON(t, nil, r))) != machine.NthDocument(n) {
		panic(property.Agree.Broken("a document is written differently from how it was read"))
	}
	for _, v := range objects.Dict(r).All(t) {
		switch y := t.TypeOf(v); y.ID() {
		case rt.TypeDict:
			h.bornHere(v, machine.Dict, machine.ObjectLevel)
		case rt.TypeList:
			h.bornHere(v, machine.List, machine.ArrayLevel)
			inner, ok := objects.List(v).At(t, 2)
			h.check(ok, "a document has other contents than its text")
			h.bornHere(inner, machine.Dict, machine.ObjectLevel)
		}
	}
	return h.bornHere(r, machine.Dict, machine.DocumentLevel)
}

// errMiscarried ends a birth of immortals that must fail.
var errMiscarried = errors.New("miscarried")

func (h *Heap) Born(f func() Handle, fail bool) (v Handle) {
	h.birth = []machine.Serial{}
	defer func() { h.birth = nil }()
	err := h.Thread.Immortally(func() error {
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

// Scoped makes a list of a string and v in a scope, across a safe point.
func (h *Heap) Scoped(v Handle, n uint8) (list Handle) {
	h.epoch++
	property.Check(h.Thread.Scope(func(s *rt.Scope) {
		str := s.Own(objects.NewString(h.Thread, machine.NthText(n)))
		l := s.Own(objects.NewList(h.Thread, str, v.ref))
		h.Thread.Checkpoint()
		list = h.bornHere(s.Keep(l), machine.List, h.Level(v)+1)
	}))
	return list
}

func (h *Heap) Kind(v Handle) machine.Kind {
	switch {
	case v == Handle{}:
		return machine.Nothing
	case v.o == nil:
		return machine.Leaf
	}
	return v.o.kind
}

func (h *Heap) Level(v Handle) int {
	if v.o == nil {
		return 0
	}
	return v.o.level
}

func (h *Heap) Copy(v Handle) Handle {
	h.verify(v)
	h.Thread.IncRef(v.ref)
	return v
}

func (h *Heap) Drop(v Handle) {
	h.verify(v)
	h.Thread.DecRef(v.ref)
}

func (h *Heap) Churn(v Handle, n int) {
	h.epoch++
	many := make([]rt.Ref, n)
	for i := range many {
		many[i] = v.ref
	}
	h.Thread.IncRefs(many)
	h.Thread.Checkpoint()
	h.verify(v)
	h.Thread.DecRefs(many)
}

func (h *Heap) Leave() {
	h.epoch++
	h.Replace()
}

func (h *Heap) Same(v, w Handle) bool { return v.o != nil && v == w }

func (h *Heap) Immortalize(v Handle) {
	h.epoch++
	h.Alone(func() {
		property.Check(h.Thread.Immortalize(v.ref))
		h.Sample()
	})
}

// Sample compares the headers of immortals. A safe point.
func (h *Heap) Sample() {
	if err := h.s.headers.Take(h.Thread); err != nil {
		panic(property.Headers.Broken("%v", err))
	}
}

func (h *Heap) Immortal(v Handle) bool { return h.Thread.IsImmortal(v.ref) }

func (h *Heap) Borrow(v Handle, i int) Handle {
	h.borrowed = h.epoch
	var r rt.Ref
	switch v.o.kind {
	case machine.List:
		l := objects.List(v.ref)
		r, _ = l.At(h.Thread, l.Len(h.Thread)-1-i)
	case machine.Dict:
		key, _ := rt.Int(int64(i))
		r, _ = objects.Dict(v.ref).Lookup(h.Thread, key)
	case machine.Record:
		r, _ = objects.Record(v.ref).At(h.Thread, i%machine.Fields)
	case machine.Node:
		r = h.nodeField(v, i%machine.Fields)
	}
	if r == rt.Nil {
		return Handle{}
	}
	return h.found(r)
}

func (h *Heap) ValidBorrow() bool { return h.borrowed == h.epoch }

func (h *Heap) Checkpoint() {
	h.epoch++
	h.Thread.Checkpoint()
}

func (h *Heap) Blocking() {
	h.epoch++
	h.Thread.Blocking(func() {})
}

// Audit makes all checks that are valid at any time.
func (h *Heap) Audit() {
	h.epoch++
	h.Alone(func() {
		h.Sample()
		h.s.frozen.check()
		if len(h.Machines) == 0 {
			return
		}
		for {
			kept, changes := h.s.nodes.kept()
			err := h.Thread.Audit(refsOf(append(machine.HeldBy(h.Machines...), kept...))...)
			switch _, now := h.s.nodes.kept(); {
			case now != changes: // a finalizer kept a node before the audit
				continue
			case err != nil:
				h.s.nodes.check() // a finalizer that found a failure may also have kept its node
				panic(property.Counts.Broken("%v", err))
			}
			return
		}
	})
	h.s.nodes.check()
}
