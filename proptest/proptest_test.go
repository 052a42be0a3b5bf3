package proptest

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"pgregory.net/rapid"

	rt "github.com/ichor-go/ichor/runtime"
)

// TestMain sets the number of programs that each test draws; -rapid.checks on the command
// line overrides it. The process of a canary draws none.
func TestMain(m *testing.M) {
	if what := os.Getenv(canaryVariable); what != "" {
		beCanary(what)
		return
	}
	checks := "100"
	if raceEnabled {
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

// configs returns the options of all kinds of runtimes.
func configs() []rt.Options {
	return []rt.Options{
		{Mode: rt.GIL},
		{Mode: rt.LockFree, Counting: rt.Atomic},
		{Mode: rt.LockFree, Counting: rt.Biased},
		{Mode: rt.GIL, Checked: true},
		{Mode: rt.LockFree, Counting: rt.Atomic, Checked: true},
		{Mode: rt.LockFree, Counting: rt.Biased, Checked: true},
	}
}

// configName returns the name of a configuration: gil, atomic or biased, and whether it is checked.
func configName(o rt.Options) string {
	return fmt.Sprintf("%s/checked=%t", modeName(o), o.Checked)
}

// TestPrograms runs random programs in every mode.
func TestPrograms(t *testing.T) {
	for _, o := range configs() {
		t.Run(configName(o), func(t *testing.T) {
			Run(t, Config{Options: o})
		})
	}
}

// TestModesAgree runs each program in all modes, and on the model.
func TestModesAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		agree(t, drawOps(t, "program", 200), onDemand, configs()...)
	})
}
