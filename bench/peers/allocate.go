package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"modernc.org/memory"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/internal/gccost"
	"github.com/ichor-go/ichor/internal/arena"
	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// allocateKept is the number of objects that each thread keeps. A new one replaces the
// oldest.
const allocateKept = 1024

// gcPercent is the share of Go's collector in all CPU time, in percent.
const gcPercent = "gc-cpu-%"

// pairOfWords is the object of Go and of the pool. It has the size of an Ichor tuple of two.
type pairOfWords struct {
	left, right *pairOfWords
	_           [2]uint64
}

// allocatedBytes is the size of all objects.
const allocatedBytes = 32

func allocateScenario() experiment.Scenario {
	return experiment.Scenario{
		Name: "allocate",
		Question: fmt.Sprintf("How fast do threads make objects of %d bytes with two references, and drop the oldest of %d? "+
			"(gc-cpu-%%: the share of the CPU time that Go's collector took, in samples in which it ran.)", allocatedBytes, allocateKept),
		Plan: func(env *experiment.Env) (*experiment.Plan, error) {
			p := &experiment.Plan{}
			for _, s := range ichorStates {
				if s.immortal != experiment.ImmortalNone {
					continue // immortals would never be freed
				}
				ours, err := experiment.Workload{
					Axes: []experiment.Axis{{Key: experiment.Mode, Values: []any{s.mode}}},
					Work: allocateIchor, Unit: allocateKept,
				}.Scenario().Plan(env)
				if err != nil {
					return nil, err
				}
				for _, v := range ours.Variants {
					v.Config = experiment.Cfg(peerKey, s.name, "threads", v.Config.Get("threads"))
					p.Variants = append(p.Variants, chargeGC(v))
				}
			}
			for _, row := range []struct {
				peer string
				work func(l *experiment.Lane) error
			}{{"go", allocateGo}, {"sync.Pool", allocatePool}, {"modernc", allocateModernc}, {"ichor-arena", allocateArena}} {
				for _, threads := range env.Threads {
					p.Variants = append(p.Variants, chargeGC(experiment.Variant{
						Config: experiment.Cfg(peerKey, row.peer, "threads", threads), Metric: experiment.OpsS,
						Sample: func(ctx context.Context, b experiment.Budget) (experiment.Sample, error) {
							return experiment.OpsPerSecond(ctx, b, threads, allocateKept, row.work)
						},
					}))
				}
			}
			return p, nil
		},
		Baseline:     func(c experiment.Config) experiment.Config { return c.With(peerKey, "go") },
		BaselineName: "peer=go, same threads",
		Conclude:     concludeNotes,
	}
}

// chargeGC adds the cost of Go's collector to a variant's samples.
func chargeGC(v experiment.Variant) experiment.Variant {
	sample := v.Sample
	v.Sample = func(ctx context.Context, b experiment.Budget) (experiment.Sample, error) {
		before := gccost.Read()
		s, err := sample(ctx, b)
		s.Extra = map[string]float64{gcPercent: gccost.Read().Since(before).Percent()}
		return s, err
	}
	return v
}

func allocateIchor(l *experiment.Lane, t *rt.Thread, _ experiment.Config, _ rt.Ref) (err error) {
	var kept [allocateKept]rt.Ref
	for i := range kept {
		kept[i] = rt.None
	}
	for l.Next() {
		for range l.N() / allocateKept {
			for i := range kept {
				pair, err := objects.NewTuple(t, rt.None, rt.None)
				if err != nil {
					return err
				}
				t.DecRef(kept[i])
				kept[i] = pair
			}
			t.Checkpoint()
		}
	}
	t.DecRefs(kept[:])
	return nil
}

func allocateGo(l *experiment.Lane) error {
	kept := make([]*pairOfWords, allocateKept)
	for l.Next() {
		for range l.N() / allocateKept {
			for i := range kept {
				kept[i] = new(pairOfWords)
			}
		}
	}
	return nil
}

func allocatePool(l *experiment.Lane) error {
	pool := sync.Pool{New: func() any { return new(pairOfWords) }}
	kept := make([]*pairOfWords, allocateKept)
	for l.Next() {
		for range l.N() / allocateKept {
			for i := range kept {
				p := pool.Get().(*pairOfWords)
				p.left, p.right = nil, nil
				if kept[i] != nil {
					pool.Put(kept[i])
				}
				kept[i] = p
			}
		}
	}
	return nil
}

// allocateArena has the allocator below Ichor's objects alone.
func allocateArena(l *experiment.Lane) (err error) {
	space, err := arena.New(arena.Config{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, space.Close()) }()
	c := space.NewCache()
	var kept [allocateKept]uint32
	for l.Next() {
		for range l.N() / allocateKept {
			for i := range kept {
				h, err := c.Alloc(arena.Blocks, allocatedBytes>>arena.GranuleShift)
				if err != nil {
					return err
				}
				if kept[i] != 0 {
					c.Free(kept[i])
				}
				kept[i] = h
			}
		}
	}
	return nil
}

func allocateModernc(l *experiment.Lane) (err error) {
	var a memory.Allocator
	defer func() { err = errors.Join(err, a.Close()) }()
	kept := make([]uintptr, allocateKept)
	for l.Next() {
		for range l.N() / allocateKept {
			for i := range kept {
				p, err := a.UintptrMalloc(allocatedBytes)
				if err != nil {
					return err
				}
				if kept[i] != 0 {
					if err := a.UintptrFree(kept[i]); err != nil {
						return err
					}
				}
				kept[i] = p
			}
		}
	}
	return nil
}
