package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"google.golang.org/grpc/mem"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// pairObjects is the number of objects counted. They fit in the L1 cache.
const pairObjects = 1024

// ichorState is a state in which Ichor's objects are counted.
type ichorState struct{ name, mode, immortal string }

var ichorStates = []ichorState{
	{"ichor-gil", experiment.ModeGIL, experiment.ImmortalNone},
	{"ichor-biased", experiment.ModeBiased, experiment.ImmortalNone},
	{"ichor-atomic", experiment.ModeAtomic, experiment.ImmortalNone},
	{"ichor-immortal", experiment.ModeAtomic, experiment.ImmortalAddress},
}

func pairScenario() experiment.Scenario {
	return experiment.Scenario{
		Name: "pair",
		Question: fmt.Sprintf("What does it cost a thread to take a reference to an object that it owns, and to give it up? "+
			"(A pass of increments and one of decrements over %d objects. With call=slice, IncRefs and DecRefs count all of them.)", pairObjects),
		Plan: func(*experiment.Env) (*experiment.Plan, error) {
			p := &experiment.Plan{}
			for _, s := range ichorStates {
				for _, call := range []string{"each", "slice"} {
					row := &ichorPair{state: s, slice: call == "slice"}
					p.Variants = append(p.Variants, experiment.Variant{
						Config: pairConfig(s.name, call), Metric: experiment.NsOp, Setup: row.setup, Close: row.close, Sample: row.sample,
					})
				}
			}
			for _, row := range []struct {
				peer string
				pass func() func()
			}{{"plain", plainPass}, {"atomic", atomicPass}, {"arrow", arrowPass}, {"grpc", grpcPass}} {
				pass := row.pass()
				p.Variants = append(p.Variants, experiment.Variant{
					Config: pairConfig(row.peer, "each"), Metric: experiment.NsOp,
					Sample: func(ctx context.Context, b experiment.Budget) (experiment.Sample, error) {
						return experiment.NsPerOp(ctx, b, pairObjects, func(l *experiment.Lane) error {
							for l.Next() {
								for range l.N() / pairObjects {
									pass()
								}
							}
							return nil
						})
					},
				})
			}
			return p, nil
		},
		Baseline:     func(experiment.Config) experiment.Config { return pairConfig("arrow", "each") },
		BaselineName: "peer=arrow",
		Conclude:     concludeNotes,
	}
}

func pairConfig(peer, call string) experiment.Config {
	return experiment.Cfg(peerKey, peer, "call", call, "threads", 1)
}

// ichorPair is a row of Ichor.
type ichorPair struct {
	state ichorState
	slice bool

	r     *rt.Runtime
	owner int32
	root  rt.Ref
	refs  []rt.Ref
}

func (p *ichorPair) setup(context.Context) (err error) {
	if p.r, err = experiment.NewRuntime(p.state.mode); err != nil {
		return err
	}
	return p.r.Do(func(t *rt.Thread) error {
		p.owner = t.ID()
		p.root, err = experiment.Bear(t, p.state.immortal, func() (rt.Ref, error) {
			for i := range pairObjects {
				r, err := objects.NewInt(t, 1<<40+int64(i))
				if err != nil {
					return rt.Nil, err
				}
				p.refs = append(p.refs, r)
			}
			return objects.NewListSteal(t, p.refs...)
		})
		return err
	})
}

func (p *ichorPair) close() error {
	if p.r == nil {
		return nil
	}
	err := p.r.Do(func(t *rt.Thread) error {
		t.DecRef(p.root)
		return nil
	})
	return errors.Join(err, p.r.Close())
}

func (p *ichorPair) sample(ctx context.Context, b experiment.Budget) (experiment.Sample, error) {
	return experiment.NsPerOp(ctx, b, pairObjects, func(l *experiment.Lane) error {
		return p.r.Do(func(t *rt.Thread) error {
			if t.ID() != p.owner { // the runtime pools thread states, so this should be the owner's
				return fmt.Errorf("thread %d counts the objects of thread %d", t.ID(), p.owner)
			}
			for l.Next() {
				for range l.N() / pairObjects {
					if p.slice {
						t.IncRefs(p.refs)
						t.DecRefs(p.refs)
					} else {
						eachPass(t, p.refs)
					}
				}
			}
			return nil
		})
	})
}

func eachPass(t *rt.Thread, refs []rt.Ref) {
	for _, r := range refs {
		t.IncRef(r)
	}
	for _, r := range refs {
		t.DecRef(r)
	}
}

// paddedInt has the size of the objects that ichorPair counts.
type paddedInt struct {
	n atomic.Int64
	m int64
	_ [2]int64
}

func plainPass() func() {
	ints := make([]*paddedInt, pairObjects)
	for i := range ints {
		ints[i] = new(paddedInt)
	}
	return func() {
		for _, x := range ints {
			x.m++
		}
		for _, x := range ints {
			x.m--
		}
	}
}

func atomicPass() func() {
	ints := make([]*paddedInt, pairObjects)
	for i := range ints {
		ints[i] = new(paddedInt)
	}
	return func() {
		for _, x := range ints {
			x.n.Add(1)
		}
		for _, x := range ints {
			x.n.Add(-1)
		}
	}
}

// newArrowBuffer returns a buffer with a count: buffers without an allocator have none.
func newArrowBuffer(a memory.Allocator) *memory.Buffer {
	b := memory.NewResizableBuffer(a)
	b.Resize(8)
	return b
}

func arrowPass() func() {
	buffers := make([]*memory.Buffer, pairObjects)
	for i := range buffers {
		buffers[i] = newArrowBuffer(memory.NewGoAllocator())
	}
	return func() {
		for _, b := range buffers {
			b.Retain()
		}
		for _, b := range buffers {
			b.Release()
		}
	}
}

// grpcBytes is a size with a count: buffers of 1 KiB and less have none.
const grpcBytes = 2048

func newGRPCBuffer(pool mem.BufferPool) mem.Buffer {
	return mem.NewBuffer(pool.Get(grpcBytes), pool)
}

func grpcPass() func() {
	buffers := make([]mem.Buffer, pairObjects)
	for i := range buffers {
		buffers[i] = newGRPCBuffer(mem.DefaultBufferPool())
	}
	return func() {
		for _, b := range buffers {
			b.Ref()
		}
		for _, b := range buffers {
			b.Free()
		}
	}
}
