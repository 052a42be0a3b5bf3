package objects_test

import (
	"bytes"
	"fmt"
	"log"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// The example of docs/heap.md: a program that has forgotten to give up a dict.
func Example_heap() {
	r, err := rt.New(rt.Options{})
	if err != nil {
		log.Fatal(err)
	}
	var session rt.Ref
	err = r.Do(func(t *rt.Thread) error {
		sessions, err := objects.NewDict(t) // a new reference, which nobody gives up
		if err != nil {
			return err
		}
		return t.Scope(func(s *rt.Scope) {
			session = s.Own(objects.NewTuple(t, rt.None))
			s.Check(sessions.Set(t, s.Own(objects.NewString(t, "alice")), session))
		})
	})
	if err != nil {
		log.Fatal(err)
	}

	paths, err := r.Paths(session) // why is it alive?
	for _, p := range paths {
		fmt.Println(p)
	}

	s, err := r.HeapSnapshot()
	// ...
	if err != nil {
		log.Fatal(err)
	}
	for _, c := range s.HeldByCode(10) { // what do Go variables hold, or nobody any more?
		fmt.Println(c.Type, c.Count, s.Retained(c.Ref) > s.Retained(session))
	}
	for _, y := range s.Types() { // what is in there?
		fmt.Println(y.Type, y.Objects)
	}
	var file bytes.Buffer
	_, err = s.WriteTo(&file) // for go run ./bench heap
	if err != nil {
		log.Fatal(err)
	}
	old, err := rt.ReadHeapSnapshot(&file) // in any process
	fmt.Println(old.Objects(), err)
	// Output:
	// Go code → dict 0x00001000 .alice → tuple 0x00001002
	// dict 1 true
	// dict 1
	// string 1
	// tuple 1
	// 3 <nil>
}
