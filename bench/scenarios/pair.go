package scenarios

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// The numbers of objects: a number that fits the first cache, and one that fits no cache.
const (
	hotObjects  = 1024
	coldObjects = 1_000_000
)

// Pair asks what an incref and a decref cost, for each way to count.
func Pair() experiment.Scenario {
	return experiment.Scenario{
		Name: "pair",
		Question: "What do an incref and a decref cost, for each way of counting, compared with bare loads and adds? " +
			"(A pass of increments and a pass of decrements over 1,024 references at a time. IncRefs and DecRefs count them as slices; rows with call=each count one reference a call. " +
			"The thread that owns an object counts it as owned; under the GIL every thread does.)",
		Plan: func(env *experiment.Env) (*experiment.Plan, error) {
			p := &experiment.Plan{}
			for _, temp := range []string{"hot", "cold"} {
				n := hotObjects
				if temp == "cold" {
					n = coldObjects
				}
				for _, ref := range pairReferences(n) {
					p.Variants = append(p.Variants, ref.variant(experiment.Cfg("state", ref.name, "temp", temp, "threads", 1)))
				}
				for _, s := range countStates {
					for _, each := range []bool{false, true} {
						c := experiment.Cfg("state", s.name, "mode", s.mode, "temp", temp, "threads", 1)
						if each {
							c = c.With("call", "each")
						}
						p.Variants = append(p.Variants, (&pairRun{state: s, n: n, each: each}).variant(c))
					}
				}
			}
			return p, nil
		},
		Baseline: func(c experiment.Config) experiment.Config {
			return experiment.Cfg("state", "loads", "temp", c.Get("temp"), "threads", 1)
		},
		BaselineName: "two bare loads, same temp",
		Conclude:     concludePair,
	}
}

// concludePair gives the time of each state, counted as slices.
func concludePair(res *experiment.Result) (lines []string) {
	for _, temp := range []string{"hot", "cold"} {
		var each []string
		for _, s := range countStates {
			if row := res.Find(experiment.Cfg("state", s.name, "mode", s.mode, "temp", temp)); row != nil {
				each = experiment.Say(each, "%s (%s) %v", s.name, s.mode, row.Stat())
			}
		}
		lines = experiment.Say(lines, "Nanoseconds for a pair, counted as slices, %s: %s.", temp, each)
	}
	return lines
}

// chunks hands out hotObjects of refs at a time. At the end it begins again.
type chunks[T any] struct {
	refs []T
	next int
}

func (c *chunks[T]) take() []T {
	if c.next+hotObjects > len(c.refs) {
		c.next = 0
	}
	c.next += hotObjects
	return c.refs[c.next-hotObjects : c.next]
}

// pairRun is a row with objects of Ichor's.
type pairRun struct {
	state countState
	n     int
	each  bool

	r     *rt.Runtime
	owner int32 // the id of the thread that made the objects
	root  rt.Ref
	refs  []rt.Ref
}

func (p *pairRun) variant(c experiment.Config) experiment.Variant {
	return experiment.Variant{Config: c, Metric: experiment.NsOp, Setup: p.setup, Close: p.close, Sample: p.sample}
}

func (p *pairRun) setup(context.Context) (err error) {
	if p.r, err = experiment.NewRuntime(p.state.mode); err != nil {
		return err
	}
	return p.r.Do(func(t *rt.Thread) error {
		p.owner = t.ID()
		p.root, err = experiment.Bear(t, p.state.immortal, func() (rt.Ref, error) {
			for i := range p.n {
				r, err := objects.NewInt(t, 1<<40+int64(i))
				if err != nil {
					return rt.Nil, err
				}
				p.refs = append(p.refs, r)
			}
			return objects.NewListSteal(t, p.refs...)
		})
		ordered := append([]rt.Ref(nil), p.refs...)
		for i, x := range scattered(p.n) {
			p.refs[i] = ordered[x]
		}
		return err
	})
}

func (p *pairRun) close() error {
	if p.r == nil {
		return nil
	}
	err := p.r.Do(func(t *rt.Thread) error {
		t.DecRef(p.root)
		return nil
	})
	return errors.Join(err, p.r.Close())
}

func (p *pairRun) sample(ctx context.Context, b experiment.Budget) (experiment.Sample, error) {
	return experiment.NsPerOp(ctx, b, hotObjects, func(l *experiment.Lane) error {
		return p.r.Do(func(t *rt.Thread) error {
			// The runtime has one thread at a time, so the pool gives all of them the same state.
			if t.ID() != p.owner {
				return fmt.Errorf("thread %d counts the objects of thread %d", t.ID(), p.owner)
			}
			c := chunks[rt.Ref]{refs: p.refs}
			for l.Next() {
				for range l.N() / hotObjects {
					if p.each {
						countEach(t, c.take())
					} else {
						countSlice(t, c.take())
					}
				}
			}
			return nil
		})
	})
}

func countSlice(t *rt.Thread, refs []rt.Ref) {
	t.IncRefs(refs)
	t.DecRefs(refs)
}

func countEach(t *rt.Thread, refs []rt.Ref) {
	for _, r := range refs {
		t.IncRef(r)
	}
	for _, r := range refs {
		t.DecRef(r)
	}
}

// cell is as large as the objects that pair counts.
type cell struct {
	owner, local, shared, _ uint32
	_                       [4]uint32
}

// pairReference is a row without Ichor: it shows what the same work costs on this machine.
type pairReference struct {
	name  string
	count func(cells []cell, refs []uint32)
	cells []cell
	refs  []uint32
}

func pairReferences(n int) []*pairReference {
	rs := []*pairReference{
		{name: "loads", count: bareLoads},
		{name: "plain", count: plainAdds},
		{name: "atomic", count: atomicAdds},
		{name: "mutex", count: lockedAdds},
	}
	for _, r := range rs {
		r.cells, r.refs = make([]cell, 0, n), nil
	}
	return rs
}

func (p *pairReference) variant(c experiment.Config) experiment.Variant {
	return experiment.Variant{
		Config: c, Metric: experiment.NsOp,
		Setup: func(context.Context) error {
			p.cells = p.cells[:cap(p.cells)]
			p.refs = scattered(len(p.cells))
			return nil
		},
		Sample: func(ctx context.Context, b experiment.Budget) (experiment.Sample, error) {
			return experiment.NsPerOp(ctx, b, hotObjects, func(l *experiment.Lane) error {
				c := chunks[uint32]{refs: p.refs}
				for l.Next() {
					for range l.N() / hotObjects {
						p.count(p.cells, c.take())
					}
				}
				return nil
			})
		},
	}
}

var loadSink atomic.Uint32

func bareLoads(cells []cell, refs []uint32) {
	var sum uint32
	for _, r := range refs {
		sum += cells[r].owner
	}
	for _, r := range refs {
		sum += cells[r].owner
	}
	loadSink.Store(sum)
}

func plainAdds(cells []cell, refs []uint32) {
	for _, r := range refs {
		cells[r].local++
	}
	for _, r := range refs {
		cells[r].local--
	}
}

func atomicAdds(cells []cell, refs []uint32) {
	for _, r := range refs {
		atomic.AddUint32(&cells[r].shared, 8)
	}
	for _, r := range refs {
		atomic.AddUint32(&cells[r].shared, ^uint32(7))
	}
}

var pairMutex sync.Mutex

func lockedAdds(cells []cell, refs []uint32) {
	for _, r := range refs {
		pairMutex.Lock()
		cells[r].local++
		pairMutex.Unlock()
	}
	for _, r := range refs {
		pairMutex.Lock()
		cells[r].local--
		pairMutex.Unlock()
	}
}
