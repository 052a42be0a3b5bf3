package scenarios

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ichor-go/ichor/bench/documents"
	"github.com/ichor-go/ichor/bench/experiment"
	rt "github.com/ichor-go/ichor/runtime"
)

// Values of the config key what, and the metrics of the scenario freeze.
const (
	stepBuild  = "build"
	stepFreeze = "freeze"

	bytesFrozen  = "frozen-bytes"
	bytesMortal  = "mortal-bytes"
	frozenShare  = "frozen/mortal" // frozen bytes to mortal ones
	frozenObject = "frozen-objects"
)

// Freeze asks how fast a document is frozen, and how large the copy is.
func Freeze() experiment.Scenario {
	return experiment.Scenario{
		Name: "freeze",
		Question: "How fast is freezing a document, compared with building its graph from JSON, and how large is the copy? " +
			"(An op is one byte of JSON, on one thread. Each graph is built and frozen in a runtime of its own, so both steps get fresh memory from the system. " +
			"mortal-bytes: the slots of the graph's objects and blocks. total: all documents in one graph. Memory: one graph and its copy at a time.)",
		Documents: true,
		Plan: func(env *experiment.Env) (*experiment.Plan, error) {
			p := &experiment.Plan{}
			add := func(name string, docs []experiment.Document) {
				for _, step := range []string{stepFreeze, stepBuild} {
					p.Variants = append(p.Variants, experiment.Variant{
						Config: experiment.Cfg("document", name, "what", step, "threads", 1), Metric: experiment.OpsS,
						Sample: (&freezeRun{docs: docs, step: step}).sample,
					})
				}
			}
			for i, d := range env.Documents {
				add(rowName(d), env.Documents[i:i+1])
			}
			add(inTotal, env.Documents)
			return p, nil
		},
		Baseline:     func(c experiment.Config) experiment.Config { return c.With("what", stepBuild) },
		BaselineName: "what=build, same document",
		Conclude:     concludeFreeze,
	}
}

// freezeRun is one row: a graph of one or more documents, and one step.
type freezeRun struct {
	docs []experiment.Document
	step string
}

// round is what was measured of a graph that was built and frozen.
type round struct {
	took           map[string]time.Duration // by step
	frozen, mortal int64                    // bytes
	objects        int64
}

func (c *freezeRun) sample(ctx context.Context, b experiment.Budget) (experiment.Sample, error) {
	text := int64(0)
	for _, d := range c.docs {
		text += int64(len(d.Data))
	}
	var last round
	s, err := timedRate(ctx, b, max(text, 1), func() (took time.Duration, err error) {
		last, err = c.round(ctx)
		return last.took[c.step], err
	})
	if err == nil && c.step == stepFreeze {
		s.Extra = map[string]float64{
			bytesFrozen: float64(last.frozen), bytesMortal: float64(last.mortal),
			frozenShare: float64(last.frozen) / float64(max(last.mortal, 1)), frozenObject: float64(last.objects),
		}
	}
	return s, err
}

// round builds and freezes the documents once. The mode hardly matters: no other thread is
// attached.
func (c *freezeRun) round(ctx context.Context) (x round, err error) {
	r, err := experiment.NewRuntime(modeAtomic)
	if err != nil {
		return x, err
	}
	x.took = map[string]time.Duration{}
	err = r.Do(func(t *rt.Thread) error {
		begin := time.Now()
		root, err := documents.BuildAll(ctx, t, c.docs)
		x.took[stepBuild] = time.Since(begin)
		if err != nil {
			return err
		}
		defer t.DecRef(root)
		begin = time.Now()
		f, err := t.Freeze(root)
		x.took[stepFreeze] = time.Since(begin)
		if err == nil {
			x.frozen, x.objects = f.Bytes(), f.Objects()
			t.Blocking(func() { // so that the thread's share is in the sum
				m := r.Memory()
				x.mortal = m.ObjectBytes + m.BlockBytes
			})
		}
		return err
	})
	return x, errors.Join(err, r.Close())
}

func concludeFreeze(res *experiment.Result) []string {
	var lines []string
	for _, row := range res.Rows {
		if row.Config.Get("what") != stepFreeze {
			continue
		}
		for _, s := range row.Stats() {
			if s.Metric == frozenShare {
				lines = experiment.Claim(lines, fmt.Sprintf("%s, frozen in %v of the bytes", row.Config.Get("document"), s), res.Ratio(row), "freezing is %v times as fast as building.")
			}
		}
	}
	return lines
}
