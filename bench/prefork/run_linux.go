package prefork

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/internal/format"
	"github.com/ichor-go/ichor/bench/internal/interruptible"
	"github.com/ichor-go/ichor/bench/internal/plot"
	"github.com/ichor-go/ichor/bench/internal/progress"
	"github.com/ichor-go/ichor/internal/jsonpos"
	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// variants are what the parent can do with the documents before it starts workers.
var variants = []struct{ immortal, line string }{
	{experiment.ImmortalNone, "mortal"},
	{experiment.ImmortalInPlace, "immortal in place"},
	{experiment.ImmortalFrozen, "frozen"},
}

// run is an experiment under way.
type run struct {
	f      *Flags
	docs   []experiment.Document
	bar    *progress.Bar
	points []int // the numbers of answered requests after which to look at the workers
	done   int   // points so far, of all variants
	result experiment.Result
	sums   map[string]uint64 // of what each variant has answered
	walks  map[string]walked
}

// walked is how many bytes of the heap a worker has copied, and mapped, after a walk over all of
// it. Reading cannot copy more.
type walked struct{ copied, mapped float64 }

// points returns the numbers of requests after which to look at the workers: a few early ones,
// and equal steps.
func points(requests int) []int {
	all := []int{0, max(requests/100, 1), max(requests/50, 2)}
	for i := range PlotSteps {
		if n := requests * (i + 1) / PlotSteps; n > all[len(all)-1] {
			all = append(all, n)
		}
	}
	return all
}

// measure runs all variants, one after the other, and prints what it has, even if it is
// interrupted.
func measure(ctx context.Context, name string, f *Flags, docs []experiment.Document, stdout, stderr io.Writer) error {
	p := newRun(f, docs, progress.New(stderr, name, f.Progress))
	err := p.all(ctx)
	p.bar.Clear()
	if err == nil && f.Plot != "" {
		err = p.plot()
	}
	return errors.Join(err, p.report(stdout))
}

func newRun(f *Flags, docs []experiment.Document, bar *progress.Bar) *run {
	p := &run{f: f, docs: docs, bar: bar, points: points(int(f.Requests)), sums: map[string]uint64{}, walks: map[string]walked{}}
	p.result.Scenario = &experiment.Scenario{
		Name: Name,
		Question: "How much of a parent's heap do workers copy if they only read it? heap_private_bytes is what a worker has copied of the mapping of " +
			"the parent's heap (with immortal=frozen, of the frozen graph), heap_shared_bytes what it has mapped of that and not copied. pss_bytes is all its memory, with shared pages divided among the processes.",
		Conclude: p.conclude,
		Exact:    true,
	}
	return p
}

// all runs the variants.
func (p *run) all(ctx context.Context) error {
	for _, v := range variants {
		if err := p.variant(ctx, v.immortal); err != nil {
			return fmt.Errorf("immortal=%s: %w", v.immortal, err)
		}
	}
	return p.sameAnswers()
}

// total is the number of points of all variants.
func (p *run) total() int { return len(variants) * len(p.points) }

// Measure runs the experiment. It returns all rows that it has, even if it fails, and the few
// that a reader wants to see.
func Measure(ctx context.Context, f *Flags, docs []experiment.Document, bar *progress.Bar) (all, few *experiment.Result, err error) {
	p := newRun(f, docs, bar)
	err = p.all(ctx)
	p.result.Partial = p.done < p.total()
	return &p.result, p.few(), err
}

// few is the result with the rows that a reader wants to see.
func (p *run) few() *experiment.Result {
	res := p.result
	res.Rows = nil
	for _, row := range p.result.Rows {
		if all := int(p.f.Requests); slices.Contains([]int{0, p.points[1], all / 10, all / 2, all}, row.Config.Get("requests").(int)) {
			res.Rows = append(res.Rows, row)
		}
	}
	return &res
}

// report writes the rows: all of them for programs, and a few for readers.
func (p *run) report(stdout io.Writer) error {
	p.result.Partial = p.done < p.total()
	out := bufio.NewWriter(stdout)
	reporter, err := format.New(p.f.Format, out)
	if err != nil {
		return err
	}
	res := &p.result
	if p.f.Format == "text" {
		res = p.few()
	}
	report := &experiment.Report{Results: []*experiment.Result{res}, Done: p.done, Total: p.total(), Partial: res.Partial}
	return errors.Join(reporter.Result(res), reporter.End(report), out.Flush())
}

// variant loads the documents, starts the workers, and looks at them after each point.
func (p *run) variant(ctx context.Context, immortal string) (err error) {
	p.bar.Show(p.done, p.total(), immortal+": load")
	heap, err := p.load(ctx, immortal)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, heap.Close()) }()

	ctx, cancel := context.WithCancel(ctx)
	var workers []*worker
	defer func() { // end them, whatever happens
		cancel()
		for _, w := range workers {
			_ = w.cmd.Wait() // killed, by the context
		}
	}()
	for range p.f.Workers {
		w, err := startWorker(ctx, heap, p.f.Mode)
		if err != nil {
			return err
		}
		workers = append(workers, w)
		w.only(immortal == experiment.ImmortalFrozen)
	}
	answered := 0
	for _, n := range p.points {
		p.bar.Show(p.done, p.total(), fmt.Sprintf("%s: %d requests", immortal, n))
		sum, err := drive(ctx, workers, answered, n)
		if err != nil {
			return err
		}
		p.sums[immortal] += sum
		answered = n
		for i, w := range workers {
			s, err := w.look()
			if err != nil {
				return fmt.Errorf("worker %d: %w", i, err)
			}
			p.result.Rows = append(p.result.Rows, &experiment.Row{
				Config: experiment.Cfg("immortal", immortal, "requests", n, "worker", i), Metric: "heap_private_bytes",
				Samples: []experiment.Sample{s},
			})
		}
		p.done++
	}
	p.bar.Show(p.done, p.total(), immortal+": everything")
	s, err := workers[0].walkAll(ctx)
	if err != nil {
		return err
	}
	p.walks[immortal] = walked{s.Value, s.Value + s.Extra["heap_shared_bytes"]}
	return nil
}

// load builds the heap, logs its size, and returns it as a file that the caller closes. Workers
// need only the file, so load closes the runtime.
func (p *run) load(ctx context.Context, immortal string) (heap *os.File, err error) {
	o, err := experiment.ModeOptions(p.f.Mode)
	if err != nil {
		return nil, err
	}
	o.Backing = rt.MemfdBacking
	r, err := rt.New(o)
	if err != nil {
		return nil, err
	}
	var root rt.Ref
	err = interruptible.Run(ctx, func() error {
		err := r.Do(func(t *rt.Thread) (err error) {
			if root, err = p.build(ctx, t); err != nil {
				return err
			}
			switch immortal {
			case experiment.ImmortalInPlace:
				return t.Immortalize(root)
			case experiment.ImmortalFrozen:
				defer t.DecRef(root)
				f, err := t.Freeze(root)
				if err != nil {
					return err
				}
				root = f.Root()
			}
			return nil
		})
		if err == nil {
			m := r.Memory()
			p.bar.Logf("immortal=%s: %.1f MiB of objects, %.1f of blocks, %.1f frozen", immortal,
				float64(m.ObjectBytes)/(1<<20), float64(m.BlockBytes)/(1<<20), float64(m.FrozenBytes)/(1<<20))
			heap, err = r.Share(root)
		}
		return err
	})
	if ctx.Err() != nil {
		return nil, ctx.Err() // the goroutine may still be at work; it ends with the program
	}
	if err == nil {
		err = r.Do(func(t *rt.Thread) error {
			t.DecRef(root)
			return nil
		})
	}
	if err = errors.Join(err, r.Close()); err != nil && heap != nil {
		err = errors.Join(err, heap.Close())
	}
	return heap, err
}

// build returns a new reference to a list of the documents, again and again, until there is
// enough text.
func (p *run) build(ctx context.Context, t *rt.Thread) (root rt.Ref, err error) {
	if root, err = objects.NewList(t); err != nil {
		return rt.Nil, err
	}
	text := int64(0)
	for i := 0; text < int64(p.f.Size); i++ {
		d := p.docs[i%len(p.docs)]
		text += int64(max(len(d.Data), 1))
		var r rt.Ref
		if err = ctx.Err(); err == nil {
			r, err = objects.FromJSON(t, bytes.NewReader(d.Data), objects.JSONOptions{MaxDepth: jsonpos.MaxDepth})
		}
		if err == nil {
			err = objects.List(root).AppendSteal(t, r)
		}
		if err != nil {
			t.DecRef(root)
			return rt.Nil, fmt.Errorf("%s: %w", d.Name, err)
		}
	}
	return root, nil
}

// worker is a process that serves the heap.
type worker struct {
	cmd *exec.Cmd
	hello
}

// startWorker starts a worker. It ends when ctx ends, or else with this process.
func startWorker(ctx context.Context, heap *os.File, mode string) (*worker, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, program, "prefork-worker", mode)
	cmd.ExtraFiles = []*os.File{heap}
	cmd.Stderr = os.Stderr
	// Ctrl-C does not reach the worker: this process ends it. If this process is killed, the
	// stdin of the worker ends, and the worker with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if _, err := cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a worker: %w", err)
	}
	w := &worker{cmd: cmd}
	if err := json.NewDecoder(out).Decode(&w.hello); err != nil {
		return nil, errors.Join(fmt.Errorf("no word from a worker: %w", err), cmd.Cancel(), cmd.Wait())
	}
	return w, nil
}

// sameAnswers fails if the variants have given different answers.
func (p *run) sameAnswers() error {
	for immortal, sum := range p.sums {
		if sum != p.sums[experiment.ImmortalNone] {
			return fmt.Errorf("answers with immortal=%s differ from those with immortal=%s", immortal, experiment.ImmortalNone)
		}
	}
	return nil
}

// worst returns how many bytes the worker that copied most has copied after n requests.
func (p *run) worst(immortal string, n int) (bytes float64) {
	for _, row := range p.result.Rows {
		if row.Config.Get("immortal") == immortal && row.Config.Get("requests") == n {
			bytes = max(bytes, row.Samples[0].Value)
		}
	}
	return bytes
}

// conclude says in words what the table shows.
func (p *run) conclude(*experiment.Result) (lines []string) {
	n := p.points[len(p.points)-1]
	for _, v := range variants {
		all, finished := p.walks[v.immortal]
		if !finished {
			continue
		}
		lines = append(lines, fmt.Sprintf("%s: after %d requests, a worker has copied %.1f MiB of the heap; after a walk over everything, %.1f of %.1f.",
			v.line, n, p.worst(v.immortal, n)/(1<<20), all.copied/(1<<20), all.mapped/(1<<20)))
	}
	if p.f.Plot != "" {
		lines = append(lines, "The plot is "+p.f.Plot+".")
	}
	return lines
}

// plot draws how much of the parent's heap the worker that copied most has copied, over the number of
// requests that it has answered.
func (p *run) plot() error {
	res := &experiment.Result{Scenario: p.result.Scenario}
	names := map[any]string{}
	for _, v := range variants {
		names[v.immortal] = v.line
		for i := range PlotSteps + 1 {
			n := int(p.f.Requests) * i / PlotSteps
			res.Rows = append(res.Rows, &experiment.Row{Config: experiment.Cfg("immortal", v.immortal, "requests", n), Metric: p.result.Rows[0].Metric,
				Samples: []experiment.Sample{{Value: p.worst(v.immortal, n)}}})
		}
	}
	picture, err := plot.Draw(res, plot.Options{
		Over: "requests", Unit: fmt.Sprintf("MiB of %d that a worker has copied", p.f.Size>>20), Scale: 1.0 / (1 << 20),
		Name: func(c experiment.Config) string { return names[c.Get("immortal")] },
	})
	if err != nil {
		return err
	}
	return os.WriteFile(p.f.Plot, picture.File(), 0o666)
}

// workerTimeout bounds the time for one answer. A guess, far above what it takes.
const workerTimeout = 30 * time.Second
