// Command greet is the program of the README: it runs a function of a Starlark program.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/ichor-go/ichor/starlark"
)

func main() {
	m, err := starlark.New(starlark.Options{Memory: 16 << 20})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	err = m.Do(context.Background(), func(th *starlark.Thread) error {
		mod, err := th.Exec("greet.star", "def greet(who, n):\n    return ['hello ' + who] * n\n")
		if err != nil {
			return err
		}
		defer th.Clear(mod)
		v, err := th.CallGo(mod, "greet", "you", 2)
		fmt.Println(v)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
}
