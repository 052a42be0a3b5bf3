package starlark

import (
	"fmt"
	"strings"
)

// MakeStruct is the function struct(**kwargs).
func MakeStruct(th *Thread, c *Call) (Value, error) {
	if len(c.Args) > 0 {
		return 0, fmt.Errorf("struct: unexpected positional arguments")
	}
	return th.newStruct(structType, th.m.structName, c.Kwargs)
}

// MakeModule is the function module(name, **kwargs).
func MakeModule(th *Thread, c *Call) (Value, error) {
	p := Call{Name: c.Name, Args: c.Args}
	if err := p.positional(1, 1); err != nil {
		return 0, err
	}
	if _, err := p.str(th, 0); err != nil {
		return 0, err
	}
	return th.newStruct(moduleType, c.Args[0], c.Kwargs)
}

// NewModule returns a module with functions and other members, which are borrowed. It is
// immortal. A function json.encode is the member encode.
func (th *Thread) NewModule(name string, fns map[string]Func, members ...Kwarg) (v Value, err error) {
	for _, n := range sortedKeys(fns) {
		f, err := th.NewBuiltin(n, fns[n])
		if err != nil {
			return 0, err
		}
		members = append(members, Kwarg{n[strings.LastIndexByte(n, '.')+1:], f})
	}
	err = th.immortally(func() error {
		s, err := th.newString(name)
		if err == nil {
			v, err = th.newStruct(moduleType, s, members)
		}
		return err
	})
	return v, err
}

// Struct returns a struct with the fields, whose values are borrowed.
func (th *Thread) Struct(fields ...Kwarg) (Value, error) {
	return MakeStruct(th, &Call{Name: "struct", Kwargs: fields})
}
