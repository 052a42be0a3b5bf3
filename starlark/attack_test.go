package starlark

import (
	"context"
	"errors"
	"os"
	"regexp"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	rt "github.com/ichor-go/ichor/runtime"
	"go.starlark.net/syntax"
)

// attacks are programs that try to use up memory, time or the stack. A text between two @ stands
// for a million of it.
var attacks = []struct{ name, src string }{
	{"string repeat", `"x" * (1 << 40)`},
	{"string repeat within the bound", `"x" * (1 << 29)`},
	{"list repeat", `[0] * 1000000000000`},
	{"list repeat within the bound", `[0] * (1 << 27)`},
	{"tuple repeat", `(1, 2, 3) * (1 << 26)`},
	{"bytes repeat", `b"abc" * (1 << 28)`},
	{"shift", `1 << (1 << 40)`},
	{"list comprehension", `[x for x in range(1000000000000)]`},
	{"dict comprehension", `{x: x for x in range(1000000000000)}`},
	{"nested comprehension", `[[y for y in range(1000)] for x in range(1000000000000)]`},
	{"list of a range", `list(range(1000000000000))`},
	{"tuple of a range", `tuple(range(1000000000000))`},
	{"set of a range", `set(range(1000000000000))`},
	{"sorted range", `sorted(range(1000000000000))`},
	{"reversed range", `reversed(range(1000000000000))`},
	{"enumerated range", `enumerate(range(1000000000000))`},
	{"zipped ranges", `zip(range(1000000000000), range(1000000000000))`},
	{"range as arguments", `max(*range(1000000000000))`},
	{"max of a range", `max(range(1000000000000))`},
	{"any of a range", `any([x for x in [0]] + [0]) or all(range(1, 1000000000000))`},
	{"bytes of a loop", `bytes([1] * 100000000)`},
	{"extend by itself", "l = [1]\nfor i in range(100):\n    l.extend(l)"},
	{"add to itself", "l = [1]\nfor i in range(100):\n    l += l"},
	{"append without end", "l = []\nwhile True:\n    l.append(1)"},
	{"insert without end", "l = []\nwhile True:\n    l.insert(0, l)"},
	{"double a string", "s = 'x'\nfor i in range(100):\n    s += s"},
	{"extend a string", "s = 'x' * 1000\nwhile True:\n    s = s + 'x' * 1000"},
	{"keep strings", "l = []\nfor i in range(1 << 40):\n    l.append('x' * i)"},
	{"suffixes", "s = 'x' * 100000\nl = [s[i:] for i in range(100000)]"},
	{"replace", "s = 'a'\nfor i in range(100):\n    s = s.replace('a', 'aa')"},
	{"replace nothing", "s = 'a' * 1000\nfor i in range(100):\n    s = s.replace('', s)"},
	{"join", "s = 'x' * 100000\n', '.join([s] * 1000000)"},
	{"split", "('ab,' * 2000000).split(',')"},
	{"splitlines", "('ab\\n' * 3000000).splitlines()"},
	{"elems", "list(('ab' * 4000000).elems())"},
	{"upper", "s = 'a' * 7000000\ns.upper() + s.lower() + s.title()"},
	{"interpolate", "s = 'x'\nfor i in range(100):\n    s = '%s%s' % (s, s)"},
	{"format", "s = 'x'\nfor i in range(100):\n    s = '{0}{0}'.format(s)"},
	{"quote", "s = '\"'\nfor i in range(100):\n    s = repr(s)"},
	{"print a string", "for i in range(1 << 40):\n    str('x' * i)\n    'x' * i + 'y' * i"},
	{"repr of a shared list", "l = [1]\nfor i in range(100):\n    l = [l, l]\nrepr(l)"},
	{"json of a shared list", "l = [1]\nfor i in range(100):\n    l = [l, l]\njson.encode(l)"},
	{"hash of a shared tuple", "t = (1,)\nfor i in range(100):\n    t = (t, t)\n{t: 1}"},
	{"compare wide lists", "def wide():\n    l = [0] * 3000\n    for i in range(6):\n        l = [l] * 3000\n    return l\nwide() == wide()"},
	{"find in a list", "l = [[1] * 100] * 100000\nfor i in range(1 << 40):\n    [2] in l"},
	{"repr of a deep list", "l = []\nfor i in range(100000):\n    l = [l]\nrepr(l)"},
	{"hash of a deep tuple", "t = ()\nfor i in range(100000):\n    t = (t,)\n{t: 1}"},
	{"json of a deep list", "l = []\nfor i in range(100000):\n    l = [l]\njson.encode(l)"},
	{"json text that is deep", "json.decode('[' * 1000000)"},
	{"json objects that are deep", "json.decode('{\"a\":' * 1000000)"},
	{"json text that is wide", "json.decode('[' + '1,' * 3000000 + '1]')"},
	{"json indent", "json.indent('[' * 5000 + ']' * 5000, indent = 'x' * 10000)"},
	{"deep values without end", "l = []\nwhile True:\n    l = [l]"},
	{"closures without end", "def f(g):\n    return lambda: g\nx = None\nwhile True:\n    x = f(x)"},
	{"square an integer", "x = 3\nwhile True:\n    x = x * x"},
	{"shift an integer", "x = 1\nwhile True:\n    x = x << 500"},
	{"read an integer", "int('9' * 10000000)"},
	{"keep integers", "l = [1]\nwhile True:\n    l.append(l[-1] << 500)"},
	{"recursion", "def f(n):\n    return f(n + 1) + 1\nf(0)"},
	{"mutual recursion", "def f(n):\n    return g(n) + 1\ndef g(n):\n    return f(n) + 1\nf(0)"},
	{"recursion by names", "def f(n):\n    return f(n = n + 1) + 1\nf(0)"},
	{"recursion by a star", "def f(*a):\n    return f(*a) + 1\nf(1, 2, 3)"},
	{"recursion in sorted", "def f(x):\n    return sorted([x], key = f)\nf(1)"},
	{"recursion in max", "def f(x):\n    return max([x, x], key = lambda y: f(y))\nf(1)"},
	{"recursion of a lambda", "f = lambda g: g(g)\nf(f)"},
	{"endless loop", "while True:\n    pass"},
	{"long loop", "for i in range(1 << 40):\n    pass"},
	{"nested loops", "for i in range(1 << 40):\n    for j in range(1 << 40):\n        pass"},
	{"endless calls", "def f():\n    pass\nwhile True:\n    f()"},
	{"dict without end", "d = {}\nfor i in range(1 << 40):\n    d[i] = i"},
	{"dict of strings", "d = {}\nfor i in range(1 << 40):\n    d[str(i)] = d"},
	{"dict update", "d = {}\nfor i in range(1 << 40):\n    d.update([(i, d)])"},
	{"keyword arguments", "def f(**kw):\n    return kw\nd = {}\nfor i in range(1 << 40):\n    d[str(i)] = f(**d)"},
	{"union of dicts", "d = {}\nfor i in range(1 << 40):\n    d = d | {i: d}"},
	{"set operations", "s = set()\nfor i in range(1 << 40):\n    s = s | set([i, (i, i)])"},
	{"structs", "s = struct()\nwhile True:\n    s = struct(a = s, b = [1] * 100)"},
	{"durations", "l = []\nwhile True:\n    l.append(time.now())"},
	{"brackets", "@(@"},
	{"signs", "x = @-@1"},
	{"a long sum", "x = 1@+1@"},
	{"nested lists", "x = " + strings.Repeat("[", 150) + strings.Repeat("]", 150)},
}

var limits = regexp.MustCompile(`limit|too (large|long|big|many|deeply)|overflow|excessive|recursion depth`)

func resident(t *testing.T, field string) int64 {
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip(err)
	}
	for _, l := range strings.Split(string(data), "\n") {
		if f := strings.Fields(l); len(f) > 1 && f[0] == field+":" {
			n, _ := strconv.ParseInt(f[1], 10, 64)
			return n << 10
		}
	}
	t.Skip("no", field)
	return 0
}

var everything = syntax.FileOptions{Set: true, While: true, TopLevelControl: true, GlobalReassign: true, Recursion: true}

// Every attack ends at a limit, with an error that names it, and the machine goes on. Meanwhile
// the process has no more memory than the limit, 1 MiB and 2 % of the limit. Each runs twice:
// alone, and when most of the memory is in use, so that little is left for everything else.
//
// Go's collector lets garbage grow to the size of what is live, and at least to 4 MiB, unless
// it is told not to. Garbage does not count: see account. With two processors in use, other
// processes may keep the collector's from running while the attack's goes on. So Go uses one, on
// which the attack and the collector take turns, however busy the machine is. What is left are
// chances of Go's scheduler, so an attack that exceeds the limit by more is repeated, and fails if
// it does so each time: memory that should count and does not is there each time.
func TestAttacks(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(10))
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	opts := Options{Memory: 16 << 20, Steps: 3_000_000, File: everything}
	for i, a := range attacks {
		src := a.src
		if parts := strings.Split(src, "@"); len(parts) == 3 {
			src = parts[0] + strings.Repeat(parts[1], 1e6) + parts[2]
		}
		if testing.Short() && i%4 != 0 {
			continue
		}
		opts.Mode, opts.Counting = modes[i%3].opts.Mode, modes[i%3].opts.Counting
		t.Run(strings.ReplaceAll(a.name, " ", "_"), func(t *testing.T) {
			attack(t, opts, src)
		})
		t.Run(strings.ReplaceAll(a.name, " ", "_")+"/full", func(t *testing.T) {
			attack(t, opts, "most = 'x' * 11500000\n"+src)
		})
	}
}

func attack(t *testing.T, opts Options, src string) {
	const tries = 4
	most := 1<<20 + opts.Memory/50
	for i := range tries {
		over := attackOnce(t, opts, src)
		if over <= most || t.Failed() {
			return
		}
		if i == tries-1 {
			t.Errorf("%d KiB more memory than the limit were resident, want at most %d", over>>10, most>>10)
		}
	}
}

// attackOnce returns by how much the resident memory exceeded the limit.
func attackOnce(t *testing.T, opts Options, src string) int64 {
	debug.FreeOSMemory()
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
	before := resident(t, "VmRSS")
	m, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	start := time.Now()
	err = m.Do(ctx, func(th *Thread) error {
		mod, err := th.Exec("attack.star", src)
		if mod != nil {
			th.Clear(mod)
		}
		return err
	})
	if err == nil || !limits.MatchString(err.Error()) || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want a limit", err)
	}
	used := resident(t, "VmHWM") - before
	over := used - opts.Memory
	t.Logf("%s, %d KiB (%d over the limit), %.200v", time.Since(start).Round(time.Millisecond), used>>10, over>>10, err)
	if m.rt.Memory().Backing == rt.GoBacking {
		over = 0 // Go's collector frees it
	}
	if n := m.account.held.Load(); n != 0 {
		t.Errorf("%d bytes of Go memory count after the attack", n)
	}
	err = m.Do(context.Background(), func(th *Thread) error {
		_, err := th.Exec("after.star", "[str(x) for x in range(1000)]")
		return err
	})
	if err != nil {
		t.Errorf("the machine after the attack: %v", err)
	}
	if err := m.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	return over
}

// Garbage that consists of cycles does not count for ever.
func TestCyclesWithinLimit(t *testing.T) {
	forModes(t, func(t *testing.T, opts Options) {
		opts.Memory, opts.File = 8<<20, everything
		m := open(t, opts)
		do(t, m, func(th *Thread) error {
			_, err := th.Exec("cycles.star", "for i in range(200000):\n    l = [i] * 10\n    l.append(l)\nfor i in range(200):\n    l = [i] * 100000\n    l.append(l)\n")
			return err
		})
	})
}

// A machine does not notice that another one reaches its limit.
func TestNeighbours(t *testing.T) {
	quiet := open(t, Options{Memory: 16 << 20, File: everything})
	loud := open(t, Options{Memory: 16 << 20, File: everything, Runtime: rt.Options{Name: "loud"}})
	done := make(chan error, 1)
	go func() {
		done <- loud.Do(context.Background(), func(th *Thread) error {
			_, err := th.Exec("loud.star", "l = []\nwhile True:\n    l.append('x' * 1000)")
			return err
		})
	}()
	do(t, quiet, func(th *Thread) error {
		_, err := th.Exec("quiet.star", "def f():\n    t = 0\n    for i in range(300000):\n        t += len(str(i))\n    return t\nx = f()\n")
		return err
	})
	if err := <-done; err == nil || !errors.Is(err, rt.ErrMemoryLimit) {
		t.Errorf("%v, want ErrMemoryLimit", err)
	}
	runtime.GC()
}
