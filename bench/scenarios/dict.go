package scenarios

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/puzpuzpuz/xsync/v3"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// dictKeys is how many keys each map has, from the first sample to the last.
const dictKeys = 10_000

// DictReads are the percentages of reads; the rest are writes.
var DictReads = []int{100, 95, 50}

// Dict compares a shared dict with Go's maps.
func Dict() experiment.Scenario {
	return experiment.Scenario{
		Name: "dict",
		Question: fmt.Sprintf("How fast do threads read and overwrite a shared map of %d strings, compared with Go's maps? "+
			"(Keys are built beforehand; values are small integers; reads of Ichor's dict return borrowed references. "+
			"Rows with map=%s have mortal values, which all threads count: a read takes a reference and gives it up. "+
			"Rows with map=%s read a frozen dict, and their keys are frozen with it.)", dictKeys, DictCounted, DictFrozen),
		Plan: func(env *experiment.Env) (*experiment.Plan, error) {
			p := &experiment.Plan{}
			for _, reads := range DictReads {
				maps := []dictMap{&ichorDict{}, &ichorDict{counted: true}, &syncDict{}, &xsyncDict{}, &mutexDict{}}
				if reads == 100 {
					maps = append(maps, &ichorDict{frozen: true})
				}
				for _, m := range maps {
					var rows tenants
					for _, n := range env.Threads {
						p.Variants = append(p.Variants, experiment.Variant{
							Config: experiment.Cfg("map", m.name(), "reads", reads, "threads", n), Metric: experiment.OpsS,
							Setup: func(context.Context) error {
								if rows.first() {
									return m.open()
								}
								return nil
							},
							Close: func() error {
								if rows.last() {
									return m.close()
								}
								return nil
							},
							Sample: func(ctx context.Context, b experiment.Budget) (experiment.Sample, error) {
								return experiment.OpsPerSecond(ctx, b, n, 64, func(l *experiment.Lane) error {
									return m.work(l, reads)
								})
							},
						})
					}
				}
			}
			return p, nil
		},
		Baseline:     func(c experiment.Config) experiment.Config { return c.With("map", "sync.Map") },
		BaselineName: "map=sync.Map, same reads and threads",
		Conclude:     concludeDict,
	}
}

// concludeDict compares the maps with the most threads.
func concludeDict(res *experiment.Result) (lines []string) {
	most := MostThreads(res)
	for _, reads := range DictReads {
		var each []string
		for _, row := range res.Rows {
			if c := row.Config; c.Get("reads") == reads && c.Get("threads") == most {
				each = experiment.Item(each, fmt.Sprint(c.Get("map")), res.Ratio(row))
			}
		}
		lines = experiment.Say(lines, "%d %% reads, threads: %d. Relative to sync.Map: %s.", reads, most, each)
	}
	return lines
}

// dictMap is a map that is measured.
type dictMap interface {
	name() string
	open() error
	close() error
	work(l *experiment.Lane, reads int) error
}

// dictText returns the text of key i.
func dictText(i int) string { return fmt.Sprintf("key number %d", i) }

// dictDraw draws a key and whether to read it.
type dictDraw struct {
	random uint64
	reads  uint64
}

func newDictDraw(l *experiment.Lane, reads int) dictDraw {
	return dictDraw{uint64(l.Index)*0x9e3779b97f4a7c15 + 1, uint64(reads)}
}

func (d *dictDraw) next() (key int, read bool) {
	d.random ^= d.random << 13
	d.random ^= d.random >> 7
	d.random ^= d.random << 17
	return int(d.random >> 40 % dictKeys), d.random>>8&0xffff%100 < d.reads
}

// DictCounted is the name of the rows of our dict with values that are counted.
const DictCounted = "ichor-counted"

// DictFrozen is the name of the rows of our dict when it is frozen.
const DictFrozen = "ichor-frozen"

// ichorDict is the dict of package objects.
type ichorDict struct {
	counted bool // values are mortal objects, and reads are counted
	frozen  bool // dict and keys are frozen
	r       *rt.Runtime
	dict    rt.Ref
	keys    []rt.Ref
	values  []rt.Ref // of counted
}

func (m *ichorDict) name() string {
	switch {
	case m.counted:
		return DictCounted
	case m.frozen:
		return DictFrozen
	}
	return "ichor"
}

func (m *ichorDict) open() (err error) {
	if m.r, err = experiment.NewRuntime(modeAtomic); err != nil {
		return err
	}
	return m.r.Do(func(t *rt.Thread) error {
		if m.dict, err = objects.NewDict(t); err != nil {
			return err
		}
		for i := range dictKeys {
			key, err := objects.NewString(t, dictText(i))
			if err != nil {
				return err
			}
			m.keys = append(m.keys, key)
			v, _ := rt.Int(int64(i))
			if m.counted {
				if v, err = objects.NewInt(t, 1<<40+int64(i)); err != nil {
					return err
				}
				m.values = append(m.values, v)
			}
			if err := objects.Dict(m.dict).Set(t, key, v); err != nil {
				return err
			}
		}
		if m.frozen {
			return m.freeze(t)
		}
		return nil
	})
}

// freeze replaces the dict and the keys by frozen ones.
func (m *ichorDict) freeze(t *rt.Thread) error {
	keys, err := objects.NewTupleSteal(t, m.keys...)
	if err != nil {
		return err
	}
	m.keys = nil
	both, err := objects.NewTupleSteal(t, m.dict, keys)
	if err != nil {
		return err
	}
	defer t.DecRef(both)
	f, err := t.Freeze(both)
	if err != nil {
		return err
	}
	m.dict, _ = objects.Tuple(f.Root()).At(t, 0)
	keys, _ = objects.Tuple(f.Root()).At(t, 1)
	for _, key := range objects.Tuple(keys).All(t) {
		m.keys = append(m.keys, key)
	}
	return nil
}

func (m *ichorDict) close() error {
	if m.r == nil {
		return nil
	}
	err := m.r.Do(func(t *rt.Thread) error {
		t.DecRefs(m.keys)
		t.DecRefs(m.values)
		t.DecRef(m.dict)
		return nil
	})
	return errors.Join(err, m.r.Close())
}

func (m *ichorDict) work(l *experiment.Lane, reads int) error {
	return m.r.Do(func(t *rt.Thread) error {
		d := newDictDraw(l, reads)
		dict := objects.Dict(m.dict)
		for l.Next() {
			for i := range l.N() {
				k, read := d.next()
				switch {
				case !read:
					v, _ := rt.Int(int64(k))
					if m.counted {
						v = m.values[k]
					}
					if err := dict.Set(t, m.keys[k], v); err != nil {
						return err
					}
				case m.counted:
					v, err := dict.Get(t, m.keys[k])
					if err != nil {
						return err
					}
					t.DecRef(v)
				default:
					if _, ok := dict.Lookup(t, m.keys[k]); !ok {
						return errors.New("a key is missing")
					}
				}
				if i%64 == 63 {
					t.Checkpoint()
				}
			}
		}
		return nil
	})
}

// goMap is what Go's maps have in common.
type goMap struct{ keys []string }

func (m *goMap) fill(set func(k string, v int)) {
	for i := range dictKeys {
		m.keys = append(m.keys, dictText(i))
		set(m.keys[i], i)
	}
}

func (*goMap) close() error { return nil }

type syncDict struct {
	goMap
	m sync.Map
}

func (*syncDict) name() string { return "sync.Map" }

func (m *syncDict) open() error {
	m.fill(func(k string, v int) { m.m.Store(k, v) })
	return nil
}

func (m *syncDict) work(l *experiment.Lane, reads int) error {
	d := newDictDraw(l, reads)
	for l.Next() {
		for range l.N() {
			if k, read := d.next(); !read {
				m.m.Store(m.keys[k], k)
			} else if _, ok := m.m.Load(m.keys[k]); !ok {
				return errors.New("a key is missing")
			}
		}
	}
	return nil
}

type xsyncDict struct {
	goMap
	m *xsync.MapOf[string, int]
}

func (*xsyncDict) name() string { return "xsync.MapOf" }

func (m *xsyncDict) open() error {
	m.m = xsync.NewMapOf[string, int]()
	m.fill(m.m.Store)
	return nil
}

func (m *xsyncDict) work(l *experiment.Lane, reads int) error {
	d := newDictDraw(l, reads)
	for l.Next() {
		for range l.N() {
			if k, read := d.next(); !read {
				m.m.Store(m.keys[k], k)
			} else if _, ok := m.m.Load(m.keys[k]); !ok {
				return errors.New("a key is missing")
			}
		}
	}
	return nil
}

type mutexDict struct {
	goMap
	mu sync.RWMutex
	m  map[string]int
}

func (*mutexDict) name() string { return "rwmutex" }

func (m *mutexDict) open() error {
	m.m = make(map[string]int)
	m.fill(func(k string, v int) { m.m[k] = v })
	return nil
}

func (m *mutexDict) work(l *experiment.Lane, reads int) error {
	d := newDictDraw(l, reads)
	for l.Next() {
		for range l.N() {
			k, read := d.next()
			if !read {
				m.mu.Lock()
				m.m[m.keys[k]] = k
				m.mu.Unlock()
				continue
			}
			m.mu.RLock()
			_, ok := m.m[m.keys[k]]
			m.mu.RUnlock()
			if !ok {
				return errors.New("a key is missing")
			}
		}
	}
	return nil
}
