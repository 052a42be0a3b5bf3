package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// modes are all modes and ways of counting.
var modes = map[string]rt.Options{
	"gil":     {Mode: rt.GIL},
	"atomic":  {Mode: rt.LockFree, Counting: rt.Atomic},
	"biased":  {Mode: rt.LockFree, Counting: rt.Biased},
	"checked": {Mode: rt.LockFree, Checked: true},
}

func TestRun(t *testing.T) {
	for name, o := range modes {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			if err := run(&out, o); err != nil {
				t.Fatal(err)
			}
			if want := "400 references to 100 documents\ndropped, and 0 names are left\nnothing leaked\n"; out.String() != want {
				t.Errorf("got %q, want %q", out.String(), want)
			}
		})
	}
}

// TestNoRoom has memory run out wherever it can. Nothing leaks.
func TestNoRoom(t *testing.T) {
	for limit := int64(64 << 10); ; limit += 64 << 10 {
		err := run(io.Discard, rt.Options{MemoryLimit: limit})
		if err == nil {
			return
		}
		if !errors.Is(err, rt.ErrMemoryLimit) || strings.Contains(err.Error(), "leak") {
			t.Fatalf("with %d bytes: got %v, want %v", limit, err, rt.ErrMemoryLimit)
		}
	}
}

// TestOneOfEach has threads get and drop documents of a few names at random. As long as a
// document is held, its name leads to it, and to no other.
func TestOneOfEach(t *testing.T) {
	rounds := 20_000
	if testing.Short() {
		rounds = 2_000
	}
	for name, o := range modes {
		t.Run(name, func(t *testing.T) {
			r, err := rt.New(o)
			if err != nil {
				t.Fatal(err)
			}
			c, err := rt.DoValue(r, func(t *rt.Thread) (*Cache, error) { return NewCache(t, document) })
			if err != nil {
				t.Fatal(err)
			}
			err = r.Run(context.Background(), threads, func(_ context.Context, t *rt.Thread, worker int) error {
				return getAndDrop(t, c, rand.New(rand.NewPCG(1, uint64(worker))), rounds)
			})
			err = errors.Join(err, r.Do(func(t *rt.Thread) error {
				t.Checkpoint()
				if n := c.Len(t); n != 0 {
					return fmt.Errorf("%d names are left", n)
				}
				return t.Audit()
			}), r.Close())
			if err != nil {
				t.Error(err)
			}
		})
	}
}

func getAndDrop(t *rt.Thread, c *Cache, rnd *rand.Rand, rounds int) error {
	var held [3]rt.Ref
	defer func() { t.DecRefs(held[:]) }()
	for range rounds {
		i := rnd.IntN(len(held))
		if held[i] != rt.Nil && rnd.IntN(3) == 0 {
			t.DecRef(held[i])
			held[i] = rt.Nil
		}
		name := fmt.Sprint("document ", i)
		x, err := c.Get(t, name)
		if err != nil {
			return err
		}
		v, _ := objects.Dict(x).LookupString(t, "name")
		if got, _ := objects.String(v).View(t); got != name {
			return fmt.Errorf("%s is called %s", name, objects.Format(t, v))
		}
		if held[i] != rt.Nil && held[i] != x {
			return fmt.Errorf("there are two of %s", name)
		}
		t.DecRef(held[i])
		held[i] = x
		if rnd.IntN(4) == 0 {
			t.Checkpoint()
		}
	}
	return nil
}
