package main

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"
	"time"

	"go.uber.org/atomic"

	"github.com/ichor-go/ichor/bench/experiment"
)

// cacheBuilt is what a store has cost.
type cacheBuilt struct {
	Took   time.Duration
	GoHeap int64 // bytes that live in Go's heap
}

// cacheLoad is what a load has cost.
type cacheLoad struct {
	Reads    int64
	Took     time.Duration
	Resident int64         // bytes, at its end
	GC       float64       // seconds of CPU time of one collection
	Pause    float64       // seconds, the longest stop
	Worst    time.Duration // the longest read
}

// A cacheStore keeps entries that are numbered from 0.
type cacheStore interface {
	build(entries int) error
	// reading calls fn on an attached thread, if there is such a thing, with a function
	// that returns the checksum of an entry.
	reading(fn func(read func(i int) (uint64, error)) error) error
	close() error
}

func newCacheStore(name string) (cacheStore, error) {
	switch name {
	case "ichor":
		return &ichorCache{}, nil
	case "ichor-frozen":
		return &ichorCache{frozen: true}, nil
	case "go":
		return &goCache{}, nil
	case "go-structs":
		return &structCache{}, nil
	case "freecache":
		return &freeCache{}, nil
	case "fastcache":
		return &fastCache{}, nil
	}
	return nil, fmt.Errorf("unknown store %q", name)
}

// cacheChecksum is what a read returns of an entry: each field has to be found.
func cacheChecksum(id, stock int64, price float64, name, brand string) uint64 {
	return uint64(id)*31 + uint64(stock)*7 + uint64(price*4) + uint64(len(name))<<32 + uint64(len(brand))<<40
}

// Fields of entry i.
func cacheName(i int) string   { return fmt.Sprintf("name of item %d", i) }
func cacheBrand(i int) string  { return fmt.Sprintf("brand %d", i) }
func cachePrice(i int) float64 { return float64(i)/4 + 0.25 }
func cacheStock(i int) int     { return i % 100 }
func cacheTag(i, k int) string { return fmt.Sprintf("tag %d %c", i, 'a'+k) }
func cacheWanted(i int) uint64 {
	return cacheChecksum(int64(i), int64(cacheStock(i)), cachePrice(i), cacheName(i), cacheBrand(i))
}

const cacheTags = 3

// serveCache is a child of the scenario cache.
func serveCache(store string, stdin io.Reader, stdout io.Writer) error {
	s, err := newCacheStore(store)
	if err != nil {
		return err
	}
	entries := 0
	parent := experiment.NewAnswers(stdin, stdout)
	err = experiment.Next(parent, func(n int) (built cacheBuilt, err error) {
		begin := time.Now()
		entries, err = n, s.build(n)
		built.Took = time.Since(begin)
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		built.GoHeap = int64(m.HeapAlloc)
		return built, err
	})
	for err == nil {
		err = experiment.Next(parent, func(b experiment.Budget) (cacheLoad, error) { return loadCache(s, entries, b) })
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return errors.Join(err, s.close())
}

// loadCache reads on all cores while Go's collector comes round once, and for the time of
// the budget at least, or for that many reads on each.
func loadCache(s cacheStore, entries int, b experiment.Budget) (load cacheLoad, err error) {
	runtime.GC() // the figures of the collector are up to date at its end
	cost, stops := readGCCost(), pauses()
	readers := make([]cacheReader, runtime.GOMAXPROCS(0))
	var stop atomic.Bool
	var wg sync.WaitGroup
	begin := time.Now()
	for i := range readers {
		r := &readers[i]
		r.draw = newDictDraw(i, 100)
		wg.Go(func() {
			r.err = s.reading(func(read func(int) (uint64, error)) error { return r.read(entries, b.Ops, &stop, read) })
		})
	}
	time.Sleep(b.Duration / 2)
	runtime.GC()
	load.GC, load.Pause = readGCCost().gc-cost.gc, longestPause(stops, pauses())
	time.Sleep(b.Duration / 2)
	stop.Store(true)
	wg.Wait()
	load.Took, load.Resident = time.Since(begin), resident()
	for _, r := range readers {
		load.Reads += r.reads
		load.Worst = max(load.Worst, r.worst)
		err = errors.Join(err, r.err)
	}
	return load, err
}

// cacheReader is one goroutine that reads.
type cacheReader struct {
	draw  dictDraw
	reads int64
	worst time.Duration
	err   error
	_     [64]byte // readers are written by different threads
}

// cacheBatch is how many reads share two looks at the clock.
const cacheBatch = 16

// read reads until it is told to stop, and the number of reads that it has to do is done.
func (r *cacheReader) read(entries int, least int64, stop *atomic.Bool, read func(int) (uint64, error)) error {
	for !stop.Load() || r.reads < least || r.reads == 0 {
		begin := time.Now()
		for range cacheBatch {
			i := r.draw.below(entries)
			got, err := read(i)
			if err != nil {
				return err
			}
			if r.reads%1024 == 0 && got != cacheWanted(i) {
				return fmt.Errorf("entry %d reads as %x, not %x", i, got, cacheWanted(i))
			}
			r.reads++
		}
		r.worst = max(r.worst, time.Since(begin))
	}
	return nil
}

// below draws a number below n.
func (d *dictDraw) below(n int) int {
	d.next()
	return int(d.random >> 20 % uint64(n))
}

// cacheChunk is how many entries a map has. That many are frozen at a time: it bounds what
// is there twice.
const cacheChunk = 1 << 16

// chunksOf calls fn with the bounds of each chunk.
func chunksOf(entries int, fn func(from, to int) error) error {
	for from := 0; from < entries; from += cacheChunk {
		if err := fn(from, min(from+cacheChunk, entries)); err != nil {
			return err
		}
	}
	return nil
}

// tagsOf are the tags of entry i.
func tagsOf(i int) []string {
	tags := make([]string, 0, cacheTags)
	for k := range cacheTags {
		tags = append(tags, cacheTag(i, k))
	}
	return slices.Clip(tags)
}
