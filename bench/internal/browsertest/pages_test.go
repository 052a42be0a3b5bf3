package browsertest

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/heap"
	"github.com/ichor-go/ichor/bench/internal/benchtest"
	"github.com/ichor-go/ichor/bench/internal/plot"
	"github.com/ichor-go/ichor/bench/internal/resulttest"
	"github.com/ichor-go/ichor/bench/page"
	"github.com/ichor-go/ichor/bench/report"
	"github.com/ichor-go/ichor/bench/scenarios"
	ichordebug "github.com/ichor-go/ichor/debug/ichor"
	"github.com/ichor-go/ichor/internal/usl"
	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

var (
	pages = flag.Bool("pages", false, "look at the pages")
	shots = flag.String("shots", "", "a folder for pictures of the pages")
	all   = flag.Bool("all", false, "look at a report of all scenarios")
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Nobody who looks at the pages has anything to complain about, on a screen or on a phone, in light
// or in dark colours.
func TestPages(t *testing.T) {
	if !*pages {
		t.Skip("SKIPPED: nobody looks at the pages without the flag -pages, which the gate sets: it takes half a minute")
	}
	Find(t) // before the pages are made
	r := must(rt.New(rt.Options{Mode: rt.LockFree, Name: "looked at", ContentionProfileRate: 1}))
	defer func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}()
	fill(t, r)
	list := []Page{
		reportPage(t),
		experimentPage(t),
		{Name: "picture", Handler: SVG(must(plot.Draw(resulttest.Grid(experiment.OpsS, experiment.Modes(), experiment.Axis{Key: "threads", Values: []any{1, 2}}), plot.Options{})).File()), Figures: 1},
		heapPage(t, r, "heap", 1),
		heapPage(t, r, "heaps", 2),
		{Name: "debug", Handler: at(ichordebug.Path, ichordebug.Handler(r)), Steps: []Step{
			{Name: "walk", Do: `doc.querySelector("a[href*=walk]").click()`, Wait: "h2:nth-of-type(6)"}}},
		failurePage(t),
	}
	if p, ok := starlarkPage(t); ok {
		list = append(list, p)
	}
	Look(t, *shots, list...)
}

// at asks a handler for what is below a path.
func at(path string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.URL.Path = strings.TrimSuffix(path, "/") + r.URL.Path
		h.ServeHTTP(w, r)
	})
}

// reportPage measures some scenarios, badly. With the flag -all the command measures all of them: some
// start it again, as a process of their own.
func reportPage(t *testing.T) Page {
	dir := t.TempDir()
	if *all {
		cmd := exec.Command("go", "run", "./bench", "report", "-quick", "-o", dir, "-progress", "off", "-benchtime", "1ms", "-count", "1")
		cmd.Dir = filepath.Join("..", "..", "..")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v: %s", cmd.Args, err, last(string(out)))
		}
		return Page{Name: "report", Handler: HTML(must(os.ReadFile(filepath.Join(dir, page.HTMLFile)))), Figures: 23 + 5} // one more where there is prefork
	}
	doc := benchtest.Write(t, "statuses.json", []byte(`{"statuses":[{"id":505874924095815681,"user":{"name":"a","followers":262.5}},{"id":505874922023837696,"user":null}]}`))
	args := []string{"report", "-quick", "-o", dir, "-progress", "off", "-input", doc,
		"-benchtime", "50x", "-count", "6", "-threads", "1,2,4", "-scenario", "ladder,requests,handoff,pair,small,walk,memory,json,birth,contend"}
	var c struct {
		Report report.Flags `cmd:""`
	}
	var list []experiment.Scenario
	for _, s := range scenarios.All() {
		list = append(list, benchtest.Unwatched(s))
	}
	code, _, stderr := benchtest.Call(t.Context(), &c, func(_ string, stdout, stderr io.Writer) error {
		return report.Run(t.Context(), "bench", &c.Report, args, list, stdout, stderr)
	}, args...)
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	return Page{Name: "report", Handler: HTML(must(os.ReadFile(filepath.Join(dir, page.HTMLFile)))), Figures: 12 + 5}
}

// experimentPage has experiments of somebody's own: with three axes beside threads, with one, with
// long names, and with a law.
func experimentPage(t *testing.T) Page {
	size := experiment.Axis{Key: "size", Values: []any{10, 100_000}}
	threads := experiment.Axis{Key: "threads", Values: []any{1, 2}}
	long := experiment.Axis{Key: "what", Values: []any{strings.Repeat("a long name ", 8) + "1", strings.Repeat("a long name ", 8) + "2"}}
	many := experiment.Axis{Key: "queue"}
	for i := range 20 {
		many.Values = append(many.Values, fmt.Sprintf("queue %d", i+1))
	}
	missing := resulttest.Grid(experiment.NsOp, experiment.Modes(), experiment.Immortality(), experiment.Axis{Key: "op", Values: []any{"get", "set"}}, size)
	below := resulttest.Grid("ns", experiment.Axis{Key: "nice", Values: []any{-20, 0, 19}}, experiment.Modes())
	for i, row := range missing.Rows {
		if i%5 == 2 {
			row.Samples = nil
		}
	}
	for i, row := range below.Rows {
		for k := range row.Samples {
			row.Samples[k].Value = float64(i - 4)
		}
	}
	list := []struct {
		name string
		res  *experiment.Result
	}{{"three", resulttest.Grid(experiment.OpsS, experiment.Modes(), experiment.Immortality(), size, threads)},
		{"bars", resulttest.Grid(experiment.NsOp, experiment.Modes(), experiment.Immortality(), size)},
		{"one", resulttest.Grid(experiment.NsOp, experiment.Axis{Key: "queue", Values: []any{"channel", "ring", "list"}})},
		{"modes", resulttest.Grid(experiment.OpsS, experiment.Modes(), threads)},
		{"many", resulttest.Grid(experiment.OpsS, experiment.Modes(), experiment.Axis{Key: "threads", Values: []any{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024}})},
		{"long", resulttest.Grid(experiment.OpsS, long, threads)},
		{"law", resulttest.Lawful(usl.Law{Rate: 1e6, Contention: 0.05, Coherence: 0.01}, 1, 2, 4, 8)},
		{"names", resulttest.Grid(experiment.NsOp, experiment.Axis{Key: "<name>", Values: []any{"日本語の長い名前", "مرحبا بالعالم", "שלום 12", "<b>&amp;</b>", ""}})},
		{"twenty", resulttest.Grid(experiment.OpsS, many, threads)},
		{"forty", resulttest.Grid(experiment.NsOp, many, experiment.Axis{Key: "size", Values: []any{0, 1, 2, 50, 51, 60, 70, 1000, 10_000, 1_000_000}})},
		{"missing", missing},
		{"below", below},
	}
	p := &page.Page{Title: "Experiments", Groups: []page.Group{{Title: "Somebody's own"}}}
	g := &p.Groups[0]
	for _, x := range list {
		c := page.Of(x.res)
		c.Name, c.Title = x.name, x.name
		c.Plots = []page.Plot{{Picture: must(plot.Draw(x.res, plot.Options{}))}}
		c.Says = []string{"Says what follows from it."}
		g.Chapters = append(g.Chapters, c)
	}
	return Page{Name: "experiment", Handler: HTML(must(p.HTML())), Figures: len(list) + 5}
}

// fill makes objects of many types and sizes, of which some are garbage in a cycle and some are
// reached through several others.
func fill(t *testing.T, r *rt.Runtime) {
	t.Helper()
	err := r.Do(func(th *rt.Thread) error {
		return th.Scope(func(s *rt.Scope) {
			sessions := rt.Own(objects.NewDict(th)).In(s)
			for i := range 2000 {
				list := rt.Own(objects.NewList(th)).In(s)
				for k := range i % 13 {
					s.Check(list.Append(th, s.Own(objects.NewString(th, strings.Repeat("x", 10*k+i%7)))))
					s.Check(list.Append(th, s.Own(objects.NewTuple(th, s.Own(objects.NewFloat(th, float64(i))), list))))
				}
				s.Check(sessions.Set(th, s.Own(objects.NewString(th, strings.Repeat("key", i%9)+string(rune('a'+i%26)))), list))
			}
			s.Check(th.Immortalize(sessions))
		})
	})
	if err != nil {
		t.Fatal(err)
	}
}

// heapPage serves the page of a snapshot, or of two with a difference, with an object that was looked
// for and chosen.
func heapPage(t *testing.T, r *rt.Runtime, name string, snapshots int) Page {
	t.Helper()
	var files []string
	for i := range snapshots {
		if i > 0 {
			fill(t, r)
		}
		files = append(files, filepath.Join(t.TempDir(), fmt.Sprintf("%d.heap", i)))
		f := must(os.Create(files[i]))
		if err := errors.Join(r.WriteHeapSnapshot(f), f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	in, out := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- heap.Run(ctx, &heap.Flags{Files: files, HTTP: "127.0.0.1:0", Lines: 20}, out)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	line := must(bufio.NewReader(in).ReadString('\n'))
	address := must(url.Parse(strings.Fields(line)[0]))
	proxy := &httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(address) }}
	return Page{Name: name, Handler: proxy, Steps: []Step{
		{Name: "all", Wait: ".tile"},
		{Name: "search", Do: `const q = doc.getElementById("q"); q.value = "list"; q.oninput()`, Wait: "#found button"},
		{Name: "object", Do: `doc.querySelector("#found button").click()`, Wait: "#object ol"},
	}}
}

// starlarkPage has the plots of the benchmarks of Starlark. They are in another module, which may not
// be here as a whole: then there is no page.
func starlarkPage(t *testing.T) (Page, bool) {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, "bench.exe")
	build := exec.Command("go", "build", "-o", program, "./bench")
	build.Dir = filepath.Join("..", "..", "..", "starlark")
	if out, err := build.CombinedOutput(); err != nil {
		t.Logf("SKIPPED: nobody has looked at Starlark's plots: %v: %s", err, last(string(out)))
		return Page{}, false
	}
	cmd := exec.Command(program, "-rounds", "1", "-time", "1ms", "-run", "calls", "-definitions", "20", "-json", "1", "-plots", dir)
	cmd.Dir = build.Dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v: %s", cmd.Args, err, last(string(out)))
	}
	var b strings.Builder
	b.WriteString(`<!doctype html><meta name="viewport" content="width=device-width"><style>:root{color-scheme:light dark}svg{max-width:100%;height:auto}</style><h1>Starlark</h1>`)
	files := must(filepath.Glob(filepath.Join(dir, "*.svg")))
	for _, f := range files {
		b.WriteString("<p>" + filepath.Base(f) + "</p>")
		b.Write(must(os.ReadFile(f)))
	}
	return Page{Name: "starlark", Handler: HTML([]byte(b.String())), Figures: max(5, len(files))}, true
}

// failurePage is what the explorer writes about a test that fails.
func failurePage(t *testing.T) Page {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command("go", "test", "-vet=off", "-count=1", "-tags", "explore", "./testdata/fails")
	cmd.Env = append(os.Environ(), "EXPLORE_OUT="+dir)
	out, err := cmd.CombinedOutput()
	file := filepath.Join(dir, "TestTransfer.html")
	b, e := os.ReadFile(file)
	if err == nil || e != nil {
		t.Fatalf("%v, %v: %s", err, e, last(string(out)))
	}
	return Page{Name: "failure", Handler: HTML(b)}
}
