package main

import (
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/metrics"
	"strconv"
	"sync"
	"time"

	"go.uber.org/atomic"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/internal/aligned"
	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// gcshareJob is what a child is to keep.
type gcshareJob struct {
	Copies int
	Docs   []experiment.Document
}

// gcshareReady says what it keeps.
type gcshareReady struct {
	GoHeap int64 // bytes that live in Go's heap
	Frozen int64 // bytes of frozen graphs
	Err    string
}

// gcshareResult is what a load has cost, from the end of one cycle of the collector to
// that of a later one.
type gcshareResult struct {
	GC, Total float64 // seconds of CPU time
	Cycles    int64
	Requests  int64
	Took      time.Duration // of Requests
	Err       string
}

// serveGCShare is a child of the scenario gcshare: see gcshareChild.
func serveGCShare(heap string, stdin io.Reader, stdout io.Writer) error {
	from, to := gob.NewDecoder(stdin), gob.NewEncoder(stdout)
	var job gcshareJob
	if err := from.Decode(&job); err != nil {
		return err
	}
	var ready gcshareReady
	var graph any
	var err error
	if heap == heapFrozen {
		graph, ready.Frozen, err = job.freeze()
	} else {
		graph, err = job.decode()
	}
	job.Docs = nil
	if err != nil {
		ready.Err = err.Error()
	}
	ready.GoHeap = liveBytes()
	if err := to.Encode(ready); err != nil {
		return err
	}
	for {
		var b experiment.Budget
		if err := from.Decode(&b); err != nil {
			runtime.KeepAlive(graph)
			if errors.Is(err, io.EOF) {
				return nil // the process ends, and the runtime with it
			}
			return err
		}
		if err := to.Encode(gcshareLoad(b)); err != nil {
			return err
		}
	}
}

// decode makes the documents Go's, as often as asked for.
func (j *gcshareJob) decode() (any, error) {
	var all []any
	for range j.Copies {
		graphs, err := (&memoryRow{docs: j.Docs}).decode()
		if err != nil {
			return nil, err
		}
		all = append(all, graphs...)
	}
	return all, nil
}

// gcshareBatch is how much JSON goes into one frozen graph: it bounds what is there twice.
// A guess.
const gcshareBatch = 64 << 20

// freeze freezes the documents as often as asked for, some at a time. It returns what
// keeps them, and their size.
func (j *gcshareJob) freeze() (any, int64, error) {
	r, err := experiment.NewRuntime(modeAtomic)
	if err != nil {
		return nil, 0, err
	}
	text := 1
	for _, d := range j.Docs {
		text += len(d.Data)
	}
	frozen := int64(0)
	err = r.Do(func(t *rt.Thread) error {
		for left := j.Copies; left > 0; {
			n := min(left, max(gcshareBatch/text, 1))
			left -= n
			f, err := freezeCopies(t, j.Docs, n)
			if err != nil {
				return err
			}
			frozen += f.Bytes()
		}
		return nil
	})
	return r, frozen, err
}

// freezeCopies freezes a list that has the documents n times.
func freezeCopies(t *rt.Thread, docs []experiment.Document, n int) (*rt.Frozen, error) {
	all, err := objects.NewList(t)
	if err != nil {
		return nil, err
	}
	defer t.DecRef(all)
	for range n {
		for _, d := range docs {
			root, err := buildDocument(t, d)
			if err != nil {
				return nil, err
			}
			err = objects.List(all).Append(t, root)
			t.DecRef(root)
			if err != nil {
				return nil, err
			}
		}
	}
	return t.Freeze(all)
}

const (
	gcshareCycles = 2                // at least, in a sample
	gcshareLeast  = time.Second      // that a sample takes, unless it is counted in requests: many cycles of a small heap
	gcsharePoll   = time.Millisecond // between two looks at how many there have been
	gcshareMost   = 5 * time.Minute  // for these: a machine that has stopped
)

// gcshareLoad allocates on all cores until the collector has been round, and reports its
// share. The figures of the CPU time change at the end of each cycle, so they are of
// whole cycles.
func gcshareLoad(b experiment.Budget) gcshareResult {
	runtime.GC()
	before := readGCCost()
	var stop atomic.Bool
	var requests aligned.Int64
	var wg sync.WaitGroup
	begin := time.Now()
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() { requests.Add(gcshareRequests(&stop)) })
	}
	least := b.Duration
	if b.Ops == 0 {
		least = max(least, gcshareLeast)
	}
	after := before
	var err error
	for {
		time.Sleep(gcsharePoll)
		after = readGCCost()
		took := time.Since(begin)
		if after.cycles >= before.cycles+gcshareCycles && took >= least {
			break
		}
		if took > gcshareMost {
			err = fmt.Errorf("only %d cycles of the collector in %v", after.cycles-before.cycles, took)
			break
		}
	}
	stop.Store(true)
	took := time.Since(begin)
	wg.Wait()
	r := gcshareResult{
		GC: after.gc - before.gc, Total: after.total - before.total,
		Cycles: int64(after.cycles - before.cycles), Requests: requests.Load(), Took: took,
	}
	if err != nil {
		r.Err = err.Error()
	}
	return r
}

// gcCost is what the collector has cost so far.
type gcCost struct {
	gc, total float64 // seconds of CPU time
	cycles    uint64
}

func readGCCost() gcCost {
	s := []metrics.Sample{
		{Name: "/cpu/classes/gc/total:cpu-seconds"}, {Name: "/cpu/classes/total:cpu-seconds"}, {Name: "/gc/cycles/total:gc-cycles"},
	}
	metrics.Read(s)
	return gcCost{s[0].Value.Float64(), s[1].Value.Float64(), s[2].Value.Uint64()}
}

// gcshareKept is how many answers each goroutine keeps for a while.
const gcshareKept = 256

// gcshareRequests builds answers until it is told to stop, and returns how many: about
// a kilobyte each, of a dozen objects.
func gcshareRequests(stop *atomic.Bool) int64 {
	var kept [gcshareKept]map[string]any
	n := int64(0)
	for ; !stop.Load(); n++ {
		tags := make([]any, 8)
		for i := range tags {
			tags[i] = float64(n + int64(i))
		}
		kept[n%gcshareKept] = map[string]any{
			"id": n, "name": strconv.FormatInt(n, 16), "tags": tags, "body": make([]byte, 256),
		}
	}
	runtime.KeepAlive(kept)
	return n
}
