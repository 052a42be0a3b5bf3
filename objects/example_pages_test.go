package objects_test

import (
	"errors"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
	"github.com/ichor-go/ichor/runtime/metrics"
)

// Examples that pages in docs/ quote. internal/lint compares them with the pages.

// inFolder runs f in a temporary folder, because it writes images.
func inFolder(f func()) {
	before, err := os.Getwd()
	if err != nil {
		log.Fatal(err)
	}
	folder, err := os.MkdirTemp("", "pages")
	if err == nil {
		err = os.Chdir(folder)
	}
	if err != nil {
		log.Fatal(err)
	}
	f()
	if err := errors.Join(os.Chdir(before), os.RemoveAll(folder)); err != nil {
		log.Fatal(err)
	}
}

func Example_freeze() {
	inFolder(func() {
		scope(func(t *rt.Thread, s *rt.Scope) {
			catalog := s.Own(objects.FromJSON(t, strings.NewReader(`{"tea": 3}`)))
			key := s.Own(objects.NewString(t, "tea"))

			f, err := t.Freeze(catalog) // catalog stays as it is, and dies by its own counts
			s.Check(err)
			s.Check(f.WriteFile("catalog.image")) // appears as a whole or not at all

			g, err := t.Runtime().OpenImage("catalog.image") // in any process, any number of times: mapped, not read
			s.Check(err)
			price, ok := objects.Dict(g.Root()).Lookup(t, key)
			fmt.Println(objects.Format(t, price), ok)
			s.Check(t.Unload(g)) // fails while an object refers into it
		})
	})
	// Output: 3 true
}

func Example_image() {
	inFolder(func() {
		r, err := rt.New(rt.Options{})
		if err != nil {
			log.Fatal(err)
		}
		err = r.Do(func(t *rt.Thread) error {
			return t.Scope(func(s *rt.Scope) {
				f, err := t.Freeze(s.Own(objects.NewString(t, "as it was")))
				s.Check(err)
				s.Check(f.WriteFile("all.img"))
			})
		})
		if err != nil {
			log.Fatal(err)
		}

		info, err := rt.ReadImageInfo("all.img") // the header, and the table of types
		fmt.Println(info.Objects, err)
		f, err := r.OpenImage("all.img") // every check
		// ...
		if err != nil {
			log.Fatal(err)
		}
		err = r.Do(func(t *rt.Thread) error {
			text, ok := objects.String(f.Root()).View(t) // the text itself, in the file's memory
			fmt.Println(text, ok)
			return t.Unload(f)
		})
		f, err2 := r.OpenImage("all.img", rt.ImageOptions{TrustImage: true}) // no look at the objects
		fmt.Println(f.Objects(), errors.Join(err, err2, r.Close()))
	})
	// Output:
	// 1 <nil>
	// as it was true
	// 1 <nil>
}

func Example_metrics() {
	r, err := rt.New(rt.Options{})
	if err != nil {
		log.Fatal(err)
	}
	err = r.Do(func(t *rt.Thread) error {
		return t.Scope(func(s *rt.Scope) {
			s.Own(objects.NewList(t))
			t.StopTheWorld(func() {}) // a stop that shows

			samples := []metrics.Sample{{Name: "/ichor/memory/objects:bytes"}, {Name: "/ichor/world/pauses:seconds"}}
			metrics.Read(r, samples)
			fmt.Println(samples[0].Value.Uint64())
			// ...
			stops := uint64(0)
			for _, n := range samples[1].Value.Float64Histogram().Counts {
				stops += n
			}
			fmt.Println(stops)
		})
	})
	fmt.Println(errors.Join(err, r.Close()))
	// Output:
	// 32
	// 1
	// <nil>
}

// This example shows which references a program counts by hand, and which a scope gives up.
func Example_ownership() {
	scope(func(t *rt.Thread, s *rt.Scope) {
		list := rt.Own(objects.NewList(t)).In(s) // new; the scope gives it up

		name, err := objects.NewString(t, "tea") // new: ours to give up
		s.Check(err)
		s.Check(list.Append(t, name)) // borrows it, and takes a count of its own
		t.DecRef(name)

		first, _ := list.At(t, 0) // borrowed: good until the next safe point
		t.IncRef(first)           // ours from here on
		t.Checkpoint()
		s.Check(list.AppendSteal(t, first)) // gives it away

		fmt.Println(objects.Format(t, list))
	})
	// Output: ["tea","tea"]
}

func Example_finalize() {
	socketType, err := rt.DefineType(rt.Type{
		Name: "socket",
		Finalize: func(_ *rt.Thread, r rt.Ref) {
			fmt.Println("closed") // no lock is held, and the world is running
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	scope(func(t *rt.Thread, s *rt.Scope) {
		socket, _, err := t.New(socketType, 8)
		s.Check(err)
		t.DecRef(socket) // the last reference: the socket has died
		fmt.Println("not yet")
		t.Checkpoint() // finalizers that are due run here
	})
	// Output:
	// not yet
	// closed
}

func Example_cycles() {
	scope(func(t *rt.Thread, s *rt.Scope) {
		list, err := objects.NewList(t)
		s.Check(err)
		s.Check(list.Append(t, list))
		t.DecRef(list) // the list still holds a reference to itself
		fmt.Println(t.Collect().Freed)
	})
	// Output: 1
}

func Example_audit() {
	scope(func(t *rt.Thread, s *rt.Scope) {
		held := s.Own(objects.NewList(t))
		t.IncRef(held)                // a reference that the scope does not own
		fmt.Println(t.Audit(held))    // every reference is accounted for
		fmt.Println(t.Audit() != nil) // one reference is not
		t.DecRef(held)
	})
	// Output:
	// <nil>
	// true
}
