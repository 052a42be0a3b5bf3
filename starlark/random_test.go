package starlark

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	peer "go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"
	"go.starlark.net/syntax"
	"pgregory.net/rapid"
)

// A drawer draws the text of a program.
type drawer struct {
	t     *rapid.T
	b     strings.Builder
	depth int // of blocks
	vars  []string
	funcs int
	loops int
}

func (d *drawer) pick(list ...string) string { return rapid.SampledFrom(list).Draw(d.t, "pick") }
func (d *drawer) n(most int) int             { return rapid.IntRange(0, most).Draw(d.t, "n") }

func (d *drawer) line(format string, args ...any) {
	d.b.WriteString(strings.Repeat("    ", d.depth))
	fmt.Fprintf(&d.b, format, args...)
	d.b.WriteByte('\n')
}

func (d *drawer) variable() string {
	if len(d.vars) == 0 || d.n(5) == 0 {
		return d.pick("a", "b", "c", "d")
	}
	return d.pick(d.vars...)
}

func (d *drawer) atom() string {
	switch d.n(9) {
	case 0, 1, 2:
		return d.pick("0", "1", "2", "-1", "3", "7", "255", "1000000", "281474976710656", "-140737488355328", "9223372036854775807", "1<<70", "268435456", "536870912")
	case 3:
		return d.pick("0.0", "1.0", "-2.5", "1e100", "0.1", "float('inf')", "float('nan')", "3.0")
	case 4, 5:
		return d.pick(`""`, `"a"`, `"abc"`, `"a,b,c"`, `"Hé\n"`, `"😀x"`, `"%s"`, `"%d %r"`, `"{}"`, `b"xyz"`, `"1e3"`, `"  pad "`)
	case 6:
		return d.pick("None", "True", "False")
	}
	return d.variable()
}

func (d *drawer) expr(depth int) string {
	if depth <= 0 {
		return d.atom()
	}
	e := func() string { return d.expr(depth - 1) }
	switch d.n(25) {
	case 0, 1, 2:
		return d.atom()
	case 3, 4, 5:
		return "(" + e() + " " + d.pick("+", "-", "*", "/", "//", "%", "&", "|", "^", "<<", ">>") + " " + e() + ")"
	case 6:
		return "(" + e() + " " + d.pick("==", "!=", "<", "<=", ">", ">=", "in", "not in", "and", "or") + " " + e() + ")"
	case 7:
		return "(" + d.pick("-", "+", "~", "not ") + e() + ")"
	case 8:
		return "[" + e() + ", " + e() + "]"
	case 9:
		return "(" + e() + ", " + e() + ")"
	case 10:
		return "{" + e() + ": " + e() + ", " + e() + ": " + e() + "}"
	case 11:
		return e() + "[" + e() + "]"
	case 12:
		return d.atom() + "[" + d.pick("", "1", "-1", "0", "2") + ":" + d.pick("", "1", "-1", "5") + d.pick("", ":2", ":-1") + "]"
	case 13:
		return "(" + e() + " if " + e() + " else " + e() + ")"
	case 14:
		return "[" + e() + " for x in " + e() + d.pick("", " if x") + "]"
	case 15:
		return "{x: " + e() + " for x in range(" + d.pick("0", "3", "9") + ")}"
	case 16:
		return d.pick("str", "repr", "len", "list", "tuple", "sorted", "bool", "int", "float", "type", "abs", "reversed", "set", "max", "min", "any", "all", "dict", "enumerate", "ord", "chr", "hash", "bytes", "dir", "range", "json.encode") + "(" + e() + ")"
	case 17:
		return e() + "." + d.pick("append", "extend", "insert", "pop", "remove", "index", "clear", "get", "keys", "values", "items", "update",
			"setdefault", "popitem", "add", "union", "issubset", "upper", "split", "strip", "join", "replace", "find", "format",
			"startswith", "elems", "count", "title", "partition", "nosuch") + "(" + d.pick("", e(), e()+", "+e()) + ")"
	case 19:
		return "[(" + e() + ", y) for x in " + d.pick("range(3)", e()) + " for y in " + d.pick("[x, 1]", "range(2)", e()) + d.pick("", " if "+e()) + "]"
	case 20:
		return d.pick(`"%s|%d"`, `"%r"`, `"%(a)s"`, `"%x %o"`, `"%g %f"`, `"%c"`) + " % " + e()
	case 21:
		return d.pick(`"{}-{}"`, `"{0}{1!r}"`, `"{a}{b}"`, `"{a} {}"`, `"{"`) + ".format(" + d.pick(e()+", "+e(), "a = "+e()+", b = "+e(), e()+", a = "+e(), "*"+e(), "**"+e()) + ")"
	case 22:
		return d.pick("sorted", "min", "max") + "(" + e() + ", key = lambda x: " + e() + d.pick("", ", reverse = True", ", reverse = "+e()) + ")"
	case 23:
		return d.pick("struct(a = "+e()+", b = "+e()+")", "struct(b = "+e()+")", "struct(**"+e()+")", e()+".a", e()+".b", e()+".c")
	case 24:
		return e() + "[" + d.pick("0", "-1", "1", "127", "-128", "128") + "]"
	case 25:
		return "json.decode(json.encode(" + e() + "))"
	case 18:
		if d.funcs > 0 {
			return fmt.Sprintf("f%d(%s)", d.n(d.funcs-1), d.pick(e(), e()+", "+e(), "y = "+e(), "*"+e(), "**"+e(), ""))
		}
	}
	return "(lambda x, y = " + e() + ": " + e() + ")(" + e() + ")"
}

func (d *drawer) assign() {
	v := d.pick("a", "b", "c", "d")
	d.line("%s = %s", v, d.expr(3))
	d.vars = append(d.vars, v)
}

func (d *drawer) stmt() {
	switch d.n(15) {
	case 0, 1, 2:
		d.assign()
	case 3:
		d.line("%s %s %s", d.variable(), d.pick("+=", "-=", "*=", "|=", "//=", "%="), d.expr(2))
	case 4:
		d.line("%s[%s] = %s", d.variable(), d.expr(1), d.expr(2))
	case 5:
		d.line("a, b = %s", d.pick("b, a", d.expr(2), d.expr(2)+", "+d.expr(2)))
	case 6:
		if d.depth < 3 {
			d.line("if %s:", d.expr(2))
			d.block()
			if d.n(1) == 0 {
				d.line("else:")
				d.block()
			}
		}
	case 7:
		if d.loops < 2 {
			d.loops++
			d.line("for %s in %s:", d.pick("a", "b", "x", "(a, b)"), d.pick("range(3)", d.expr(2), "[1, 'two', (3, 4)]"))
			d.block()
			d.loops--
		}
	case 8:
		if d.loops > 0 {
			d.line("if %s:", d.expr(1))
			d.depth++
			d.line("%s", d.pick("break", "continue"))
			d.depth--
		}
	case 9:
		d.line("%s", d.expr(3))
	case 10:
		if d.depth < 3 {
			old := d.vars
			d.line("def h(x, %s):", d.pick("y = 1", "y = "+d.expr(1)+", *args", "*, y = 2", "*args, y", "**kw"))
			d.vars = append(slices.Clone(old), "x")
			loops := d.loops
			d.loops = 0
			d.block()
			d.loops = loops
			d.depth++
			d.line("return %s", d.pick("x", d.expr(2), "lambda: x", "lambda: "+d.expr(2)))
			d.depth--
			d.vars = old
			d.line("print(h(%s))", d.pick(d.expr(1), d.expr(1)+", y = "+d.expr(1), "y = 1, x = 2", d.expr(1)+", 5, 6"))
		}
	case 11:
		d.line("(a, [b, c]) = %s", d.pick("1, (2, 3)", d.expr(2), "["+d.expr(1)+", "+d.expr(1)+"]"))
	case 12:
		d.line("%s[%s] %s %s", d.variable(), d.pick("0", "-1", d.expr(1)), d.pick("+=", "-=", "|="), d.expr(1))
	case 13:
		d.line("%s[%s] = %s", d.variable(), d.pick("0", "-1", "1"), d.expr(2))
	default:
		d.line("print(%s)", d.expr(3))
	}
}

func (d *drawer) block() {
	d.depth++
	for range 1 + d.n(3) {
		d.stmt()
	}
	d.line("pass")
	d.depth--
}

// program draws functions, and statements that use them.
func program(t *rapid.T) string {
	d := &drawer{t: t}
	for i := range d.n(2) {
		d.line("def f%d(x, y = %s%s):", i, d.expr(1), d.pick("", ", *args", ", **kw"))
		d.vars = []string{"x", "y"}
		d.block()
		d.depth++
		d.line("return %s", d.expr(2))
		d.depth--
		d.funcs = i + 1
	}
	d.vars = nil
	for range 2 {
		d.assign()
	}
	for range 1 + d.n(6) {
		d.stmt()
	}
	d.line("print(a, b)")
	return d.b.String()
}

var randomOptions = syntax.FileOptions{Set: true, TopLevelControl: true, GlobalReassign: true}

var shiftCount = regexp.MustCompile(`shift count too large: (\d+) out of range`)

const randomSteps = 20_000

// runPeer runs a program on starlark-go. ok is false if it came to a limit.
func runPeer(src string) (out string, ok bool) {
	var b strings.Builder
	th := &peer.Thread{Print: func(_ *peer.Thread, s string) { b.WriteString(s + "\n") }}
	th.SetMaxExecutionSteps(randomSteps)
	_, err := peer.ExecFileOptions(&randomOptions, th, "r.star", src, peer.StringDict{
		"json": peerJSON, "struct": peer.NewBuiltin("struct", starlarkstruct.Make),
	})
	var e *peer.EvalError
	switch {
	case errors.As(err, &e):
		b.WriteString(e.Backtrace())
	case err != nil:
		b.WriteString(err.Error())
	}
	return b.String(), !strings.Contains(b.String(), "too many steps")
}

func runOurs(th *Thread, out *strings.Builder, src string) (string, bool) {
	out.Reset()
	th.steps, th.limit = 0, randomSteps
	th.refuel()
	mod, err := th.CompileOptions(&randomOptions, "r.star", src, nil)
	if err == nil {
		err = th.Run(mod)
		th.Clear(mod)
	}
	var e *EvalError
	var limit *LimitError
	switch {
	case errors.As(err, &e):
		out.WriteString(e.Backtrace())
	case err != nil:
		out.WriteString(err.Error())
	}
	// This text names the limit; starlark-go's only has the number.
	return shiftCount.ReplaceAllString(out.String(), "$1 out of range"), !errors.As(err, &limit)
}

// Random programs print the same, and end with the same error, on starlark-go and here. A program runs here
// first: if it reaches a limit, starlark-go, which has none for memory, does not run it.
func TestRandomPrograms(t *testing.T) {
	for i, md := range modes {
		t.Run(md.name, func(t *testing.T) {
			if testing.Short() && i != 1 {
				t.Skip("one mode is enough")
			}
			var out strings.Builder
			var m *Machine
			runs, compared := 0, 0
			defer func() {
				if t.Logf("%d of %d programs reached no limit", compared, runs); compared < runs*3/4 {
					t.Error("too many programs reached a limit")
				}
				if m != nil {
					if err := m.Close(); err != nil {
						t.Errorf("close: %v", err)
					}
				}
			}()
			rapid.Check(t, func(rt *rapid.T) {
				src := program(rt)
				if runs++; m == nil || runs%200 == 0 {
					if m != nil {
						if err := m.Close(); err != nil {
							rt.Fatalf("close: %v", err)
						}
					}
					opts := md.opts
					opts.Memory = 64 << 20
					opts.Print = func(_ *Thread, s string) { out.WriteString(s + "\n") }
					var err error
					if m, err = New(opts); err != nil {
						rt.Fatal(err)
					}
				}
				before := m.Runtime().Memory().Objects
				var got string
				var ok bool
				err := m.Do(context.Background(), func(th *Thread) error {
					got, ok = runOurs(th, &out, src)
					return nil
				})
				if err != nil {
					rt.Fatal(err)
				}
				if ok {
					compared++
					if want, ok := runPeer(src); ok && got != want {
						rt.Errorf("program:\n%s\nstarlark-go:\n%s\nhere:\n%s", src, want, got)
					}
				}
				if m.Runtime().Memory().Objects != before { // cycles, or a leak
					if _, err := m.Runtime().Collect(); err != nil {
						rt.Fatal(err)
					}
				}
				if n := m.Runtime().Memory().Objects - before; n != 0 {
					rt.Errorf("%d objects are left of the program\n%s", n, src)
				}
			})
		})
	}
}
