package proptest

import (
	"os"
	"testing"

	"github.com/ichor-go/ichor/proptest/internal/parts"
	rt "github.com/ichor-go/ichor/runtime"
)

// TestMain runs the tests, or is the process of a canary.
func TestMain(m *testing.M) {
	if what := os.Getenv(canaryVariable); what != "" {
		beCanary(what)
		return
	}
	parts.SuiteMain(m)
}

// TestPrograms runs random programs in every mode.
func TestPrograms(t *testing.T) {
	for _, o := range parts.AllModes(rt.Options{}) {
		t.Run(parts.ModeName(o), func(t *testing.T) {
			Run(t, Config{Options: o})
		})
	}
}
