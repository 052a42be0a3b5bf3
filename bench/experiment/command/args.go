package command

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// valueFlag is a flag that takes a value.
type valueFlag struct {
	several bool // values up to the next flag
	empty   bool // also one without text
}

// valueFlags are those of all commands.
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

// goFlags turns the go tool's flags into kong's: -name becomes --name, a value that follows
// joins its name, since kong would read one that begins with a dash, such as -1s, as another
// flag, and of several values each gets a name.
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

// isFlag reports whether arg is -x or --x, and no negative number.
func isFlag(arg string) bool {
	name := strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-")
	return arg != name && (name == "" && arg == "--" || name != "" && (name[0] < '0' || name[0] > '9'))
}
