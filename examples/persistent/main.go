// Command persistent defines an immutable map, whose versions share what they have in
// common (map.go). It is read by many threads with no lock, and frozen and written to an
// image like the kinds that come with Ichor. The test beside it has proptest.Conformance
// compare it with Go's map.
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
	if err := run(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run makes a thousand versions of a map, keeps one in ten, and counts objects.
func run(w io.Writer) error {
	r, err := rt.New(rt.Options{Checked: true})
	if err != nil {
		return err
	}
	err = r.Do(func(t *rt.Thread) error {
		return t.Scope(func(s *rt.Scope) {
			m, keys := Empty, 0
			for i := range 1000 {
				next, err := m.Set(t, uint32(i), rt.None)
				s.Check(err)
				if t.DecRef(rt.Ref(m)); i%10 == 0 {
					t.IncRef(next)
					s.Own(next, nil)
					keys += i + 1
				}
				m = Map(next)
			}
			t.DecRef(rt.Ref(m))
			fmt.Fprintf(w, "100 versions with %d keys in all\n", keys)
			s.Check(t.Audit())
		})
	})
	if err = errors.Join(err, r.Close()); err == nil {
		fmt.Fprintln(w, "every count is what the references add up to, and nothing leaked")
	}
	return err
}
