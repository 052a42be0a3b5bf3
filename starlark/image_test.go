package starlark

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	rt "github.com/ichor-go/ichor/runtime"
)

// frozenLibrary has values of all kinds that an image can have.
const frozenLibrary = `
load("base.star", "base", "shared")
small, big, real, text, raw = 7, 1 << 200, 1.5, "t" * 100, b"\x00\xff"
negative, wide = -(1 << 90), -(1 << 55)
cycle = [1, 2]
cycle.append(cycle)
pair = ((), (1, "a"), cycle)
table = {(1, ("x", 2.5)): [None, True], "k": False, 3: {"deep": set([1, (2,)])}, 1.5: real}
alias = table
record = struct(a = cycle, b = struct(c = "c"))
steps = range(10, 0, -3)
upper = "abc".upper
letters = "añb".codepoints()
encode = json.encode
builtin = len
_hidden = [1]

def add(a, b = 3, *args, c = [4], **kw):
    "A function with all kinds of parameters."
    return a + b + len(args) + c[0] + len(kw) + small + len(_hidden)

def counter():
    n = [0]
    def inner(x):
        return x + n[0] + len(cycle)
    return inner

closure = counter()
double = lambda x: base(x) * 2

def fact(n):
    return 1 if n < 2 else n * fact(n - 1)

def broken(x):
    return [y.missing for y in [x]]
`

// probe is what a program sees of the library.
const probe = `
load("library.star", "small", "big", "real", "text", "raw", "negative", "wide", "cycle", "pair", "table", "alias", "record",
    "steps", "upper", "letters", "encode", "builtin", "add", "closure", "double", "fact", "base2")
print(small, big, real, len(text), text[:3], raw, negative, wide, cycle, pair, table, record)
print(cycle[2][2][0], pair[2] == cycle if False else pair[1], table[(1, ("x", 2.5))], alias["k"], sorted(table[3]["deep"], key = str))
print(list(steps), upper(), list(letters), encode([1]), builtin("abc"))
print(add(1), add(1, 2, 9, 9, c = [5], z = 1), closure(1), double(4), fact(20), add, closure, base2)
`

func libraryLoader(library func(th *Thread) (*Module, error)) func(th *Thread, name string) (*Module, error) {
	return func(th *Thread, name string) (*Module, error) {
		if name == "library.star" {
			return library(th)
		}
		return th.Exec(name, "shared = [1]\ndef base(x):\n    return x + len(shared)\n")
	}
}

// writeLibrary writes the library to an image, and returns what the probe prints with the
// library as it was compiled.
func writeLibrary(t *testing.T, opts Options, path string) string {
	var out strings.Builder
	var lib *Module
	opts.File, opts.Output = everything, &out
	opts.Load = libraryLoader(func(*Thread) (*Module, error) { return lib, nil })
	m := open(t, opts)
	do(t, m, func(th *Thread) (err error) {
		if lib, err = th.Exec("library.star", frozenLibrary+"base2 = base\n"); err != nil {
			return err
		}
		th.FreezeModule(lib)
		mod, err := th.Exec("probe.star", probe)
		if err != nil {
			return err
		}
		th.Clear(mod)
		if err := th.WriteImage(context.Background(), lib, path); err != nil {
			return err
		}
		th.Clear(lib)
		return nil
	})
	return out.String()
}

// A module from an image looks like the module that was written, in all modes, for one thread and for
// several that wake its values at the same time.
func TestImage(t *testing.T) {
	forModes(t, func(t *testing.T, opts Options) {
		path := filepath.Join(t.TempDir(), "library.img")
		want := writeLibrary(t, opts, path)
		for _, trust := range []bool{false, true} {
			var lib *Module
			opts.File = everything
			outs := make([]strings.Builder, 4)
			opts.Load = func(th *Thread, name string) (*Module, error) { return lib, nil }
			opts.Print = func(th *Thread, text string) {
				outs[th.testIndex()].WriteString(text + "\n")
			}
			m := open(t, opts)
			do(t, m, func(th *Thread) (err error) {
				lib, err = th.OpenImage(path, rt.ImageOptions{TrustImage: trust})
				return errors.Join(err, th.Run(lib))
			})
			err := m.Run(context.Background(), 4, func(th *Thread, i int) error {
				th.rounds = uint(i) << 32
				mod, err := th.Exec("probe.star", probe)
				if err == nil {
					th.Clear(mod)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			for i := range outs {
				if got := outs[i].String(); got != want {
					t.Fatalf("thread %d: got\n%s\nwant\n%s", i, got, want)
				}
			}
		}
	})
}

// testIndex is the number that TestImage has given to the thread.
func (th *Thread) testIndex() int { return int(th.rounds >> 32) }

// An error in code from an image has the traceback of the original.
func TestImageTraceback(t *testing.T) {
	path := filepath.Join(t.TempDir(), "library.img")
	writeLibrary(t, Options{}, path)
	m := open(t, Options{File: everything})
	do(t, m, func(th *Thread) error {
		lib, err := th.OpenImage(path)
		if err != nil {
			return err
		}
		f := th.Global(lib, "broken")
		_, err = th.Call(f, []Value{Int(1)})
		var e *EvalError
		if !errors.As(err, &e) || !strings.Contains(e.Backtrace(), "library.star:35:14: in broken") {
			t.Errorf("%v", e.Backtrace())
		}
		l := th.Global(lib, "cycle")
		push := th.must(th.attr(l, &attrName{name: "append"}))
		_, err = th.Call(push, []Value{Int(1)})
		th.Drop(push)
		if err == nil || !strings.Contains(err.Error(), "frozen list") {
			t.Errorf("append to a list of an image: %v", err)
		}
		if v := th.Global(lib, "nothing"); v != 0 {
			t.Errorf("a name that does not exist has the value %s", th.Repr(v))
		}
		if n := th.Names(lib); len(n) < 20 || n[0] != "small" {
			t.Errorf("names: %q", n)
		}
		return nil
	})
}

func (th *Thread) must(v Value, err error) Value {
	if err != nil {
		panic(err)
	}
	return v
}

// The programs of the benchmark give the same results from an image.
func TestImagePrograms(t *testing.T) {
	files, err := filepath.Glob("bench/programs/*.star")
	if err != nil || len(files) < 10 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		path := filepath.Join(t.TempDir(), "p.img")
		run := func(fn func(th *Thread) (*Module, error)) (text string) {
			m := open(t, Options{})
			do(t, m, func(th *Thread) error {
				mod, err := fn(th)
				if err != nil {
					return fmt.Errorf("%s: %w", file, err)
				}
				f := th.Global(mod, "run")
				defer th.Drop(f)
				v, err := th.Call(f, nil)
				text = th.Repr(v)
				th.Drop(v)
				th.Clear(mod)
				return err
			})
			return text
		}
		want := run(func(th *Thread) (*Module, error) {
			src, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			mod, err := th.Exec(file, src)
			if err != nil {
				return nil, err
			}
			return mod, th.WriteImage(context.Background(), mod, path)
		})
		got := run(func(th *Thread) (*Module, error) { return th.OpenImage(path) })
		if got != want {
			t.Errorf("%s: %.200s, want %.200s", file, got, want)
		}
	}
}

// What cannot be in an image is named, and so is what is wrong with a file.
func TestImageErrors(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.img")
	m := open(t, Options{File: everything})
	do(t, m, func(th *Thread) error {
		for src, want := range map[string]string{
			"x = [time.now()]": "x: a value of the type time.time cannot be in an image",
		} {
			mod, err := th.Exec("a.star", src)
			if err != nil {
				return err
			}
			var e *ImageError
			if err := th.WriteImage(context.Background(), mod, path); !errors.As(err, &e) || err.Error() != want {
				t.Errorf("%s: %v, want %s", src, err, want)
			}
			th.Clear(mod)
		}
		v, err := th.NewBuiltin("special", func(th *Thread, c *Call) (Value, error) { return Int(1), nil })
		if err != nil {
			return err
		}
		mod, err := th.Compile("a.star", "x = special\ndef f():\n    return special()\n", map[string]Value{"special": v})
		if err == nil {
			err = th.Run(mod)
		}
		if err == nil {
			err = th.WriteImage(context.Background(), mod, path)
		}
		if err != nil {
			return err
		}
		again, err := th.OpenImage(path)
		if err == nil || !strings.Contains(err.Error(), "a.img: uses the predeclared name special") {
			t.Errorf("a missing name: %v %v", again, err)
		}
		return nil
	})
	if err := os.WriteFile(path, []byte("no image"), 0o600); err != nil {
		t.Fatal(err)
	}
	do(t, m, func(th *Thread) error {
		if _, err := th.OpenImage(path); err == nil {
			t.Error("a file that is no image was opened")
		}
		s, err := th.newString("not a module")
		if err != nil {
			return err
		}
		defer th.Drop(s)
		f, err := th.t.Freeze(rt.None)
		if err != nil {
			return err
		}
		if err := errors.Join(f.WriteFile(path), th.t.Unload(f)); err != nil {
			return err
		}
		if _, err := th.OpenImage(path); err == nil || !strings.Contains(err.Error(), "not a module") {
			t.Errorf("%v, want not a module", err)
		}
		return nil
	})
}

// Waking fails at the memory limit, and succeeds when there is room again.
func TestImageLimit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.img")
	do(t, open(t, Options{}), func(th *Thread) error {
		mod, err := th.Exec("a.star", "x = ['%d' % i for i in range(50000)]\ny = 1\n")
		if err != nil {
			return err
		}
		defer th.Clear(mod)
		return th.WriteImage(context.Background(), mod, path)
	})
	do(t, open(t, Options{Memory: 8 << 20}), func(th *Thread) error {
		mod, err := th.OpenImage(path)
		if err != nil {
			return err
		}
		fill, b, err := th.newText(stringType, 7<<20)
		if err != nil {
			return err
		}
		clear(b)
		if _, err := th.Lookup(mod, "x"); !errors.Is(err, rt.ErrMemoryLimit) {
			t.Errorf("%v, want ErrMemoryLimit", err)
		}
		th.Drop(fill)
		x, err := th.Lookup(mod, "x")
		if err != nil {
			return err
		}
		if n := th.listLen(x); n != 50000 {
			t.Errorf("%d items, want 50000", n)
		}
		th.Drop(x)
		return nil
	})
}
