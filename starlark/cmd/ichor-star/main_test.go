package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
)

// star runs the command.
func star(in string, args ...string) (status int, out, errs string) {
	var o, e bytes.Buffer
	status = run(args, strings.NewReader(in), &o, &e)
	return status, o.String(), e.String()
}

func TestCommand(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	write("lib.star", "def twice(x):\n    return 2 * x\n")
	sum := write("sum.star", "load('lib.star', 'twice')\nprint(twice(21))\n")
	bad := write("bad.star", "def f(x):\n    return x // 0\nf(1)\n")
	loop := write("loop.star", "load('loop.star', 'x')\n")
	main := write("main.star", "l = []\ndef main(i):\n    l.append(i)\n    print(i)\n")
	for _, c := range []struct {
		in     string
		args   []string
		status int
		out    string
		errs   []string
	}{
		{"", []string{sum}, 0, "42\n", nil},
		{"print(1)", []string{"-"}, 0, "1\n", nil},
		{"", []string{"-c", "print(2)"}, 0, "2\n", nil},
		{"1 + 1\nx = 3\nx * 2\nNone\ndef f():\n    return x\n\nf()\n", nil, 0, "2\n6\n3\n", nil},
		{"1 //\n1 // 0\n4\n", nil, 0, "4\n", []string{"got newline", "floored division by zero", "    1 // 0\n      ^"}},
		{"", []string{bad}, 1, "", []string{"bad.star:3:2: in <toplevel>", "bad.star:2:14: in f", "Error: floored division by zero", "        return x // 0\n                 ^"}},
		{"", []string{"-c", "x = y"}, 1, "", []string{"undefined: y", "    x = y\n        ^"}},
		{"", []string{"-c", "x = "}, 1, "", []string{"<command>:1:5: got end of file"}},
		{"", []string{loop}, 1, "", []string{"cycle in the load graph"}},
		{"", []string{"-threads", "3", main}, 0, "012", nil},
		{"", []string{"-threads", "3", "-mode", "gil", main}, 0, "012", nil},
		{"", []string{"-threads", "3", "-mode", "biased", main}, 0, "012", nil},
		{"", []string{"-threads", "2", sum}, 1, "42\n", []string{"no function main"}},
		{"", []string{"-memory", "16MiB", "-c", "x = 'x' * (1 << 28)"}, 1, "", []string{"memory limit exceeded: 16777216"}},
		{"", []string{"-steps", "1000", "-c", "while True:\n    pass"}, 1, "", []string{"too many steps: the limit is 1000"}},
		{"", []string{"-timeout", "50ms", "-threads", "2", "-c", "def main(i):\n    while True:\n        pass"}, 1, "", []string{"time limit exceeded", "<command>:2:5: in main", "        while True:"}},
		{"", []string{"-timeout", "50ms", "-c", "while True:\n    pass"}, 1, "", []string{"time limit exceeded"}},
		{"", []string{"-strict", "-c", "while True:\n    pass"}, 1, "", []string{"while"}},
		{"", []string{"-stats", "-c", "x = [1]"}, 0, "", []string{"starlark.list", "committed"}},
		{"", []string{"-memory", "lots", sum}, 2, "", []string{"want a size"}},
		{"", []string{"-mode", "magic", sum}, 2, "", []string{"want gil"}},
		{"", []string{"-memory", "1KiB", sum}, 2, "", []string{"want 0 for no limit, or at least"}},
		{"", []string{"-threads", "-1", sum}, 2, "", []string{"-threads -1: want"}},
		{"", []string{"-depth", "-1", sum}, 2, "", []string{"-depth -1: want"}},
		{"", []string{"-timeout", "-1s", sum}, 2, "", []string{"-timeout -1s: want"}},
		{"", []string{"-steps", "many", sum}, 2, "", []string{"-steps"}},
		{"", []string{"-profile", filepath.Join(dir, "no", "dir"), sum}, 1, "", []string{"no such"}},
		{"", []string{"a", "b"}, 2, "", []string{"want one program"}},
		{"", []string{"-c", "x = 1", sum}, 2, "", []string{"want one program"}},
		{"", []string{dir}, 1, "", []string{filepath.Base(dir)}},
		{"", []string{write("bad.utf8", "x = \"\xff\"\ny = \xff\x1b[31m\n")}, 1, "", []string{"bad.utf8:2:5: unexpected input character", "    y = \uFFFD\uFFFD[31m\n        ^"}},
		{"", []string{write("binary", "\x7fELF\x02\x01\x00\x00")}, 1, "", []string{"binary:1:1: unexpected input character"}},
		{"", []string{write("empty", "")}, 0, "", nil},
		{"", []string{"nosuch.star"}, 1, "", []string{"nosuch.star"}},
	} {
		status, out, errs := star(c.in, c.args...)
		if c.out == "012" { // of threads, in any order
			for _, r := range c.out {
				if strings.Count(out, string(r)+"\n") != 1 {
					t.Errorf("%v: printed %q", c.args, out)
				}
			}
			out = c.out
		}
		if status != c.status || out != c.out {
			t.Errorf("%q: status %d, printed %q, errors %q", c.args, status, out, errs)
		}
		for _, want := range c.errs {
			if !strings.Contains(errs, want) {
				t.Errorf("%q: errors %q, want %q", c.args, errs, want)
			}
		}
	}
}

// The profile has the program's functions.
func TestProfile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "star.prof")
	status, _, errs := star("", "-profile", file, "-c", "def busy():\n    for i in range(10000):\n        pass\nbusy()\n")
	if status != 0 {
		t.Fatal(errs)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p, err := profile.Parse(f)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, fn := range p.Function {
		names[fn.Name] = true
	}
	if !names["busy"] || !names["toplevel"] {
		t.Errorf("functions %v", names)
	}
	for _, s := range p.Sample {
		if s.Location[0].Line[0].Function.Name != "busy" || len(s.Location) != 2 {
			t.Errorf("sample %v", s.Location)
		}
	}
}
