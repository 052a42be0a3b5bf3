// Command hello is the smallest program with threads: four of them append to one list.
// docs/getting-started.md walks through it.
//
//	go run ./examples/hello
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

func main() {
	if err := run(os.Stdout, rt.Options{Mode: rt.LockFree}); err != nil {
		log.Fatal(err)
	}
}

func run(w io.Writer, opts rt.Options) error {
	r, err := rt.New(opts) // a heap, and the way in which threads share it
	if err != nil {
		return err
	}
	var list objects.List
	err = r.Do(func(t *rt.Thread) (err error) { // attaches this goroutine, and detaches it at the end
		list, err = objects.NewList(t) // a new reference, which we must give up
		return err
	})
	err = errors.Join(err, r.Run(context.Background(), 4, func(_ context.Context, t *rt.Thread, worker int) error {
		for i := range 1000 {
			err := t.Scope(func(s *rt.Scope) { // gives up what it owns when this function ends
				text := s.Own(objects.NewString(t, fmt.Sprintf("%d of %d", i, worker)))
				s.Check(list.Append(t, text)) // the list counts the text for itself
			})
			if err != nil {
				return err
			}
			t.Checkpoint() // a safe point, once per unit of work
		}
		return nil
	}))
	err = errors.Join(err, r.Do(func(t *rt.Thread) error {
		fmt.Fprintln(w, list.Len(t), "items")
		t.DecRef(list) // the last reference: frees the list and the texts before it returns
		return nil
	}))
	return errors.Join(err, r.Close()) // Close reports leaks
}
