package runs

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/ichor-go/ichor/proptest/internal/heap"
	"github.com/ichor-go/ichor/proptest/internal/machine"
	"github.com/ichor-go/ichor/proptest/internal/modes"
	"github.com/ichor-go/ichor/proptest/internal/property"
	rt "github.com/ichor-go/ichor/runtime"
)

// TestModesAgree runs each program in all modes, and on the model.
func TestModesAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		prog := machine.DrawOps(t, "program", 200)
		for _, o := range modes.All(rt.Options{}) {
			property.Report(t, sequential(o, heap.OnDemand, prog))
		}
	})
}
