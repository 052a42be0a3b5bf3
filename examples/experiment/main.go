// Command experiment is for somebody who has an idea about many cores and wants
// to see it run: the same work under a global lock and without one, on as many
// threads as the machine has cores. Copy it, and put the idea where the baskets
// are filled.
//
//	go run ./examples/experiment
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	goruntime "runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

func main() {
	if err := run(os.Stdout, goruntime.GOMAXPROCS(0), 50_000); err != nil {
		log.Fatal(err)
	}
}

// run does the experiment in both modes.
func run(w io.Writer, threads, baskets int) error {
	for _, mode := range []rt.Mode{rt.GIL, rt.LockFree} {
		began := time.Now()
		sum, err := fill(mode, threads, baskets)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%-8s %d threads: the baskets cost %d, it took %s\n", mode, threads, sum, time.Since(began).Round(time.Millisecond))
	}
	return nil
}

// fill has each thread fill baskets from one price list, which all of them read,
// and returns what all baskets cost.
func fill(mode rt.Mode, threads, baskets int) (int64, error) {
	r, err := rt.New(rt.Options{Mode: mode})
	if err != nil {
		return 0, err
	}
	var prices rt.Ref
	err = r.Do(func(t *rt.Thread) (err error) {
		prices, err = objects.FromJSON(t, strings.NewReader(`{"tea": 3, "coffee": 4, "milk": 2, "bread": 5}`))
		return err
	})
	if err == nil {
		err = r.Immortalize(prices) // nobody counts it any more, so nobody gives it up
	}
	var sum atomic.Int64
	err = errors.Join(err, r.Run(context.Background(), threads, func(_ context.Context, t *rt.Thread, _ int) error {
		for range baskets {
			err := t.Scope(func(s *rt.Scope) {
				basket := objects.List(s.Own(objects.NewList(t)))
				for _, price := range objects.Dict(prices).All(t) {
					s.Check(basket.Append(t, price))
				}
				for _, price := range basket.All(t) {
					v, _ := objects.IntOf(t, price)
					sum.Add(v)
				}
			})
			if err != nil {
				return err
			}
			t.Checkpoint() // here the lock can be passed on, and retired memory is freed
		}
		return nil
	}))
	return sum.Load(), errors.Join(err, r.Close())
}
