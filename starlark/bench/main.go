// Command bench compares this implementation of Starlark with starlark-go: starlark-go's own
// benchmarks, and the programs in the folder programs, each under the GIL, with atomic and with
// biased counts, on one thread and on several; ways to get a module; and the memory of a JSON
// document.
//
// The time is that of the processor, with that of Go's collector, so that other programs disturb
// little. The engines take turns, and the best of several rounds counts. A ratio above 1 says that this
// implementation is faster than starlark-go.
//
// A module's constants, functions and other values are immortal. With a mortal module they are
// not, so threads count them: the difference is what immortality saves.
package main

import (
	"context"
	"embed"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sort"
	"strings"
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

// predeclared is for starlark-go what our machines predeclare themselves.
var predeclared = peer.StringDict{
	"json": json.Module, "math": starmath.Module, "struct": peer.NewBuiltin("struct", starlarkstruct.Make),
}

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
	plots := flag.String("plots", "", "the folder for a plot of each table; none are drawn if empty")
	flag.Parse()
	r := &report{os.Stdout, *plots}
	err := r.check()
	for _, p := range []struct {
		name string
		run  func() error
	}{
		{"programs", func() error { return r.programs(*rounds, *each, *only) }},
		{"threads", func() error { return r.scaling(*only, *rounds, *each, *threads) }},
		{"images", func() error { return r.images(*rounds, *defs) }},
		{"memory", func() error { return r.memory(*size*1_000_000, *each) }},
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

// theirs returns starlark-go's own benchmarks.
func theirs() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "go.starlark.net").Output()
	if err != nil {
		return "", fmt.Errorf("go list: %w", err)
	}
	src, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), "starlark", "testdata", "benchmark.star"))
	return string(src), err
}

// A program is the text of one of the folder programs.
type program struct{ name, src string }

// ours returns the programs whose names contain only.
func ours(only string) (list []program) {
	files, _ := programs.ReadDir("programs")
	for _, f := range files {
		if name := strings.TrimSuffix(f.Name(), ".star"); strings.Contains(name, only) {
			src, _ := programs.ReadFile("programs/" + f.Name())
			list = append(list, program{name, string(src)})
		}
	}
	return list
}

// benchmark returns the program with a function that runs it n times, as starlark-go's do.
func (p program) benchmark() string {
	return p.src + "\ndef bench_" + p.name + "(b):\n    for _ in range(b.n):\n        run()\n"
}

// programs compares the speed of starlark-go's benchmarks and of the programs.
func (r *report) programs(rounds int, each time.Duration, only string) error {
	src, err := theirs()
	if err != nil {
		return err
	}
	names := []string{"suite", "programs"}
	for i, title := range []string{"starlark-go's benchmarks", "programs"} {
		t := &table{name: names[i], title: title + ": times as fast as starlark-go", first: "starlark-go", columns: columnNames(),
			unit: "times as fast as starlark-go", ratio: true, mean: "geometric mean"}
		if i == 0 {
			err = t.suite(src, rounds, each, only)
		} else {
			for _, p := range ours(only) {
				if err = t.suite(p.benchmark(), rounds, each, ""); err != nil {
					return fmt.Errorf("%s: %w", p.name, err)
				}
			}
		}
		if err != nil {
			return err
		}
		if len(t.rows) > 0 {
			if err := r.add(t); err != nil {
				return err
			}
		}
	}
	return nil
}

func columnNames() (names []string) {
	for _, md := range modes {
		names = append(names, md.name)
	}
	return names
}

// suite measures all functions of a program whose names begin with bench_.
func (t *table) suite(src string, rounds int, each time.Duration, only string) error {
	engines, names, err := start(src)
	if err != nil {
		return err
	}
	defer func() {
		for _, e := range engines {
			e.stop()
		}
	}()
	for _, fn := range names {
		if !strings.HasPrefix(fn, "bench_") || !strings.Contains(fn, only) {
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
		x := row{name: strings.TrimPrefix(fn, "bench_"), first: (best[0] / time.Duration(n)).String()}
		for _, d := range best[1:] {
			x.values = append(x.values, float64(best[0])/float64(max(d, 1)))
		}
		t.rows = append(t.rows, x)
	}
	return nil
}

// start loads a program into all engines.
func start(src string) (engines []engine, names []string, err error) {
	thread := &peer.Thread{}
	globals, err := peer.ExecFileOptions(&options, thread, "bench.star", src, predeclared)
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
		m, mod, err := load(mode, src)
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

// A mode is a way to run programs.
type mode struct {
	name string
	opts starlark.Options
}

var modes = []mode{
	{"gil", starlark.Options{Mode: rt.GIL}},
	{"atomic", starlark.Options{Counting: rt.Atomic}},
	{"biased", starlark.Options{Counting: rt.Biased}},
	{"atomic, mortal module", starlark.Options{Counting: rt.Atomic, MortalCode: true}},
}

// load compiles and runs a program in a machine of its own.
func load(md mode, src string) (*starlark.Machine, *starlark.Module, error) {
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
		if !opts.MortalCode {
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

// scaling runs each program on one thread and on several that share its module.
func (r *report) scaling(only string, rounds int, each time.Duration, most int) error {
	for n := 2; n <= most; n++ {
		t := &table{name: fmt.Sprintf("threads-%d", n), title: fmt.Sprintf("%d threads / 1 thread: calls a second", n), note: " (and processor time of a call)",
			columns: columnNames(), unit: "calls a second, as many times as with one thread", mean: "geometric mean"}
		for _, p := range ours(only) {
			x := row{name: p.name}
			for _, md := range modes {
				speed, cost, err := scale(md, p.src, n, rounds, each)
				if err != nil {
					return fmt.Errorf("%s: %w", p.name, err)
				}
				x.values, x.notes = append(x.values, speed), append(x.notes, fmt.Sprintf("(%.2f)", cost))
			}
			t.rows = append(t.rows, x)
		}
		if err := r.add(t); err != nil {
			return err
		}
	}
	return nil
}

// scale compares n threads with one: the calls a second, and the processor time of each. Both are
// the medians of the ratios within a round.
func scale(md mode, src string, n, rounds int, each time.Duration) (speed, cost float64, err error) {
	m, mod, err := load(md, src)
	if err != nil {
		return 0, 0, err
	}
	var speeds, costs []float64
	for range rounds {
		one, cost1, err := throughput(m, mod, 1, each)
		if err != nil {
			return 0, 0, err
		}
		many, cost, err := throughput(m, mod, n, each)
		if err != nil {
			return 0, 0, err
		}
		speeds, costs = append(speeds, many/one), append(costs, cost/cost1)
	}
	slices.Sort(speeds)
	slices.Sort(costs)
	return speeds[rounds/2], costs[rounds/2], m.Close()
}

// throughput returns how many calls of run a second the threads make together, and the processor
// time of one, in seconds.
func throughput(m *starlark.Machine, mod *starlark.Module, threads int, each time.Duration) (perSecond, cost float64, err error) {
	counts := make([]int, threads)
	begin, cpu := time.Now(), cpuTime()
	err = m.Run(context.Background(), threads, func(th *starlark.Thread, i int) error {
		f := th.Global(mod, "run")
		defer th.Drop(f)
		for counts[i] == 0 || time.Since(begin) < 4*each { // once at least, or there is no ratio
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
	return float64(total) / time.Since(begin).Seconds(), max(cpuTime()-cpu, 1).Seconds() / float64(total), err
}
