package scenarios

import (
	"fmt"
	"runtime"

	"github.com/go-json-experiment/json"

	"github.com/ichor-go/ichor/bench/experiment"
)

// decode makes the documents graphs of Go's: map[string]any, []any and so on.
func decode(docs []experiment.Document) ([]any, error) {
	graphs := make([]any, len(docs))
	for i, d := range docs {
		if err := json.Unmarshal(d.Data, &graphs[i]); err != nil {
			return nil, fmt.Errorf("%s: %w", d.Name, err)
		}
	}
	return graphs, nil
}

// liveBytes returns how many bytes live in Go's heap. The second collection clears what the
// first has left in pools.
func liveBytes() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
