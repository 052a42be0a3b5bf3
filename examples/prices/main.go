// Command prices is a price service that docs/tutorial.md builds in six steps. shop.go has the
// service, and this file has the steps.
//
//	go run ./examples/prices
//	go run ./examples/prices -steps 3   # the first three
//	go test -race ./examples/prices
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

const document = `{"tea": 300, "coffee": 400, "honey": 650}` // cents

var steps = []func(io.Writer, *shop) error{load, look, update, freeze, publish, image}

func main() {
	n := flag.Int("steps", len(steps), "how many steps to take")
	flag.Parse()
	if err := run(os.Stdout, rt.Options{}, *n); err != nil {
		fmt.Fprintln(os.Stderr, "prices:", err)
		os.Exit(1)
	}
}

// run opens a shop, takes the first n steps with it, and closes it.
func run(w io.Writer, opts rt.Options, n int) error {
	s, err := open(opts, strings.NewReader(document))
	if err != nil {
		return err
	}
	for i := 0; i < min(n, len(steps)) && err == nil; i++ {
		fmt.Fprint(w, i+1, ". ")
		err = steps[i](w, s)
	}
	return errors.Join(err, s.close())
}

func load(w io.Writer, s *shop) error {
	return s.r.Do(func(t *rt.Thread) error { // attaches this goroutine, and detaches it at the end
		fmt.Fprintln(w, s.draft.Len(t), "prices:", objects.Format(t, s.draft))
		return nil
	})
}

func look(w io.Writer, s *shop) error {
	var total atomic.Int64
	err := s.r.Run(context.Background(), 4, func(_ context.Context, t *rt.Thread, customer int) error {
		for range 1000 {
			cents, err := price(t, s.draft, "tea")
			if err != nil {
				return err
			}
			total.Add(cents)
			t.Checkpoint() // a safe point, once per look-up
		}
		return nil
	})
	fmt.Fprintln(w, "4000 look-ups,", total.Load(), "cents in all")
	return err
}

// update sets a price. Then two members of staff raise it while two customers look it up.
func update(w io.Writer, s *shop) error {
	err := s.r.Do(func(t *rt.Thread) error { return s.set(t, "tea", 320) })
	if err != nil {
		return err
	}
	err = s.r.Run(context.Background(), 4, func(_ context.Context, t *rt.Thread, worker int) (err error) {
		for i := 0; i < 500 && err == nil; i++ {
			if worker < 2 {
				err = s.raise(t, "tea", 1)
			} else {
				_, err = price(t, s.draft, "tea")
			}
			t.Checkpoint()
		}
		return err
	})
	if err != nil {
		return err
	}
	return s.r.Do(func(t *rt.Thread) error {
		cents, err := price(t, s.draft, "tea")
		fmt.Fprintln(w, "after 1000 raises by a cent, tea costs", cents)
		return err
	})
}

// freeze reads a frozen copy of the draft, and tries to change it.
func freeze(w io.Writer, s *shop) error {
	return s.r.Do(func(t *rt.Thread) error {
		frozen, err := t.Freeze(s.draft) // a copy; the draft can still change
		if err != nil {
			return err
		}
		prices := objects.Dict(frozen.Root())
		cents, err := price(t, prices, "tea")
		refused := errors.Is(prices.Clear(t), rt.ErrFrozen) // nothing is cleared
		fmt.Fprintf(w, "frozen tea costs %d, Clear fails with ErrFrozen: %t\n", cents, refused)
		return errors.Join(err, t.Unload(frozen)) // gives back the memory of the copy
	})
}

// publish publishes 20 versions while three customers send requests. Each version moves a cent
// from honey to tea, so a bill for both that mixed two versions would have another total.
func publish(w io.Writer, s *shop) error {
	if err := s.start(); err != nil {
		return err
	}
	var over atomic.Bool
	var lost, mixed atomic.Int64
	err := s.r.Run(context.Background(), 4, func(ctx context.Context, t *rt.Thread, worker int) (err error) {
		if worker == 0 {
			defer over.Store(true)
			for i := 0; i < 20 && err == nil; i++ {
				if err = errors.Join(s.raise(t, "honey", -1), s.raise(t, "tea", 1)); err == nil {
					err = s.publish(ctx, t)
				}
			}
			return err
		}
		for more := true; more; more = !over.Load() {
			if cents, err := s.bill(t, "honey", "tea"); err != nil {
				lost.Add(1)
			} else if cents != 650+1320 {
				mixed.Add(1)
			}
			t.Checkpoint()
		}
		return nil
	})
	fmt.Fprintln(w, "20 versions,", lost.Load(), "lost requests,", mixed.Load(), "bills that mix versions")
	return err
}

// image starts a second shop, which could be another process, from an image.
func image(w io.Writer, s *shop) error {
	dir, err := os.MkdirTemp("", "prices")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "prices.img")
	if err := s.save(path); err != nil {
		return err
	}
	second, err := openImage(s.opts, path)
	if err != nil {
		return err
	}
	err = second.r.Do(func(t *rt.Thread) error {
		cents, err := second.bill(t, "tea")
		fmt.Fprintln(w, "in a shop that starts from the image, tea costs", cents)
		return err
	})
	return errors.Join(err, second.close())
}
