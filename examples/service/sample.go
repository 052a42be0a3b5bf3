package main

import (
	"fmt"
	"strings"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// items is how many entries the catalog has that the service makes if it gets none: enough for
// the heap profile to show what takes the memory.
const items = 20_000

// makeCatalog returns a catalog of item0, item1, …
func makeCatalog(r *rt.Runtime) (frozen *rt.Frozen, err error) {
	err = r.Do(func(t *rt.Thread) error {
		catalog, err := objects.NewDict(t)
		if err != nil {
			return err
		}
		defer t.DecRef(catalog)
		for i := range items {
			err := t.Scope(func(sc *rt.Scope) {
				item := rt.Own(objects.FromGo(t, map[string]any{"price": i % 100, "stock": i % 7, "tags": []any{"sample"}})).In(sc)
				sc.Check(catalog.Set(t, rt.Own(objects.NewString(t, itemName(i))).In(sc), item))
			})
			if err != nil {
				return err
			}
		}
		frozen, err = t.Freeze(catalog)
		return err
	})
	return frozen, err
}

// addNotes stores a note for each item of such a catalog.
func (s *service) addNotes() error {
	text := strings.Repeat("a sample note ", 20)
	return s.r.Do(func(t *rt.Thread) error {
		for i := range items {
			if _, err := s.note(t, objects.Dict{}, itemName(i), text); err != nil {
				return err
			}
		}
		return nil
	})
}

func itemName(i int) string { return fmt.Sprintf("item%d", i) }
