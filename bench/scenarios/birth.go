package scenarios

import (
	"context"
	"fmt"
	"sync"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// ring is how many objects live at any time: each operation makes one and drops the oldest.
const ring = 1024

// birthKind is a kind of object, and the Go value that stands for it.
type birthKind struct {
	name string
	what string // in words, and the Go value
	new  func(t *rt.Thread, i int) (rt.Ref, error)
	work func(l *experiment.Lane) error // the same with Go values
}

var none3 = []rt.Ref{rt.None, rt.None, rt.None}

// leafBytes is the payload of a leaf, which takes 32 bytes with its header.
const leafBytes = 16

var leafType = sync.OnceValues(func() (*rt.Type, error) { return rt.DefineType(rt.Type{Name: "leaf"}) })

var birthKinds = []birthKind{
	{"leaf", "16 bytes behind a header; new([32]byte)", func(t *rt.Thread, _ int) (rt.Ref, error) {
		y, err := leafType()
		if err != nil {
			return rt.Nil, err
		}
		r, _, err := t.New(y, leafBytes)
		return r, err
	}, goRing(func(int) *[32]byte { return new([32]byte) })},
	{"float", "a float; a float64 in an any", func(t *rt.Thread, i int) (rt.Ref, error) {
		return objects.NewFloat(t, float64(i))
	}, goRing(func(i int) any { return float64(i) + 0.5 })},
	{"tuple2", "a tuple of two; a struct of two pointers and 16 bytes", func(t *rt.Thread, _ int) (rt.Ref, error) {
		return objects.NewTuple(t, rt.None, rt.None)
	}, goRing(func(int) *goPair { return new(goPair) })},
	{"dict", "an empty dict; map[string]any{}", func(t *rt.Thread, _ int) (rt.Ref, error) {
		return objects.NewDict(t)
	}, goRing(func(int) map[string]any { return map[string]any{} })},
	{"string11", "a string of 11 bytes; string(b)", func(t *rt.Thread, i int) (rt.Ref, error) {
		var b [11]byte
		return objects.NewStringBytes(t, digits(&b, i))
	}, goRing(func(i int) string {
		var b [11]byte
		return string(digits(&b, i))
	})},
	{"list3", "a list of three; a struct with an []any of three", func(t *rt.Thread, _ int) (rt.Ref, error) {
		return objects.NewList(t, none3...)
	}, goRing(func(int) *goList { return &goList{items: []any{nil, nil, nil}} })},
}

// goPair has two pointers and 16 bytes, goList three items.
type (
	goPair struct {
		_, _ *goPair
		_    [16]byte
	}
	goList struct{ items []any }
)

// digits fills b with a number.
func digits(b *[11]byte, i int) []byte {
	for k := range b {
		b[k] = byte('0' + i>>(2*k)&7)
	}
	return b[:]
}

// goRing returns the work of a lane with Go values.
func goRing[T any](make func(i int) T) func(l *experiment.Lane) error {
	return func(l *experiment.Lane) error {
		var all [ring]T
		i := 0
		for l.Next() {
			for range l.N() {
				all[i%ring] = make(i)
				i++
			}
		}
		return nil
	}
}

// refRing is goRing for objects of a kind.
func refRing(t *rt.Thread, l *experiment.Lane, new func(t *rt.Thread, i int) (rt.Ref, error)) error {
	var all [ring]rt.Ref
	defer func() { t.DecRefs(all[:]) }()
	i := 0
	for l.Next() {
		for range l.N() {
			r, err := new(t, i)
			if err != nil {
				return err
			}
			t.DecRef(all[i%ring])
			all[i%ring] = r
			i++
		}
		t.Checkpoint()
	}
	return nil
}

// Birth asks what it costs to make a small object and to drop it.
func Birth() experiment.Scenario {
	return experiment.Scenario{
		Name: "birth",
		Question: fmt.Sprintf("How fast do small objects come and go, in Ichor's heap and in Go's? "+
			"(An op makes one object and drops the oldest of %d. heap=go: the Go value that comes closest, left to Go's collector, which runs beside the threads.)", ring),
		Plan: func(env *experiment.Env) (*experiment.Plan, error) {
			p := &experiment.Plan{}
			runs := map[string]*modeRun{}
			for _, mode := range modes {
				runs[mode] = &modeRun{mode: mode}
			}
			for _, k := range birthKinds {
				for _, n := range env.Threads {
					for _, mode := range modes {
						run := runs[mode]
						p.Variants = append(p.Variants, experiment.Variant{
							Config: experiment.Cfg("kind", k.name, "heap", HeapIchor, "mode", mode, "threads", n), Metric: experiment.NsOp,
							Setup: run.setup, Close: run.close,
							Sample: func(ctx context.Context, b experiment.Budget) (experiment.Sample, error) {
								return experiment.NsPerOpEach(ctx, b, n, 1, func(l *experiment.Lane) error {
									return run.r.Do(func(t *rt.Thread) error { return refRing(t, l, k.new) })
								})
							},
						})
					}
					p.Variants = append(p.Variants, experiment.Variant{
						Config: experiment.Cfg("kind", k.name, "heap", HeapGo, "threads", n), Metric: experiment.NsOp,
						Sample: func(ctx context.Context, b experiment.Budget) (experiment.Sample, error) {
							return experiment.NsPerOpEach(ctx, b, n, 1, k.work)
						},
					})
				}
			}
			return p, nil
		},
		Baseline: func(c experiment.Config) experiment.Config {
			return experiment.Cfg("kind", c.Get("kind"), "heap", HeapGo, "threads", c.Get("threads"))
		},
		BaselineName: "heap=go, same kind and threads",
		Conclude:     concludeBirth,
	}
}

// concludeBirth compares with Go's heap on one thread.
func concludeBirth(res *experiment.Result) (lines []string) {
	for _, k := range birthKinds {
		gos := res.Find(experiment.Cfg("kind", k.name, "heap", HeapGo, "threads", 1))
		row := res.Find(experiment.Cfg("kind", k.name, "heap", HeapIchor, "mode", modeAtomic, "threads", 1))
		if gos == nil || row == nil {
			continue
		}
		lines = experiment.Claim(lines, k.name+", "+ModeWords(modeAtomic), experiment.Ratio(gos, row), "%v times as fast as in Go's heap (%s).", k.what)
	}
	return lines
}
