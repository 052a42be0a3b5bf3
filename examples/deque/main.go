// Command deque defines its own mutable type: a double-ended queue (deque.go). Its items
// lie in a block, its readers take no lock, and it is frozen and written to images like the
// kinds that come with Ichor. docs/implementers.md explains it line by line. Its test
// compares it with a Go slice by proptest.Conformance.
//
//	go run ./examples/deque
//	go test -race ./examples/deque
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

func main() {
	if err := run(os.Stdout, rt.Options{Checked: true}); err != nil {
		log.Fatal(err)
	}
}

// run fills a deque on four threads, writes it to an image, and reads the image in another
// runtime.
func run(w io.Writer, opts rt.Options) (err error) {
	dir, err := os.MkdirTemp("", "deque")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	image := filepath.Join(dir, "deque.img")
	if err := write(image, w, opts); err != nil {
		return err
	}
	return read(image, w, opts)
}

func write(image string, w io.Writer, opts rt.Options) error {
	r, err := rt.New(opts)
	if err != nil {
		return err
	}
	d, err := rt.DoValue(r, NewDeque)
	if err != nil {
		return errors.Join(err, r.Close())
	}
	err = r.Run(context.Background(), 4, func(_ context.Context, t *rt.Thread, worker int) error {
		push := Deque.PushBack
		if worker%2 == 0 {
			push = Deque.PushFront
		}
		for i := range 250 {
			err := t.Scope(func(s *rt.Scope) {
				s.Check(push(d, t, s.Own(objects.NewString(t, fmt.Sprintf("%d of %d", i, worker)))))
			})
			if err != nil {
				return err
			}
			t.Checkpoint()
		}
		return nil
	})
	err = errors.Join(err, r.Do(func(t *rt.Thread) error {
		defer t.DecRef(d) // the last count: the deque, its block and its items are freed
		f, err := t.Freeze(d)
		if err != nil {
			return err
		}
		fmt.Fprintln(w, d.Len(t), "items, frozen:", f)
		return f.WriteFile(image)
	}))
	return errors.Join(err, r.Close())
}

func read(image string, w io.Writer, opts rt.Options) error {
	r, err := rt.New(opts)
	if err != nil {
		return err
	}
	f, err := r.OpenImage(image) // checks each object: see checkDeque
	if err == nil {
		err = r.Do(func(t *rt.Thread) error {
			var d Deque = f.Root()
			first, _ := d.At(t, 0)
			last, _ := d.At(t, d.Len(t)-1)
			a, _ := objects.String(first).Text(t)
			b, _ := objects.String(last).Text(t)
			fmt.Fprintf(w, "%d items in the image, from %.3q to %.3q\n", d.Len(t), a, b)
			return nil
		})
	}
	return errors.Join(err, r.Close())
}
