package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"time"

	"go.uber.org/atomic"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/internal/gccost"
	"github.com/ichor-go/ichor/bench/internal/process"
)

// cacheJob is the task of a child: the number of entries to keep, and GOGC.
type cacheJob struct{ Entries, GOGC int }

// cacheBuilt is the cost of building a store.
type cacheBuilt struct {
	Took   time.Duration
	GoHeap int64 // live bytes in the Go heap
}

// cacheLoad is the cost of a load.
type cacheLoad struct {
	Reads    int64
	Took     time.Duration
	Resident int64 // bytes, at the end
	GC       gccost.Cost
	Pause    float64       // the longest stop, in seconds
	Worst    time.Duration // the longest read
	Tail     time.Duration // the 99.99th percentile of reads
}

// A cacheStore keeps entries, numbered from 0.
type cacheStore interface {
	build(entries int) error
	// reading calls fn with a function that reads an entry and returns the answer. If the
	// store has attached threads, it calls fn on one.
	reading(fn func(read func(i int) ([]byte, error)) error) error
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

// cacheAnswerBytes is the capacity of an answer, as in a service.
const cacheAnswerBytes = 256

// cacheAnswer returns the answer to a read of an entry. It has all fields except the tags.
func cacheAnswer(id, stock int64, price float64, name, brand string) []byte {
	b := make([]byte, 0, cacheAnswerBytes)
	b = strconv.AppendInt(b, id, 10)
	b = strconv.AppendInt(append(b, ' '), stock, 10)
	b = strconv.AppendInt(append(b, ' '), int64(price*100), 10)
	b = append(append(b, ' '), name...)
	return append(append(b, ' '), brand...)
}

// Fields of entry i.
func cacheName(i int) string   { return fmt.Sprintf("name of item %d", i) }
func cacheBrand(i int) string  { return fmt.Sprintf("brand %d", i) }
func cachePrice(i int) float64 { return float64(i)/4 + 0.25 }
func cacheStock(i int) int     { return i % 100 }
func cacheTag(i, k int) string { return fmt.Sprintf("tag %d %c", i, 'a'+k) }
func cacheWanted(i int) []byte {
	return cacheAnswer(int64(i), int64(cacheStock(i)), cachePrice(i), cacheName(i), cacheBrand(i))
}

const cacheTags = 3

// serveCache runs a child of the scenario cache.
func serveCache(store string, stdin io.Reader, stdout io.Writer) error {
	s, err := newCacheStore(store)
	if err != nil {
		return err
	}
	entries, cycles := 0, int64(cacheCycles)
	parent := process.NewParent(stdin, stdout)
	err = process.Answer(parent, func(job cacheJob) (built cacheBuilt, err error) {
		debug.SetGCPercent(job.GOGC)
		if job.GOGC == gogcOff {
			cycles = 0
		}
		begin := time.Now()
		entries, err = job.Entries, s.build(job.Entries)
		built.Took = time.Since(begin)
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		built.GoHeap = int64(m.HeapAlloc)
		return built, err
	})
	for err == nil {
		err = process.Answer(parent, func(b experiment.Budget) (cacheLoad, error) { return loadCache(s, entries, cycles, b) })
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return errors.Join(err, s.close())
}

const (
	cacheCycles = 2                // least number of cycles of Go's collector in a sample
	cacheLeast  = time.Second      // least time of a sample that is not counted in reads, for enough reads for a percentile
	cachePoll   = time.Millisecond // time between two polls of the number of cycles
	cacheMost   = 2 * time.Minute  // limit for the cycles: after it the machine counts as stuck
)

// loadCache reads on all cores until Go's collector has run the given number of cycles and
// the time of the budget has passed. If the budget has a number of reads, each goroutine makes
// at least that many.
func loadCache(s cacheStore, entries int, cycles int64, b experiment.Budget) (load cacheLoad, err error) {
	runtime.GC() // updates the collector's statistics
	cost, stops := gccost.Read(), pauses()
	readers := make([]cacheReader, runtime.GOMAXPROCS(0))
	var stop atomic.Bool
	var wg sync.WaitGroup
	least := b.Duration
	if b.Ops == 0 {
		least = max(least, cacheLeast)
	}
	begin := time.Now()
	for i := range readers {
		r := &readers[i]
		r.draw = newDictDraw(i, 100)
		wg.Go(func() {
			r.err = s.reading(func(read func(int) ([]byte, error)) error { return r.read(entries, b.Ops, &stop, read) })
			if r.err != nil {
				stop.Store(true)
			}
		})
	}
	for err == nil {
		time.Sleep(cachePoll)
		load.GC = gccost.Read().Since(cost)
		switch took := time.Since(begin); {
		case took > cacheMost:
			err = fmt.Errorf("only %d cycles of the collector in %v", load.GC.Cycles, took)
		case load.GC.Cycles >= cycles && took >= least:
			stop.Store(true)
		}
		if stop.Load() {
			break
		}
	}
	stop.Store(true)
	wg.Wait()
	load.Took, load.Resident, load.Pause = time.Since(begin), resident(), longestPause(stops, pauses())
	for _, r := range readers {
		load.Reads += r.reads
		load.Worst = max(load.Worst, r.worst)
		err = errors.Join(err, r.err)
	}
	load.Tail = tail(readers)
	return load, err
}

// cacheReader is one reading goroutine.
type cacheReader struct {
	draw  dictDraw
	last  []byte // answer
	reads int64
	worst time.Duration
	took  [1 << 16]int64 // number of batches by microseconds; the last entry has all longer ones
	err   error
	_     [64]byte // different threads write to readers
}

// tail returns the 99.99th percentile of the time of a batch.
func tail(readers []cacheReader) time.Duration {
	all, slower := int64(0), int64(0)
	for i := range readers {
		for _, n := range readers[i].took {
			all += n
		}
	}
	for us := len(readers[0].took) - 1; us > 0; us-- {
		for i := range readers {
			slower += readers[i].took[us]
		}
		if slower > all/10_000 {
			return time.Duration(us) * time.Microsecond
		}
	}
	return 0
}

// cacheBatch is the number of reads between two readings of the clock.
const cacheBatch = 16

// read reads until stop is set and it has made at least so many reads.
func (r *cacheReader) read(entries int, least int64, stop *atomic.Bool, read func(int) ([]byte, error)) error {
	for !stop.Load() || r.reads < least || r.reads == 0 {
		begin := time.Now()
		for range cacheBatch {
			i := r.draw.below(entries)
			answer, err := read(i)
			if err != nil {
				return err
			}
			if r.reads%1024 == 0 && !bytes.Equal(answer, cacheWanted(i)) {
				return fmt.Errorf("entry %d reads as %q, not %q", i, answer, cacheWanted(i))
			}
			r.last = answer
			r.reads++
		}
		took := time.Since(begin)
		r.worst = max(r.worst, took)
		r.took[min(int(took/time.Microsecond), len(r.took)-1)]++
	}
	return nil
}

// below returns a random number below n.
func (d *dictDraw) below(n int) int {
	d.next()
	return int(d.random >> 20 % uint64(n))
}

// cacheChunk is the number of entries in a map. Entries are frozen a map at a time, which bounds
// the data that exists twice.
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

// tagsOf returns the tags of entry i.
func tagsOf(i int) []string {
	tags := make([]string, 0, cacheTags)
	for k := range cacheTags {
		tags = append(tags, cacheTag(i, k))
	}
	return slices.Clip(tags)
}
