package starlark

import (
	"errors"
	"sync/atomic"
	"testing"

	rt "github.com/ichor-go/ichor/runtime"
)

var errFault = errors.New("injected: no memory")

// faultProgram allocates in every way.
const faultProgram = `
def f(x, *args, y = [1], **kw):
    z = [a for a in args] + [x] + y
    def g():
        return z, kw
    return g
r = []
for i in range(3):
    a, b = f(i, "s" * i, 1.5 * i, k = {i: (i,)})()
    r.append((a, b))
    r[0] = sorted([str(v) for v in a], key = lambda s: len(s))
    t = "%s %r" % (a, b)
    d = {k: v for k, v in zip(["a", "b"], [1, 2])}
    d.update(c = t)
    s = set(d) | set([1, 2.0])
    r.extend([s, d, struct(a = s) + struct(b = 1), json.decode(json.encode(d))])
    d.pop("a")
    d.setdefault("x", [i])
    r.insert(0, d.popitem())
    t = t.upper().split(" ")[:2] + list("abc".elems()) + [max(1.5, i), min([3, 2], key = lambda x: -x)]
    r += [t, enumerate(t), reversed(t), tuple(t), "{}{}".format(t, d), "-".join(["a", str(i)])]
    s = (s - set([1])) & s ^ set(["q"])
    d = d | {1: 2}
    d |= {2: [d]}
    r[1] = dict([(1, [2]), (3, 4)], a = 5)
    r.extend(d.items() + d.keys() + d.values())
    r.append([x * 1.5 for x in bytes("abc").elems()])
    r.append("a,b".partition(",") + ("x".replace("x", "yy"),))
    r.append((time.parse_duration("1s") + time.parse_duration("2s"), range(i), [1] * i, (1,) * i, b"x" * i))
    r.append(parallel.map(str, [1]))
    r.append(getattr("x", "upper"))
    r.append(hasattr(d, "get"))
    q = struct(m = i * 0.5, n = d, o = [i])
    r.append({q.m: q.m + 1.5, 2.5 + i: q.o})
    d[0.25] = i * 0.125
    d[0.25] = [q]
    r.append(json.decode('{"k": [1.5, "word", {"k": "word", "l": "other"}], "m": {"a": 2.5, "a": 3.5}}'))
x = 1 << 100
y = (x * x // 3 - x) % 1000 + int("9" * 30)
`

// Whichever allocation fails, the program ends with an error, and nothing leaks.
func TestFaults(t *testing.T) {
	for i, md := range modes[:2] {
		t.Run(md.name, func(t *testing.T) {
			step := 1 + 4*i
			if testing.Short() {
				step = 37
			}
			for n := int64(1); ; n += int64(step) {
				if !faultAt(t, md.opts, n) {
					t.Logf("%d allocations, of which %d may fail", n, survived)
					if survived > int(n)/20 {
						t.Errorf("too many faults had no effect")
					}
					survived = 0
					return
				}
				if t.Failed() {
					t.Fatalf("at allocation %d", n)
				}
			}
		})
	}
}

// survived counts the faults that a program has survived.
var survived int

// faultAt runs the program with a failing n-th allocation, and reports whether it has so many.
func faultAt(t *testing.T, opts Options, n int64) bool {
	var count atomic.Int64
	var on atomic.Bool
	opts.File = everything
	opts.Runtime = rt.Options{Checked: true, Inject: func(what rt.Injection) error {
		if on.Load() && count.Add(1) == n {
			return errFault
		}
		return nil
	}}
	m, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	do(t, m, func(th *Thread) error {
		on.Store(true)
		mod, err := th.Exec("faults.star", faultProgram)
		on.Store(false)
		if mod != nil {
			th.Clear(mod)
		}
		if err != nil && count.Load() >= n && !errors.Is(err, errFault) {
			t.Errorf("%v, want the fault", err)
		}
		if err == nil && count.Load() >= n {
			survived++ // a list that grew by less
		}
		if count.Load() < n && err != nil {
			t.Errorf("%v", err)
		}
		return nil
	})
	if err := m.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	return count.Load() >= n
}
