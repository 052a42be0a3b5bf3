// Covered fails unless a coverage profile covers all code of some files:
//
//	go test -covermode=count -coverpkg=PKG -coverprofile=PROFILE ...
//	go run ./internal/covered [-branches] PROFILE FILE...
//
// All code means all statements and, with -branches, both ways of each if and each case
// of each switch, including the implicit default. Go's tool counts statements only.
// Covered derives the ways of a branch from the counts on both of its sides. These are
// exact if one goroutine runs at a time, as in the explorer. Planted bugs do not count:
// neither the code behind "mutant.On &&", nor functions that only such code calls,
// whose comment says "planted bug". Code behind stat.On or race.On does not
// count either.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
)

func main() {
	branches := flag.Bool("branches", false, "check branches as well")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: covered [-branches] PROFILE FILE...")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() < 2 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(flag.Arg(0), flag.Args()[1:], *branches); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(profile string, files []string, branches bool) error {
	counts, err := readProfile(profile)
	if err != nil {
		return fmt.Errorf("covered: %w", err)
	}
	var total tally
	var all []error
	for _, file := range files {
		w, err := newWalk(file, counts, branches)
		if err != nil {
			return fmt.Errorf("covered: %w", err)
		}
		w.file()
		all = append(all, w.missing...)
		total.statements += w.statements
		total.branches += w.branches
	}
	if len(all) > 0 {
		return errors.Join(all...)
	}
	fmt.Printf("%d statements", total.statements)
	if branches {
		fmt.Printf(" and %d ways of branches", total.branches)
	}
	fmt.Println(" are covered, which is all of them")
	return nil
}
