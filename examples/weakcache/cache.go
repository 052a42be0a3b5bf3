package main

import (
	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// Cache finds objects by name, and keeps none of them alive: an object dies with the last
// reference outside the cache, and then leaves the cache. While it lives, it is the only
// object of its name. Any number of attached threads may use a cache at the same time.
//
// It has no lock of its own. Its dict maps names to weak references:
//
//	event                            change of the dict
//	Get of an absent name            LoadOrStore: of several threads one stores, and all
//	                                 get the object that it has stored
//	an object has died               CompareAndDelete: its weak reference is removed, and
//	                                 never one that another thread has put in its place
type Cache struct {
	names objects.Dict // immortal: callbacks may come at any time
	build func(t *rt.Thread, name string) (rt.Ref, error)
}

// NewCache returns an empty cache, which can be used until the runtime is closed. build
// makes the object for a name, and returns a new reference to it. Attached thread.
func NewCache(t *rt.Thread, build func(t *rt.Thread, name string) (rt.Ref, error)) (*Cache, error) {
	c := &Cache{build: build}
	err := t.Immortally(func() (err error) {
		c.names, err = objects.NewDict(t)
		return err
	})
	return c, err
}

// Len returns the number of names in the cache. The object of a name may have just died.
// Attached thread.
func (c *Cache) Len(t *rt.Thread) int { return c.names.Len(t) }

// Get returns a new reference to the object with the given name: the living one, or a new
// one. It is a safe point if build is one. Attached thread.
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

// forget removes a name whose object has died. If there is no memory for the key, the name
// stays, and the next Get of the name removes it.
func (c *Cache) forget(t *rt.Thread, name string) {
	w, ok := c.names.LookupString(t, name)
	if !ok {
		return
	}
	if r, alive := objects.Weak(w).Get(t); alive { // a later object of this name
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
