package heap

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/ichor-go/ichor/bench/internal/cpu"
	"github.com/ichor-go/ichor/internal/heapfile"
	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// BenchmarkSnapshot compares the stop of a snapshot with that of a collection of the same heap,
// and measures what opening takes: reading, the first search, and finding out what objects
// retain. In a mixed heap one object in four is a container: the collector does not look at the
// others, and a snapshot does.
func BenchmarkSnapshot(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000, 10_000_000} {
		for _, mixed := range []bool{false, true} {
			b.Run(fmt.Sprintf("objects=%d/mixed=%t", n, mixed), func(b *testing.B) {
				r := must(rt.New(rt.Options{Mode: rt.LockFree, CollectAfter: -1}))
				var root rt.Ref
				err := r.Do(func(t *rt.Thread) (err error) {
					root, err = grow(t, n, mixed)
					return err
				})
				if err != nil {
					b.Fatal(err)
				}
				measure(b, r)
				err = r.Do(func(t *rt.Thread) error {
					t.DecRef(root)
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				_ = r.Close() // the ring is a cycle, which it collects
			})
		}
	}
}

// grow makes a heap of n objects: records with four references to others, the first of which make
// a ring, or with one reference to another record and three to texts and numbers of their own.
func grow(t *rt.Thread, n int, mixed bool) (rt.Ref, error) {
	y, err := objects.DefineRecord("bench snapshot", "next", "b", "c", "d")
	if err != nil {
		return rt.Nil, err
	}
	if mixed {
		n /= 4
	}
	all := make([]rt.Ref, n)
	for i := range all {
		if all[i], err = y.New(t, rt.None, rt.None, rt.None, rt.None); err != nil {
			return rt.Nil, err
		}
		for k := 1; k < 4 && mixed; k++ {
			var leaf rt.Ref
			if k == 3 {
				leaf, err = objects.NewFloat(t, float64(i))
			} else {
				leaf, err = objects.NewString(t, fmt.Sprintf("text %d of %d", k, i))
			}
			if err == nil {
				err = objects.Record(all[i]).Set(t, k, leaf)
			}
			if err != nil {
				return rt.Nil, err
			}
			t.DecRef(leaf)
		}
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for i, x := range all {
		if err := objects.Record(x).Set(t, 0, all[(i+1)%n]); err != nil {
			return rt.Nil, err
		}
		for k := 1; k < 4 && !mixed; k++ {
			near := max(i-rnd.IntN(1000), 0)
			if err := objects.Record(x).Set(t, k, all[near]); err != nil {
				return rt.Nil, err
			}
		}
	}
	root := all[0]
	t.DecRefs(all[1:])
	return root, nil
}

// measure reports the medians of all samples. cpu is the time that all goroutines of the process
// took together.
func measure(b *testing.B, r *rt.Runtime) {
	samples := map[string][]float64{}
	note := func(unit string, value float64) { samples[unit] = append(samples[unit], value) }
	timed := func(unit string, f func()) {
		stop, begin := cpu.WatchMachine(), time.Now()
		f()
		note(unit, time.Since(begin).Seconds())
		note("cpu-"+unit, stop().Own.Seconds())
	}
	var file bytes.Buffer
	for b.Loop() {
		collection := must(r.Collect()).Stopped.Seconds()
		note("s/collection", collection)
		file.Reset()
		if err := r.WriteHeapSnapshot(&file); err != nil {
			b.Fatal(err)
		}
		var v *view
		timed("s/open", func() {
			raw := must(heapfile.Read(bytes.NewReader(file.Bytes())))
			note("s/stop", raw.Stopped.Seconds())
			note("stop/collection", raw.Stopped.Seconds()/collection)
			v = &view{raw: raw, g: must(raw.Graph())}
		})
		timed("s/search", func() {
			if len(v.search("snapshot", foundObjects)) != foundObjects {
				b.Fatal("nothing was found")
			}
		})
		timed("s/retained", v.prepare)
		b.ReportMetric(float64(file.Len())/float64(v.g.Len()), "file-B/object")
	}
	for unit, list := range samples {
		slices.Sort(list)
		b.ReportMetric(list[len(list)/2], unit)
	}
}
