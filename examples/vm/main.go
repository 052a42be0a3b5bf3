// Command vm shows how to build a language: a small Lisp with ints, strings, lists, dicts,
// functions that capture variables, and threads. One program runs in all modes, under a
// global lock and without one. docs/implementers.md explains it.
//
//	go run ./examples/vm                       # demo.lisp, in all modes
//	go run ./examples/vm -mode gil FILE.lisp
//	go test -race ./examples/vm
//
// The files, in the order in which they handle a program: read.go (text to lists),
// compile.go (lists to the code of code.go), task.go (runs the code), prims.go (the
// primitives), machine.go (threads), closure.go (a type of objects of its own), and
// prelude.lisp.
package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	rt "github.com/ichor-go/ichor/runtime"
)

// modes are the modes in which a program can run.
var modes = []struct {
	name string
	opts rt.Options
}{
	{"gil", rt.Options{Mode: rt.GIL}},
	{"atomic", rt.Options{Mode: rt.LockFree, Counting: rt.Atomic}},
	{"biased", rt.Options{Mode: rt.LockFree, Counting: rt.Biased}},
}

//go:embed demo.lisp
var demo string

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	err := run(ctx, os.Stdout, os.Stderr, os.Args[1:])
	interrupted := ctx.Err() != nil
	stop()
	switch {
	case interrupted:
		fmt.Fprintln(os.Stderr, "vm: interrupted")
		os.Exit(130)
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "vm:", err)
		os.Exit(2)
	}
}

func run(ctx context.Context, out, usage io.Writer, args []string) error {
	flags := flag.NewFlagSet("vm", flag.ContinueOnError)
	flags.SetOutput(usage)
	mode := flags.String("mode", "all", "gil, atomic, biased or all")
	checked := flags.Bool("checked", false, "find mistakes in counting; about fifty times slower")
	limit := flags.Int64("memory", 0, "bytes that objects may take; 0 is no limit")
	if err := flags.Parse(args); err != nil {
		return err
	}
	file, text := "demo.lisp", demo
	switch flags.NArg() {
	case 0:
	case 1:
		file = flags.Arg(0)
		b, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		text = string(b)
	default:
		return fmt.Errorf("want one program, got %d", flags.NArg())
	}
	ran := false
	for _, m := range modes {
		if *mode != "all" && *mode != m.name {
			continue
		}
		ran = true
		m.opts.Checked, m.opts.MemoryLimit = *checked, *limit
		began := time.Now()
		if err := execute(ctx, m.opts, out, file, text); err != nil {
			return err
		}
		if *mode == "all" {
			fmt.Fprintf(out, "(%s took %s)\n", m.name, time.Since(began).Round(10*time.Microsecond))
		}
	}
	if !ran {
		return fmt.Errorf("mode %q: want gil, atomic, biased or all", *mode)
	}
	return nil
}
