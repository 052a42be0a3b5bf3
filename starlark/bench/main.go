// Command bench compares this implementation of Starlark with starlark-go: starlark-go's own
// benchmarks, and the programs in the folder programs, each under the GIL, with atomic and with
// biased counts, on one thread and on several; ways to get a module; and the memory of a JSON
// document.
//
// The time is that of the processor, with that of Go's collector, so that other programs disturb
// little. The engines take turns, and the best of several rounds counts. A ratio above 1 says that this
// implementation is faster than starlark-go.
package main

import (
	"context"
	"embed"
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
	"text/tabwriter"
	"time"

	rt "github.com/ichor-go/ichor/runtime"
	"github.com/ichor-go/ichor/starlark"
	"go.starlark.net/lib/json"
	starmath "go.starlark.net/lib/math"
	peer "go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"
	"go.starlark.net/syntax"
	"golang.org/x/sys/unix"
)

//go:embed programs/*.star
var programs embed.FS

var options = syntax.FileOptions{Set: true}

// An engine runs functions of a program n times.
type engine struct {
	name string
	run  func(fn string, n int) (time.Duration, error)
	stop func()
}

func main() {
	rounds := flag.Int("rounds", 3, "rounds per engine")
	each := flag.Duration("time", 50*time.Millisecond, "time of a round")
	only := flag.String("run", "", "only programs whose names contain this")
	threads := flag.Int("threads", max(2, runtime.GOMAXPROCS(0)), "most threads")
	part := flag.String("part", "", "only this part: programs, threads, images or memory")
	defs := flag.Int("definitions", 10_000, "definitions in the module of the part images")
	size := flag.Int("json", 10, "megabytes of the document of the part memory")
	flag.Parse()
	var err error
	for _, p := range []struct {
		name string
		run  func() error
	}{
		{"programs", func() error { return bench(*rounds, *each, *only) }},
		{"threads", func() error { return scaling(*only, *each, *threads) }},
		{"images", func() error { return images(*rounds, *defs) }},
		{"memory", func() error { return memory(*size*1_000_000, *each) }},
	} {
		if err == nil && (*part == "" || *part == p.name) {
			err = p.run()
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench(rounds int, each time.Duration, only string) error {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "go.starlark.net").Output()
	if err != nil {
		return err
	}
	file := filepath.Join(strings.TrimSpace(string(out)), "starlark", "testdata", "benchmark.star")
	src, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "starlark-go's benchmarks\tstarlark-go\tgil\tatomic\tbiased\t")
	if err := suite(w, string(src), "bench_", rounds, each, only); err != nil {
		return err
	}
	fmt.Fprintln(w, "programs\tstarlark-go\tgil\tatomic\tbiased\t")
	files, _ := programs.ReadDir("programs")
	for _, f := range files {
		if !strings.Contains(f.Name(), only) {
			continue
		}
		src, _ := programs.ReadFile("programs/" + f.Name())
		name := strings.TrimSuffix(f.Name(), ".star")
		text := string(src) + "\ndef bench_" + name + "(b):\n    for _ in range(b.n):\n        run()\n"
		if err := suite(w, text, "bench_", rounds, each, ""); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return w.Flush()
}

// suite measures all functions of a program whose names begin with prefix.
func suite(w *tabwriter.Writer, src, prefix string, rounds int, each time.Duration, only string) error {
	engines, names, err := start(src)
	if err != nil {
		return err
	}
	defer func() {
		for _, e := range engines {
			e.stop()
		}
	}()
	logs := make([]float64, len(engines))
	count := 0
	for _, fn := range names {
		if !strings.HasPrefix(fn, prefix) || !strings.Contains(fn, only) {
			continue
		}
		n := 1
		for {
			d, err := engines[0].run(fn, n)
			if err != nil {
				return err
			}
			if d >= each || n >= 1<<30 {
				break
			}
			n = int(float64(n) * min(20, max(1.5, 1.2*float64(each)/float64(d+1))))
		}
		best := make([]time.Duration, len(engines))
		for range rounds {
			for i, e := range engines {
				d, err := e.run(fn, n)
				if err != nil {
					return err
				}
				if best[i] == 0 || d < best[i] {
					best[i] = d
				}
			}
		}
		fmt.Fprintf(w, "%s\t%s\t", strings.TrimPrefix(fn, prefix), best[0]/time.Duration(n))
		for i := range engines[1:] {
			ratio := float64(best[0]) / float64(best[i+1])
			logs[i+1] += math.Log(ratio)
			fmt.Fprintf(w, "%.2f\t", ratio)
		}
		fmt.Fprintln(w)
		count++
	}
	if count > 1 {
		fmt.Fprint(w, "geometric mean\t\t")
		for _, l := range logs[1:] {
			fmt.Fprintf(w, "%.2f\t", math.Exp(l/float64(count)))
		}
		fmt.Fprintln(w, "\n\t\t\t\t\t")
	}
	return nil
}

// start loads a program into all engines.
func start(src string) (engines []engine, names []string, err error) {
	thread := &peer.Thread{}
	globals, err := peer.ExecFileOptions(&options, thread, "bench.star", src, peer.StringDict{
		"json": json.Module, "math": starmath.Module, "struct": peer.NewBuiltin("struct", starlarkstruct.Make),
	})
	if err != nil {
		return nil, nil, err
	}
	for name := range globals {
		names = append(names, name)
	}
	sort.Strings(names)
	engines = append(engines, engine{"starlark-go", func(fn string, n int) (time.Duration, error) {
		b := starlarkstruct.FromStringDict(starlarkstruct.Default, peer.StringDict{"n": peer.MakeInt(n)})
		begin := cpuTime()
		_, err := peer.Call(thread, globals[fn], peer.Tuple{b}, nil)
		return cpuTime() - begin, err
	}, func() {}})
	for _, mode := range modes {
		m, mod, err := load(mode, src, true)
		if err != nil {
			return nil, nil, err
		}
		engines = append(engines, engine{mode.name, func(fn string, n int) (time.Duration, error) {
			return call(m, mod, fn, n)
		}, func() { _ = m.Close() }})
	}
	return engines, names, nil
}

// cpuTime returns the time of the processor that the process has used.
func cpuTime() time.Duration {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

type mode struct {
	name string
	opts starlark.Options
}

var modes = []mode{
	{"gil", starlark.Options{Mode: rt.GIL}},
	{"atomic", starlark.Options{Counting: rt.Atomic}},
	{"biased", starlark.Options{Counting: rt.Biased}},
}

// load compiles and runs a program in a machine of its own.
func load(md mode, src string, immortal bool) (*starlark.Machine, *starlark.Module, error) {
	opts := md.opts
	opts.File = options
	m, err := starlark.New(opts)
	if err != nil {
		return nil, nil, err
	}
	var mod *starlark.Module
	err = m.Do(context.Background(), func(th *starlark.Thread) error {
		if mod, err = th.Exec("bench.star", src); err != nil {
			return err
		}
		th.FreezeModule(mod)
		if immortal {
			return th.Immortalize(mod)
		}
		return nil
	})
	return m, mod, err
}

func call(m *starlark.Machine, mod *starlark.Module, fn string, n int) (d time.Duration, err error) {
	err = m.Do(context.Background(), func(th *starlark.Thread) error {
		b, err := th.Struct(starlark.Kwarg{Name: "n", Value: starlark.Int(n)})
		if err != nil {
			return err
		}
		defer th.Drop(b)
		f := th.Global(mod, fn)
		defer th.Drop(f)
		begin := cpuTime()
		v, err := th.Call(f, []starlark.Value{b})
		d = cpuTime() - begin
		th.Drop(v)
		return err
	})
	return d, err
}

// scaling runs each program on several threads that share its module.
func scaling(only string, each time.Duration, threads int) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "\n%d threads / 1 thread: calls a second (and processor time a call)\tgil\tatomic\tbiased\tatomic, mortal module\t\n", threads)
	files, _ := programs.ReadDir("programs")
	for _, f := range files {
		if !strings.Contains(f.Name(), only) {
			continue
		}
		src, _ := programs.ReadFile("programs/" + f.Name())
		fmt.Fprintf(w, "%s\t", strings.TrimSuffix(f.Name(), ".star"))
		for i, md := range append(modes, modes[1]) {
			m, mod, err := load(md, string(src), i < len(modes))
			if err != nil {
				return err
			}
			one, cost1, err := throughput(m, mod, 1, each)
			if err != nil {
				return err
			}
			many, cost, err := throughput(m, mod, threads, each)
			if err != nil {
				return err
			}
			fmt.Fprintf(w, "%.2f (%.2f)\t", many/one, cost/cost1)
			if err := m.Close(); err != nil {
				return err
			}
		}
		fmt.Fprintln(w)
	}
	return w.Flush()
}

// throughput returns how many calls of run a second the threads make together, and the processor
// time of one, in seconds.
func throughput(m *starlark.Machine, mod *starlark.Module, threads int, each time.Duration) (perSecond, cost float64, err error) {
	counts := make([]int, threads)
	begin, cpu := time.Now(), cpuTime()
	err = m.Run(context.Background(), threads, func(th *starlark.Thread, i int) error {
		f := th.Global(mod, "run")
		defer th.Drop(f)
		for time.Since(begin) < 4*each {
			v, err := th.Call(f, nil)
			th.Drop(v)
			if err != nil {
				return err
			}
			counts[i]++
		}
		return nil
	})
	total := 0
	for _, n := range counts {
		total += n
	}
	return float64(total) / time.Since(begin).Seconds(), (cpuTime() - cpu).Seconds() / float64(total), err
}
