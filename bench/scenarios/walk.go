package scenarios

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/ichor-go/ichor/bench/documents"
	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// Walk compares a walk over a frozen document with one over Go's maps.
func Walk() experiment.Scenario {
	return experiment.Scenario{
		Name: "walk",
		Question: "How long does it take to walk all values of a document, frozen and as Go's map[string]any? " +
			"(An op is one value or key. Go's maps and slices have exact sizes, and equal keys are one string. Both walks visit the same values, as a comparison of checksums shows. total: one document after the other. Memory: both graphs of each document at a time.)",
		Documents: true,
		Plan: func(env *experiment.Env) (*experiment.Plan, error) {
			p := &experiment.Plan{}
			add := func(name string, graphs ...*walkGraph) {
				run := walkRun(graphs)
				for _, heap := range []string{HeapFrozen, HeapGo} {
					p.Variants = append(p.Variants, experiment.Variant{
						Config: experiment.Cfg("document", name, "heap", heap), Metric: experiment.NsOp,
						Setup: run.setup, Close: run.close, Sample: run.sampler(heap),
					})
				}
			}
			var all []*walkGraph
			for _, d := range env.Documents {
				g := &walkGraph{doc: d}
				all = append(all, g)
				add(rowName(d), g)
			}
			add(inTotal, all...)
			return p, nil
		},
		Baseline:     func(c experiment.Config) experiment.Config { return c.With("heap", HeapGo) },
		BaselineName: "heap=go, same document",
		Conclude: func(res *experiment.Result) []string {
			speed := func(row *experiment.Row) experiment.Stat { return res.Ratio(row).Over() }
			var lines []string
			if all := res.Find(experiment.Cfg("document", inTotal, "heap", HeapFrozen)); all != nil { // in a report's summary
				lines = experiment.Claim(lines, "All documents, frozen", speed(all), "reading them is %v times as fast as reading Go's maps.")
			}
			return experiment.Say(lines, "The speed of walking the frozen graph, relative to Go's maps: %s.", perDocument(res, HeapFrozen, speed))
		},
	}
}

// perDocument lists a figure for each row of one heap.
func perDocument(res *experiment.Result, heap string, of func(row *experiment.Row) experiment.Stat) (each []string) {
	for _, row := range res.Rows {
		if row.Config.Get("heap") == heap {
			each = experiment.Item(each, fmt.Sprint(row.Config.Get("document")), of(row))
		}
	}
	return each
}

// walkGraph is one document, frozen and in Go's heap.
type walkGraph struct {
	rows tenants
	doc  experiment.Document

	r      *rt.Runtime
	frozen *rt.Frozen
	graph  any
	want   seen
}

func (g *walkGraph) setup() (err error) {
	if !g.rows.first() {
		return nil
	}
	if g.r, err = experiment.NewRuntime(modeAtomic); err != nil {
		return err
	}
	return g.r.Do(func(t *rt.Thread) error {
		root, err := documents.Build(t, g.doc)
		if err != nil {
			return err
		}
		defer t.DecRef(root)
		if g.frozen, err = t.Freeze(root); err != nil {
			return err
		}
		m := mirror{t: t, keys: map[string]string{}}
		g.graph = m.value(g.frozen.Root())
		g.want.inGo(g.graph)
		return nil
	})
}

func (g *walkGraph) close() error {
	if !g.rows.last() || g.r == nil {
		return nil
	}
	g.graph = nil
	return g.r.Close()
}

// walkRun are the graphs that a row walks.
type walkRun []*walkGraph

func (c walkRun) setup(ctx context.Context) error {
	for _, g := range c {
		if err := errors.Join(g.setup(), ctx.Err()); err != nil {
			return err
		}
	}
	return nil
}

func (c walkRun) close() error {
	var err error
	for _, g := range c {
		err = errors.Join(err, g.close())
	}
	return err
}

func (c walkRun) sampler(heap string) func(context.Context, experiment.Budget) (experiment.Sample, error) {
	return func(ctx context.Context, b experiment.Budget) (experiment.Sample, error) {
		unit := 0
		for _, g := range c {
			unit += int(g.want.visits)
		}
		return experiment.NsPerOp(ctx, b, unit, func(l *experiment.Lane) error {
			for l.Next() {
				for range l.N() / unit {
					for _, g := range c {
						if err := g.walk(heap); err != nil {
							return err
						}
					}
				}
			}
			return nil
		})
	}
}

// walk walks one of the two graphs, and fails if it has not seen everything.
func (g *walkGraph) walk(heap string) error {
	var got seen
	if heap == HeapGo {
		got.inGo(g.graph)
	} else if err := g.r.Do(func(t *rt.Thread) error {
		got.inFrozen(t, g.frozen.Root())
		return nil
	}); err != nil {
		return err
	}
	if got != g.want {
		return fmt.Errorf("%s: the walk saw %+v, want %+v", g.doc.Name, got, g.want)
	}
	return nil
}

// seen is what a walk has seen: the number of values and keys, and a checksum that does not
// depend on the order of a map.
type seen struct{ visits, sum uint64 }

// What values that are neither numbers nor texts add to the checksum. No small integer adds the
// same.
const (
	sumNull = 3 << 50
	sumBool = 5 << 50
	sumList = 7 << 50
	sumDict = 11 << 50
)

// text adds the length of a text and a byte from each end, so that its memory is read.
func (s *seen) text(v string) {
	s.visits++
	s.sum += uint64(len(v))
	if len(v) > 0 {
		s.sum += uint64(v[0])<<32 + uint64(v[len(v)-1])<<40
	}
}

func (s *seen) inGo(v any) {
	switch v := v.(type) {
	case map[string]any:
		s.visits++
		s.sum += sumDict + uint64(len(v))
		for k, e := range v {
			s.text(k)
			s.inGo(e)
		}
	case []any:
		s.visits++
		s.sum += sumList + uint64(len(v))
		for _, e := range v {
			s.inGo(e)
		}
	case string:
		s.text(v)
	case json.Number:
		s.text(string(v))
	case float64:
		s.visits++
		s.sum += math.Float64bits(v)
	case int64:
		s.visits++
		s.sum += uint64(v)
	case bool:
		s.visits++
		s.sum += sumBool
		if v {
			s.sum++
		}
	case nil:
		s.visits++
		s.sum += sumNull
	}
}

func (s *seen) inFrozen(t *rt.Thread, r rt.Ref) {
	if v, ok := t.FrozenFloat(r); ok {
		s.visits++
		s.sum += math.Float64bits(v)
		return
	}
	if r.IsInt() {
		s.visits++
		s.sum += uint64(r.Int())
		return
	}
	switch t.FrozenKind(r) {
	case rt.TypeString:
		v, _ := objects.String(r).View(t)
		s.text(v)
	case rt.TypeDict:
		entries, _ := objects.Dict(r).FrozenEntries(t)
		n := entries.Len()
		s.visits++
		s.sum += sumDict + uint64(n)
		for i := range n {
			k, v := entries.At(i)
			name, _ := objects.String(k).View(t)
			s.text(name)
			s.inFrozen(t, v)
		}
	case rt.TypeList:
		items, _ := objects.List(r).FrozenItems(t)
		n := items.Len()
		s.visits++
		s.sum += sumList + uint64(n)
		for i := range n {
			s.inFrozen(t, items.At(i))
		}
	case rt.TypeInt:
		v, _ := objects.Int(r).Value(t)
		s.visits++
		s.sum += uint64(v)
	case rt.TypeNumber:
		v, _ := objects.Number(r).View(t)
		s.text(v)
	default:
		s.singleton(t, r)
	}
}

// singleton adds an object that is the same in all graphs of a runtime.
func (s *seen) singleton(t *rt.Thread, r rt.Ref) {
	switch r {
	case rt.None:
		s.visits++
		s.sum += sumNull
	case rt.True, rt.False:
		s.visits++
		s.sum += sumBool
		if r == rt.True {
			s.sum++
		}
	default: // the empty text
		v, _ := objects.String(r).View(t)
		s.text(v)
	}
}

// mirror copies a frozen graph into Go's heap.
type mirror struct {
	t    *rt.Thread
	keys map[string]string
}

func (m *mirror) value(r rt.Ref) any {
	t := m.t
	switch t.Kind(r) {
	case rt.TypeDict:
		entries, _ := objects.Dict(r).FrozenEntries(t)
		v := make(map[string]any, entries.Len())
		for key, e := range entries.All() {
			name, _ := objects.String(key).View(t)
			if _, ok := m.keys[name]; !ok {
				name = strings.Clone(name)
				m.keys[name] = name
			}
			v[m.keys[name]] = m.value(e)
		}
		return v
	case rt.TypeList:
		items, _ := objects.List(r).FrozenItems(t)
		v := make([]any, items.Len())
		for i, e := range items.All() {
			v[i] = m.value(e)
		}
		return v
	case rt.TypeString:
		v, _ := objects.String(r).Text(t)
		return v
	case rt.TypeNumber:
		v, _ := objects.Number(r).View(t)
		return json.Number(strings.Clone(v))
	case rt.TypeFloat:
		v, _ := objects.Float(r).Value(t)
		return v
	case rt.TypeInt:
		v, _ := objects.Int(r).Value(t)
		return v
	case rt.TypeBool:
		return r == rt.True
	case rt.TypeNone:
		return nil
	}
	panic(errors.New("bench: a graph of JSON has an object of another kind"))
}
