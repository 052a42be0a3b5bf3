package starlark

import (
	"strings"
	"testing"
)

func TestParallelMap(t *testing.T) {
	for _, c := range []struct{ src, want string }{
		{"x = parallel.map(lambda i: [i, i * i], range(100))\nprint(x == [[i, i * i] for i in range(100)])", "True\n"},
		{"print(parallel.map(str, []))", "[]\n"},
		{"print(parallel.map(f = lambda x: parallel.map(str, x), items = [[1, 2], (3,)]))", "[[\"1\", \"2\"], [\"3\"]]\n"},
		{"l = []\nparallel.map(l.append, range(1000))\nprint(sorted(l) == list(range(1000)))", "True\n"},
		{"parallel.map(lambda x: 1 // x, [1, 2, 0, 3])", "parallel.map: floored division by zero"},
		{"parallel.map(1, [])", "map: for parameter f: got int, want callable"},
		{"parallel.map(str, 1)", "map: for parameter items: got int, want iterable"},
		{"def f(x):\n    while True:\n        pass\nparallel.map(f, [1, 2])", "too many steps"},
		{"def f(x):\n    l = []\n    while True:\n        l.append('x' * 1000)\nparallel.map(f, [1, 2])", "memory limit exceeded"},
		{"def f(x):\n    return parallel.map(f, [x, x])\nf(1)", "limit"},
	} {
		forModes(t, func(t *testing.T, opts Options) {
			var out strings.Builder
			opts.File, opts.Output, opts.Memory, opts.Steps = everything, &out, 16<<20, 100_000
			m := open(t, opts)
			do(t, m, func(th *Thread) error {
				mod, err := th.Exec("p.star", c.src)
				if mod != nil {
					th.Clear(mod)
				}
				if err != nil {
					out.WriteString(err.Error())
				}
				return nil
			})
			if !strings.Contains(out.String(), c.want) {
				t.Errorf("%s: %q, want %q", c.src, out.String(), c.want)
			}
		})
	}
}
