package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/internal/process"
)

// vmsBuilt is the cost of building the engines and their graphs.
type vmsBuilt struct{ Took time.Duration }

// vmsLoad is the cost of a load.
type vmsLoad struct {
	Reads    int64
	Took     time.Duration
	Resident int64 // bytes, at the end
}

// An engine runs scripts that read a graph. One goroutine at a time.
type engine interface {
	// sum runs a script that adds the price and the length of the name of n entries. It
	// begins at entry from, and advances by vmsStride each time, modulo the number of entries.
	sum(from, n int) (float64, error)
}

// vmsStride visits the entries without locality. It is coprime to their number, so that each
// is visited.
const vmsStride = 7_919

// Fields of entry i of the graph.
func vmsName(i int) string   { return fmt.Sprintf("item %d", i) }
func vmsPrice(i int) float64 { return float64(i) / 4 }
func vmsStock(i int) int     { return i % 100 }

// vmsWanted returns the result that sum must return.
func vmsWanted(entries, from, n int) (sum float64) {
	for k := range n {
		i := (from + k*vmsStride) % entries
		sum += vmsPrice(i) + float64(len(vmsName(i)))
	}
	return sum
}

// A fleet makes engines, and holds the data that they share.
type fleet interface {
	// build makes the shared data, with that many entries.
	build(entries int) error
	// with calls fn with a new engine, on the goroutine that uses it.
	with(entries int, fn func(engine) error) error
	close() error
}

func newFleet(name string) (fleet, error) {
	language, shared := strings.CutSuffix(name, hosted)
	host := &ichorHost{}
	switch {
	case language == "goja" && shared:
		return &hostFleet{host, gojaOnHost}, nil
	case language == "gopher-lua" && shared:
		return &hostFleet{host, luaOnHost}, nil
	case language == "goja":
		return &copyFleet{gojaWithCopy}, nil
	case language == "gopher-lua":
		return &copyFleet{luaWithCopy}, nil
	case name == "starlark":
		return &starlarkFleet{}, nil
	}
	return nil, fmt.Errorf("unknown engine %q", name)
}

// copyFleet has engines that each have a copy of the graph.
type copyFleet struct {
	engine func(entries int) (engine, error)
}

func (*copyFleet) build(int) error { return nil }

func (f *copyFleet) with(entries int, fn func(engine) error) error {
	e, err := f.engine(entries)
	if err != nil {
		return err
	}
	return fn(e)
}

func (*copyFleet) close() error { return nil }

// vmsWork asks an engine for n reads. The reply is nil if their sum is right.
type vmsWork struct {
	n     int
	reply chan error
}

// serveVMs runs a child of the scenario vms.
func serveVMs(name string, n int, stdin io.Reader, stdout io.Writer) error {
	f, err := newFleet(name)
	if err != nil {
		return err
	}
	entries := 0
	work := make([]chan vmsWork, n)
	left := make(chan error, n)
	parent := process.NewParent(stdin, stdout)
	started := 0
	err = process.Answer(parent, func(count int) (vmsBuilt, error) {
		begin := time.Now()
		entries = count
		if err := f.build(entries); err != nil {
			return vmsBuilt{}, err
		}
		for i := range work {
			work[i] = make(chan vmsWork)
			ready := make(chan error, 2)
			go func() {
				err := f.with(entries, func(e engine) error {
					ready <- nil
					for w := range work[i] {
						w.reply <- checkedSum(e, entries, i, w.n)
					}
					return nil
				})
				ready <- err
				left <- err
			}()
			started++
			if err := <-ready; err != nil {
				return vmsBuilt{}, err
			}
		}
		return vmsBuilt{time.Since(begin)}, nil
	})
	for err == nil {
		err = process.Answer(parent, func(b experiment.Budget) (vmsLoad, error) { return loadVMs(work, b) })
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	for i := range started {
		close(work[i])
	}
	for range started {
		err = errors.Join(err, <-left)
	}
	return errors.Join(err, f.close())
}

// checkedSum reads n entries and checks the sum that the script returns.
func checkedSum(e engine, entries, from, n int) error {
	got, err := e.sum(from, n)
	if want := vmsWanted(entries, from, n); err == nil && got != want {
		err = fmt.Errorf("the script says %v, not %v", got, want)
	}
	return err
}

// vmsBatch is the number of reads in one run of a script.
const vmsBatch = 1000

// loadVMs makes all engines read concurrently.
func loadVMs(work []chan vmsWork, b experiment.Budget) (load vmsLoad, err error) {
	begin := time.Now()
	reads := make([]int64, len(work))
	errs := make([]error, len(work))
	var wg sync.WaitGroup
	for i, ask := range work {
		wg.Go(func() {
			reply := make(chan error)
			for reads[i] == 0 || reads[i] < b.Ops || b.Ops == 0 && time.Since(begin) < b.Duration {
				ask <- vmsWork{vmsBatch, reply}
				if errs[i] = <-reply; errs[i] != nil {
					return
				}
				reads[i] += vmsBatch
			}
		})
	}
	wg.Wait()
	load.Took, load.Resident = time.Since(begin), resident()
	for _, n := range reads {
		load.Reads += n
	}
	return load, errors.Join(errs...)
}
