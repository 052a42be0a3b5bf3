// Package suite runs the tests of package proptest and of its parts.
package suite

import (
	"flag"
	"os"
	"testing"

	"github.com/ichor-go/ichor/proptest/internal/counts"
)

// Main is the TestMain of a package whose tests draw programs. It sets the number of programs,
// which -rapid.checks on the command line overrides. Verbose tests end with how much they have
// checked.
func Main(m *testing.M) {
	checks := "50"
	if Race {
		checks = "30"
	}
	if err := flag.Set("rapid.checks", checks); err != nil {
		panic(err)
	}
	code := m.Run()
	if testing.Verbose() {
		if err := counts.Write(os.Stdout); err != nil {
			panic(err)
		}
	}
	os.Exit(code)
}
