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
	err = r.Do(func(t *rt.Thread) error { // attaches this goroutine, and detaches it at the end
		catalog, err = objects.FromJSON(t, strings.NewReader(`{"tea": 3, "coffee": 4}`))
		return err // catalog is a new reference
	})
	if err == nil {
		err = r.Immortalize(catalog) // from here on no thread counts it
	}
	var total atomic.Int64
	err = errors.Join(err, r.Run(context.Background(), 4, func(_ context.Context, t *rt.Thread, worker int) error {
		price, _ := catalog.LookupString(t, "coffee") // takes no lock, allocates nothing
		n, _ := objects.Int(price).Value(t)
		total.Add(n)
		return nil
	}))
	fmt.Println(total.Load(), errors.Join(err, r.Close())) // Close reports leaks
	// Output: 16 <nil>
}
