package main

import (
	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// Cache finds objects by their names, and keeps none of them alive: an object dies with the
// last reference that somebody else holds, and leaves the cache by that. While it lives,
// there is one object of a name. Any number of attached threads use a cache at the same time.
//
// It has no lock of its own. Its dict leads from names to weak references:
//
//	event                            change of the dict
//	a name is asked for, and absent  LoadOrStore: of several threads one stores, and all
//	                                 get what that one has stored
//	an object has died               CompareAndDelete: its weak reference is removed, and
//	                                 never one that another thread has put in its place
type Cache struct {
	names objects.Dict // immortal: callbacks may come at any time
	build func(t *rt.Thread, name string) (rt.Ref, error)
}

// NewCache returns an empty cache, for as long as the runtime is open. build makes the object
// of a name, to which it returns a new reference. Attached thread.
func NewCache(t *rt.Thread, build func(t *rt.Thread, name string) (rt.Ref, error)) (*Cache, error) {
	c := &Cache{build: build}
	err := t.Immortally(func() (err error) {
		c.names, err = objects.NewDict(t)
		return err
	})
	return c, err
}

// Len returns how many names lead to an object, or did a moment ago. Attached thread.
func (c *Cache) Len(t *rt.Thread) int { return c.names.Len(t) }

// Get returns a new reference to the object with that name: the one that lives, or a new one.
// It is a safe point if build is one. Attached thread.
func (c *Cache) Get(t *rt.Thread, name string) (r rt.Ref, err error) {
	if w, ok := c.names.LookupString(t, name); ok {
		if r, alive := objects.Weak(w).Get(t); alive {
			return r, nil
		}
	}
	fresh, err := c.build(t, name)
	if err != nil {
		return rt.Nil, err
	}
	defer t.DecRef(fresh)
	err = t.Scope(func(s *rt.Scope) {
		key := rt.Own(objects.NewString(t, name)).In(s)
		weak := rt.Own(objects.NewWeak(t, fresh, func(t *rt.Thread) { c.forget(t, name) })).In(s)
		for {
			w, _, err := c.names.LoadOrStore(t, key, weak)
			s.Own(w, err)
			var alive bool
			if r, alive = objects.Weak(w).Get(t); alive {
				return // fresh, or the object of a thread that was faster
			}
			_, err = c.names.CompareAndDelete(t, key, w)
			s.Check(err)
		}
	})
	return r, err
}

// forget removes a name whose object has died. If there is no memory for the key the name
// stays, and the next Get of it removes it.
func (c *Cache) forget(t *rt.Thread, name string) {
	w, ok := c.names.LookupString(t, name)
	if !ok {
		return
	}
	if r, alive := objects.Weak(w).Get(t); alive { // of an object that came later
		t.DecRef(r)
		return
	}
	key, err := objects.NewString(t, name)
	if err != nil {
		return
	}
	_, _ = c.names.CompareAndDelete(t, key, w) // w is borrowed: no safe point since LookupString
	t.DecRef(key)
}
