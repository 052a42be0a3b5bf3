package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// shop is a price service. Any goroutine may use it until close.
type shop struct {
	opts      rt.Options
	r         *rt.Runtime
	draft     objects.Dict // from items to cents; staff change it, and the shop owns it
	published *rt.Current  // the version that customers read; nil before start
}

// open makes a shop whose draft is read from JSON.
func open(opts rt.Options, text io.Reader) (*shop, error) {
	r, err := rt.New(opts) // an empty heap
	if err != nil {
		return nil, err
	}
	draft, err := rt.DoValue(r, func(t *rt.Thread) (objects.Dict, error) {
		return objects.FromJSON(t, text) // a new reference
	})
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return &shop{opts: opts, r: r, draft: draft}, nil
}

// close ends the shop. Nobody uses it any more.
func (s *shop) close() error {
	err := s.r.Do(func(t *rt.Thread) error {
		t.DecRef(s.draft) // the last reference: the draft is freed here
		return nil
	})
	return errors.Join(err, s.r.Close()) // Close reports leaks
}

// price returns what an item costs.
func price(t *rt.Thread, prices objects.Dict, item string) (int64, error) {
	value, ok := prices.LookupString(t, item) // a borrowed reference
	if !ok {
		return 0, fmt.Errorf("%s has no price", item)
	}
	cents, ok := objects.Int(value).Value(t) // an int64
	if !ok {
		return 0, fmt.Errorf("the price of %s is not an int", item)
	}
	return cents, nil
}

// set changes the price of an item, or adds an item.
func (s *shop) set(t *rt.Thread, item string, cents int64) error {
	return t.Scope(func(sc *rt.Scope) { // gives up what it owns when this function ends
		key := rt.Own(objects.NewString(t, item)).In(sc)
		value := rt.Own(objects.NewInt(t, cents)).In(sc)
		sc.Check(s.draft.Set(t, key, value)) // the draft counts both for itself
	})
}

// raise adds to the price of an item. If several threads do so at once, no raise is lost.
func (s *shop) raise(t *rt.Thread, item string, by int64) error {
	return t.Scope(func(sc *rt.Scope) {
		key := rt.Own(objects.NewString(t, item)).In(sc)
		for swapped := false; !swapped; {
			old := sc.Own(s.draft.Get(t, key))
			cents, err := objects.ToGo[int64](t, old)
			sc.Check(err) // ends the scope's function if there is an error
			raised := rt.Own(objects.NewInt(t, cents+by)).In(sc)
			swapped, err = s.draft.CompareAndSwap(t, key, old, raised)
			sc.Check(err)
		}
	})
}

// start publishes the first version. Customers are served from then on.
func (s *shop) start() error {
	frozen, err := s.r.Freeze(s.draft)
	if err != nil {
		return err
	}
	s.published, err = rt.NewCurrent(frozen) // it owns frozen now, and unloads it when it is replaced
	return err
}

// bill answers a request: it adds up the prices of items, all of the same version.
func (s *shop) bill(t *rt.Thread, items ...string) (total int64, err error) {
	err = s.published.Use(t, func(root rt.Ref) error {
		for _, item := range items {
			cents, err := price(t, root, item)
			if err != nil {
				return err
			}
			total += cents
		}
		return nil
	})
	return total, err
}

// publish makes a frozen copy of the draft the version that new requests read. It returns when no
// request reads the old version, which is unloaded by then.
func (s *shop) publish(ctx context.Context, t *rt.Thread) error {
	return s.published.SwapContext(ctx, t, s.draft)
}

// save writes the draft to a file, as an image.
func (s *shop) save(path string) error {
	frozen, err := s.r.Freeze(s.draft)
	if err != nil {
		return err
	}
	return errors.Join(frozen.WriteFile(path), s.r.Unload(frozen))
}

// openImage makes a shop that serves customers from an image. It has no draft.
func openImage(opts rt.Options, path string) (*shop, error) {
	r, err := rt.New(opts)
	if err != nil {
		return nil, err
	}
	s := &shop{opts: opts, r: r}
	frozen, err := r.OpenImage(path) // checks the file, and parses nothing
	if err == nil {
		s.published, err = rt.NewCurrent(frozen)
	}
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return s, nil
}
