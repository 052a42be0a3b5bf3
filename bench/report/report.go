// Package report runs everything that the command bench measures, and writes a page about it.
//
// One goroutine at a time calls it.
package report

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/ichor-go/ichor/bench/documents"
	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/experiment/command"
	"github.com/ichor-go/ichor/bench/internal/progress"
	"github.com/ichor-go/ichor/bench/page"
	"github.com/ichor-go/ichor/bench/prefork"
)

// Flags are those of `bench report`.
type Flags struct {
	Input     []string          `sep:"none" placeholder:"FILE..." help:"JSON documents, plain, .gz or .zst, instead of the corpus that comes with Go."`
	O         string            `name:"o" placeholder:"FOLDER" help:"Where index.html, report.md and the plots go (default: a new temporary folder, whose name is printed)."`
	Quick     bool              `help:"Take fewer and shorter samples and smaller graphs, which takes two minutes."`
	Scenario  []string          `placeholder:"NAME" help:"What to measure: scenarios, and prefork (default: all)."`
	Benchtime experiment.Budget `placeholder:"TIME" help:"Length of one sample (default: 100ms; with -quick, 20ms)."`
	Count     command.Count     `placeholder:"N" help:"Samples for each row (default: 10; with -quick, 6)."`
	Until     command.Percent   `placeholder:"PERCENT" help:"Take more samples until the interval of each median extends no further: 5%. prefork, which counts pages, takes no more."`
	Within    command.Time      `placeholder:"TIME" needs:"until" help:"How long -until may take for a scenario (default: 1m)."`
	Threads   command.Threads   `placeholder:"N,..." help:"Thread counts (default: the powers of two up to GOMAXPROCS, and GOMAXPROCS)."`
	Size      command.Bytes     `placeholder:"BYTES" help:"Size of the graphs of image, gcshare and prefork (default: what each has when run alone; with -quick, 32MiB)."`
	Progress  string            `enum:"auto,on,off" default:"auto" placeholder:"auto|on|off" help:"Progress bar on standard error: auto (the default) shows it if that is a terminal."`
}

// The settings of -quick, and the numbers of requests to each worker without and with it.
const (
	quickTime       = 20 * time.Millisecond
	quickCount      = 6
	quickSize       = 32 << 20
	preforkRequests = 100_000
	quickRequests   = 5_000
)

// env fills in the defaults.
func (f *Flags) env() experiment.Env {
	flags := command.Flags{Benchtime: f.Benchtime, Count: f.Count, Until: f.Until, Within: f.Within, Threads: f.Threads}
	if len(f.Threads) == 0 {
		flags.Threads = powersUpTo(runtime.GOMAXPROCS(0))
	}
	if f.Quick {
		env := flags.Env(quickTime, quickCount)
		env.Size = quickSize
		if f.Size > 0 {
			env.Size = int64(f.Size)
		}
		return env
	}
	env := flags.Env(100*time.Millisecond, 10)
	env.Size = int64(f.Size)
	return env
}

// requests is the number of requests that each worker of prefork answers.
func (f *Flags) requests() int {
	if f.Quick {
		return quickRequests
	}
	return preforkRequests
}

// powersUpTo returns 1, 2, 4 and so on, and n.
func powersUpTo(n int) (counts []int) {
	for k := 1; k < n; k *= 2 {
		counts = append(counts, k)
	}
	return append(counts, n)
}

// reportRun is a report under way.
type reportRun struct {
	name           string // of the command
	stdout, stderr io.Writer

	f       *Flags
	args    []string // as given
	env     experiment.Env
	bar     *progress.Bar
	done    int // chapters
	total   int
	page    page.Page
	results map[string]*experiment.Result // complete ones, by name
	failed  error
}

// Run measures what the flags choose of the scenarios, one chapter after the other. It writes
// the page after each, so that the page is there whatever happens to the next. Lines on
// stderr begin with the name; args are the command's, which the page shows.
func Run(ctx context.Context, name string, f *Flags, args []string, all []experiment.Scenario, stdout, stderr io.Writer) error {
	groups, err := chapters(f, all)
	if err != nil {
		return err
	}
	docs, err := documents.Load(ctx, f.Input)
	if err != nil {
		return err
	}
	if f.O == "" {
		if f.O, err = os.MkdirTemp("", "ichor-report-"); err != nil {
			return err
		}
	}
	r := &reportRun{
		name: name, stdout: stdout, stderr: stderr, f: f, args: args, env: f.env(),
		bar: progress.New(stderr, name, f.Progress), results: map[string]*experiment.Result{},
	}
	r.env.Documents, r.env.Logf = docs, r.bar.Logf
	r.page.Title, r.page.Lead, r.page.Facts, r.page.Terms = reportTitle, reportLead, r.facts(), reportTerms
	r.page.Summary = reportSummary
	for _, g := range groups {
		r.page.Groups = append(r.page.Groups, page.Group{Title: g.title})
		r.total += len(g.chapters)
	}
	r.page.Partial = "The measurement is in progress, or was killed: chapters are missing."
	if err := r.write(); err != nil { // before a quarter of an hour, not after
		return command.UsageError{Err: fmt.Errorf("-o: %w", err)}
	}
	for i, g := range groups {
		for _, c := range g.chapters {
			if ctx.Err() != nil {
				break
			}
			begin := time.Now()
			r.chapter(ctx, &r.page.Groups[i], c)
			if err := r.write(); err != nil {
				return errors.Join(r.failed, err)
			}
			r.done++
			fmt.Fprintf(stdout, "%-10s %6.1f s\n", c.name, time.Since(begin).Seconds())
		}
	}
	for i, g := range groups {
		if g.text != nil {
			r.page.Groups[i].Text = g.text(r.results)
		}
	}
	r.page.Partial = ""
	if ctx.Err() != nil {
		r.page.Partial = "Partial: the measurement was interrupted, and chapters are missing."
	}
	if err := r.write(); err != nil {
		return errors.Join(r.failed, err)
	}
	for _, file := range []string{page.HTMLFile, page.MarkdownFile} {
		fmt.Fprintln(stdout, filepath.Join(f.O, file))
	}
	return errors.Join(ctx.Err(), r.failed)
}

func (r *reportRun) write() error { return r.page.Write(r.f.O) }

// chapter measures a chapter, and adds what there is of it.
func (r *reportRun) chapter(ctx context.Context, g *page.Group, c chapter) {
	var all, few *experiment.Result
	var err error
	if c.name == prefork.Name {
		all, few, err = r.prefork(ctx)
	} else {
		all, err = r.scenario(ctx, c.scenario)
		few = all
	}
	r.bar.Clear()
	made := page.Chapter{Name: c.name}
	if few != nil && len(few.Rows) > 0 {
		made = page.Of(few)
		var perr error
		if made.Plots, perr = plotsOf(all, c.plots); perr != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", c.name, perr))
		}
	}
	made.Title, made.Command = c.title, r.command(c)
	if i := slices.IndexFunc(made.Says, func(line string) bool { return strings.Contains(line, c.headline) }); i >= 0 {
		made.Headline = made.Says[i]
	}
	switch {
	case err == nil:
		r.results[c.name] = all
	case ctx.Err() != nil:
		if len(made.Tables) == 0 {
			return
		}
	default:
		made.Trouble = "It failed: " + err.Error()
		if !errors.Is(err, prefork.ErrSystem) {
			r.failed = errors.Join(r.failed, err)
		}
	}
	g.Chapters = append(g.Chapters, made)
}

// scenario measures one; the result is nil if there are no samples.
func (r *reportRun) scenario(ctx context.Context, s experiment.Scenario) (*experiment.Result, error) {
	report, err := experiment.Run(ctx, []experiment.Scenario{s}, experiment.Options{Env: r.env, Progress: func(done, total int, next string) {
		r.bar.Show(r.done, r.total, fmt.Sprintf("%s: %d of %d samples", next, done, total))
	}})
	if len(report.Results) == 0 {
		return nil, err
	}
	return report.Results[0], err
}

// prefork runs the experiment with workers.
func (r *reportRun) prefork(ctx context.Context) (all, few *experiment.Result, err error) {
	r.bar.Show(r.done, r.total, prefork.Name)
	all, few, err = prefork.Measure(ctx, r.preforkFlags(), r.env.Documents, progress.New(r.stderr, r.name, "off"))
	if err != nil && !errors.Is(err, prefork.ErrSystem) { // which names it
		err = fmt.Errorf("%s: %w", prefork.Name, err)
	}
	return all, few, err
}

func (r *reportRun) preforkFlags() *prefork.Flags {
	f := &prefork.Flags{Size: command.Bytes(r.env.Size), Workers: 2, Requests: command.Count(r.f.requests()), Mode: experiment.ModeAtomic}
	if f.Size == 0 {
		f.Size = 256 << 20
	}
	return f
}
