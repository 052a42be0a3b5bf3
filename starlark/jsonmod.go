package starlark

import (
	"bytes"
	"encoding/json"

	rt "github.com/ichor-go/ichor/runtime"
)

// JSONModule returns the module json of starlark-go.
func (th *Thread) JSONModule() (Value, error) {
	return th.NewModule("json", map[string]Func{
		"json.encode": jsonEncode, "json.encode_indent": jsonEncodeIndent,
		"json.decode": jsonDecode, "json.indent": jsonIndent,
	})
}

func indentArgs(th *Thread, c *Call) (prefix, indent string, err error) {
	var p, i Value
	if err := c.Unpack(th, nil, []string{"prefix?", "indent?"}, &p, &i); err != nil {
		return "", "", err
	}
	indent = "\t"
	for _, a := range []struct {
		name string
		v    Value
		to   *string
	}{{"prefix", p, &prefix}, {"indent", i, &indent}} {
		if a.v == 0 {
			continue
		}
		s, ok := th.str(a.v)
		if !ok {
			return "", "", c.parameter(th, a.name, a.v, "string")
		}
		*a.to = s
	}
	return prefix, indent, nil
}

func jsonEncodeIndent(th *Thread, c *Call) (Value, error) {
	prefix, indent, err := indentArgs(th, c)
	if err != nil {
		return 0, err
	}
	v, err := jsonEncode(th, &Call{Name: c.Name, Args: c.Args})
	if err != nil {
		return 0, err
	}
	defer th.drop(v)
	return th.indented(c, v, prefix, indent)
}

func jsonIndent(th *Thread, c *Call) (Value, error) {
	prefix, indent, err := indentArgs(th, c)
	if err != nil {
		return 0, err
	}
	p := Call{Name: c.Name, Args: c.Args}
	if err := p.positional(1, 1); err != nil {
		return 0, err
	}
	if _, err := p.str(th, 0); err != nil {
		return 0, err
	}
	return th.indented(c, c.Args[0], prefix, indent)
}

// indentedBound returns a bound on the length of s with indentation, or more than maxText. Every
// bracket and comma outside strings may begin a line, which is as deep as they are nested.
func indentedBound(s, prefix, indent string) int {
	depth, size := 0, len(s)
	for i := 0; i < len(s) && size <= maxText; i++ {
		switch s[i] {
		case '"':
			for i++; i < len(s) && s[i] != '"'; i++ {
				if s[i] == '\\' {
					i++
				}
			}
			continue
		case '[', '{':
			depth++
		case ']', '}':
			depth = max(depth-1, 0)
		case ',':
		default:
			continue
		}
		size += 1 + len(prefix) + depth*len(indent)
	}
	return size
}

func (th *Thread) indented(c *Call, text Value, prefix, indent string) (Value, error) {
	s := th.text(text)
	th.scan(len(s))
	size := indentedBound(s, prefix, indent)
	if size > maxText {
		return 0, th.limitError(&rt.SizeError{Of: "string", Size: int64(size), Unit: "bytes", Most: maxText})
	}
	if err := th.reserve(2*len(s) + 3*size); err != nil {
		return 0, err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(s), prefix, indent); err != nil {
		return 0, c.error(err)
	}
	return th.newString(b.String())
}
