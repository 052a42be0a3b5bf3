package starlark

import (
	"fmt"
	"strings"
	"testing"
)

// values runs a program, and compares global variables with the texts that they should have.
func values(t *testing.T, m *Machine, src string, want map[string]string) {
	t.Helper()
	do(t, m, func(th *Thread) error {
		mod, err := th.Exec("values.star", src)
		if mod != nil {
			defer th.Clear(mod)
		}
		if err != nil {
			return err
		}
		for name, text := range want {
			v := th.Global(mod, name)
			if got := th.Repr(v); got != text {
				t.Errorf("%s = %s, want %s", name, got, text)
			}
			th.Drop(v)
		}
		return nil
	})
}

// A field is found wherever it lies, in structs of calls with names and of others.
func TestFields(t *testing.T) {
	src := `
def point(x, y):
    return struct(y = y, x = x)
def fields(l, n):
    return [s.x for s in l for i in range(n)]
one = point(1, [2])
many = [one, struct(x = 3), struct(**{"x": 4, "a": 0}), struct(a = 0, b = 1, x = 5), struct(x = 6.5), struct(z = 0, x = "t")]
xs = fields(many, 2)
same = [one == struct(x = 1, y = [2]), one == struct(**{"y": [2], "x": 1}), one == point(1, [3]), one == struct(x = 1, z = [2]), one == struct(x = 1)]
found = {point(1, 2): "found"}[struct(**{"y": 2, "x": 1})]
sum = one + struct(z = 7)
nothing = [struct(), struct(**{})]
dropped = [s.x for i in range(50) for d in [{"x": 1}, {"a": 0, "x": 1}] for s in [struct(**d)]]
method = struct(f = lambda x: x + 1).f(2)
`
	want := map[string]string{
		"one":     `struct(x = 1, y = [2])`,
		"xs":      `[1, 1, 3, 3, 4, 4, 5, 5, 6.5, 6.5, "t", "t"]`,
		"same":    `[True, True, False, False, False]`,
		"found":   `"found"`,
		"sum":     `struct(x = 1, y = [2], z = 7)`,
		"nothing": `[struct(), struct()]`,
		"dropped": "[" + strings.Repeat("1, ", 99) + "1]",
		"method":  `3`,
	}
	forModes(t, func(t *testing.T, opts Options) {
		opts.File = everything
		values(t, open(t, opts), src, want)
		opts.Runtime.Checked = true
		values(t, open(t, opts), src, want)
	})
}

// A thread has a place for 64 fields. Those of more structs displace each other, and the right one
// is found nevertheless.
func TestManyFields(t *testing.T) {
	src := "def all():\n    t = 0\n    for i in range(3):\n"
	makes := "l = []\n"
	for _, a := range "abcdefghijklmnop" {
		for _, b := range "qrstuvwx" {
			makes += "l.append(struct(" + string(b) + " = 2, " + string(a) + " = 1))\n"
			src += "        t += l[i" + string(a) + string(b) + "]." + string(a) + "\n"
			makes += "i" + string(a) + string(b) + " = len(l) - 1\n"
		}
	}
	values(t, open(t, Options{File: everything}), makes+src+"    return t\ntotal = all()\n", map[string]string{"total": "384"})

	// Of 40 fields of a struct, some have the same place.
	fields, reads := "", ""
	for i := range 40 {
		fields += fmt.Sprintf("f%d = %d, ", i, i)
		reads += fmt.Sprintf("s.f%d, ", i)
	}
	src = "def all(s):\n    return [" + reads + "]\nsame = all(struct(" + fields + ")) == list(range(40))\n"
	values(t, open(t, Options{File: everything}), src, map[string]string{"same": "True"})
}

// A struct of a call with names is one object: all that the call makes share the names.
func TestStructIsOneObject(t *testing.T) {
	forModes(t, func(t *testing.T, opts Options) {
		m := open(t, opts)
		const n = 1000
		do(t, m, func(th *Thread) error {
			mod, err := th.Exec("many.star", "def many(n):\n    return [struct(b = i, a = None) for i in range(n)]\n")
			if err != nil {
				return err
			}
			defer th.Clear(mod)
			before := live(t, th)
			v := call(t, th, mod, "many", Int(n))
			if got := live(t, th) - before; got != n+1 {
				t.Errorf("%d structs and a list are %d objects", n, got)
			}
			th.Drop(v)
			return nil
		})
	})
}

// live returns the number of mortal objects.
func live(t *testing.T, th *Thread) int64 {
	t.Helper()
	th.Runtime().Collect()
	return th.Machine().Runtime().Memory().Objects
}

func call(t *testing.T, th *Thread, mod *Module, name string, args ...Value) Value {
	t.Helper()
	f := th.Global(mod, name)
	defer th.Drop(f)
	v, err := th.Call(f, args)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// Constants and functions that are counted give the same results, and nothing is left of them.
func TestMortalCode(t *testing.T) {
	src := `
def f(x, y = "default", *args):
    return (x, y, args, "constant", (1, "tuple"), b"bytes", 1 << 80, 1.5, g)
def g(x):
    return struct(text = "abc", x = x, h = lambda: [x, "text"])
d = {"key": f(1), ("a", "b"): [g(i).h() for i in range(3)]}
r = [f(1)[8](2).text + "abc", d["key"][3:5], d[("a", "b")][2], sorted(["b", "a"], key = lambda s: s + "z")]
s = g(1)
fields = [s.text, s.x]
`
	forModes(t, func(t *testing.T, opts Options) {
		opts.File, opts.MortalCode = everything, true
		for _, opts.Runtime.Checked = range []bool{false, true} {
			m := open(t, opts)
			values(t, m, src, map[string]string{
				"r":      `["abcabc", ("constant", (1, "tuple")), [2, "text"], ["a", "b"]]`,
				"fields": `["abc", 1]`,
			})
			do(t, m, func(th *Thread) error {
				mod, err := th.Exec("f.star", "def f():\n    return 'constant'\n")
				if err != nil {
					return err
				}
				defer th.Clear(mod)
				f := th.Global(mod, "f")
				defer th.Drop(f)
				if v := call(t, th, mod, "f"); !f.isOwned() || !v.isOwned() {
					t.Error("a function or its constant is immortal")
				} else {
					th.Drop(v)
				}
				return nil
			})
		}
	})
}
