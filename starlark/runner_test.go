package starlark

import (
	"strings"
	"testing"
)

// The runner reports a failed assertion, an error that nobody expects, another error than the
// expected one, and an expected error that does not come.
func TestChunksReport(t *testing.T) {
	dir, err := suite()
	if err != nil {
		t.Skip(err)
	}
	for _, c := range []struct{ src, want string }{
		{"load('assert.star', 'assert')\nassert.eq(1, 2)\n", "1 != 2"},
		{"x = 1 // 0\n", "unexpected error: floored division by zero"},
		{"x = 1 // 0 ### \"other\"\n", "does not match"},
		{"x = 1\n---\nx = 1 ### \"never\"\n", "f.star:3: expected an error"},
	} {
		m := open(t, Options{Load: loader(t, dir)})
		do(t, m, func(th *Thread) error {
			problems := runFile(th, "f.star", c.src)
			if len(problems) != 1 || !strings.Contains(problems[0], c.want) {
				t.Errorf("%q: %q, want %s", c.src, problems, c.want)
			}
			return nil
		})
	}
}
