package main

import (
	"fmt"
	"slices"
	"strings"
)

// valueFlags take a value. kong would read a value that begins with a dash, such
// as -1s, as another flag, so goFlags joins name and value.
var valueFlags = []string{"benchtime", "count", "cpuprofile", "format", "input", "mode", "o", "plot", "plots", "progress", "requests", "scenario", "size", "threads", "trace", "workers"}

// goFlags turns the go tool's flags into kong's: -name becomes --name, a value that
// follows joins its name, and the files after -input get an --input each, up to
// the next flag.
func goFlags(args []string) ([]string, error) {
	var out []string
	for i := 0; i < len(args); i++ {
		name, value, joined := strings.Cut(args[i], "=")
		name = strings.TrimPrefix(strings.TrimPrefix(name, "-"), "-")
		switch {
		case args[i] == "--":
			return append(out, args[i:]...), nil
		case !isFlag(args[i]):
			out = append(out, args[i])
			continue
		case name == "h":
			out = append(out, "--help")
			continue
		case !slices.Contains(valueFlags, name):
			out = append(out, "--"+strings.TrimLeft(args[i], "-"))
			continue
		}
		values := []string{value}
		if !joined {
			if i+1 == len(args) || isFlag(args[i+1]) {
				return nil, fmt.Errorf("flag -%s needs a value", name)
			}
			i++
			values[0] = args[i]
		}
		for name == "input" && i+1 < len(args) && !isFlag(args[i+1]) {
			i++
			values = append(values, args[i])
		}
		for _, v := range values {
			if v == "" && name != "plot" { // for which it is "none"
				return nil, fmt.Errorf("flag -%s needs a value", name)
			}
			out = append(out, "--"+name+"="+v)
		}
	}
	return out, nil
}

// isFlag reports whether arg is -x or --x, and no negative number.
func isFlag(arg string) bool {
	name := strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-")
	return arg != name && (name == "" && arg == "--" || name != "" && (name[0] < '0' || name[0] > '9'))
}
