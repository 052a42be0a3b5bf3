// Command persistent defines an immutable map, whose versions share their common parts
// (map.go). Many threads can read it without a lock, and it can be frozen and written
// to an image like the kinds that come with Ichor. The test uses proptest.Conformance
// to compare it with Go's map.
//
//	go run ./examples/persistent
//	go test -race ./examples/persistent
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	rt "github.com/ichor-go/ichor/runtime"
)

func main() {
	if err := run(os.Stdout, rt.Options{Checked: true}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run makes a thousand versions of a map, keeps one in ten, and counts their keys.
func run(w io.Writer, opts rt.Options) error {
	r, err := rt.New(opts)
	if err != nil {
		return err
	}
	err = r.Do(func(t *rt.Thread) error {
		return t.Scope(func(kept *rt.Scope) {
			keys, err := versions(t, kept)
			kept.Check(err)
			fmt.Fprintf(w, "100 versions with %d keys in all\n", keys)
			kept.Check(t.Audit())
		})
	})
	if err = errors.Join(err, r.Close()); err == nil {
		fmt.Fprintln(w, "every count matches the references, and nothing leaked")
	}
	return err
}

// versions makes the maps, and returns the number of keys in those that are kept.
func versions(t *rt.Thread, kept *rt.Scope) (keys int, err error) {
	m := Empty
	defer func() { t.DecRef(m) }() // gives up the last version, however the function ends
	for i := range 1000 {
		next, err := m.Set(t, uint32(i), rt.None)
		if err != nil {
			return 0, err
		}
		t.DecRef(m)
		m = Map(next)
		if i%10 == 0 {
			kept.Own(kept.Keep(next), nil)
			keys += i + 1
		}
	}
	return keys, nil
}
