package scenarios

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// requestLeaves is the number of values that a request looks up, and answers with.
const requestLeaves = 8

// Requests asks how many requests threads answer from documents that they share.
func Requests() experiment.Scenario {
	return experiment.Scenario{
		Name: "requests",
		Question: fmt.Sprintf("How many requests do threads answer from a shared graph of JSON documents? Each request follows %d paths from a document's root, "+
			"takes a reference to what it finds, builds a response of its own objects around that, and drops it.", requestLeaves),
		Documents: true,
		Plan: func(env *experiment.Env) (*experiment.Plan, error) {
			p := &experiment.Plan{}
			for _, immortal := range []string{immortalNone, immortalInPlace, immortalAddress} {
				for _, mode := range modes {
					run := &requestsRun{mode: mode, immortal: immortal, docs: env.Documents, logf: env.Logf}
					for _, n := range env.Threads {
						p.Variants = append(p.Variants, experiment.Variant{
							Config: experiment.Cfg("mode", mode, "immortal", immortal, "threads", n), Metric: experiment.OpsS,
							Setup: run.setup, Close: run.close, Sample: run.sampler(n),
						})
					}
				}
			}
			return p, nil
		},
		Baseline: func(c experiment.Config) experiment.Config {
			return c.With("mode", modeGIL).With("immortal", immortalNone)
		},
		BaselineName: "mode=gil immortal=none, same threads",
		Conclude:     concludeRequests,
	}
}

// requestsRun is a runtime with the documents. The rows with its mode and its kind of
// immortality share it.
type requestsRun struct {
	mode, immortal string
	profile        int64 // rt.Options.HeapProfileRate
	docs           []experiment.Document
	logf           func(format string, args ...any)
	rows           tenants

	r     *rt.Runtime
	roots []rt.Ref
	paths [][]path // for each document
}

func (c *requestsRun) setup(ctx context.Context) (err error) {
	if !c.rows.first() {
		return nil
	}
	if c.r, err = newRuntime(c.mode, c.profile); err != nil {
		return err
	}
	if err := c.load(ctx); err != nil {
		return err
	}
	if c.mode == modeGIL && c.immortal == immortalNone && c.profile == 0 {
		c.describe()
	}
	return nil
}

// load builds the documents.
func (c *requestsRun) load(ctx context.Context) error {
	return c.r.Do(func(t *rt.Thread) error {
		for _, d := range c.docs {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			root, err := experiment.Bear(t, c.immortal, func() (rt.Ref, error) {
				return objects.FromJSON(t, bytes.NewReader(d.Data), objects.JSONOptions{MaxDepth: 10000})
			})
			if err != nil {
				return fmt.Errorf("%s: %w", d.Name, err)
			}
			c.roots = append(c.roots, root)
			c.paths = append(c.paths, findPaths(t, root))
		}
		return nil
	})
}

// describe says how large the documents are as text and as objects.
func (c *requestsRun) describe() {
	text := 0
	for _, d := range c.docs {
		text += len(d.Data)
	}
	m := c.r.Memory()
	c.logf("documents: %d, with %.1f MiB of JSON; %d objects in %.1f MiB",
		len(c.docs), float64(text)/(1<<20), m.Objects, float64(m.ObjectBytes+m.BlockBytes)/(1<<20))
}

func (c *requestsRun) close() error {
	if !c.rows.last() || c.r == nil {
		return nil
	}
	err := c.r.Do(func(t *rt.Thread) error {
		t.DecRefs(c.roots)
		return nil
	})
	return errors.Join(err, c.r.Close())
}

func (c *requestsRun) sampler(threads int) func(context.Context, experiment.Budget) (experiment.Sample, error) {
	return func(ctx context.Context, b experiment.Budget) (experiment.Sample, error) {
		return experiment.OpsPerSecond(ctx, b, threads, 1, func(l *experiment.Lane) error {
			return c.r.Do(func(t *rt.Thread) error {
				q := request{t: t, random: uint64(l.Index)*0x9e3779b97f4a7c15 + 1}
				for l.Next() {
					for range l.N() {
						d := q.draw(len(c.roots))
						if err := q.answer(c.roots[d], c.paths[d]); err != nil {
							return err
						}
						t.Checkpoint()
					}
				}
				return nil
			})
		})
	}
}

// request is the state that a thread needs to answer requests.
type request struct {
	t      *rt.Thread
	random uint64
	leaves [requestLeaves]rt.Ref
}

// draw returns a number below n (xorshift64).
func (q *request) draw(n int) int {
	q.random ^= q.random << 13
	q.random ^= q.random >> 7
	q.random ^= q.random << 17
	return int(q.random >> 33 % uint64(n))
}

// answer looks up some leaves of the document and builds {"n": ..., "items": [...]}.
func (q *request) answer(root rt.Ref, paths []path) error {
	t := q.t
	t.IncRef(root)
	for i := range q.leaves {
		r := paths[q.draw(len(paths))].follow(t, root)
		t.IncRef(r)
		q.leaves[i] = r
	}
	response, err := q.respond()
	t.DecRef(root)
	if err != nil {
		t.DecRefs(q.leaves[:])
		return err
	}
	t.DecRef(response)
	return nil
}

// respond returns a new reference to a response. It steals the leaves, unless it fails.
func (q *request) respond() (rt.Ref, error) {
	t := q.t
	n, err := objects.NewInt(t, int64(q.random>>1))
	if err != nil {
		return rt.Nil, err
	}
	items, err := objects.NewListSteal(t, q.leaves[:]...)
	if err != nil {
		t.DecRef(n)
		return rt.Nil, err
	}
	response, err := objects.NewTupleSteal(t, n, items)
	if err != nil {
		t.IncRefs(q.leaves[:]) // dropping the list drops them
		t.DecRef(n)
		t.DecRef(items)
	}
	return response, err
}

// concludeRequests says in words what the table shows.
func concludeRequests(res *experiment.Result) []string {
	threads := res.Rows[len(res.Rows)-1].Config.Get("threads")
	row := func(mode, immortal string, threads any) experiment.Config {
		return experiment.Cfg("mode", mode, "immortal", immortal, "threads", threads)
	}
	var lines []string
	say := func(subject, format string, a, b experiment.Config) {
		lines = experiment.Claim(lines, subject, experiment.Ratio(res.Find(a), res.Find(b)), format)
	}
	say("With one thread and nothing immortal", "%v times the GIL's speed. Counting is atomic instead of plain.",
		row(modeAtomic, immortalNone, 1), row(modeGIL, immortalNone, 1))
	if n, ok := threads.(int); ok && n > 1 {
		say(fmt.Sprintf("With %d threads and nothing immortal", n), "%v times the GIL's speed. No thread waits for a lock, but all write the counts of the shared document.",
			row(modeAtomic, immortalNone, n), row(modeGIL, immortalNone, n))
		say(fmt.Sprintf("With %d threads and the document born immortal", n), "%v times the GIL's speed. No thread waits for a lock, and none writes or even reads a shared header.",
			row(modeAtomic, immortalAddress, n), row(modeGIL, immortalNone, n))
	}
	return lines
}
