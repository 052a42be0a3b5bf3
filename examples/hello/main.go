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
	r, err := rt.New(opts) // a heap, and its rules
	if err != nil {
		return err
	}
	var list objects.List
	err = r.Do(func(t *rt.Thread) (err error) { // attach this goroutine, run, detach
		list, err = objects.NewList(t) // a new reference: ours to give up
		return err
	})
	err = errors.Join(err, r.Run(context.Background(), 4, func(_ context.Context, t *rt.Thread, worker int) error {
		for i := range 1000 {
			err := t.Scope(func(s *rt.Scope) { // what it owns is given up at its end
				text := s.Own(objects.NewString(t, fmt.Sprintf("%d of %d", i, worker)))
				s.Check(list.Append(t, text)) // the list takes a count of its own
			})
			if err != nil {
				return err
			}
			t.Checkpoint() // a safe point, once for each unit of work
		}
		return nil
	}))
	err = errors.Join(err, r.Do(func(t *rt.Thread) error {
		fmt.Fprintln(w, list.Len(t), "items")
		t.DecRef(list) // the last count: list and texts are freed before the call returns
		return nil
	}))
	return errors.Join(err, r.Close()) // says what leaked
}
