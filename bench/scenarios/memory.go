package scenarios

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/ichor-go/ichor/bench/documents"
	"github.com/ichor-go/ichor/bench/experiment"
	rt "github.com/ichor-go/ichor/runtime"
)

// Metrics of the scenario memory: lower is better.
const (
	bytesUsed      = "bytes"
	BytesAValue    = "B/value"         // bytes for each JSON value, not counting names
	bytesCommitted = "committed-bytes" // that Ichor took from the system
	bytesInGo      = "goheap-bytes"    // that Ichor uses in Go's heap
)

// Memory compares the bytes that a document takes with those of Go's maps.
func Memory() experiment.Scenario {
	return experiment.Scenario{
		Name: "memory",
		Question: "How many bytes does a document take as a graph of Ichor's objects, and how many as Go's map[string]any? " +
			"(Ichor: the slots of objects and blocks, including rounding, in a fresh runtime. committed-bytes: its spans. goheap-bytes: its tables and its index of names. " +
			"Go: what is live after a collection, decoded by go-json-experiment, which shares some strings. total: all documents in one heap.)",
		Documents: true,
		Plan: func(env *experiment.Env) (*experiment.Plan, error) {
			p := &experiment.Plan{}
			add := func(name string, docs []experiment.Document) {
				row := &memoryRow{docs: docs}
				for _, heap := range []string{HeapIchor, HeapGo} {
					v := experiment.Variant{Config: experiment.Cfg("document", name, "heap", heap), Metric: bytesUsed, Setup: row.setup, Sample: row.inIchor}
					if heap == HeapGo {
						v.Sample = row.inGo
					}
					p.Variants = append(p.Variants, v)
				}
			}
			for i, d := range env.Documents {
				add(rowName(d), env.Documents[i:i+1])
			}
			add(inTotal, env.Documents)
			return p, nil
		},
		Baseline:     func(c experiment.Config) experiment.Config { return c.With("heap", HeapGo) },
		BaselineName: "heap=go, same document",
		Conclude:     concludeMemory,
		Exact:        true,
	}
}

// memoryRow is one or more documents. The rows of both heaps share it.
type memoryRow struct {
	docs   []experiment.Document
	values float64
}

func (m *memoryRow) setup(context.Context) error {
	if m.values > 0 {
		return nil
	}
	graphs, err := decode(m.docs)
	for _, g := range graphs {
		m.values += countValues(g)
	}
	return err
}

// inIchor builds the documents in a runtime of their own. The mode does not matter: headers
// and slots are the same in all modes.
func (m *memoryRow) inIchor(ctx context.Context, _ experiment.Budget) (experiment.Sample, error) {
	before := liveBytes()
	r, err := experiment.NewRuntime(modeGIL)
	if err != nil {
		return experiment.Sample{}, err
	}
	var roots []rt.Ref
	err = r.Do(func(t *rt.Thread) error {
		for _, d := range m.docs {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			root, err := documents.Build(t, d)
			if err != nil {
				return err
			}
			roots = append(roots, root)
		}
		return nil
	})
	used := r.Memory()
	outside := liveBytes() - before
	err = errors.Join(err, r.Do(func(t *rt.Thread) error {
		t.DecRefs(roots)
		return nil
	}), r.Close())
	s := m.sample(used.ObjectBytes + used.BlockBytes)
	s.Extra[bytesCommitted] = float64(used.Committed)
	s.Extra[bytesInGo] = float64(outside)
	return s, err
}

func (m *memoryRow) inGo(context.Context, experiment.Budget) (experiment.Sample, error) {
	before := liveBytes()
	graphs, err := decode(m.docs)
	used := liveBytes() - before
	runtime.KeepAlive(graphs)
	return m.sample(used), err
}

func (m *memoryRow) sample(used int64) experiment.Sample {
	return experiment.Sample{Value: float64(used), Ops: int64(m.values), Extra: map[string]float64{BytesAValue: float64(used) / m.values}}
}

// countValues returns the number of JSON values in v.
func countValues(v any) float64 {
	n := 1.0
	switch v := v.(type) {
	case map[string]any:
		for _, e := range v {
			n += countValues(e)
		}
	case []any:
		for _, e := range v {
			n += countValues(e)
		}
	}
	return n
}

// concludeMemory gives the ratio for each document.
func concludeMemory(res *experiment.Result) []string {
	var each []string
	for _, row := range res.Rows {
		if row.Config.Get("heap") == HeapIchor {
			each = experiment.Item(each, fmt.Sprint(row.Config.Get("document")), res.Ratio(row))
		}
	}
	return experiment.Say(nil, "Ichor's bytes relative to Go's: %s.", each)
}
