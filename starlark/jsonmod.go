package starlark

import (
	"bytes"
	"encoding/json"
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

func (th *Thread) indented(c *Call, text Value, prefix, indent string) (Value, error) {
	s := th.text(text)
	// Each byte can begin a line as deep as the nesting.
	depth, deepest, breaks := 0, 0, 0
	for i := range len(s) {
		switch s[i] {
		case '[', '{':
			depth++
			breaks++
			deepest = max(deepest, depth)
		case ']', '}':
			depth--
			breaks++
		case ',':
			breaks++
		}
	}
	if err := th.reserve(2*len(s) + 3*(len(s)+breaks*(len(prefix)+deepest*len(indent)+1))); err != nil {
		return 0, err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(s), prefix, indent); err != nil {
		return 0, c.error(err)
	}
	return th.newString(b.String())
}
