package starlark

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	rt "github.com/ichor-go/ichor/runtime"
	"go.starlark.net/syntax"
)

// suite is the directory of the sources of starlark-go.
var suite = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "go.starlark.net").Output()
	return strings.TrimSpace(string(out)), err
})

// A chunk is a part of a test file: a program, and the errors that it expects by line.
type chunk struct {
	src  string
	want map[int]*regexp.Regexp
}

// chunks cuts the text of a test file at lines of three dashes. Each chunk keeps its line
// numbers. A comment of three hashes expects an error on its line.
func chunks(text string) (cs []chunk, err error) {
	first := 1
	for _, part := range strings.Split(text, "\n---\n") {
		c := chunk{strings.Repeat("\n", first-1) + part, map[int]*regexp.Regexp{}}
		lines := strings.Split(part, "\n")
		for i, l := range lines {
			_, quoted, ok := strings.Cut(l, "###")
			if !ok {
				continue
			}
			pattern, err := strconv.Unquote(strings.TrimSpace(quoted))
			if err != nil {
				return nil, fmt.Errorf("line %d: %w", first+i, err)
			}
			if c.want[first+i], err = regexp.Compile(pattern); err != nil {
				return nil, err
			}
		}
		first += len(lines) + 1
		cs = append(cs, c)
	}
	return cs, nil
}

func fileOptions(src string) *syntax.FileOptions {
	has := func(name string) bool { return strings.Contains(src, "option:"+name) }
	return &syntax.FileOptions{
		Set: has("set"), While: has("while"), TopLevelControl: has("toplevelcontrol"),
		GlobalReassign: has("globalreassign"), LoadBindsGlobally: has("loadbindsglobally"),
		Recursion: has("recursion"),
	}
}

// runFile runs a file of the suite on a thread, and returns what went wrong.
func runFile(th *Thread, file, text string) (problems []string) {
	report := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	cs, err := chunks(text)
	if err != nil {
		return []string{err.Error()}
	}
	env, err := testEnv(th, report)
	if err != nil {
		return []string{err.Error()}
	}
	for _, c := range cs {
		want := maps.Clone(c.want)
		got := func(line int, msg string) {
			rx := want[line]
			delete(want, line)
			switch {
			case rx == nil:
				report("%s:%d: unexpected error: %s", filepath.Base(file), line, msg)
			case !rx.MatchString(msg):
				report("%s:%d: error %q does not match %q", filepath.Base(file), line, msg, rx)
			}
		}
		mod, err := th.CompileOptions(fileOptions(c.src), file, c.src, env)
		if err == nil {
			err = th.Run(mod)
			th.FreezeModule(mod)
		}
		var e *EvalError
		switch {
		case errors.As(err, &e):
			found := false
			for _, fr := range slices.Backward(e.Stack) {
				if fr.Pos.Filename() == file {
					got(int(fr.Pos.Line), e.Msg)
					found = true
					break
				}
			}
			if !found {
				report("%s", e.Backtrace())
			}
		case err != nil:
			report("%s", err)
		}
		for line, rx := range want {
			report("%s:%d: expected an error that matches %q", filepath.Base(file), line, rx)
		}
	}
	return problems
}

// testEnv returns what the suite's programs find predeclared.
func testEnv(th *Thread, report func(string, ...any)) (map[string]Value, error) {
	env := map[string]Value{}
	for name, fn := range map[string]Func{
		"struct":    MakeStruct,
		"hasfields": func(th *Thread, c *Call) (Value, error) { return newHasfields(th, c) },
	} {
		v, err := th.NewBuiltin(name, fn)
		if err != nil {
			return nil, err
		}
		env[name] = v
	}
	fib, err := th.NewHost(fibonacci{}, nil)
	if err != nil {
		return nil, err
	}
	defer th.Drop(fib)
	if err := th.Runtime().Immortalize(fib.ref()); err != nil {
		return nil, err
	}
	env["fibonacci"] = fib.borrowed()
	reporters.Store(th, report)
	return env, nil
}

var reporters sync.Map // from threads to functions

// assertEnv returns what assert.star finds predeclared.
func assertEnv(th *Thread) (map[string]Value, error) {
	env := map[string]Value{}
	for name, fn := range map[string]Func{
		"error": func(th *Thread, c *Call) (Value, error) {
			if len(c.Args) != 1 {
				return 0, fmt.Errorf("error: got %d arguments, want 1", len(c.Args))
			}
			stack := th.CallStack()
			f, _ := reporters.Load(th)
			f.(func(string, ...any))("%sError: %s", FormatStack(stack[:len(stack)-1]), th.display(c.Args[0]))
			return None, nil
		},
		"catch": func(th *Thread, c *Call) (Value, error) {
			if err := c.positional(1, 1); err != nil {
				return 0, err
			}
			v, err := th.Call(c.Args[0], nil)
			th.Drop(v)
			if err != nil {
				return th.newString(err.Error())
			}
			return None, nil
		},
		"matches": func(th *Thread, c *Call) (Value, error) {
			var pattern, str Value
			if err := c.Unpack(th, c.Args, []string{"pattern", "str"}, &pattern, &str); err != nil {
				return 0, err
			}
			ok, err := regexp.MatchString(th.display(pattern), th.display(str))
			return mkBool(ok), err
		},
		"module": MakeModule,
		"freeze": func(th *Thread, c *Call) (Value, error) {
			if len(c.Args) != 1 {
				return 0, fmt.Errorf("freeze got %d arguments, wants 1", len(c.Args))
			}
			th.Freeze(c.Args[0])
			return th.Keep(c.Args[0]), nil
		},
		"_floateq": func(th *Thread, c *Call) (Value, error) {
			if err := c.positional(2, 2); err != nil {
				return 0, err
			}
			x, y := c.Args[0].float(), c.Args[1].float()
			a, b := math.Float64bits(x), math.Float64bits(y)
			return mkBool(x == y || x != x && y != y || a == b+1 || b == a+1), nil
		},
	} {
		v, err := th.NewBuiltin(name, fn)
		if err != nil {
			return nil, err
		}
		env[name] = v
	}
	env["_freeze"] = env["freeze"]
	delete(env, "freeze")
	return env, nil
}

// loader returns the Options.Load of the suite.
func loader(t *testing.T, dir string) func(th *Thread, name string) (*Module, error) {
	var mu sync.Mutex
	mods := map[string]*Module{}
	return func(th *Thread, name string) (*Module, error) {
		mu.Lock()
		m := mods[name]
		mu.Unlock()
		if m != nil {
			return m, nil
		}
		var err error
		switch name {
		case "assert.star":
			var env map[string]Value
			if env, err = assertEnv(th); err == nil {
				if m, err = th.CompileOptions(syntax.LegacyFileOptions(), filepath.Join(dir, "starlarktest", name), nil, env); err == nil {
					err = th.Run(m)
				}
			}
		case "proto.star":
			return nil, errors.New("there are no protocol buffers")
		default:
			if src, ok := map[string]string{"json.star": "json", "math.star": "math", "time.star": "time"}[name]; ok {
				m, err = th.Exec(name, "x = "+src)
				if err == nil {
					m.names[0] = src
				}
				break
			}
			m, err = th.CompileOptions(syntax.LegacyFileOptions(), filepath.Join(dir, "starlark", "testdata", name), nil, nil)
			if err == nil {
				err = th.Run(m)
			}
		}
		if err != nil {
			return nil, err
		}
		th.FreezeModule(m)
		mu.Lock()
		defer mu.Unlock()
		mods[name] = m
		return m, nil
	}
}

type fibonacci struct{}

func (fibonacci) Type() string                    { return "fib" }
func (fibonacci) String() string                  { return "fib" }
func (fibonacci) Iterate(th *Thread) HostIterator { return &fibIterator{0, 1} }

type fibIterator struct{ x, y int64 }

func (it *fibIterator) Next(th *Thread) (Value, error) {
	v, err := th.newInt(it.x)
	it.x, it.y = it.y, it.x+it.y
	return v, err
}
func (it *fibIterator) Done() {}

// hasfields is a host object with any attributes.
type hasfields struct {
	attrs  map[string]Value
	frozen bool
}

func newHasfields(th *Thread, c *Call) (Value, error) {
	if len(c.Args)+len(c.Kwargs) > 0 {
		return 0, fmt.Errorf("%s: unexpected arguments", c.Name)
	}
	h := &hasfields{attrs: map[string]Value{}}
	return th.NewHost(h, func(t *rt.Thread) {
		for _, v := range h.attrs {
			if v.isOwned() {
				t.DecRef(v.ref())
			}
		}
	})
}

func (h *hasfields) Type() string          { return "hasfields" }
func (h *hasfields) String() string        { return "hasfields" }
func (h *hasfields) Hash() (uint32, error) { return 42, nil }
func (h *hasfields) Freeze(th *Thread) {
	h.frozen = true
	for _, v := range h.attrs {
		th.Freeze(v)
	}
}
func (h *hasfields) Attr(th *Thread, name string) (Value, error) { return th.Keep(h.attrs[name]), nil }
func (h *hasfields) AttrNames() []string                         { return sortedKeys(h.attrs) }
func (h *hasfields) SetAttr(th *Thread, name string, v Value) error {
	if h.frozen {
		return fmt.Errorf("cannot set field on a frozen hasfields")
	}
	if strings.HasPrefix(name, "no") {
		return NoAttr(fmt.Sprintf("no .%s field", name))
	}
	th.Drop(h.attrs[name])
	h.attrs[strings.Clone(name)] = th.Keep(v)
	return nil
}
func (h *hasfields) Binary(th *Thread, op syntax.Token, y Value, right bool) (Value, error) {
	if op == syntax.PLUS && th.kind(y) == kList {
		return mkInt(42), nil
	}
	return 0, nil
}

// modes are the ways of sharing values.
var modes = []struct {
	name string
	opts Options
}{
	{"gil", Options{Mode: rt.GIL}},
	{"atomic", Options{Counting: rt.Atomic}},
	{"biased", Options{Counting: rt.Biased}},
}

func forModes(t *testing.T, f func(t *testing.T, opts Options)) {
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) { f(t, m.opts) })
	}
}

// open makes a machine that has to close without a leak.
func open(t *testing.T, opts Options) *Machine {
	t.Helper()
	m, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return m
}

func do(t *testing.T, m *Machine, f func(th *Thread) error) {
	t.Helper()
	if err := m.Do(context.Background(), f); err != nil {
		t.Fatal(err)
	}
}
