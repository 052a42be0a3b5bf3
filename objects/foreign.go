package objects

import rt "github.com/ichor-go/ichor/runtime"

// The Go value of a Foreign lies in a table of the runtime, by the object's
// reference: Go's collector does not look into objects.
//
//	state — condition — transition (who)
//	held     — the object is alive; its entry is in the table — dropped (the thread on
//	           which it dies, whoever discards its region, Close)
//	dropped  — the entry has been taken out, before the memory is free and its
//	           reference can name another object; release is due — released (that
//	           thread at its next safe point, or Close)
//	released — release has been called
//
// Taking the entry out is one step of the table, and who got it makes release due:
// so that is called once, also where Close drops an object that dies afterwards.
type foreign struct {
	value   any
	release func(any)             // outside the world
	give    func(*rt.Thread, any) // or inside, on a thread
}

var foreignType = core.Define(rt.TypeForeign, rt.Type{Name: "foreign", Drop: dropForeign}, nil)

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

// Foreign is an object that holds a Go value. Immutable; what the Go value is good for is
// its own affair. Its methods borrow it.
type Foreign rt.Ref

// NewForeign returns a new reference to an object that holds v, which may be nil,
// until it dies. Then v leaves the runtime at once, and release, if not nil, is
// called with it: once, at the next safe point of the thread on which the object
// died, with no lock held; for what is immortal or leaked, by rt.Runtime.Close.
// Where a region is discarded, what was born in it dies.
//
// release is called outside the world, as in rt.Thread.Blocking. So it may wait for whatever
// it likes, other threads of the runtime included, and may attach by itself, other than in
// Close; it must not use the thread on which the object died. For a value that holds
// references there is NewForeignOwner. A panic of release goes to rt.Options.OnError. If
// NewForeign fails, v is the caller's as before and release is not called. Attached thread.
func NewForeign(t *rt.Thread, v any, release func(v any)) (Foreign, error) {
	return newForeign(t, foreign{value: v, release: release})
}

// NewForeignOwner is NewForeign for a value that holds references, so returns a new
// reference: release gets a thread, to give them up with. It is called at the same safe
// point, but inside the world, so it waits in rt.Thread.Blocking alone. It may do anything
// but detach. A count that the value holds of an object is a root to the collector: it finds
// no cycle through a Foreign. Attached thread.
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

// Value returns the Go value, and whether f is a Foreign. It stays good when the
// object dies, but for what release does to it. Takes no lock. Attached thread.
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
