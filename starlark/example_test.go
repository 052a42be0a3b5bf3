package starlark_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ichor-go/ichor/starlark"
)

// A host function, a module, a call with values from Go, and a limit.
func Example() {
	m, err := starlark.New(starlark.Options{Memory: 16 << 20, Output: os.Stdout})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close()
	_ = m.Builtin("shout", func(th *starlark.Thread, c *starlark.Call) (starlark.Value, error) {
		return th.FromGo(strings.ToUpper(th.Repr(c.Args[0])))
	})
	err = m.Do(context.Background(), func(th *starlark.Thread) error {
		mod, err := th.Exec("greet.star", `
def greet(who):
    print("hello", shout(who["name"]))
    return [n * n for n in who["numbers"]]
def fill():
    return ["x" * i for i in range(1000000)]
`)
		if err != nil {
			return err
		}
		defer th.Clear(mod)
		squares, err := th.CallGo(mod, "greet", map[string]any{"name": "you", "numbers": []any{1, 2, 3}})
		fmt.Println(squares, err)
		_, err = th.CallGo(mod, "fill")
		return err
	})
	fmt.Println(err)
	// Output:
	// hello "YOU"
	// [1 4 9] <nil>
	// memory limit exceeded: 16777216 bytes
}

// account is a value of the host: an attribute, and a method. Several threads may use it.
type account struct{ cents atomic.Int64 }

func (a *account) Type() string        { return "account" }
func (a *account) String() string      { return "<account>" }
func (a *account) AttrNames() []string { return []string{"cents", "pay"} }

func (a *account) Attr(th *starlark.Thread, name string) (starlark.Value, error) {
	switch name {
	case "cents":
		return th.FromGo(a.cents.Load())
	case "pay":
		return th.FromGo(starlark.Method(name, func(th *starlark.Thread, c *starlark.Call) (starlark.Value, error) {
			var cents starlark.Value
			if err := c.Unpack(th, c.Args, []string{"cents"}, &cents); err != nil {
				return 0, err
			}
			n, err := th.ToGo(cents)
			if i, ok := n.(int64); ok && err == nil {
				return th.FromGo(a.cents.Add(i))
			}
			return 0, fmt.Errorf("pay: got %s, want int", th.Repr(cents))
		}))
	}
	return 0, nil // the machine says that there is no such attribute
}

// A value of the host with attributes, which two threads use at the same time.
func ExampleHost() {
	m, err := starlark.New(starlark.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close()
	a := &account{}
	var mod *starlark.Module
	err = m.Do(context.Background(), func(th *starlark.Thread) (err error) {
		mod, err = th.Exec("pay.star", "def pay(to):\n    for i in range(100):\n        to.pay(5)\n    return to.cents >= 500\n")
		return err
	})
	if err == nil {
		err = m.Run(context.Background(), 2, func(th *starlark.Thread, i int) error {
			enough, err := th.CallGo(mod, "pay", a)
			if enough != true {
				return errors.Join(err, errors.New("some payments are missing"))
			}
			return err
		})
	}
	fmt.Println(a.cents.Load(), err)
	err = m.Do(context.Background(), func(th *starlark.Thread) error {
		defer th.Clear(mod)
		_, err := th.CallGo(mod, "pay", 1)
		return err
	})
	fmt.Println(err)
	// Output:
	// 1000 <nil>
	// int has no .pay field or method
}

// The end of the context ends a program.
func ExampleMachine_Do() {
	m, err := starlark.New(starlark.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close()
	ctx, cancel := context.WithTimeoutCause(context.Background(), 10*time.Millisecond, errors.New("it takes too long"))
	defer cancel()
	err = m.Do(ctx, func(th *starlark.Thread) error {
		_, err := th.Exec("loop.star", "def loop():\n    for i in range(1 << 60):\n        pass\nloop()\n")
		return err
	})
	var e *starlark.EvalError
	if errors.As(err, &e) {
		fmt.Println(e.Backtrace())
	}
	// Output:
	// Traceback (most recent call last):
	//   loop.star:4:5: in <toplevel>
	//   loop.star:2:5: in loop
	// Error: Starlark computation cancelled: it takes too long
}
