package main

import (
	"io"
	"time"

	"github.com/ichor-go/ichor/bench/commits"
	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/experiment/command"
	"github.com/ichor-go/ichor/bench/heap"
	"github.com/ichor-go/ichor/bench/image"
	"github.com/ichor-go/ichor/bench/internal/median"
	"github.com/ichor-go/ichor/bench/prefork"
	"github.com/ichor-go/ichor/bench/report"
	"github.com/ichor-go/ichor/bench/tax"
)

// name is the name of the command.
const name = "bench"

// measureFlags are the flags that compare and run have in common.
type measureFlags struct {
	Input []string `sep:"none" placeholder:"FILE..." help:"JSON documents, plain, .gz or .zst, instead of the corpus that comes with Go."`
	command.Flags
}

type cli struct {
	Compare struct {
		measureFlags
	} `cmd:"" default:"withargs" help:"Run the same requests in every mode and compare (the default)."`
	Run struct {
		measureFlags
		Scenario []string      `placeholder:"NAME" help:"Scenarios to run (default: all but profiled)."`
		Size     command.Bytes `placeholder:"BYTES" help:"Size of the graphs of image (default: 256MiB) and gcshare (default: 1GiB)."`
	} `cmd:"" help:"Run scenarios."`
	List struct {
		Scenario []string `arg:"" optional:"" help:"Scenarios to explain (default: one sentence about each)."`
	} `cmd:"" help:"List the scenarios and their questions."`
	Report  report.Flags  `cmd:"" help:"Run everything and write a page with plots, which takes a quarter of an hour."`
	Tax     tax.Flags     `cmd:"" name:"immortality-tax" help:"Build with and without the test for immortality, and compare what counting mortals costs."`
	Commits commits.Flags `cmd:"" name:"compare-commits" help:"Build two commits, run both in turns, and say which rows differ."`
	Image   image.Flags   `cmd:"" help:"Build and look at images: frozen graphs as files."`
	Heap    heap.Flags    `cmd:"" help:"Show what is in a heap snapshot, and why: types, what keeps what alive, the difference of two."`
	command.Builtin
	Prefork prefork.Flags `cmd:"" help:"Start HTTP workers that share a heap, and ask the kernel how much of it they copy (Linux)."`
	Worker  struct {
		Mode string `arg:""`
	} `cmd:"" name:"prefork-worker" hidden:""`
	TaxChild      struct{} `cmd:"" name:"tax-child" hidden:""`
	ScenarioChild struct {
		Scenario string `arg:""`
		Heap     string `arg:""`
	} `cmd:"" name:"scenario-child" hidden:""`
}

// parse reads the command line.
func parse(args []string, stdout io.Writer) (called string, c *cli, err error) {
	c = new(cli)
	called, err = command.Parse(c, name,
		"Measures Ichor: which mode is faster, and why.\n\nWithout a command it runs compare, whose flags \"bench compare -h\" lists.", args, stdout)
	return called, c, err
}

// env fills in the defaults. Samples of compare are longer, and there are as few as a conclusion
// needs, so that it ends within about a minute.
func (f *measureFlags) env(called string) experiment.Env {
	if called == "compare" {
		return f.Env(200*time.Millisecond, median.MinSamples)
	}
	return f.Env(100*time.Millisecond, 10)
}
