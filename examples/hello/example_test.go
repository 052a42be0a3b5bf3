package main

import (
	"errors"
	"fmt"
	"log"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// The two mistakes in docs/getting-started.md.

func Example_leak() {
	r, err := rt.New(rt.Options{})
	if err != nil {
		log.Fatal(err)
	}
	err = r.Do(func(t *rt.Thread) error {
		list, err := objects.NewList(t)
		if err != nil {
			return err
		}
		return list.Append(t, rt.None) // nothing gives up the list
	})
	fmt.Println(errors.Join(err, r.Close()))
	// Output: ichor: close: leaked 1 list
}

func Example_useAfterFree() {
	r, err := rt.New(rt.Options{Checked: true})
	if err != nil {
		log.Fatal(err)
	}
	defer func() {
		misuse, _ := recover().(*rt.Misuse)
		fmt.Println(misuse.What, "of a", misuse.Type)
		if err := r.Close(); err != nil {
			fmt.Println(err)
		}
	}()
	err = r.Do(func(t *rt.Thread) error {
		list, err := objects.NewList(t)
		if err != nil {
			return err
		}
		t.DecRef(list)           // the last reference
		fmt.Println(list.Len(t)) // the list no longer exists
		return nil
	})
	fmt.Println(err)
	// Output: use after free of a list
}
