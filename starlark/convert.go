package starlark

import (
	"fmt"
	"math/big"
	"strings"
)

// FromGo returns the value of v with a count of its own: nil, a bool, an int, an int64, a
// *big.Int, a float64, a string, a []byte, a []any, a map[string]any, in the order of its keys,
// a Host, a Value, of which it takes a count, or a Func, whose name is the word function. See
// Method for a function with a name of its own.
// Attached thread.
func (th *Thread) FromGo(v any) (Value, error) {
	switch v := v.(type) {
	case nil:
		return None, nil
	case Value:
		return th.dup(v), nil
	case bool:
		return mkBool(v), nil
	case int:
		return th.newInt(int64(v))
	case int64:
		return th.newInt(v)
	case *big.Int:
		return th.newBig(v)
	case float64:
		return mkFloat(v), nil
	case string:
		return th.newString(v)
	case []byte:
		return th.newBytes(string(v))
	case []any:
		list, err := th.newList(len(v))
		if err != nil {
			return 0, err
		}
		for i, x := range v {
			e, err := th.FromGo(x)
			if err == nil {
				err = th.listAdd(list, e)
			}
			if err != nil {
				th.drop(list)
				return 0, fmt.Errorf("[%d]: %w", i, err)
			}
		}
		return list, nil
	case map[string]any:
		dict, err := th.newDict(len(v))
		if err != nil {
			return 0, err
		}
		for _, name := range sortedKeys(v) {
			if err := th.setGo(dict, name, v[name]); err != nil {
				th.drop(dict)
				return 0, fmt.Errorf("[%q]: %w", name, err)
			}
		}
		return dict, nil
	case Func:
		return th.NewHost(Method("function", v), nil)
	case Host:
		return th.NewHost(v, nil)
	}
	return 0, fmt.Errorf("a %T is no Starlark value", v)
}

func (th *Thread) setGo(dict Value, name string, v any) error {
	x, err := th.FromGo(v)
	if err != nil {
		return err
	}
	defer th.drop(x)
	k, err := th.newString(name)
	if err != nil {
		return err
	}
	defer th.drop(k)
	_, err = th.tableSet(dict, k, x)
	return err
}

// CallGo calls a function of a module that has run, with arguments as for FromGo, and returns its result as
// ToGo does. Attached thread.
func (th *Thread) CallGo(mod *Module, name string, args ...any) (any, error) {
	fn, err := th.Lookup(mod, name)
	if err != nil {
		return nil, err
	}
	if fn == 0 {
		return nil, fmt.Errorf("%s has no global variable %s", mod.file, name)
	}
	defer th.Drop(fn)
	vs := make([]Value, 0, len(args))
	defer func() { th.dropAll(vs) }()
	for i, a := range args {
		v, err := th.FromGo(a)
		if err != nil {
			return nil, fmt.Errorf("argument %d: %w", i+1, err)
		}
		vs = append(vs, v)
	}
	v, err := th.Call(fn, vs)
	if err != nil {
		return nil, err
	}
	defer th.Drop(v)
	return th.ToGo(v)
}

// ToGo returns a Go value with the contents of v, which is borrowed: nil, a bool, an int64 or a
// *big.Int, a float64, a string, a []byte, a []any for a list, tuple or set, a map[string]any
// for a dict or struct, a Host. Other values, and keys that are no strings, are an error.
// Attached thread.
func (th *Thread) ToGo(v Value) (any, error) { return th.toGo(v, maxNesting) }

func (th *Thread) toGo(v Value, depth int) (any, error) {
	if depth == 0 {
		return nil, errNesting
	}
	switch k := th.kind(v); k {
	case kNone:
		return nil, nil
	case kBool:
		return v == True, nil
	case kInt:
		if n, ok := th.int64(v); ok {
			return n, nil
		}
		return th.big(v), nil
	case kFloat:
		return v.float(), nil
	case kString:
		return strings.Clone(th.text(v)), nil
	case kBytes:
		return []byte(th.text(v)), nil
	case kList, kTuple, kSet:
		items := []any{}
		err := th.each(v, func(x Value) error {
			e, err := th.toGo(x, depth-1)
			if err != nil {
				return fmt.Errorf("[%d]: %w", len(items), err)
			}
			items = append(items, e)
			return nil
		})
		return items, err
	case kDict:
		m := make(map[string]any, th.tableLen(v))
		err := th.each(v, func(key Value) error {
			name, ok := th.str(key)
			if !ok {
				return fmt.Errorf("a key is a %s, want string", th.typeName(key))
			}
			x, err := th.tableGet(v, key)
			if x == 0 || err != nil {
				return err
			}
			x = th.dup(x)
			defer th.drop(x)
			e, err := th.toGo(x, depth-1)
			if err != nil {
				return fmt.Errorf("[%q]: %w", name, err)
			}
			m[strings.Clone(name)] = e
			return nil
		})
		return m, err
	case kStruct:
		m := make(map[string]any, th.structLen(v))
		for i := range th.structLen(v) {
			e, err := th.toGo(th.structAt(v, i), depth-1)
			if err != nil {
				return nil, fmt.Errorf(".%s: %w", th.structName(v, i), err)
			}
			m[strings.Clone(th.structName(v, i))] = e
		}
		return m, nil
	case kHost:
		return th.host(v), nil
	}
	return nil, fmt.Errorf("a %s has no Go value", th.typeName(v))
}
