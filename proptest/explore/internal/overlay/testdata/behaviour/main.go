// Package main prints what each of its cases does. The test builds it as it is and rewritten,
// and compares.
package main

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
)

var cases = map[string]func(){}

func add(name string, f func()) bool { cases[name] = f; return true }

// say prints its arguments and the line of its caller.
func say(args ...any) {
	_, _, line, _ := runtime.Caller(1)
	fmt.Print("\t", line, ": ")
	fmt.Println(args...)
}

// traced prints that it is evaluated.
func traced[T any](name string, v T) T { fmt.Println("\t\teval", name); return v }

func main() {
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		fmt.Println(name)
		func() {
			defer func() {
				if r := recover(); r != nil {
					fmt.Println("\tpanic:", r)
				}
			}()
			cases[name]()
		}()
	}
}
