package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// The two mistakes in docs/tutorial.md.

// leak sets a price, and forgets the key.
func leak(opts rt.Options) error {
	s, err := open(opts, strings.NewReader(document))
	if err != nil {
		return err
	}
	err = s.r.Do(func(t *rt.Thread) error {
		key, err := objects.NewString(t, "tea") // nothing gives up this reference
		if err != nil {
			return err
		}
		return t.Scope(func(sc *rt.Scope) {
			sc.Check(s.draft.Set(t, key, sc.Own(objects.NewInt(t, 320))))
		})
	})
	return errors.Join(err, s.close())
}

// useAfterFree looks up a price in a draft that its scope has given up.
func useAfterFree(opts rt.Options) (err error) {
	r, err := rt.New(opts)
	if err != nil {
		return err
	}
	defer func() {
		misuse, _ := recover().(*rt.Misuse)
		err = errors.Join(misuse, r.Close())
	}()
	return r.Do(func(t *rt.Thread) error {
		var draft objects.Dict
		err := t.Scope(func(sc *rt.Scope) {
			draft = sc.Own(objects.FromJSON(t, strings.NewReader(document)))
		}) // the scope gives up the draft here
		if err != nil {
			return err
		}
		_, err = price(t, draft, "tea")
		return err
	})
}

func Example_leak() {
	fmt.Println(leak(rt.Options{}))
	// Output: ichor: close: leaked 1 string
}

func Example_useAfterFree() {
	var misuse *rt.Misuse
	if errors.As(useAfterFree(rt.Options{Checked: true}), &misuse) {
		fmt.Println(misuse.What, "in", misuse.Call)
	}
	// Output: use after free in Dict.LookupString
}
