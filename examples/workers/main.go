// Workers starts processes that share one heap. The parent loads a catalogue, freezes
// it, and starts this program again; the workers find the catalogue in place. However
// often they read it, they copy none of its pages. Linux.
//
//	go run ./examples/workers
package main

import (
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"strings"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

func main() {
	log.SetFlags(0)
	run := parent
	if len(os.Args) > 1 {
		run = worker
	}
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func parent() (err error) {
	r, err := rt.New(rt.Options{Backing: rt.MemfdBacking})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	var frozen *rt.Frozen
	err = r.Do(func(t *rt.Thread) error {
		catalog, err := objects.FromJSON(t, strings.NewReader(`{"tea": 3, "coffee": 4}`))
		if err != nil {
			return err
		}
		defer t.DecRef(catalog)
		frozen, err = t.Freeze(catalog)
		return err
	})
	if err != nil {
		return err
	}
	heap, err := r.Share(frozen.Root()) // Root is counted by nobody: no need to hold it
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, heap.Close()) }()
	program, err := os.Executable()
	if err != nil {
		return err
	}
	for _, key := range []string{"tea", "coffee"} {
		c := exec.Command(program, key)
		c.ExtraFiles = []*os.File{heap} // descriptor 3 there
		c.Stdout, c.Stderr = os.Stdout, os.Stderr
		err = errors.Join(err, c.Run())
	}
	return err
}

func worker() error {
	r, roots, err := rt.OpenShared(os.NewFile(3, "heap"), rt.Options{})
	if err != nil {
		return err
	}
	err = r.Do(func(t *rt.Thread) error {
		return t.Scope(func(s *rt.Scope) {
			key := s.Own(objects.NewString(t, os.Args[1]))
			price, _ := objects.Dict(roots[0]).Lookup(t, key)
			n, _ := objects.Int(price).Value(t)
			fmt.Printf("%s: %d\n", os.Args[1], n)
		})
	})
	return errors.Join(err, r.Close())
}
