package parts

import (
	"flag"
	"os"
	"testing"
)

// SuiteMain runs the tests of a package. It sets the number of programs that each test draws, which
// -rapid.checks on the command line overrides. If the tests are verbose, it writes in the end how
// much they have checked.
func SuiteMain(m *testing.M) {
	checks := "100"
	if RaceEnabled {
		checks = "30"
	}
	if err := flag.Set("rapid.checks", checks); err != nil {
		panic(err)
	}
	code := m.Run()
	if testing.Verbose() {
		if err := WriteCounts(os.Stdout); err != nil {
			panic(err)
		}
	}
	os.Exit(code)
}
