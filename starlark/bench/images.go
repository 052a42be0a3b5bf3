package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
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
func images(rounds, n int) error {
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
	w := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', tabwriter.AlignRight)
	var whole time.Duration
	row := func(name string, times int, fn func() error) error {
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
		if whole == 0 {
			whole = best
		}
		_, err := fmt.Fprintf(w, "%s\t%s\t%.1f\t\n", name, best.Round(time.Microsecond/10), float64(whole)/float64(best))
		return err
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
		fmt.Fprintf(w, "a module of %d definitions\ttime\ttimes as fast\t\n", n)
		return errors.Join(
			row("parse, resolve, compile, run", 1, func() error {
				mod, err := th.Exec("module.star", src)
				if err == nil {
					th.Clear(mod)
				}
				return err
			}),
			row("starlark-go: the same", 1, func() error {
				_, err := peer.ExecFileOptions(&options, &peer.Thread{}, "module.star", src, nil)
				return err
			}),
			row("write an image", 1, func() error {
				mod, err := th.Exec("module.star", src)
				if err != nil {
					return err
				}
				defer th.Clear(mod)
				return th.WriteImage(context.Background(), mod, path)
			}),
			row("open the image, with all checks", 5, open(false, nothing)),
			row("open it, trusting it", 50, open(true, nothing)),
			row("open it, trusting it, and call a function", 50, open(true, call)),
			row("open it, and use all definitions", 1, open(true, all)),
		)
	})
	return errors.Join(err, w.Flush())
}
