package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/ichor-go/ichor/bench/experiment/command"
)

// preforkName is what reports call the experiment.
const preforkName = "prefork"

// plotSteps is how many equal steps of requests plots show.
const plotSteps = 20

// errPrefork is what other systems say.
var errPrefork = errors.New("prefork needs Linux: heaps that processes share lie in a memfd, and /proc tells what was copied")

// preforkFlags are those of `bench prefork`.
type preforkFlags struct {
	Input    []string      `sep:"none" placeholder:"FILE..." help:"JSON documents, plain, .gz or .zst, instead of the corpus that comes with Go."`
	Size     byteCount     `default:"256MiB" placeholder:"BYTES" help:"How much JSON the parent loads: the documents, again and again (default: 256MiB)."`
	Workers  command.Count `default:"2" placeholder:"N" help:"How many workers it starts (default: 2)."`
	Requests command.Count `default:"100000" placeholder:"N" help:"How many requests each worker answers (default: 100000)."`
	Mode     string        `enum:"gil,atomic,biased" default:"atomic" placeholder:"gil|atomic|biased" help:"The runtimes' mode (default: atomic)."`
	Format   string        `enum:"text,json" default:"text" placeholder:"text|json" help:"A table, or one object a line (default: text)."`
	Plot     string        `empty:"" default:"prefork.svg" placeholder:"FILE" help:"Where the plot goes, .svg or .png; none or nothing for no plot (default: prefork.svg)."`
	Progress string        `enum:"auto,on,off" default:"auto" placeholder:"auto|on|off" help:"Progress bar on standard error: auto (the default) means if it is a terminal."`
}

// Bounds of what prefork is asked for: guesses, against slips of the keyboard.
const (
	maxPreforkSize    = 16 << 30
	maxPreforkWorkers = 64
)

// byteCount is a number of bytes, such as 64MiB.
type byteCount int64

var byteUnits = []struct {
	name string
	size int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"", 1}}

func (c *byteCount) UnmarshalText(text []byte) error {
	for _, u := range byteUnits {
		digits, found := strings.CutSuffix(string(text), u.name)
		if !found {
			continue
		}
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || n < 1 || n > maxPreforkSize/u.size {
			break
		}
		*c = byteCount(n * u.size)
		return nil
	}
	return fmt.Errorf("%q is not a size from 1 to %dGiB, such as 64MiB", text, maxPreforkSize>>30)
}

// String is the size as UnmarshalText reads it.
func (c byteCount) String() string {
	for _, u := range []int{2, 1, 0} { // the greatest that divides it
		if unit := byteUnits[u]; c > 0 && int64(c)%unit.size == 0 {
			return fmt.Sprint(int64(c)/unit.size) + unit.name
		}
	}
	return fmt.Sprint(int64(c))
}

// prefork checks the flags and runs the experiment.
func (a *app) prefork(ctx context.Context, f *preforkFlags) error {
	if f.Workers > maxPreforkWorkers {
		return command.UsageError{Err: fmt.Errorf("-workers: %d is more than %d", f.Workers, maxPreforkWorkers)}
	}
	if f.Plot == "none" {
		f.Plot = ""
	}
	if f.Plot != "" && plotFormat(f.Plot) == "" {
		return command.UsageError{Err: fmt.Errorf("-plot: %q ends neither in .svg nor in .png", f.Plot)}
	}
	docs, err := loadDocuments(ctx, f.Input)
	if err != nil {
		return err
	}
	return a.runPrefork(ctx, f, docs)
}
