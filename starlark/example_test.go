package starlark_test

import (
	"context"
	"fmt"
	"os"
	"strings"

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
		who, err := th.FromGo(map[string]any{"name": "you", "numbers": []any{1, 2, 3}})
		if err != nil {
			return err
		}
		defer th.Drop(who)
		v, err := th.Call(th.Global(mod, "greet"), []starlark.Value{who})
		if err != nil {
			return err
		}
		defer th.Drop(v)
		squares, err := th.ToGo(v)
		fmt.Println(squares, err)
		_, err = th.Call(th.Global(mod, "fill"), nil)
		return err
	})
	fmt.Println(err)
	// Output:
	// hello "YOU"
	// [1 4 9] <nil>
	// memory limit exceeded: 16777216 bytes
}
