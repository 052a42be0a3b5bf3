package starlark

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// interpolate returns format % x.
func (th *Thread) interpolate(format string, x Value) (Value, error) {
	w := writer{th: th}
	defer w.abandon()
	held := th.held
	defer func() { th.release(held) }()
	k := th.kind(x)
	nargs, index := 1, 0
	if k == kTuple {
		nargs = th.tupleLen(x)
	}
	for {
		i := strings.IndexByte(format, '%')
		if i < 0 {
			w.str(format)
			break
		}
		w.str(format[:i])
		format = format[i+1:]
		if format != "" && format[0] == '%' {
			w.char('%')
			format = format[1:]
			continue
		}
		var arg Value
		if format != "" && format[0] == '(' {
			key, rest, ok := strings.Cut(format[1:], ")")
			if !ok {
				return 0, fmt.Errorf("incomplete format key")
			}
			if k != kDict {
				return 0, fmt.Errorf("format requires a mapping")
			}
			name, err := th.newString(key)
			if err != nil {
				return 0, err
			}
			arg, err = th.tableGet(x, name)
			th.drop(name)
			if err != nil {
				return 0, err
			}
			if arg == 0 {
				return 0, fmt.Errorf("key not found: %s", brief(key))
			}
			format = rest
		} else {
			if index >= nargs {
				return 0, fmt.Errorf("not enough arguments for format string")
			}
			arg = x
			if k == kTuple {
				arg = th.tupleAt(x, index)
			}
		}
		if format == "" {
			return 0, fmt.Errorf("incomplete format")
		}
		if err := th.work(); err != nil {
			return 0, err
		}
		if err := w.convert(format[0], arg); err != nil {
			return 0, err
		}
		format = format[1:]
		index++
	}
	if index < nargs && k != kDict {
		return 0, fmt.Errorf("too many arguments for format string")
	}
	return w.done()
}

// convert writes arg as %c does, for the letter c.
func (w *writer) convert(c byte, arg Value) error {
	th := w.th
	switch c {
	case 's':
		w.display(arg)
	case 'r':
		w.value(arg)
	case 'd', 'i', 'o', 'x', 'X':
		v, err := th.toInt(arg)
		if err != nil {
			return fmt.Errorf("%%%c format requires integer: %v", c, err)
		}
		defer th.drop(v)
		var n any = v.int()
		if !v.isInt() {
			n = th.big(v)
		}
		switch c {
		case 'd', 'i':
			w.int(v)
		default:
			if err := th.reserve(2 * th.bigBits(v)); err != nil {
				return err
			}
			w.str(fmt.Sprintf("%"+string(c), n))
		}
	case 'e', 'f', 'g', 'E', 'F', 'G':
		switch {
		case arg.isFloat():
			w.str(formatFloat(arg.float(), c))
		case th.kind(arg) == kInt:
			w.str(formatFloat(th.intFloat(arg), c))
		default:
			return fmt.Errorf("%%%c format requires float, not %s", c, th.typeName(arg))
		}
	case 'c':
		if th.kind(arg) == kInt {
			n, err := th.asInt(arg)
			if err != nil || n < 0 || n > unicode.MaxRune {
				return fmt.Errorf("%%c format requires a valid Unicode code point, got %s", th.intString(arg))
			}
			w.rune(rune(n))
			return nil
		}
		s, ok := th.str(arg)
		if !ok {
			return fmt.Errorf("%%c format requires int or single-character string, not %s", th.typeName(arg))
		}
		r, size := utf8.DecodeRuneInString(s)
		if size != len(s) || s == "" {
			return fmt.Errorf("%%c format requires a single-character string")
		}
		w.rune(r)
	case '%':
		w.char('%')
	default:
		return fmt.Errorf("unknown conversion %%%c", c)
	}
	return nil
}

// stringFormat is string.format.
func stringFormat(th *Thread, c *Call) (Value, error) {
	format := th.text(c.Recv)
	w := writer{th: th}
	defer w.abandon()
	var auto, manual bool
	index := 0
	for {
		literal := format
		i := strings.IndexByte(format, '{')
		if i >= 0 {
			literal = format[:i]
		}
		for {
			j := strings.IndexByte(literal, '}')
			if j < 0 {
				w.str(literal)
				break
			}
			if len(literal) == j+1 || literal[j+1] != '}' {
				return 0, fmt.Errorf("format: single '}' in format")
			}
			w.str(literal[:j+1])
			literal = literal[j+2:]
		}
		if i < 0 {
			return w.done()
		}
		if i+1 < len(format) && format[i+1] == '{' {
			w.char('{')
			format = format[i+2:]
			continue
		}
		field, rest, ok := strings.Cut(format[i+1:], "}")
		if !ok {
			return 0, fmt.Errorf("format: unmatched '{' in format")
		}
		format = rest
		if err := th.work(); err != nil {
			return 0, err
		}
		conv, spec := "s", ""
		name, after, bang := strings.Cut(field, "!")
		if bang {
			conv, spec, _ = strings.Cut(after, ":")
		} else {
			name, spec, _ = strings.Cut(field, ":")
		}
		var arg Value
		if name == "" {
			if manual {
				return 0, fmt.Errorf("format: cannot switch from manual field specification to automatic field numbering")
			}
			auto = true
			if index >= len(c.Args) {
				return 0, fmt.Errorf("format: tuple index out of range")
			}
			arg = c.Args[index]
			index++
		} else if n, ok := decimal(name); ok {
			if auto {
				return 0, fmt.Errorf("format: cannot switch from automatic field numbering to manual field specification")
			}
			manual = true
			if n >= len(c.Args) {
				return 0, fmt.Errorf("format: tuple index out of range")
			}
			arg = c.Args[n]
		} else {
			th.charge(len(c.Kwargs) >> 4)
			for _, a := range c.Kwargs {
				if a.Name == name {
					arg = a.Value
					break
				}
			}
			if arg == 0 {
				switch {
				case strings.Contains(name, "."):
					return 0, fmt.Errorf("format: attribute syntax x.y is not supported in replacement fields: %s", brief(name))
				case strings.Contains(name, "["):
					return 0, fmt.Errorf("format: element syntax a[i] is not supported in replacement fields: %s", brief(name))
				case strings.Contains(name, "{"):
					return 0, fmt.Errorf("format: nested replacement fields not supported")
				}
				return 0, fmt.Errorf("format: keyword %s not found", brief(name))
			}
		}
		if spec != "" {
			return 0, fmt.Errorf("format spec features not supported in replacement fields: %s", brief(spec))
		}
		switch conv {
		case "s":
			w.display(arg)
		case "r":
			w.value(arg)
		default:
			return 0, fmt.Errorf("format: unknown conversion %q", brief(conv))
		}
	}
}

// decimal returns the number that consists of the digits s.
func decimal(s string) (int, bool) {
	x := 0
	for i := range len(s) {
		d := s[i] - '0'
		if d > 9 {
			return 0, false
		}
		if x = x*10 + int(d); x < 0 {
			return 0, false
		}
	}
	return x, true
}
