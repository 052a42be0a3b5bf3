package proptest

import (
	"os"
	"testing"

	rt "github.com/ichor-go/ichor/runtime"
)

// TestMain runs the tests, or is the process of a canary.
func TestMain(m *testing.M) {
	if what := os.Getenv(canaryVariable); what != "" {
		beCanary(what)
		return
	}
	suiteMain(m)
}

// TestPrograms runs random programs in every mode.
func TestPrograms(t *testing.T) {
	for _, o := range allModes(rt.Options{}) {
		t.Run(modeName(o), func(t *testing.T) {
			Run(t, Config{Options: o})
		})
	}
}
