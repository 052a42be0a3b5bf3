package scenarios

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/ichor-go/ichor/bench/documents"
	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// Values of the config keys parser and direction.
const (
	parserIchor = "ichor"
	parserGo    = "json/v2"

	directionIn  = "in"
	directionOut = "out"

	mbs = "MB/s" // of text
)

// JSON asks how fast documents are read and written.
func JSON() experiment.Scenario {
	return experiment.Scenario{
		Name: "json",
		Question: "How fast is JSON read and written, against Go's json/v2? " +
			"(In megabytes of text a second, on one thread. direction=in: a graph is made of the text, and dropped; json/v2 makes values of type any, and leaves them to Go's collector. direction=out: the text is made of the graph.)",
		Documents: true,
		Plan: func(env *experiment.Env) (*experiment.Plan, error) {
			p := &experiment.Plan{}
			for _, d := range env.Documents {
				for _, direction := range []string{directionIn, directionOut} {
					run := &jsonRun{doc: d, direction: direction}
					for _, parser := range []string{parserGo, parserIchor} {
						p.Variants = append(p.Variants, experiment.Variant{
							Config: experiment.Cfg("document", rowName(d), "direction", direction, "parser", parser, "threads", 1), Metric: mbs,
							Setup: run.setup, Close: run.close,
							Sample: func(ctx context.Context, b experiment.Budget) (experiment.Sample, error) {
								return run.sample(ctx, b, parser)
							},
						})
					}
				}
			}
			return p, nil
		},
		Baseline:     func(c experiment.Config) experiment.Config { return c.With("parser", parserGo) },
		BaselineName: "parser=json/v2, same document and direction",
		Conclude:     concludeJSON,
	}
}

// jsonRun has the rows of one document in one direction.
type jsonRun struct {
	doc       experiment.Document
	direction string

	rows  tenants
	r     *rt.Runtime
	graph any    // of Go values
	root  rt.Ref // the same in r
}

func (c *jsonRun) setup(context.Context) (err error) {
	if !c.rows.first() {
		return nil
	}
	if c.r, err = experiment.NewRuntime(modeAtomic); err != nil || c.direction == directionIn {
		return err
	}
	if err := json.Unmarshal(c.doc.Data, &c.graph); err != nil {
		return fmt.Errorf("%s: %w", c.doc.Name, err)
	}
	return c.r.Do(func(t *rt.Thread) error {
		c.root, err = documents.Build(t, c.doc)
		return err
	})
}

func (c *jsonRun) close() error {
	if !c.rows.last() || c.r == nil {
		return nil
	}
	err := c.r.Do(func(t *rt.Thread) error {
		t.DecRef(c.root)
		return nil
	})
	return errors.Join(err, c.r.Close())
}

func (c *jsonRun) sample(ctx context.Context, b experiment.Budget, parser string) (s experiment.Sample, err error) {
	var buf []byte
	err = c.r.Do(func(t *rt.Thread) error {
		s, err = timedRate(ctx, b, int64(len(c.doc.Data)), func() (time.Duration, error) {
			begin := time.Now()
			buf, err = c.once(t, parser, buf[:0])
			return time.Since(begin), err
		})
		return err
	})
	s.Value /= 1e6
	return s, err
}

// once reads or writes the document once. It returns the text, which it appends to buf.
func (c *jsonRun) once(t *rt.Thread, parser string, buf []byte) ([]byte, error) {
	switch {
	case parser == parserIchor && c.direction == directionIn:
		root, err := documents.Build(t, c.doc)
		t.DecRef(root)
		t.Checkpoint()
		return buf, err
	case parser == parserIchor:
		return objects.AppendJSON(t, buf, c.root)
	case c.direction == directionIn:
		var v any
		return buf, json.Unmarshal(c.doc.Data, &v)
	}
	return json.Marshal(c.graph)
}

func concludeJSON(res *experiment.Result) (lines []string) {
	for _, row := range res.Rows {
		if row.Config.Get("parser") != parserIchor {
			continue
		}
		verb := "read"
		if row.Config.Get("direction") == directionOut {
			verb = "written"
		}
		lines = experiment.Claim(lines, fmt.Sprintf("%s, %s", row.Config.Get("document"), verb), res.Ratio(row), "%v times as fast as by json/v2.")
	}
	return lines
}
