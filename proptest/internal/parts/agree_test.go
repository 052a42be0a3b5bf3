package parts

import (
	"testing"

	"pgregory.net/rapid"

	rt "github.com/ichor-go/ichor/runtime"
)

// TestModesAgree runs each program in all modes, and on the model.
func TestModesAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		prog := DrawOps(t, "program", 200)
		for _, o := range AllModes(rt.Options{}) {
			Report(t, sequential(o, OnDemand, prog))
		}
	})
}
