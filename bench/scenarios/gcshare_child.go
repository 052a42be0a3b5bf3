package scenarios

import (
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"time"

	"go.uber.org/atomic"

	"github.com/ichor-go/ichor/bench/documents"
	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/internal/gccost"
	"github.com/ichor-go/ichor/bench/internal/process"
	"github.com/ichor-go/ichor/internal/aligned"
	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// gcshareJob says which graph a child is to keep.
type gcshareJob struct {
	Copies int
	Docs   []experiment.Document
}

// gcshareReady says how large the graph is.
type gcshareReady struct {
	GoHeap int64 // bytes that live in Go's heap
	Frozen int64 // bytes of frozen graphs
}

// gcshareResult is the cost of a load, from the end of one cycle of the collector to the end
// of a later one.
type gcshareResult struct {
	GC       gccost.Cost
	Requests int64
	Took     time.Duration // of Requests
}

// serveGCShare is a child process of the scenario. It keeps a graph in the given heap: see
// gcshareChild.
func serveGCShare(heap string, parent *process.Parent) error {
	var graph any
	err := process.Answer(parent, func(job gcshareJob) (ready gcshareReady, err error) {
		if heap == HeapFrozen {
			graph, ready.Frozen, err = job.freeze()
		} else {
			graph, err = job.decode()
		}
		job.Docs = nil
		ready.GoHeap = liveBytes()
		return ready, err
	})
	for err == nil {
		err = process.Answer(parent, gcshareLoad)
	}
	runtime.KeepAlive(graph)
	return err
}

// decode makes the copies graphs of Go's.
func (j *gcshareJob) decode() (any, error) {
	var all []any
	for range j.Copies {
		graphs, err := decode(j.Docs)
		if err != nil {
			return nil, err
		}
		all = append(all, graphs...)
	}
	return all, nil
}

// gcshareBatch is how much JSON goes into one frozen graph. While a graph is frozen, it is in
// memory twice. A guess.
const gcshareBatch = 64 << 20

// freeze freezes the copies, some at a time. It returns the runtime that keeps them, and their
// size.
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

// freezeCopies freezes a list of n copies of the documents.
func freezeCopies(t *rt.Thread, docs []experiment.Document, n int) (*rt.Frozen, error) {
	all, err := objects.NewList(t)
	if err != nil {
		return nil, err
	}
	defer t.DecRef(all)
	for range n {
		for _, d := range docs {
			root, err := documents.Build(t, d)
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
	gcshareCycles = 2                // the least number of cycles in a sample
	gcshareLeast  = time.Second      // the least time of a sample, unless its budget is a number of requests
	gcsharePoll   = time.Millisecond // between two looks at the number of cycles
	gcshareMost   = 5 * time.Minute  // the most time of a sample; the machine must have stopped
)

// gcshareLoad allocates on all cores until there were enough cycles, and reports the
// collector's share of the CPU time. Go updates these figures at the end of each cycle, so
// they are those of whole cycles.
func gcshareLoad(b experiment.Budget) (gcshareResult, error) {
	runtime.GC()
	before := gccost.Read()
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
	var cost gccost.Cost
	var err error
	for {
		time.Sleep(gcsharePoll)
		cost = gccost.Read().Since(before)
		took := time.Since(begin)
		if cost.Cycles >= gcshareCycles && took >= least {
			break
		}
		if took > gcshareMost {
			err = fmt.Errorf("only %d cycles of the collector in %v", cost.Cycles, took)
			break
		}
	}
	stop.Store(true)
	took := time.Since(begin)
	wg.Wait()
	return gcshareResult{GC: cost, Requests: requests.Load(), Took: took}, err
}

// gcshareKept is how many of its latest answers each goroutine keeps.
const gcshareKept = 256

// gcshareRequests builds answers until it is told to stop, and returns their number. An answer
// is about a kilobyte, in a dozen objects.
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
