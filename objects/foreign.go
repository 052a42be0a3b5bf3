package objects

import rt "github.com/ichor-go/ichor/runtime"

// The Go value of a Foreign lies in a table of the runtime, keyed by the object's
// reference, because Go's garbage collector does not look into objects.
//
//	state — condition — transition (by)
//	held     — the object is alive; its entry is in the table — dropped (the thread on
//	           which it dies, the thread that discards its region, Close)
//	dropped  — the entry has been removed, before the memory is freed and its
//	           reference can name another object; release is pending — released (that
//	           thread at its next safe point, or Close)
//	released — release has been called
//
// Removing the entry is one step of the table, and the thread that removed it makes release
// pending. So release is called once, even if Close drops an object that dies afterwards.
type foreign struct {
	value   any
	release func(any)             // outside the world
	give    func(*rt.Thread, any) // or inside, on a thread
}

var foreignType = core.Define(rt.TypeForeign, rt.Type{Name: "foreign", Drop: dropForeign}, nil, nil)

func dropForeign(t *rt.Thread, r rt.Ref, _ rt.Body) {
	e, ok := core.Foreign(t.Runtime()).LoadAndDelete(r)
	if !ok {
		return
	}
	switch f := e.(foreign); {
	case f.release != nil:
		t.LaterBlocking(func() { f.release(f.value) })
	case f.give != nil:
		t.Later(func(t *rt.Thread) { f.give(t, f.value) })
	}
}

// Foreign is an object that holds a Go value. Immutable; the Go value is as safe for
// concurrent use as its own type makes it. Its methods borrow it.
type Foreign rt.Ref

// NewForeign returns a new reference to an object that holds v, which may be nil, until the
// object dies. Then v leaves the runtime at once, and release, if not nil, is called with
// v. It is called once, with no lock held, at the next safe point of the thread on which
// the object died. If the object is immortal or leaked, rt.Runtime.Close calls it. If a
// region is discarded, the objects that were born in it die.
//
// release is called outside the world, as in rt.Thread.Blocking. So it may wait for
// anything, including other threads of the runtime. It may attach a thread of its own,
// except in Close. It must not use the thread on which the object died. If the value holds
// references, use NewForeignOwner. If release panics, the panic goes to rt.Options.OnError.
// If NewForeign fails, with rt.ErrMemoryLimit, v remains the caller's, and release is not
// called. Attached thread.
func NewForeign(t *rt.Thread, v any, release func(v any)) (Foreign, error) {
	return newForeign(t, foreign{value: v, release: release})
}

// NewForeignOwner is like NewForeign, for a value that holds references, and returns a new
// reference. release gets a thread on which to give the references up. It is called at the
// same safe point, but inside the world, so it may wait only in rt.Thread.Blocking. It may
// do anything but detach. An object of which the value holds a count is a root to the
// collector, so the collector never finds a cycle through a Foreign. Attached thread.
func NewForeignOwner(t *rt.Thread, v any, release func(t *rt.Thread, v any)) (Foreign, error) {
	return newForeign(t, foreign{value: v, give: release})
}

func newForeign(t *rt.Thread, f foreign) (Foreign, error) {
	r, _, err := t.New(foreignType, 0)
	if err != nil {
		return rt.Nil, err
	}
	core.Foreign(t.Runtime()).Store(r, f)
	return r, nil
}

// Value returns the Go value, and whether f is a Foreign. The value stays good after the
// object's death, except for whatever release does to it. Takes no lock. Attached thread.
func (f Foreign) Value(t *rt.Thread) (any, bool) {
	if _, ok := t.Object(f, rt.TypeForeign); !ok {
		return nil, false
	}
	e, ok := core.Foreign(t.Runtime()).Load(f)
	if !ok {
		return nil, false
	}
	return e.(foreign).value, true
}
