// Explore runs the tests of Go packages with the explorer in control of their goroutines:
//
//	go run github.com/ichor-go/ichor/proptest/explore/cmd/explore test [-with patterns] [flags of go test] [packages]
//
// It works in any module in which a test calls explore.Test or explore.TestWith of package
// github.com/ichor-go/ichor/proptest/explore. The code under test is not changed, and needs to
// know nothing of the explorer. All flags but -with are those of go test: -run, -race, -v,
// -count, -json, -timeout and so on. The exit status is that of go test.
//
// # What it does
//
// Explore writes changed copies of the packages to a temporary folder, and runs go test with
// the flags -overlay and -tags explore. The files of the module stay as they are. Messages of
// the compiler, panics, and traces show their lines.
//
// The copies differ from the originals in this. Imports of sync, sync/atomic, time, context,
// go.uber.org/atomic, and golang.org/x/sync's errgroup and semaphore become imports of twins.
// The go statement, sends, receives, select, range over channels, close, len and cap of
// channels, and runtime.Gosched become calls of the explorer. So do loops over maps and the
// functions of math/rand, which must do the same when a schedule is run again. Outside of
// explore.Test, all of this does what it always does.
//
// # What is rewritten
//
// The packages of the main module that the tests import, with their tests, and the packages
// that -with names. -with takes import paths, separated by commas. As for the go command, "..."
// stands for any text:
//
//	explore test -with golang.org/x/sync/...,github.com/puzpuzpuz/xsync/v3 ./...
//
// An import of a package that -with names stays an import of that package.
//
// # What cannot be rewritten
//
// Before the tests run, explore names with file and line what it has no control over: C,
// assembly, functions without a body, linkname, reflection on channels, keys of maps that have
// no order, and files, processes and the network outside of tests. These lines are warnings.
// -notes=false leaves them out.
//
// A package that does not compile is left to the go command, which reports it.
//
// # Replaying a schedule
//
// A failure ends with a line that sets EXPLORE_REPLAY. Explore passes the environment on:
//
//	EXPLORE_REPLAY='0x12 1x3' explore test -run TestQueue ./queue
//
// # Stopping
//
// Ctrl-C reaches the tests, which say what they have explored so far.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

const usage = `usage: explore test [-with patterns] [-notes=false] [flags of go test] [packages]

Runs go test with the explorer in control of the packages of the main module, and of those
that -with names (import paths, separated by commas; "..." stands for any text).
`

// run returns the exit status: 2 for a command line that it does not understand, else that of
// go test.
func run(args []string, stdout, stderr io.Writer) int {
	if len(args) > 0 && (args[0] == "help" || args[0] == "-h" || args[0] == "-help" || args[0] == "--help") {
		fmt.Fprint(stdout, usage)
		return 0
	}
	if len(args) > 2 && args[0] == toolexec {
		return runTool(args[1], args[2:], stdout, stderr)
	}
	if len(args) == 0 || args[0] != "test" {
		fmt.Fprint(stderr, usage)
		return 2
	}
	line, err := parse(args[1:])
	if errors.Is(err, errHelp) {
		fmt.Fprint(stdout, usage)
		return 0
	}
	if err != nil {
		fmt.Fprintf(stderr, "explore: %v\n", err)
		return 2
	}
	status, err := test(line, stdout, stderr)
	if err != nil {
		fmt.Fprintf(stderr, "explore: %v\n", err)
	}
	return status
}
