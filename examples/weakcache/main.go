// Command weakcache shows how threads share documents that they look up by name. The cache
// (cache.go) keeps no document alive. It needs no lock of its own: weak references with
// callbacks, and LoadOrStore and CompareAndDelete of Dict, suffice.
//
//	go run ./examples/weakcache
//	go test -race ./examples/weakcache
package main

import (
	"context"
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

const (
	threads   = 4
	documents = 100
)

// document makes the document with the given name: a dict.
func document(t *rt.Thread, name string) (rt.Ref, error) {
	return objects.FromGo(t, map[string]any{"name": name, "pages": len(name)})
}

// run starts threads that get all documents, and then drops the documents.
func run(w io.Writer, o rt.Options) error {
	r, err := rt.New(o)
	if err != nil {
		return err
	}
	c, err := rt.DoValue(r, func(t *rt.Thread) (*Cache, error) { return NewCache(t, document) })
	if err == nil {
		err = share(w, r, c)
	}
	if err = errors.Join(err, r.Close()); err == nil {
		fmt.Fprintln(w, "nothing leaked")
	}
	return err
}

func share(w io.Writer, r *rt.Runtime, c *Cache) error {
	var got [threads][documents]rt.Ref
	err := r.Run(context.Background(), threads, func(_ context.Context, t *rt.Thread, worker int) (err error) {
		for i := range documents {
			if got[worker][i], err = c.Get(t, fmt.Sprint("document ", i)); err != nil {
				return err
			}
			t.Checkpoint()
		}
		return nil
	})
	return errors.Join(err, r.Do(func(t *rt.Thread) error {
		distinct := map[rt.Ref]bool{}
		for _, refs := range got {
			for _, ref := range refs {
				distinct[ref] = true
			}
		}
		if err == nil {
			fmt.Fprintf(w, "%d references to %d documents\n", threads*documents, len(distinct))
		}
		for _, refs := range got {
			t.DecRefs(refs[:])
		}
		t.Checkpoint() // calls the callbacks
		if err == nil {
			fmt.Fprintf(w, "dropped, and %d names are left\n", c.Len(t))
		}
		return nil
	}))
}
