// Command ichor-star runs Starlark programs.
//
//	ichor-star [flags] FILE        run a program
//	ichor-star [flags] -           run the program on standard input
//	ichor-star [flags] -c PROGRAM  run the program in the argument
//	ichor-star [flags]             read statements from a terminal
//
// With -threads N it runs the program once, and then main(i) on N threads that share the
// program's values. The exit status is 1 after an error, and 2 after wrong usage.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	rt "github.com/ichor-go/ichor/runtime"
	"github.com/ichor-go/ichor/starlark"
	"go.starlark.net/syntax"
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// config is what the flags say.
type config struct {
	mode    string
	threads int
	memory  string
	steps   uint64
	depth   int
	timeout time.Duration
	strict  bool
	stats   bool
	profile string
	program string
}

func run(args []string, in io.Reader, out, errs io.Writer) int {
	var c config
	f := flag.NewFlagSet("ichor-star", flag.ContinueOnError)
	f.SetOutput(errs)
	f.StringVar(&c.mode, "mode", "atomic", "how threads share values: gil, atomic or biased")
	f.IntVar(&c.threads, "threads", 0, "run main(i) on `N` threads after the program")
	f.StringVar(&c.memory, "memory", "", "bound on the bytes of all values, such as 64MiB")
	f.Uint64Var(&c.steps, "steps", 0, "bound on the calls and iterations of each thread")
	f.IntVar(&c.depth, "depth", 0, "bound on nested calls (default 10000)")
	f.DurationVar(&c.timeout, "timeout", 0, "bound on the time that the program takes")
	f.BoolVar(&c.strict, "strict", false, "without while, recursion, sets, statements at the top level, and reassigned globals")
	f.BoolVar(&c.stats, "stats", false, "print statistics at the end")
	f.StringVar(&c.profile, "profile", "", "write a profile of the program's functions to `FILE`, for go tool pprof")
	f.StringVar(&c.program, "c", "", "run `PROGRAM`")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	opts, err := c.options(out)
	if err != nil {
		fmt.Fprintln(errs, "ichor-star:", err)
		return 2
	}
	if f.NArg() > 1 || f.NArg() == 1 && c.program != "" {
		fmt.Fprintln(errs, "ichor-star: want one program")
		return 2
	}
	l := newLoader()
	opts.Load = l.load
	m, err := starlark.New(opts)
	if err != nil {
		fmt.Fprintln(errs, "ichor-star:", err)
		return 2
	}
	profile, err := c.startProfile(m)
	switch {
	case err != nil:
	case f.NArg() == 0 && c.program == "":
		err = c.repl(m, l, lineReader(in, out), out, errs)
	default:
		err = c.execute(m, l, f.Arg(0), in)
	}
	status := 0
	for _, err := range []error{err, profile()} {
		if err != nil {
			l.show(errs, err)
			status = 1
		}
	}
	if c.stats {
		showStats(errs, m.Runtime())
	}
	if err := m.Close(); err != nil && status == 0 {
		fmt.Fprintln(errs, "ichor-star:", err)
		status = 1
	}
	return status
}

func (c *config) options(out io.Writer) (starlark.Options, error) {
	opts := starlark.Options{Steps: c.steps, Depth: c.depth, Output: out}
	switch c.mode {
	case "gil":
		opts.Mode = rt.GIL
	case "atomic":
		opts.Counting = rt.Atomic
	case "biased":
		opts.Counting = rt.Biased
	default:
		return opts, fmt.Errorf("-mode %s: want gil, atomic or biased", c.mode)
	}
	switch {
	case c.threads < 0 || c.threads > maxThreads:
		return opts, fmt.Errorf("-threads %d: want at most %d", c.threads, maxThreads)
	case c.depth < 0:
		return opts, fmt.Errorf("-depth %d: want a positive number", c.depth)
	case c.timeout < 0:
		return opts, fmt.Errorf("-timeout %s: want a positive duration", c.timeout)
	}
	if !c.strict {
		opts.File = syntax.FileOptions{Set: true, While: true, TopLevelControl: true, GlobalReassign: true, Recursion: true}
	}
	if c.memory != "" {
		n, err := parseBytes(c.memory)
		if err != nil {
			return opts, err
		}
		opts.Memory = n
	}
	return opts, nil
}

// maxThreads is what -threads can be. Each thread is a goroutine with a stack.
const maxThreads = 10_000

// startProfile begins the profile that -profile asks for. The function that it returns writes it.
func (c *config) startProfile(m *starlark.Machine) (write func() error, err error) {
	if c.profile == "" {
		return func() error { return nil }, nil
	}
	file, err := os.Create(c.profile)
	if err != nil {
		return func() error { return nil }, err
	}
	p := m.StartProfile()
	return func() error { return errors.Join(p.Write(file), file.Close()) }, nil
}

// parseBytes reads a size such as 64MiB.
func parseBytes(s string) (int64, error) {
	num, unit := s, int64(1)
	for suffix, u := range map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30} {
		if n, ok := strings.CutSuffix(s, suffix); ok {
			num, unit = n, u
		}
	}
	n, err := strconv.ParseInt(num, 10, 64)
	if err != nil || n <= 0 || n > 1<<50/unit {
		return 0, fmt.Errorf("-memory %s: want a size such as 64MiB", s)
	}
	return n * unit, nil
}

// execute runs a program, and main on each thread.
func (c *config) execute(m *starlark.Machine, l *loader, file string, in io.Reader) error {
	ctx, stop := c.context()
	defer stop()
	var src []byte
	var err error
	switch {
	case c.program != "":
		file, src = "<command>", []byte(c.program)
	case file == "-":
		file = "<stdin>"
		src, err = io.ReadAll(in)
	default:
		src, err = os.ReadFile(file)
	}
	if err != nil {
		return err
	}
	l.keep(file, src)
	l.dir = filepath.Dir(file)
	var mod *starlark.Module
	err = m.Do(ctx, func(th *starlark.Thread) (err error) {
		mod, err = th.Exec(file, src)
		return err
	})
	if err != nil || c.threads == 0 {
		return err
	}
	var mu sync.Mutex
	var first error // with its calls, even if it is that ctx has ended
	err = m.Run(ctx, c.threads, func(th *starlark.Thread, i int) error {
		fn := th.Global(mod, "main")
		defer th.Drop(fn)
		if fn == 0 {
			return fmt.Errorf("-threads %d: the program has no function main", c.threads)
		}
		v, err := th.Call(fn, []starlark.Value{starlark.Int(i)})
		th.Drop(v)
		mu.Lock()
		defer mu.Unlock()
		if first == nil {
			first = err
		}
		return err
	})
	if first != nil {
		return first
	}
	return err
}
