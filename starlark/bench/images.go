package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	rt "github.com/ichor-go/ichor/runtime"
	"github.com/ichor-go/ichor/starlark"
	peer "go.starlark.net/starlark"
)

// definitions returns a program with n definitions: functions and dicts in turn.
func definitions(n int) string {
	var b strings.Builder
	for i := range n / 2 {
		fmt.Fprintf(&b, "def f%d(x, y = %d):\n    z = [x + y, \"text %d\"]\n    return z if x else d%d\n", i, i, i, i)
		fmt.Fprintf(&b, "d%d = {\"name\": \"name %d\", \"list\": [1, 2, %d], \"of\": f%d}\n", i, i, i, i)
	}
	return b.String()
}

// images compares ways to get a module with n definitions.
func (r *report) images(rounds, n int) error {
	src := definitions(n)
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "module.img")
	m, err := starlark.New(starlark.Options{})
	if err != nil {
		return err
	}
	defer func() { _ = m.Close() }()
	t := &table{name: "images", title: fmt.Sprintf("a module of %d definitions", n), first: "time", columns: []string{"times as fast"},
		unit: "times as fast as to compile and run it", ratio: true, format: "%.1f"}
	var whole time.Duration
	measure := func(name string, times int, fn func() error) error {
		best := time.Duration(0)
		for range rounds {
			begin := cpuTime()
			for range times {
				if err := fn(); err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
			}
			if d := (cpuTime() - begin) / time.Duration(times); best == 0 || d < best {
				best = d
			}
		}
		best = max(best, 1)
		if whole == 0 {
			whole = best
		}
		t.rows = append(t.rows, row{name: name, first: best.Round(time.Microsecond / 10).String(), values: []float64{float64(whole) / float64(best)}})
		return nil
	}
	err = m.Do(context.Background(), func(th *starlark.Thread) error {
		open := func(trust bool, use func(mod *starlark.Module) error) func() error {
			return func() error {
				mod, err := th.OpenImage(path, rt.ImageOptions{TrustImage: trust})
				if err != nil {
					return err
				}
				return use(mod)
			}
		}
		nothing := func(*starlark.Module) error { return nil }
		call := func(mod *starlark.Module) error {
			f, err := th.Lookup(mod, "f7")
			if err != nil {
				return err
			}
			v, err := th.Call(f, []starlark.Value{starlark.Int(0)})
			th.Drop(v)
			return err
		}
		all := func(mod *starlark.Module) error {
			for _, name := range th.Names(mod) {
				v, err := th.Lookup(mod, name)
				if err != nil {
					return err
				}
				th.Drop(v)
			}
			return nil
		}
		return errors.Join(
			measure("parse, resolve, compile, run", 1, func() error {
				mod, err := th.Exec("module.star", src)
				if err == nil {
					th.Clear(mod)
				}
				return err
			}),
			measure("starlark-go: the same", 1, func() error {
				_, err := peer.ExecFileOptions(&options, &peer.Thread{}, "module.star", src, nil)
				return err
			}),
			measure("write an image", 1, func() error {
				mod, err := th.Exec("module.star", src)
				if err != nil {
					return err
				}
				defer th.Clear(mod)
				return th.WriteImage(context.Background(), mod, path)
			}),
			measure("open the image, with all checks", 5, open(false, nothing)),
			measure("open it, trusting it", 50, open(true, nothing)),
			measure("open it, trusting it, and call a function", 50, open(true, call)),
			measure("open it, and use all definitions", 1, open(true, all)),
		)
	})
	if err != nil {
		return err
	}
	return r.add(t)
}
