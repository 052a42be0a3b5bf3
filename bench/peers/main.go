// Command peers measures Ichor beside other libraries for the same purpose. A scenario runs in
// one process or, where it compares memory and collectors, in one process for each row. The
// command is a module of its own, so that programs that import Ichor do not depend on the peers.
//
//	go -C bench/peers run .                            # all scenarios
//	go -C bench/peers run . list                       # the scenarios and their questions
//	go -C bench/peers run . -scenario pair,contend     # some scenarios
//	go -C bench/peers run . -scenario cache -objects 1000000
//
// Notes below each table say what a peer does that Ichor does not, and the reverse: see notes.go.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/experiment/command"
)

const (
	name  = "peers"
	about = "Measures Ichor beside sync/atomic, Arrow, gRPC, Starlark, maps, caches and script engines."
)

func main() {
	ctx := command.Interruptible()
	os.Exit(command.Code(ctx, name, run(ctx, os.Args[1:], os.Stdout, os.Stderr), os.Stderr))
}

// settings are the parameters of the scenarios with large heaps.
type settings struct {
	Objects objectCount `default:"10000000" placeholder:"N" help:"Number of objects in the cache (default: 10000000)."`
	VMs     vmCount     `name:"vms" default:"8" placeholder:"N" help:"Number of script engines that read one graph (default: 8)."`
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var c struct {
		Run struct {
			command.Flags
			settings
			Scenario []string `placeholder:"NAME" help:"Scenarios to run (default: all)."`
		} `cmd:"" default:"withargs" help:"Run scenarios (the default)."`
		List  struct{} `cmd:"" help:"List the scenarios and their questions."`
		Cache struct {
			Store string `arg:""`
		} `cmd:"" name:"cache-child" hidden:""`
		VMs struct {
			Engine string `arg:""`
			N      int    `arg:""`
		} `cmd:"" name:"vms-child" hidden:""`
	}
	called, err := command.Parse(&c, name, about, args, stdout)
	if err != nil {
		return err
	}
	all := scenarios(c.Run.settings)
	switch called {
	case "list":
		return command.List(stdout, all)
	case "cache-child <store>":
		return serveCache(c.Cache.Store, os.Stdin, stdout)
	case "vms-child <engine> <n>":
		return serveVMs(c.VMs.Engine, c.VMs.N, os.Stdin, stdout)
	}
	picked, err := command.Chosen(all, c.Run.Scenario)
	if err != nil {
		return err
	}
	return c.Run.Measure(ctx, name, c.Run.Env(100*time.Millisecond, 10), picked, stdout, stderr)
}

// scenarios returns the scenarios for `run` and `list`.
func scenarios(s settings) []experiment.Scenario {
	return []experiment.Scenario{
		pairScenario(), contendScenario(), dictScenario(), allocateScenario(),
		cacheScenario(int(s.Objects)), vmsScenario(int(s.VMs)),
	}
}

// objectCount and vmCount are numbers with bounds that catch typing errors.
type objectCount int

func (n *objectCount) UnmarshalText(text []byte) (err error) {
	*n, err = parseWithin[objectCount](text, cacheEntryObjects, 200_000_000)
	return err
}

type vmCount int

func (n *vmCount) UnmarshalText(text []byte) (err error) {
	*n, err = parseWithin[vmCount](text, 1, 256)
	return err
}

func parseWithin[N ~int](text []byte, low, high int) (N, error) {
	n, err := strconv.Atoi(string(text))
	if err != nil || n < low || n > high {
		return 0, fmt.Errorf("%q is not a number from %d to %d", text, low, high)
	}
	return N(n), nil
}
