package command

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// valueFlag is a flag with a value.
type valueFlag struct {
	several bool // takes all values up to the next flag
	empty   bool // its value may be empty
}

// valueFlags are the flags with values of all commands.
func valueFlags(model *kong.Application) map[string]valueFlag {
	flags := map[string]valueFlag{}
	for _, leaf := range model.Leaves(false) {
		for _, group := range leaf.AllFlags(false) {
			for _, f := range group {
				if !f.IsBool() {
					flags[f.Name] = valueFlag{several: f.IsSlice() && f.Tag.Sep == -1, empty: f.Tag.Has("empty")}
				}
			}
		}
	}
	return flags
}

// goFlags turns flags in the style of the go tool into those of kong. It makes --name of -name. It
// joins a value to its flag with an equals sign, since kong would take a value such as -1s for
// another flag. If a flag has several values, it repeats the flag for each.
func goFlags(args []string, flags map[string]valueFlag) ([]string, error) {
	var out []string
	for i := 0; i < len(args); i++ {
		name, value, joined := strings.Cut(args[i], "=")
		name = strings.TrimPrefix(strings.TrimPrefix(name, "-"), "-")
		flag, known := flags[name]
		switch {
		case args[i] == "--":
			return append(out, args[i:]...), nil
		case !isFlag(args[i]):
			out = append(out, args[i])
			continue
		case name == "h":
			out = append(out, "--help")
			continue
		case !known:
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
		for flag.several && i+1 < len(args) && !isFlag(args[i+1]) {
			i++
			values = append(values, args[i])
		}
		for _, v := range values {
			if v == "" && !flag.empty {
				return nil, fmt.Errorf("flag -%s needs a value", name)
			}
			out = append(out, "--"+name+"="+v)
		}
	}
	return out, nil
}

// isFlag reports whether arg is -x or --x, and not a negative number.
func isFlag(arg string) bool {
	name := strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-")
	return arg != name && (name == "" && arg == "--" || name != "" && (name[0] < '0' || name[0] > '9'))
}
