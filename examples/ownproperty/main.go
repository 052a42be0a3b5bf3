// Command ownproperty shows how to add a type of objects, for a language or an object
// model: a ring of the last items pushed (ring.go). Ichor counts, frees and audits
// rings. The test shows how to check such a type: a model in plain Go, and
// proptest.Conformance, which runs random programs on both, in every mode and on many
// threads, and audits the whole heap.
//
//	go run ./examples/ownproperty
//	go test -race ./examples/ownproperty
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

func main() {
	if err := run(os.Stdout, rt.Options{Checked: true}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run pushes five lines into a ring of three. It audits the heap while the ring is
// alive, and after it is given up.
func run(w io.Writer, opts rt.Options) error {
	r, err := rt.New(opts)
	if err != nil {
		return err
	}
	err = r.Do(func(t *rt.Thread) error {
		return errors.Join(pushFive(t, w), t.Audit()) // by now the program holds no references
	})
	err = errors.Join(err, r.Close())
	if err == nil {
		fmt.Fprintln(w, "every count matches the references, and nothing leaked")
	}
	return err
}

func pushFive(t *rt.Thread, w io.Writer) error {
	ring, err := NewRing(t, 3)
	if err != nil {
		return err
	}
	defer t.DecRef(ring)
	for i := range 5 {
		line, err := objects.NewString(t, fmt.Sprintf("line %d", i))
		if err != nil {
			return err
		}
		Ring(ring).Push(t, line)
		t.DecRef(line) // the ring holds it now
	}
	first := Ring(ring).Get(t, 0)
	defer t.DecRef(first)
	text, _ := objects.String(first).Text(t)
	fmt.Fprintf(w, "%d lines are left, the oldest is %q\n", Ring(ring).Len(t), text)
	return t.Audit(ring, first) // the only references that the program holds
}
