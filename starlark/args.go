package starlark

import (
	"fmt"
	"strings"
)

// positional checks the number of positional arguments, and that there are no others.
func (c *Call) positional(least, most int) error {
	n := len(c.Args)
	switch {
	case len(c.Kwargs) > 0:
		return fmt.Errorf("%s: unexpected keyword arguments", c.Name)
	case n < least:
		s := ""
		if least < most {
			s = "at least "
		}
		return fmt.Errorf("%s: got %d arguments, want %s%d", c.Name, n, s, least)
	case n > most:
		s := ""
		if most > least {
			s = "at most "
		}
		return fmt.Errorf("%s: got %d arguments, want %s%d", c.Name, n, s, most)
	}
	return nil
}

// arg returns argument i, or 0.
func (c *Call) arg(i int) Value {
	if i < len(c.Args) {
		return c.Args[i]
	}
	return 0
}

func (c *Call) want(th *Thread, i int, what string) error {
	return fmt.Errorf("%s: for parameter %d: got %s, want %s", c.Name, i+1, th.typeName(c.Args[i]), what)
}

// str returns argument i, a string.
func (c *Call) str(th *Thread, i int) (string, error) {
	if s, ok := th.str(c.Args[i]); ok {
		return s, nil
	}
	return "", c.want(th, i, "string")
}

// int returns argument i, an integer, or dflt.
func (c *Call) int(th *Thread, i, dflt int) (int, error) {
	if i >= len(c.Args) {
		return dflt, nil
	}
	n, err := th.asInt64(c.Args[i])
	if err != nil {
		return 0, fmt.Errorf("%s: for parameter %d: %s", c.Name, i+1, err)
	}
	return n, nil
}

// iterable returns argument i, which can be iterated.
func (c *Call) iterable(th *Thread, i int) (Value, error) {
	if !th.iterable(c.Args[i]) {
		return 0, c.want(th, i, "iterable")
	}
	return c.Args[i], nil
}

func (c *Call) error(err error) error { return fmt.Errorf("%s: %w", c.Name, err) }

func (c *Call) errorf(format string, args ...any) error {
	return fmt.Errorf("%s: %s", c.Name, fmt.Sprintf(format, args...))
}

// Unpack stores the arguments in vars by the names of the parameters. A name with ? at its end
// is optional, and so are those behind it; ?? also ignores None. Positional arguments are those
// of args.
func (c *Call) Unpack(th *Thread, args []Value, names []string, vars ...*Value) error {
	if len(args) > len(names) {
		return fmt.Errorf("%s: got %d arguments, want at most %d", c.Name, len(args), len(names))
	}
	given := make([]bool, len(names))
	for i, v := range args {
		given[i] = true
		if strings.HasSuffix(names[i], "??") && v == None {
			continue
		}
		*vars[i] = v
	}
next:
	for _, a := range c.Kwargs {
		for i, n := range names {
			if strings.TrimRight(n, "?") != a.Name {
				continue
			}
			if given[i] {
				return fmt.Errorf("%s: got multiple values for keyword argument %s", c.Name, quoteName(a.Name))
			}
			given[i] = true
			if !strings.HasSuffix(n, "??") || a.Value != None {
				*vars[i] = a.Value
			}
			continue next
		}
		err := fmt.Errorf("%s: unexpected keyword argument %s", c.Name, quoteName(a.Name))
		var plain []string
		for _, n := range names {
			plain = append(plain, strings.TrimRight(n, "?"))
		}
		if n := nearest(a.Name, plain); n != "" {
			err = fmt.Errorf("%s (did you mean %s?)", err, n)
		}
		return err
	}
	for i, n := range names {
		if strings.HasSuffix(n, "?") {
			break
		}
		if !given[i] {
			return fmt.Errorf("%s: missing argument for %s", c.Name, n)
		}
	}
	return nil
}

// parameter returns the error that a parameter has another type.
// The name is quoted if the argument was given by it, as in starlark-go.
func (c *Call) parameter(th *Thread, name string, v Value, what string) error {
	for _, a := range c.Kwargs {
		if a.Name == name {
			name = quoteName(name)
			break
		}
	}
	return fmt.Errorf("%s: for parameter %s: got %s, want %s", c.Name, name, th.typeName(v), what)
}

func (th *Thread) callable(v Value) bool {
	switch th.kind(v) {
	case kFunction, kBuiltin, kMethod:
		return true
	case kHost:
		_, ok := th.host(v).(HostCall)
		return ok
	}
	return false
}
