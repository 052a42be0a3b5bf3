package main

import (
	rt "github.com/ichor-go/ichor/runtime"
)

// A function of the language is an object of its own type: the number of its code, and its
// captured values. It never changes, so it needs no lock, and any number of threads may
// call it at once. A function that captures nothing is a constant: it is born immortal
// while the program is compiled, and no call counts it.

// Words of a function's body.
const (
	fnProto = 0
	fnLen   = 1 // how many values it has captured
	fnSlots = 2
)

// fnType is the whole description of the type. Counting, freeing, cycles, immortality and
// audits follow from Slots.
var fnType = func() *rt.Type {
	y, err := rt.DefineType(rt.Type{
		Name:  "fn",
		Slots: func(_ rt.Heap, o rt.Body) (rt.Body, int, int) { return o, fnSlots, int(o.Word(fnLen)) },
	})
	if err != nil {
		panic(err)
	}
	return y
}()

// newFn returns a new reference to a function. It steals the references to the captured
// values unless it fails. Attached thread.
func newFn(t *rt.Thread, proto int, captured []rt.Ref) (rt.Ref, error) {
	r, o, err := t.New(fnType, 4*(fnSlots+len(captured)))
	if err != nil {
		return rt.Nil, err
	}
	o.SetWord(fnProto, uint32(proto))
	o.SetWord(fnLen, uint32(len(captured)))
	for i, v := range captured {
		o.SetRef(fnSlots+i, v) // a plain store: no other thread has seen the object yet
	}
	return r, nil
}

// fnCode returns the number of the function's code, and whether r is a function. Attached
// thread; r is borrowed.
func fnCode(t *rt.Thread, r rt.Ref) (int, bool) {
	o, ok := t.Object(r, fnType.ID())
	if !ok {
		return 0, false
	}
	return int(o.Word(fnProto)), true
}

// fnCaptured returns a borrowed reference to captured value i of the function r, good as long
// as r is. Attached thread; r is borrowed.
func fnCaptured(t *rt.Thread, r rt.Ref, i int) rt.Ref {
	o, _ := t.Object(r, fnType.ID())
	return o.Ref(fnSlots + i)
}
