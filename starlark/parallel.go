package starlark

import (
	"context"
	"fmt"
	goruntime "runtime"
	"sync/atomic"

	rt "github.com/ichor-go/ichor/runtime"
)

// ParallelModule returns the module parallel. Its function map(f, items) calls f with each item
// on several threads, and returns the list of the results in the order of the items. The first
// error ends it. The threads share the values, and what is left of the caller's steps each. In a
// function that map calls, map uses no further threads.
func (th *Thread) ParallelModule() (Value, error) {
	return th.NewModule("parallel", map[string]Func{"map": parallelMap})
}

func parallelMap(th *Thread, c *Call) (Value, error) {
	var f, items Value
	if err := c.Unpack(th, c.Args, []string{"f", "items"}, &f, &items); err != nil {
		return 0, err
	}
	switch {
	case !th.callable(f):
		return 0, c.parameter(th, "f", f, "callable")
	case !th.iterable(items):
		return 0, c.parameter(th, "items", items, "iterable")
	}
	list, err := th.collect(items, func(x Value) (Value, error) { return th.dup(x), nil })
	if err != nil {
		return 0, err
	}
	defer th.drop(list)
	n := th.listLen(list)
	results, err := th.repeat(kList, th.m.oneNone, mkInt(n))
	if err != nil {
		return 0, err
	}
	one := func(th *Thread, i int) error {
		x := th.dup(th.listAt(list, i))
		defer th.drop(x)
		v, err := th.Call(f, []Value{x})
		if err != nil {
			return err
		}
		if err := th.listSet(results, i, v); err != nil {
			th.drop(v)
			return err
		}
		return nil
	}
	workers := min(goruntime.GOMAXPROCS(0), n)
	if th.worker || workers < 2 {
		for i := range n {
			if err := one(th, i); err != nil {
				th.drop(results)
				return 0, err
			}
		}
		return results, nil
	}
	var next, steps atomic.Int64
	left := th.limit - min(th.Steps(), th.limit)
	depth := th.goCalls
	th.t.Blocking(func() {
		err = th.m.rt.Run(th.ctx, workers, func(ctx context.Context, t *rt.Thread, _ int) error {
			w := th.m.newThread(ctx, t)
			defer w.close()
			w.worker, w.limit, w.goCalls = true, max(left, 1), depth
			w.refuel()
			defer func() { steps.Add(int64(w.Steps())) }()
			for {
				i := int(next.Add(1)) - 1
				if i >= n || ctx.Err() != nil {
					return ctx.Err()
				}
				if err := one(w, i); err != nil {
					return err
				}
			}
		})
	})
	th.charge(int(min(steps.Load(), 1<<40)))
	if err != nil {
		th.drop(results)
		return 0, fmt.Errorf("parallel.map: %w", err)
	}
	return results, nil
}
