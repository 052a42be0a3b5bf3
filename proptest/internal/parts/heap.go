package parts

import (
	"errors"
	"strings"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// record is the type of the programs' records. Types live as long as the process.
var record = Must(objects.DefineRecord("proptest record", "x", "y", "z"))

// Heap is the domain of a runtime's objects, as one thread sees it. It is a Domain, which
// documents most of its methods.
type Heap struct {
	Thread *rt.Thread
	s      *Session

	epoch    int // safe points so far
	borrowed int // the epoch of the last borrow

	// birth has the serials of nodes born inside an Immortally; nil outside of one.
	birth []Serial

	// Machines hold the references of the program. There are none while other threads are running,
	// because those hold references as well: then audits compare no counts.
	Machines []*Machine[Handle]

	// Replace detaches the thread and attaches another one in its place.
	Replace func()

	// Alone runs a function that stops the world.
	Alone func(func())
}

// bornHere notes the birth of a container.
func (h *Heap) bornHere(r rt.Ref, k Kind, level int, items ...rt.Ref) Handle {
	o := &origin{kind: k, level: level, items: items}
	*h.s.origins.at(r) = o
	return Handle{r, o}
}

func (h *Heap) Leaf(k, n uint8) Handle {
	t := h.Thread
	switch k {
	case SmallInt:
		return Handle{ref: Must(objects.NewInt(t, int64(n)))}
	case BigInt:
		return Handle{ref: Must(objects.NewInt(t, NthBigInt(n)))}
	case Float:
		return Handle{ref: Must(objects.NewFloat(t, NthFloat(n)))}
	case String:
		return Handle{ref: Must(objects.NewString(t, NthText(n)))}
	case Interned:
		return Handle{ref: Must(objects.Intern(t, NthText(n)))}
	case BigText:
		return Handle{ref: Must(objects.NewString(t, NthLongText(n)))}
	case Bytes:
		return Handle{ref: Must(objects.NewBytes(t, []byte(NthText(n))))}
	}
	if n%6 == 5 {
		return Handle{rt.EmptyTuple, emptyTuple}
	}
	return Handle{ref: [...]rt.Ref{rt.None, rt.True, rt.False, rt.EmptyString, rt.EmptyBytes}[n%6]}
}

func (h *Heap) Tuple(items []Handle) Handle {
	rs := refsOf(items)
	r := Must(objects.NewTuple(h.Thread, rs...))
	if len(rs) == 0 {
		return Handle{r, emptyTuple}
	}
	level := 0
	for _, v := range items {
		level = max(level, h.Level(v))
	}
	return h.bornHere(r, Tuple, level+1, rs...)
}

func (h *Heap) List(level int, items []Handle) Handle {
	return h.bornHere(Must(objects.NewList(h.Thread, refsOf(items)...)), List, level)
}

func (h *Heap) Dict(level int) Handle {
	return h.bornHere(Must(objects.NewDict(h.Thread)), Dict, level)
}

func (h *Heap) Record(level int, values [Fields]Handle) Handle {
	return h.bornHere(Must(record.New(h.Thread, refsOf(values[:])...)), Record, level)
}

// Document reads JSON, and notes the containers that it creates.
func (h *Heap) Document(n uint8, immortal bool) Handle {
	h.epoch++
	t := h.Thread
	r := Must(objects.FromJSON(t, strings.NewReader(NthDocument(n)), objects.JSONOptions{Immortal: immortal}))
	if string(Must(objects.AppendJSON(t, nil, r))) != NthDocument(n) {
		panic(Agree.Broken("a document is written differently from how it was read"))
	}
	for _, v := range objects.Dict(r).All(t) {
		switch y := t.TypeOf(v); y.ID() {
		case rt.TypeDict:
			h.bornHere(v, Dict, ObjectLevel)
		case rt.TypeList:
			h.bornHere(v, List, ArrayLevel)
			inner, ok := objects.List(v).At(t, 2)
			h.check(ok, "a document has other contents than its text")
			h.bornHere(inner, Dict, ObjectLevel)
		}
	}
	return h.bornHere(r, Dict, DocumentLevel)
}

// errMiscarried ends a birth of immortals that must fail.
var errMiscarried = errors.New("miscarried")

func (h *Heap) Born(f func() Handle, fail bool) (v Handle) {
	h.birth = []Serial{}
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
	Check(h.Thread.Scope(func(s *rt.Scope) {
		str := s.Own(objects.NewString(h.Thread, NthText(n)))
		l := s.Own(objects.NewList(h.Thread, str, v.ref))
		h.Thread.Checkpoint()
		list = h.bornHere(s.Keep(l), List, h.Level(v)+1)
	}))
	return list
}

func (h *Heap) Kind(v Handle) Kind {
	switch {
	case v == Handle{}:
		return Nothing
	case v.o == nil:
		return Leaf
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
		Check(h.Thread.Immortalize(v.ref))
		h.Sample()
	})
}

// Sample compares the headers of immortals. A safe point.
func (h *Heap) Sample() {
	if err := h.s.headers.Take(h.Thread); err != nil {
		panic(Headers.Broken("%v", err))
	}
}

func (h *Heap) Immortal(v Handle) bool { return h.Thread.IsImmortal(v.ref) }

func (h *Heap) Borrow(v Handle, i int) Handle {
	h.borrowed = h.epoch
	var r rt.Ref
	switch v.o.kind {
	case List:
		l := objects.List(v.ref)
		r, _ = l.At(h.Thread, l.Len(h.Thread)-1-i)
	case Dict:
		key, _ := rt.Int(int64(i))
		r, _ = objects.Dict(v.ref).Lookup(h.Thread, key)
	case Record:
		r, _ = objects.Record(v.ref).At(h.Thread, i%Fields)
	case Node:
		r = h.nodeField(v, i%Fields)
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
			err := h.Thread.Audit(refsOf(append(HeldBy(h.Machines...), kept...))...)
			switch _, now := h.s.nodes.kept(); {
			case now != changes: // a finalizer kept a node before the audit
				continue
			case err != nil:
				h.s.nodes.check() // a finalizer that found a failure may also have kept its node
				panic(PropAudit.Broken("%v", err))
			}
			return
		}
	})
	h.s.nodes.check()
}
