// Package prefork measures how much of a shared heap its readers copy. A parent loads documents
// and starts HTTP workers, processes that share its heap. See docs/prefork.md.
//
// One goroutine at a time calls it.
package prefork

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/ichor-go/ichor/bench/documents"
	"github.com/ichor-go/ichor/bench/experiment/command"
)

// Name is the name of the experiment in reports.
const Name = "prefork"

// PlotSteps is the number of equal steps of requests that plots show.
const PlotSteps = 20

// ErrSystem is the error on systems other than Linux.
var ErrSystem = errors.New("prefork needs Linux: a heap that processes share is in a memfd, and /proc says how much was copied")

// Flags are those of `bench prefork`.
type Flags struct {
	Input    []string      `sep:"none" placeholder:"FILE..." help:"JSON documents, plain, .gz or .zst, instead of the corpus that comes with Go."`
	Size     command.Bytes `default:"256MiB" placeholder:"BYTES" help:"How much JSON the parent loads, by repeating the documents (default: 256MiB)."`
	Workers  command.Count `default:"2" placeholder:"N" help:"How many workers it starts (default: 2)."`
	Requests command.Count `default:"100000" placeholder:"N" help:"How many requests each worker answers (default: 100000)."`
	Mode     string        `enum:"gil,atomic,biased" default:"atomic" placeholder:"gil|atomic|biased" help:"The runtimes' mode (default: atomic)."`
	Format   string        `enum:"text,json" default:"text" placeholder:"text|json" help:"A table, or one object a line (default: text)."`
	Plot     string        `empty:"" placeholder:"FILE" help:"Draw the plot into this file, which ends in .svg (default: no plot)."`
	Progress string        `enum:"auto,on,off" default:"auto" placeholder:"auto|on|off" help:"Progress bar on standard error: auto (the default) shows it if that is a terminal."`
}

// maxWorkers is a guess: more must be a typing error.
const maxWorkers = 64

// Run checks the flags, runs the experiment, and prints what it has, even if it is interrupted.
// Lines on stderr begin with the name.
func Run(ctx context.Context, name string, f *Flags, stdout, stderr io.Writer) error {
	if f.Workers > maxWorkers {
		return command.UsageError{Err: fmt.Errorf("-workers: %d is more than %d", f.Workers, maxWorkers)}
	}
	if f.Plot == "none" {
		f.Plot = ""
	}
	if f.Plot != "" && !strings.EqualFold(filepath.Ext(f.Plot), ".svg") {
		return command.UsageError{Err: fmt.Errorf("-plot: %q does not end in .svg", f.Plot)}
	}
	if f.Plot != "" { // found now, and not after the measurement
		if err := command.CheckFolder(filepath.Dir(f.Plot)); err != nil {
			return command.UsageError{Err: fmt.Errorf("-plot: %w", err)}
		}
	}
	docs, err := documents.Load(ctx, f.Input)
	if err != nil {
		return err
	}
	return measure(ctx, name, f, docs, stdout, stderr)
}
