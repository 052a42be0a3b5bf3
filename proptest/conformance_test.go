package proptest

import (
	"testing"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// TestConformance runs programs on cells to which calls add.
func TestConformance(t *testing.T) {
	Conformance(t, Config{Ops: 30}, Subject[int64]{
		New: func(t *rt.Thread) (rt.Ref, error) {
			zero, _ := rt.Int(0)
			return objects.NewCell(t, zero)
		},
		Ops: []Op[int64]{{
			Name: "add", Linearizable: true,
			Do: func(t *rt.Thread, r rt.Ref, n int) (any, error) { return objects.Cell(r).Add(t, int64(n)) },
			Model: func(m int64, n int) (int64, any) {
				m += int64(n)
				return m, m
			},
		}},
	})
}
