package starlark

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	rt "github.com/ichor-go/ichor/runtime"
)

// shared runs main(i) of a program on n threads, and returns the value of a global variable.
func shared(t *testing.T, opts Options, n int, src, result string) string {
	t.Helper()
	opts.File = everything
	m := open(t, opts)
	var mod *Module
	do(t, m, func(th *Thread) (err error) {
		mod, err = th.Exec("shared.star", src)
		return err
	})
	err := m.Run(context.Background(), n, func(th *Thread, i int) error {
		fn := th.Global(mod, "main")
		defer th.Drop(fn)
		v, err := th.Call(fn, []Value{Int(i)})
		th.Drop(v)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	do(t, m, func(th *Thread) error {
		v := th.Global(mod, result)
		text = th.Repr(v)
		th.Drop(v)
		th.Clear(mod)
		return nil
	})
	return text
}

// Single operations on shared containers take effect at one moment: nothing is lost.
func TestSharedOperations(t *testing.T) {
	for _, c := range []struct{ name, src, want string }{
		{"append", "l = []\ndef main(i):\n    for k in range(500):\n        l.append((i, k))\nr = [0]\n", "2000"},
		{"dict", "l = {}\ndef main(i):\n    for k in range(500):\n        l[(i, k)] = [k]\n", "2000"},
		{"set", "l = set()\ndef main(i):\n    for k in range(500):\n        l.add(k)\n", "500"},
		{"pop", "l = list(range(2000))\nd = {}\ndef main(i):\n    for k in range(500):\n        d[l.pop()] = i\n", "0"},
		{"delete", "l = {k: [k] for k in range(2000)}\ndef main(i):\n    for k in range(500):\n        l.popitem()\n", "0"},
		{"own key", "l = {}\ndef main(i):\n    for k in range(500):\n        l[i] = l.get(i, 0) + 1\n        l.pop(i + 100, None)\n", "4"},
	} {
		t.Run(c.name, func(t *testing.T) {
			forModes(t, func(t *testing.T, opts Options) {
				src := c.src + "def size():\n    return len(l)\nn = 0\ndef last(i):\n    return 0\n"
				got := shared(t, opts, 4, src, "l")
				n := 0
				if inner := strings.Trim(got, "[]{}()set"); inner != "" {
					n = topItems(got)
				}
				if fmt.Sprint(n) != c.want {
					t.Errorf("%d items are left, want %s", n, c.want)
				}
			})
		})
	}
}

// What a thread finds and what it changes belong to one moment: no value of setdefault is replaced, and
// remove removes what it has found.
func TestSharedFindings(t *testing.T) {
	const together = "here = []\ndef main(i):\n    here.append(i)\n    while len(here) < 4:\n        pass\n"
	for _, c := range []struct{ name, src string }{
		{"setdefault", "d = {}\n" + together + "    for k in range(20000):\n        d.setdefault(k, []).append(i)\n" +
			"def check():\n    return [k for k in range(20000) if len(d[k]) != 4]\n"},
		{"remove", "l = [str(k) for k in range(1000)]\n" + together + "    for k in range(i, 1000, 4):\n        l.remove(str(k))\n" +
			"def check():\n    return l\n"},
		{"discard", "s = set(range(2000))\n" + together + "    for k in range(i, 2000, 4):\n        s.discard(k)\n        s.add(-k)\n        s.remove(-k)\n" +
			"def check():\n    return list(s)\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			forModes(t, func(t *testing.T, opts Options) {
				m := open(t, opts)
				m.opts.File = everything
				var mod *Module
				do(t, m, func(th *Thread) (err error) {
					mod, err = th.Exec("found.star", c.src)
					return err
				})
				err := m.Run(context.Background(), 4, func(th *Thread, i int) error {
					_, err := th.CallGo(mod, "main", i)
					return err
				})
				if err != nil {
					t.Error(err)
				}
				do(t, m, func(th *Thread) error {
					wrong, err := th.CallGo(mod, "check")
					if items, ok := wrong.([]any); !ok || len(items) > 0 || err != nil {
						t.Errorf("%v, %v", wrong, err)
					}
					th.Clear(mod)
					return nil
				})
			})
		})
	}
}

// topItems counts the items of a list, dict or set by its text.
func topItems(s string) int {
	depth, n := 0, 1
	s = strings.TrimSuffix(strings.TrimPrefix(s, "set("), ")")
	for _, r := range s {
		switch r {
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			depth--
		case ',':
			if depth == 1 {
				n++
			}
		}
	}
	return n
}

// A thread may change what another one iterates. Each sees only whole items.
func TestSharedIteration(t *testing.T) {
	src := `
l = [[i] for i in range(200)]
d = {i: [i] for i in range(200)}
g = 0
def main(i):
    global_total = 0
    for k in range(200):
        if i % 2 == 0:
            for x in l:
                global_total += len(x)
            for x in d:
                v = d.get(x, [0])
                global_total += len(v)
        else:
            l.append([k])
            l.pop(0)
            d[k] = [k, k]
            d.pop((k * 7) % 200, None)
            d[1000 + k % 10] = [k]
`
	forModes(t, func(t *testing.T, opts Options) { shared(t, opts, 4, src, "g") })
}

// A thread cannot change what it iterates itself.
func TestOwnIteration(t *testing.T) {
	m := open(t, Options{File: everything})
	do(t, m, func(th *Thread) error {
		_, err := th.Exec("own.star", "l = [1]\nfor x in l:\n    l.append(x)\n")
		if err == nil || err.Error() != "append: cannot append to list during iteration" {
			t.Errorf("%v", err)
		}
		return nil
	})
}

// Global and captured variables can be assigned by several threads.
func TestSharedVariables(t *testing.T) {
	src := `
g = []
def counter():
    n = [0]
    def bump():
        n[0] = n[0] + 1
        return n
    return bump
bump = counter()
def main(i):
    for k in range(500):
        bump()
        x = [y + [k] for y in [[i]]]
`
	forModes(t, func(t *testing.T, opts Options) { shared(t, opts, 4, src, "g") })
}

// A module whose values are immortal is used without counts, and by all threads.
func TestImmortalModule(t *testing.T) {
	forModes(t, func(t *testing.T, opts Options) {
		m := open(t, opts)
		var mod *Module
		do(t, m, func(th *Thread) (err error) {
			if mod, err = th.Exec("m.star", "table = {str(i): [i, i * 1.5] for i in range(100)}\ndef f(i, by = [1]):\n    return table[str(i % 100)][0] + by[0]\n"); err != nil {
				return err
			}
			th.FreezeModule(mod)
			return th.Immortalize(mod)
		})
		err := m.Run(context.Background(), 4, func(th *Thread, i int) error {
			f := th.Global(mod, "f")
			if f.isOwned() && !th.t.IsImmortal(f.ref()) {
				return errors.New("the function is not immortal")
			}
			defer th.Drop(f)
			for k := range 300 {
				v, err := th.Call(f, []Value{Int(k)})
				if err != nil {
					return err
				}
				if v != Int(k%100+1) {
					return fmt.Errorf("f(%d) = %s", k, th.Repr(v))
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// In checked mode the runtime validates every access and finds every leak.
func TestChecked(t *testing.T) {
	forModes(t, func(t *testing.T, opts Options) {
		opts.Runtime = rt.Options{Checked: true}
		opts.File = everything
		m := open(t, opts)
		do(t, m, func(th *Thread) error {
			mod, err := th.Exec("checked.star", `
def f(x, *args, y = [1], **kw):
    z = [a for a in args] + [x] + y
    def g():
        return z, kw
    return g
r = []
for i in range(20):
    a, b = f(i, "s" * i, 1.5 * i, k = {i: (i,)})()
    r.append((a, b))
    r[0] = sorted([str(v) for v in a], key = lambda s: len(s))
    t = "%s %r" % (a, b)
    d = {k: v for k, v in zip(["a", "b"], [1, 2])}
    d.update(c = t)
    s = set(d) | set([1, 2.0])
    r.extend([s, d, struct(a = s), json.decode(json.encode(d))])
    if len(r) > 20:
        r.clear()
x = 1 << 100
y = x * x // 3 - x
`)
			if mod != nil {
				th.Clear(mod)
			}
			return err
		})
	})
}

// A builtin that reads a text while other threads drop the string that has it sees one text, not
// memory that is something else by now. In checked mode, memory that was freed is overwritten.
func TestTextsThatOthersDrop(t *testing.T) {
	src := `
def word(k):
    return "abcdefghij"[k % 10] * (100 + k % 57)
l = [word(k) for k in range(16)]
d = {"k": word(1), "l": l, "s": struct(a = word(2))}
def one(s):
    if s.strip("\"") != s.strip("\"")[0] * len(s.strip("\"")):
        fail("a mixture: " + s)
def main(i):
    for k in range(300):
        if i % 2:
            l[k % 16] = word(k + i)
            d["k"] = word(k)
            d["s"] = struct(a = word(k))
            continue
        one(l[k % 16] + "")
        one(l[k % 16].upper())
        one("%s" % l[k % 16])
        one("%(k)s" % d)
        one("{}".format(d["k"]))
        one(repr(d["k"]))
        one(json.encode(d["s"]).split(":")[1].strip("}"))
        for s in "-".join(l).split("-"):
            one(s)
        for s in json.decode(json.encode(d))["l"]:
            one(s)
        for s in sorted(l):
            one(s)
        one(max(l))
        one(getattr(d["s"], "a"))
        one(l[k % 16].replace("a", "b"))
done = [True]
`
	forModes(t, func(t *testing.T, opts Options) {
		shared(t, opts, 4, src, "done")
		opts.Runtime.Checked = true
		shared(t, opts, 4, src, "done")
	})
}
