package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

func TestRun(t *testing.T) {
	var out strings.Builder
	if err := run(&out); err != nil {
		t.Fatal(err)
	}
	want := "3 lines are left, the oldest is \"line 2\"\n" +
		"every count is what the references add up to, and nothing leaked\n"
	if out.String() != want {
		t.Errorf("got:\n%swant:\n%s", out.String(), want)
	}
}

// space is small, so that a runtime for each program costs little.
const space = 16 << 20

var modes = []rt.Options{
	{Mode: rt.GIL, AddressSpace: space},
	{Mode: rt.LockFree, AddressSpace: space},
	{Mode: rt.GIL, AddressSpace: space, Checked: true},
	{Mode: rt.LockFree, AddressSpace: space, Checked: true},
}

func name(o rt.Options) string { return fmt.Sprintf("%s/checked=%t", o.Mode, o.Checked) }

// TestRingModel runs random programs on a ring and on a slice, and compares what
// they see. Audit then adds up all references, and Close reports what leaked.
func TestRingModel(t *testing.T) {
	for _, o := range modes {
		t.Run(name(o), func(t *testing.T) {
			rapid.Check(t, func(rp *rapid.T) {
				r, err := rt.New(o)
				if err != nil {
					rp.Fatal(err)
				}
				err = r.Do(func(th *rt.Thread) error { return program(rp, th) })
				if err := errors.Join(err, r.Close()); err != nil {
					rp.Fatal(err)
				}
			})
		})
	}
}

// program runs one random program. The items are boxed integers, so that they
// are counted.
func program(rp *rapid.T, th *rt.Thread) error {
	capacity := rapid.IntRange(1, 5).Draw(rp, "capacity")
	ref, err := NewRing(th, capacity)
	if err != nil {
		return err
	}
	ring := Ring(ref)
	var model []int64
	same := func(got rt.Ref, want int64) {
		if v, ok := objects.IntOf(th, got); !ok || v != want {
			rp.Fatalf("got %s, want %d", objects.Format(th, got), want)
		}
		th.DecRef(got)
	}
	next := int64(1) << 40
	rp.Repeat(map[string]func(*rapid.T){
		"push": func(rp *rapid.T) {
			v, err := objects.NewInt(th, next)
			if err != nil {
				rp.Fatal(err)
			}
			ring.Push(th, v)
			th.DecRef(v)
			if model = append(model, next); len(model) > capacity {
				model = model[1:]
			}
			next++
		},
		"pop": func(rp *rapid.T) {
			if v := ring.Pop(th); len(model) == 0 {
				if v != rt.Nil {
					rp.Fatalf("popped %s from an empty ring", objects.Format(th, v))
				}
			} else {
				same(v, model[0])
				model = model[1:]
			}
		},
		"get": func(rp *rapid.T) {
			i := rapid.IntRange(0, capacity).Draw(rp, "i")
			if v := ring.Get(th, i); i < len(model) {
				same(v, model[i])
			} else if v != rt.Nil {
				rp.Fatalf("item %d of %d is %s", i, len(model), objects.Format(th, v))
			}
		},
		"immortalize": func(rp *rapid.T) {
			if err := th.Immortalize(ref); err != nil {
				rp.Fatal(err)
			}
		},
		"checkpoint": func(*rapid.T) { th.Checkpoint() },
		"audit": func(rp *rapid.T) {
			if err := th.Audit(ref); err != nil {
				rp.Fatal(err)
			}
		},
		"": func(rp *rapid.T) {
			if ring.Len(th) != len(model) {
				rp.Fatalf("%d items, want %d", ring.Len(th), len(model))
			}
		},
	})
	th.DecRef(ref)
	return th.Audit()
}

// TestRingThreads has threads push, pop and read one ring, and audits the heap
// when they are done.
func TestRingThreads(t *testing.T) {
	for _, o := range modes {
		t.Run(name(o), func(t *testing.T) {
			r, err := rt.New(o)
			if err != nil {
				t.Fatal(err)
			}
			var ring rt.Ref
			err = r.Do(func(th *rt.Thread) (err error) {
				ring, err = NewRing(th, 4)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			err = r.Run(context.Background(), 3, func(_ context.Context, th *rt.Thread, worker int) error {
				for i := range 300 {
					v, err := objects.NewInt(th, 1<<40+int64(worker*1000+i))
					if err != nil {
						return err
					}
					Ring(ring).Push(th, v)
					th.DecRef(v)
					th.DecRef(Ring(ring).Get(th, i%4))
					if i%3 == 0 {
						th.DecRef(Ring(ring).Pop(th))
					}
					th.Checkpoint()
				}
				return nil
			})
			err = errors.Join(err, r.Do(func(th *rt.Thread) error {
				before := th.Audit(ring)
				th.DecRef(ring)
				return errors.Join(before, th.Audit())
			}))
			if err := errors.Join(err, r.Close()); err != nil {
				t.Error(err)
			}
		})
	}
}
