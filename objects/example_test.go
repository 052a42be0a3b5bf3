package objects_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strings"
	"sync/atomic"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// The example of the README.
func ExampleFromJSON_immortal() {
	r, err := rt.New(rt.Options{Mode: rt.LockFree}) // or rt.GIL: nothing below changes
	if err != nil {
		log.Fatal(err)
	}
	var catalog objects.Dict
	err = r.Do(func(t *rt.Thread) error { // attach, run, detach
		catalog, err = objects.FromJSON(t, strings.NewReader(`{"tea": 3, "coffee": 4}`))
		return err // catalog is a new reference: ours to give up
	})
	if err == nil {
		err = r.Immortalize(catalog) // from here on nobody counts it
	}
	var total atomic.Int64
	err = errors.Join(err, r.Run(context.Background(), 4, func(_ context.Context, t *rt.Thread, worker int) error {
		return t.Scope(func(s *rt.Scope) { // what it owns is released at its end
			key := s.Own(objects.NewString(t, "coffee"))
			price, _ := objects.Int(s.Own(catalog.Get(t, key))).Value(t)
			total.Add(price)
		})
	}))
	fmt.Println(total.Load(), errors.Join(err, r.Close())) // Close says what leaked
	// Output: 16 <nil>
}
