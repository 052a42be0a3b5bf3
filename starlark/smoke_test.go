package starlark

import "testing"

func TestSmoke(t *testing.T) {
	m := open(t, Options{})
	do(t, m, func(th *Thread) error {
		_, err := th.Exec("x.star", "print(1+2)\ndef f(a, b=2):\n  return [a, b]\nprint(f(1))\nprint([x*x for x in range(5)])\n")
		if e, ok := err.(*EvalError); ok {
			t.Log(e.Backtrace())
		}
		return err
	})
}
