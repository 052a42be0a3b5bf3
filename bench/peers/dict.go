package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/alphadose/haxmap"
	xsync3 "github.com/puzpuzpuz/xsync/v3"
	xsync4 "github.com/puzpuzpuz/xsync/v4"
	"go.starlark.net/starlark"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// dictKeys is the number of keys in the maps. It does not change.
const dictKeys = 10_000

var errMissing = errors.New("a key is missing")

func dictScenario() experiment.Scenario {
	return experiment.Scenario{
		Name: "dict",
		Question: fmt.Sprintf("How fast do threads read and overwrite a shared map of %d strings? "+
			"(Keys are built beforehand; values are small integers. Frozen maps are only read.)", dictKeys),
		Plan: func(env *experiment.Env) (*experiment.Plan, error) {
			p := &experiment.Plan{}
			for _, reads := range []int{100, 95, 50} {
				for _, m := range []struct {
					peer     string
					readOnly bool
					open     func() dictWork
				}{
					{"ichor", false, nil}, {"ichor-frozen", true, nil}, {"sync.Map", false, syncDict}, {"xsync-v3", false, xsync3Dict},
					{"xsync-v4", false, xsync4Dict}, {"haxmap", false, haxDict}, {"rwmutex", false, lockedDict}, {"starlark-frozen", true, starlarkDict},
				} {
					if m.readOnly && reads < 100 {
						continue
					}
					variants, err := ichorDict(env, m.peer, reads)
					if m.open != nil {
						variants = goDict(env, m.open, reads)
					}
					if err != nil {
						return nil, err
					}
					for _, v := range variants {
						v.Config = experiment.Cfg(peerKey, m.peer, "reads", reads, "threads", v.Config.Get("threads"))
						p.Variants = append(p.Variants, v)
					}
				}
			}
			return p, nil
		},
		Baseline:     func(c experiment.Config) experiment.Config { return c.With(peerKey, "sync.Map") },
		BaselineName: "peer=sync.Map, same reads and threads",
		Conclude:     concludeNotes,
	}
}

// dictWork performs n operations. Each map has a loop of its own, because a call through an
// interface would cost as much as some of the lookups.
type dictWork func(d *dictDraw, n int) error

// goDict returns a variant for each thread count, all on one map.
func goDict(env *experiment.Env, open func() dictWork, reads int) (variants []experiment.Variant) {
	var work dictWork
	for _, threads := range env.Threads {
		variants = append(variants, experiment.Variant{
			Config: experiment.Cfg("threads", threads), Metric: experiment.OpsS,
			Setup: func(context.Context) error {
				if work == nil {
					work = open()
				}
				return nil
			},
			Close: func() error { work = nil; return nil },
			Sample: func(ctx context.Context, b experiment.Budget) (experiment.Sample, error) {
				return experiment.OpsPerSecond(ctx, b, threads, 1, func(l *experiment.Lane) error {
					d := newDictDraw(l.Index, reads)
					for l.Next() {
						if err := work(&d, l.N()); err != nil {
							return err
						}
					}
					return nil
				})
			},
		})
	}
	return variants
}

// dictText returns the text of key i.
func dictText(i int) string { return fmt.Sprintf("key number %d", i) }

func dictTexts() []string {
	texts := make([]string, dictKeys)
	for i := range texts {
		texts[i] = dictText(i)
	}
	return texts
}

// dictDraw draws a key, and whether to read it (xorshift64).
type dictDraw struct{ random, reads uint64 }

func newDictDraw(lane, reads int) dictDraw {
	return dictDraw{uint64(lane)*0x9e3779b97f4a7c15 + 1, uint64(reads)}
}

func (d *dictDraw) next() (key int, read bool) {
	d.random ^= d.random << 13
	d.random ^= d.random >> 7
	d.random ^= d.random << 17
	return int(d.random >> 40 % dictKeys), d.random>>8&0xffff%100 < d.reads
}

// ichorDict returns Ichor's variants. The threads share a dict and its keys.
func ichorDict(env *experiment.Env, peer string, reads int) ([]experiment.Variant, error) {
	immortal := experiment.ImmortalNone
	if peer == "ichor-frozen" {
		immortal = experiment.ImmortalFrozen
	}
	p, err := experiment.Workload{
		Axes: []experiment.Axis{{Key: experiment.Immortal, Values: []any{immortal}}},
		Setup: func(t *rt.Thread, _ experiment.Config) (rt.Ref, error) {
			var tuple rt.Ref
			err := t.Scope(func(s *rt.Scope) {
				dict := s.Own(objects.NewDict(t))
				all := []rt.Ref{dict}
				for i, text := range dictTexts() {
					key := s.Own(objects.NewString(t, text))
					v, _ := rt.Int(int64(i))
					s.Check(objects.Dict(dict).Set(t, key, v))
					all = append(all, key)
				}
				var err error
				tuple, err = objects.NewTuple(t, all...)
				s.Check(err)
			})
			return tuple, err
		},
		Work: func(l *experiment.Lane, t *rt.Thread, _ experiment.Config, shared rt.Ref) error {
			items := objects.Tuple(shared).Items(t)
			dict, keys := objects.Dict(items[0]), items[1:]
			d := newDictDraw(l.Index, reads)
			for l.Next() {
				for i := range l.N() {
					k, read := d.next()
					if !read {
						v, _ := rt.Int(int64(k))
						if err := dict.Set(t, keys[k], v); err != nil {
							return err
						}
					} else if _, ok := dict.Lookup(t, keys[k]); !ok {
						return errMissing
					}
					if i%64 == 63 {
						t.Checkpoint()
					}
				}
			}
			return nil
		},
	}.Scenario().Plan(env)
	if err != nil {
		return nil, err
	}
	return p.Variants, nil
}

func syncDict() dictWork {
	var m sync.Map
	keys := dictTexts()
	for i, k := range keys {
		m.Store(k, i)
	}
	return func(d *dictDraw, n int) error {
		for range n {
			if k, read := d.next(); !read {
				m.Store(keys[k], k)
			} else if _, ok := m.Load(keys[k]); !ok {
				return errMissing
			}
		}
		return nil
	}
}

func xsync3Dict() dictWork {
	m := xsync3.NewMapOf[string, int]()
	keys := dictTexts()
	for i, k := range keys {
		m.Store(k, i)
	}
	return func(d *dictDraw, n int) error {
		for range n {
			if k, read := d.next(); !read {
				m.Store(keys[k], k)
			} else if _, ok := m.Load(keys[k]); !ok {
				return errMissing
			}
		}
		return nil
	}
}

func xsync4Dict() dictWork {
	m := xsync4.NewMap[string, int]()
	keys := dictTexts()
	for i, k := range keys {
		m.Store(k, i)
	}
	return func(d *dictDraw, n int) error {
		for range n {
			if k, read := d.next(); !read {
				m.Store(keys[k], k)
			} else if _, ok := m.Load(keys[k]); !ok {
				return errMissing
			}
		}
		return nil
	}
}

func haxDict() dictWork {
	m := haxmap.New[string, int](dictKeys)
	keys := dictTexts()
	for i, k := range keys {
		m.Set(k, i)
	}
	return func(d *dictDraw, n int) error {
		for range n {
			if k, read := d.next(); !read {
				m.Set(keys[k], k)
			} else if _, ok := m.Get(keys[k]); !ok {
				return errMissing
			}
		}
		return nil
	}
}

func lockedDict() dictWork {
	var mu sync.RWMutex
	m := map[string]int{}
	keys := dictTexts()
	for i, k := range keys {
		m[k] = i
	}
	return func(d *dictDraw, n int) error {
		for range n {
			k, read := d.next()
			if !read {
				mu.Lock()
				m[keys[k]] = k
				mu.Unlock()
				continue
			}
			mu.RLock()
			_, ok := m[keys[k]]
			mu.RUnlock()
			if !ok {
				return errMissing
			}
		}
		return nil
	}
}

func starlarkDict() dictWork {
	m := starlark.NewDict(dictKeys)
	keys := make([]starlark.Value, dictKeys)
	for i, text := range dictTexts() {
		keys[i] = starlark.String(text)
		_ = m.SetKey(keys[i], starlark.MakeInt(i)) // cannot fail: strings are hashable, and the dict is not frozen yet
	}
	m.Freeze()
	return func(d *dictDraw, n int) error {
		for range n {
			k, _ := d.next()
			if _, ok, err := m.Get(keys[k]); err != nil || !ok {
				return errors.Join(err, errMissing)
			}
		}
		return nil
	}
}
