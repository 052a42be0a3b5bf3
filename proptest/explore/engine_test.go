//go:build explore

package explore

import (
	"sync/atomic"
	"testing"

	"github.com/ichor-go/ichor/internal/point"
	"github.com/ichor-go/ichor/proptest/explore/internal/engine"
)

// The runtime's scenarios run on the engine itself.
type (
	Program = engine.Program
	Result  = engine.Result
)

var (
	Bounded   = engine.Bounded
	Unbounded = engine.Unbounded
	All       = engine.All
	Replay    = engine.Replay
	Parse     = engine.Parse
)

// word is shared memory with points, like the runtime's.
type word struct{ v int32 }

func (w *word) load() int32 {
	point.Load(&w.v)
	return atomic.LoadInt32(&w.v)
}

func (w *word) store(v int32) {
	point.Store(&w.v)
	atomic.StoreInt32(&w.v, v)
}

func wantNone(t *testing.T, r Result) {
	t.Helper()
	if r.Failure != nil {
		t.Error(r.Failure)
	}
}
