package starlark

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	rt "github.com/ichor-go/ichor/runtime"
)

// interrupted are bodies of functions that make values and are ended in the middle. long has 30
// strings of 9,000 bytes, so that a text of it has several pieces.
var interrupted = []string{
	"x = repr(long)",
	"x = str({i: long for i in range(3)})",
	"x = str(set([str(i) * 3000 for i in range(30)]))",
	"x = repr(struct(a = long, b = (long, long)))",
	"x = '%s and %r' % (long, long)",
	"x = '%(a)s' % {'a': long}",
	"x = '{} {!r} {a}'.format(long, long, a = long)",
	"x = json.encode({'a': long, 'b': struct(c = long)})",
	"x = json.encode_indent({'a': long, 'b': [1, 2.5, None]})",
	"x = json.decode(json.encode([long, {'a': {'b': long, 'c': [[], {}, 1 << 70, 'é']}}]))",
	"x = json.decode('[1, {\"a\": [', default = long)",
	"x = json.indent('[[[1, 2], {\"a\": 3}]]')",
	"x = ', '.join(long)",
	"x = ('ab,' * 3000).split(',') + ('ab ' * 3000).split() + 'a b c'.split(' ', 1) + 'a b c'.rsplit(None, 1)",
	"x = ('ab\\n' * 3000).splitlines()",
	"x = [s.partition(s[5:9]) for s in long] + ['a.b'.rpartition('.')]",
	"x = (long[0] * 20).upper() + (long[0] * 20).title() + (long[0] * 20).capitalize()",
	"x = long[0].replace('0', 'yy').strip('y').removeprefix('yy')",
	"x = list(long[0].elems())[:1000] + list('éa'.codepoints()) + list('éa'.codepoint_ords())",
	"x = bytes([i % 256 for i in range(70000)]) if long == 1 else bytes([1, 2, 3]) + bytes('é')",
	"x = [[a, (a, i)] for a in long for i in range(10)]",
	"x = {a + str(i): [a] for a in long for i in range(10)}",
	"x = sorted([a + str(i) for i, a in enumerate(long)], key = lambda s: s[-2:] + s, reverse = True)",
	"x = sorted(range(1000), key = lambda i: [str(i)])",
	"x = [max([a, 'z' + a], key = lambda s: [s]) for a in long] + [min(long)] + [max(*long)]",
	"x = [zip(long, range(1000), [[i] for i in range(20)]), enumerate(long), reversed(long), tuple(long)]",
	"x = dict([(a[:i + 1], [a]) for i, a in enumerate(long)], a = [1], b = 'x' * 9)",
	"x = {}\nx.update([[a[:i + 1], a] for i, a in enumerate(long)], k = long)\nx |= {1: 'a' * 10}",
	"x = {a[:i + 1]: [i] for i, a in enumerate(long)}\nx = (x.items(), x.keys(), x.values(), x.popitem(), x.pop(long[3][:4]), x.setdefault('q', [1]), x | {5: 'x' * 8})",
	"x = set([a[:i + 1] for i, a in enumerate(long)])\nx = (x | set(long), x & set(long), x - set(long), x ^ set(long), x.union(long, ['a' * 3]), x.intersection(long), x.issubset(long), x.difference(['q' * 2]), x.symmetric_difference(long))",
	"x = []\nx.extend([a + 'x' for a in long])\nx += [a + 'y' for a in long]\nx.extend(set(x))\nx.insert(1, x[0] + 'z')\nx.remove(x[3])\nx += x",
	"x = [long * 3, tuple(long) * 3, tuple(long) + (1,), long + [[1]], long[::-1], tuple(long)[1:20:2], long[0][::2]]",
	"def f(a, *args, b = 1, **kw):\n    return (a, args, b, kw)\nx = [f(*long), f(*long, **{a[:i + 1]: [a] for i, a in enumerate(long)}), f(1, b = [2], c = 'x' * 9)]",
	"def f(*args):\n    def g(*b):\n        return [args, b, long[0] + 'x']\n    return g\nx = [f(a)(a + 'y') for a in long]",
	"def f(n):\n    return [n, f(n - 1)] if n > 0 else [long[0] + 'x']\nx = f(30)",
	"x = struct(**{'a%d' % i: [a] for i, a in enumerate(long)}) + struct(a0 = 'x' * 3)",
	"x = parallel.map(lambda a: [a, a + 'x'], long)",
	"x = [time.parse_duration('%ds' % i) * 2 for i in range(20)] + [time.from_timestamp(5).format('2006') + str(time.time(year = 1999))]",
	"x = [(1 << 90) * i // 7 for i in range(20)] + [int('7' * 200), str(1 << 300), abs(-(1 << 80)), '%x' % (1 << 90)]",
	"a, (b, c) = ['u' * 9, [long[0] + 'x', [2]]]\nx = [a, b, c]\nx[0], x[1] = x[1] + 'q', {'a': x}",
	"x = [getattr(a, 'upper') for a in long] + dir(struct(a = 1, b = 2)) + [hasattr(long, 'pop'), hash('a'), type(long), math.floor(1.5)]",
	"fail('a' * 9, long)",
	"print(long, struct(a = long), sep = 'x' * 9)",
	"x = long.index(long[20] + '') + (1 if (long[3] + '') in long else 0)",
	"x = ([a + '' for a in long] == long, {'a': [a + '' for a in long]} == {'a': long}, tuple(long) < tuple(long[1:]))",
	"x = [[a] for a in long]\nfor a in x:\n    for b in [a + [1]]:\n        x[0] = [b, a]",
	"x = {'k': long}[long]",
	"x = [{}['no' * 3 + str(long)]]",
}

// TestInterrupted ends each body at each of its first steps and at some of the later ones, and in
// the same way at the depths of calls, at the allocations from which on there is no memory, and
// at the amounts of Go memory that may be reserved. It ends with an error that names the limit,
// nothing leaks, nothing is given up twice, and afterwards the body runs as if nothing had been.
func TestInterrupted(t *testing.T) {
	for i, body := range interrupted {
		if testing.Short() && i%4 != 0 {
			continue
		}
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			for _, in := range interruptions {
				n, err := in.all(modes[i%3].opts, body, 1, 1<<30)
				if err == nil {
					if testing.Verbose() {
						t.Logf("%s: %d", in.name, n)
					}
					continue
				}
				t.Errorf("%s: %v: %s", in.name, err, body)
				for k := 1; k < n; k = after(k) {
					if _, err := in.all(modes[i%3].opts, body, k, k+1); err != nil {
						t.Errorf("%s: limit %d: %v", in.name, k, err)
						break
					}
				}
			}
		})
	}
}

// after is the number that is tried after n.
func after(n int) int { return n + 1 + n/16 }

// An interruption limits what a machine gives to a program.
type interruption struct {
	name string
	set  func(m *Machine, n int)
}

// failFrom is the number of the allocation from which on an interrupted machine has no memory.
var failFrom, allocations atomic.Int64

const interruptedMemory = 256 << 20

var interruptions = []interruption{
	{"steps", func(m *Machine, n int) { m.opts.Steps = uint64(n) }},
	{"depth", func(m *Machine, n int) { m.opts.Depth = n }},
	{"allocations", func(_ *Machine, n int) { allocations.Store(0); failFrom.Store(int64(n)) }},
	{"reservations", func(m *Machine, n int) { m.account.code.Store(interruptedMemory - int64(n)<<13) }},
}

// all runs the body with the limits from n to below, until one is enough, and returns the last.
func (in interruption) all(opts Options, body string, n, below int) (int, error) {
	opts.File, opts.Output, opts.Memory = everything, io.Discard, interruptedMemory
	opts.Runtime = rt.Options{Checked: true, Inject: func(rt.Injection) error {
		if from := failFrom.Load(); from > 0 && allocations.Add(1) >= from {
			return rt.ErrMemoryLimit
		}
		return nil
	}}
	m, err := New(opts)
	if err != nil {
		return n, err
	}
	var mod *Module
	err = m.Do(context.Background(), func(th *Thread) (err error) {
		mod, err = th.Exec("interrupted.star", interruptedModule(body))
		return err
	})
	if err != nil {
		return n, errors.Join(err, m.Close())
	}
	code := m.account.code.Load()
	free := func() {
		m.opts.Steps, m.opts.Depth = 0, opts.Depth
		failFrom.Store(0)
		m.account.code.Store(code)
		if m.opts.Depth == 0 {
			m.opts.Depth = 10_000
		}
	}
	main := func() string {
		err := m.Do(context.Background(), func(th *Thread) error {
			fn := th.Global(mod, "main")
			defer th.Drop(fn)
			v, err := th.Call(fn, nil)
			th.Drop(v)
			return err
		})
		return fmt.Sprint(err)
	}
	want := main()
	if limits.MatchString(want) {
		err = fmt.Errorf("without a limit: %s", want)
	}
	for got := ""; err == nil && n < below; n = after(n) {
		in.set(m, n)
		got = main()
		free()
		if got == want {
			break
		}
		if !limits.MatchString(got) && !strings.HasPrefix(got, "key ... not in dict") {
			err = fmt.Errorf("limit %d: %.200s, want a limit", n, got)
		}
	}
	if got := main(); err == nil && got != want {
		err = fmt.Errorf("afterwards: %.200s, want %.200s", got, want)
	}
	err = errors.Join(err, m.Do(context.Background(), func(th *Thread) error { th.Clear(mod); return nil }))
	return n, errors.Join(err, m.Close())
}

// interruptedModule returns a module whose function main runs the body.
func interruptedModule(body string) string {
	return "long = [str(i % 10) * 9000 for i in range(30)]\ndef main():\n    " + strings.ReplaceAll(body, "\n", "\n    ") + "\n"
}
