package main

import (
	"context"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"google.golang.org/grpc/mem"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// contendBatch is the number of operations between two readings of the clock, and, for Ichor,
// between two checkpoints.
const contendBatch = 256

func contendScenario() experiment.Scenario {
	return experiment.Scenario{
		Name:     "contend",
		Question: "How much do threads slow each other down when they take and give up references to the same object?",
		Plan: func(env *experiment.Env) (*experiment.Plan, error) {
			p := &experiment.Plan{}
			for _, s := range ichorStates {
				w := experiment.Workload{
					Axes:  []experiment.Axis{{Key: experiment.Mode, Values: []any{s.mode}}, {Key: experiment.Immortal, Values: []any{s.immortal}}},
					Setup: func(t *rt.Thread, _ experiment.Config) (rt.Ref, error) { return objects.NewString(t, "shared by all") },
					Work:  contendIchor,
					Unit:  contendBatch,
				}
				ours, err := w.Scenario().Plan(env)
				if err != nil {
					return nil, err
				}
				for _, v := range ours.Variants {
					v.Config = experiment.Cfg(peerKey, s.name, "threads", v.Config.Get("threads"))
					p.Variants = append(p.Variants, v)
				}
			}
			for _, row := range []struct {
				peer  string
				count func() func(n int)
			}{{"atomic", contendAtomic}, {"arrow", contendArrow}, {"grpc", contendGRPC}} {
				count := row.count()
				for _, threads := range env.Threads {
					p.Variants = append(p.Variants, experiment.Variant{
						Config: experiment.Cfg(peerKey, row.peer, "threads", threads), Metric: experiment.OpsS,
						Sample: func(ctx context.Context, b experiment.Budget) (experiment.Sample, error) {
							return experiment.OpsPerSecond(ctx, b, threads, contendBatch, func(l *experiment.Lane) error {
								for l.Next() {
									count(l.N())
								}
								return nil
							})
						},
					})
				}
			}
			return p, nil
		},
		Baseline:     func(c experiment.Config) experiment.Config { return c.With(peerKey, "arrow") },
		BaselineName: "peer=arrow, same threads",
		Conclude:     concludeNotes,
	}
}

func contendIchor(l *experiment.Lane, t *rt.Thread, _ experiment.Config, shared rt.Ref) error {
	for l.Next() {
		for range l.N() / contendBatch {
			for range contendBatch {
				t.IncRef(shared)
				t.DecRef(shared)
			}
			t.Checkpoint()
		}
	}
	return nil
}

func contendAtomic() func(n int) {
	var word atomic.Int64
	return func(n int) {
		for range n {
			word.Add(1)
			word.Add(-1)
		}
	}
}

func contendArrow() func(n int) {
	b := newArrowBuffer(memory.NewGoAllocator())
	return func(n int) {
		for range n {
			b.Retain()
			b.Release()
		}
	}
}

func contendGRPC() func(n int) {
	b := newGRPCBuffer(mem.DefaultBufferPool())
	return func(n int) {
		for range n {
			b.Ref()
			b.Free()
		}
	}
}
