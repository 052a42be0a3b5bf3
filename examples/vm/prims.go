package main

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// prim is a primitive operation of the language. Its arguments are borrowed from the stack,
// which owns them until the operation ends, so they stay good across safe points. It
// returns a new reference. If it fails, it has changed nothing.
type prim struct {
	name     string
	min, max int // arguments
	call     func(k *task, a []rt.Ref) (rt.Ref, error)
}

func (p *prim) arity() string {
	switch p.max {
	case p.min:
		return fmt.Sprintf("%d arguments", p.min)
	case many:
		return fmt.Sprintf("%d arguments or more", p.min)
	}
	return fmt.Sprintf("%d to %d arguments", p.min, p.max)
}

const many = math.MaxUint16

var prims []prim

// primNumber returns the number of a primitive, or -1.
func primNumber(name string) int {
	return slices.IndexFunc(prims, func(p prim) bool { return p.name == name })
}

func init() { // not an initializer: primitives run tasks, which refer to prims
	prims = []prim{
		{"+", 2, 2, arithmetic(func(a, b int64) (int64, bool) { return a + b, (a+b > a) == (b > 0) })},
		{"-", 2, 2, arithmetic(func(a, b int64) (int64, bool) { return a - b, (a-b < a) == (b > 0) })},
		{"*", 2, 2, arithmetic(func(a, b int64) (int64, bool) {
			c := a * b
			return c, a == 0 || c/a == b && (a != -1 || b != math.MinInt64)
		})},
		{"/", 2, 2, quotient(func(a, b int64) int64 { return a / b })},
		{"%", 2, 2, quotient(func(a, b int64) int64 { return a % b })},
		{"<", 2, 2, less},
		{"=", 2, 2, func(k *task, a []rt.Ref) (rt.Ref, error) { return rt.Bool(equal(k.t, a[0], a[1])), nil }},
		{"not", 1, 1, func(_ *task, a []rt.Ref) (rt.Ref, error) { return rt.Bool(!truth(a[0])), nil }},

		{"print", 0, many, printAll},
		{"str", 0, many, func(k *task, a []rt.Ref) (rt.Ref, error) {
			text, err := show(k.t, a, "")
			if err != nil {
				return rt.Nil, err
			}
			return objects.NewString(k.t, text)
		}},
		{"split", 1, 1, split},
		{"len", 1, 1, length},

		{"list", 0, many, func(k *task, a []rt.Ref) (rt.Ref, error) { return objects.NewList(k.t, a...) }},
		{"push", 2, 2, func(k *task, a []rt.Ref) (rt.Ref, error) {
			return rt.None, objects.List(a[0]).Append(k.t, a[1])
		}},
		{"dict", 0, many, newDict},
		{"keys", 1, 1, keys},
		{"get", 2, 3, get},
		{"put", 3, 3, put},

		{"cell", 1, 1, func(k *task, a []rt.Ref) (rt.Ref, error) { return objects.NewCell(k.t, a[0]) }},
		{"load", 1, 1, func(k *task, a []rt.Ref) (rt.Ref, error) { return objects.Cell(a[0]).Load(k.t) }},
		{"cas", 3, 3, func(k *task, a []rt.Ref) (rt.Ref, error) {
			done, err := objects.Cell(a[0]).CompareAndSwap(k.t, a[1], a[2])
			return rt.Bool(done), err
		}},

		{"weak", 1, 1, func(k *task, a []rt.Ref) (rt.Ref, error) { return objects.NewWeak(k.t, a[0]) }},
		{"target", 1, 1, target},

		{"spawn", 1, many, func(k *task, a []rt.Ref) (rt.Ref, error) { return k.spawn(a[0], a[1:]) }},
		{"join", 1, 1, func(k *task, a []rt.Ref) (rt.Ref, error) { return k.join(a[0]) }},
		{"immortal", 1, 1, immortal},
	}
}

func kindName(t *rt.Thread, r rt.Ref) string { return t.TypeOf(r).Name }

func ints(t *rt.Thread, a []rt.Ref) (x, y int64, err error) {
	x, ok := objects.Int(a[0]).Value(t)
	if !ok {
		return 0, 0, t.WantType(a[0], rt.TypeInt)
	}
	if y, ok = objects.Int(a[1]).Value(t); !ok {
		return 0, 0, t.WantType(a[1], rt.TypeInt)
	}
	return x, y, nil
}

// arithmetic makes a primitive from a function that also reports whether its result is
// exact.
func arithmetic(fn func(a, b int64) (int64, bool)) func(*task, []rt.Ref) (rt.Ref, error) {
	return func(k *task, a []rt.Ref) (rt.Ref, error) {
		x, y, err := ints(k.t, a)
		if err != nil {
			return rt.Nil, err
		}
		z, ok := fn(x, y)
		if !ok {
			return rt.Nil, errors.New("the result takes more than 64 bits")
		}
		return objects.NewInt(k.t, z)
	}
}

func quotient(fn func(a, b int64) int64) func(*task, []rt.Ref) (rt.Ref, error) {
	return func(k *task, a []rt.Ref) (rt.Ref, error) {
		x, y, err := ints(k.t, a)
		switch {
		case err != nil:
			return rt.Nil, err
		case y == 0:
			return rt.Nil, errors.New("division by zero")
		case x == math.MinInt64 && y == -1:
			return rt.Nil, errors.New("the result takes more than 64 bits")
		}
		return objects.NewInt(k.t, fn(x, y))
	}
}

func less(k *task, a []rt.Ref) (rt.Ref, error) {
	x, y, err := ints(k.t, a)
	return rt.Bool(x < y), err
}

// equal compares ints and strings by value, and all else by identity.
func equal(t *rt.Thread, a, b rt.Ref) bool {
	if x, ok := objects.Int(a).Value(t); ok {
		y, ok := objects.Int(b).Value(t)
		return ok && x == y
	}
	if x, ok := objects.String(a).View(t); ok {
		y, ok := objects.String(b).View(t)
		return ok && x == y
	}
	return a == b
}

// show returns values as text: strings as they are, functions as "fn", all else as JSON.
func show(t *rt.Thread, values []rt.Ref, between string) (string, error) {
	var text []byte
	for i, v := range values {
		if i > 0 {
			text = append(text, between...)
		}
		var err error
		if s, ok := objects.String(v).View(t); ok {
			text = append(text, s...)
		} else if _, ok := fnCode(t, v); ok {
			text = append(text, "fn"...)
		} else if text, err = objects.AppendJSON(t, text, v); err != nil {
			return "", err
		}
	}
	return string(text), nil
}

func printAll(k *task, a []rt.Ref) (rt.Ref, error) {
	line, err := show(k.t, a, " ")
	if err == nil {
		err = k.print(line)
	}
	return rt.None, err
}

// split returns the words of a text.
func split(k *task, a []rt.Ref) (list rt.Ref, err error) {
	text, ok := objects.String(a[0]).View(k.t)
	if !ok {
		return rt.Nil, k.t.WantType(a[0], rt.TypeString)
	}
	err = k.t.Scope(func(s *rt.Scope) { // if memory runs out midway, the scope gives up the list
		words := rt.Own(objects.NewList(k.t)).In(s)
		for word := range strings.FieldsSeq(text) {
			s.Check(words.Append(k.t, s.Own(objects.Intern(k.t, word))))
		}
		list = s.Keep(words)
	})
	return list, err
}

func length(k *task, a []rt.Ref) (rt.Ref, error) {
	var n int
	switch k.t.Kind(a[0]) {
	case rt.TypeList:
		n = objects.List(a[0]).Len(k.t)
	case rt.TypeDict:
		n = objects.Dict(a[0]).Len(k.t)
	case rt.TypeString:
		text, _ := objects.String(a[0]).View(k.t)
		n = len(text)
	default:
		return rt.Nil, fmt.Errorf("%s has no length", kindName(k.t, a[0]))
	}
	return objects.NewInt(k.t, int64(n))
}

func newDict(k *task, a []rt.Ref) (dict rt.Ref, err error) {
	if len(a)%2 != 0 {
		return rt.Nil, errors.New("a key has no value")
	}
	err = k.t.Scope(func(s *rt.Scope) {
		d := rt.Own(objects.NewDict(k.t)).In(s)
		for i := 0; i < len(a); i += 2 {
			s.Check(d.Set(k.t, a[i], a[i+1]))
		}
		dict = s.Keep(d)
	})
	return dict, err
}

func keys(k *task, a []rt.Ref) (list rt.Ref, err error) {
	if k.t.Kind(a[0]) != rt.TypeDict {
		return rt.Nil, k.t.WantType(a[0], rt.TypeDict)
	}
	err = k.t.Scope(func(s *rt.Scope) {
		l := rt.Own(objects.NewList(k.t)).In(s)
		for key := range objects.Dict(a[0]).All(k.t) {
			s.Check(l.Append(k.t, key))
		}
		list = s.Keep(l)
	})
	return list, err
}

// get returns an item of a list, or a value of a dict. A third argument is the result for a
// missing key.
func get(k *task, a []rt.Ref) (rt.Ref, error) {
	if k.t.Kind(a[0]) == rt.TypeList {
		i, ok := objects.Int(a[1]).Value(k.t)
		if !ok {
			return rt.Nil, k.t.WantType(a[1], rt.TypeInt)
		}
		return objects.List(a[0]).Get(k.t, int(max(min(i, math.MaxInt32), math.MinInt32)))
	}
	r, err := objects.Dict(a[0]).Get(k.t, a[1])
	var missing *objects.KeyError
	if len(a) == 3 && errors.As(err, &missing) {
		k.t.IncRef(a[2])
		return a[2], nil
	}
	return r, err
}

func put(k *task, a []rt.Ref) (rt.Ref, error) {
	if k.t.Kind(a[0]) == rt.TypeList {
		i, ok := objects.Int(a[1]).Value(k.t)
		if !ok {
			return rt.Nil, k.t.WantType(a[1], rt.TypeInt)
		}
		return rt.None, objects.List(a[0]).Set(k.t, int(max(min(i, math.MaxInt32), math.MinInt32)), a[2])
	}
	return rt.None, objects.Dict(a[0]).Set(k.t, a[1], a[2])
}

// target returns the target of a weak reference, or nil if the target has died.
func target(k *task, a []rt.Ref) (rt.Ref, error) {
	if k.t.Kind(a[0]) != rt.TypeWeak {
		return rt.Nil, k.t.WantType(a[0], rt.TypeWeak)
	}
	if r, alive := objects.Weak(a[0]).Get(k.t); alive {
		return r, nil
	}
	return rt.None, nil
}

// immortal makes a value immortal, with everything reachable from it, and returns the
// value.
func immortal(k *task, a []rt.Ref) (rt.Ref, error) {
	err := k.t.Immortalize(a[0]) // a safe point: the stack owns the value
	k.t.IncRef(a[0])             // for the result; does nothing, as the value is immortal
	return a[0], err
}
