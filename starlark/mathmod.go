package starlark

import (
	"errors"
	"fmt"
	"math"
)

// floatArg returns argument i, a number, as a float.
func (c *Call) floatArg(th *Thread, i int) (float64, error) {
	v := c.Args[i]
	switch th.kind(v) {
	case kFloat:
		return v.float(), nil
	case kInt:
		return th.intFloat(v), nil
	}
	return 0, c.want(th, i, "float or int")
}

func float1(f func(float64) float64) Func {
	return func(th *Thread, c *Call) (Value, error) {
		if err := c.positional(1, 1); err != nil {
			return 0, err
		}
		x, err := c.floatArg(th, 0)
		return mkFloat(f(x)), err
	}
}

func float2(f func(x, y float64) float64) Func {
	return func(th *Thread, c *Call) (Value, error) {
		if err := c.positional(2, 2); err != nil {
			return 0, err
		}
		x, err := c.floatArg(th, 0)
		if err != nil {
			return 0, err
		}
		y, err := c.floatArg(th, 1)
		return mkFloat(f(x, y)), err
	}
}

func rounded(f func(float64) float64) Func {
	return func(th *Thread, c *Call) (Value, error) {
		if err := c.positional(1, 1); err != nil {
			return 0, err
		}
		x := c.Args[0]
		switch th.kind(x) {
		case kInt:
			return th.dup(x), nil
		case kFloat:
			return th.toInt(mkFloat(f(x.float())))
		}
		return 0, fmt.Errorf("got %s, want float or int", th.typeName(x))
	}
}

func mathLog(th *Thread, c *Call) (Value, error) {
	if err := c.positional(1, 2); err != nil {
		return 0, err
	}
	x, err := c.floatArg(th, 0)
	if err != nil {
		return 0, err
	}
	base := math.E
	if len(c.Args) == 2 {
		if base, err = c.floatArg(th, 1); err != nil {
			return 0, err
		}
	}
	if base == 1 {
		return 0, errors.New("division by zero")
	}
	return mkFloat(math.Log(x) / math.Log(base)), nil
}

// MathModule returns the module math of starlark-go.
func (th *Thread) MathModule() (Value, error) {
	return th.NewModule("math", map[string]Func{
		"ceil": rounded(math.Ceil), "floor": rounded(math.Floor), "log": mathLog,
		"copysign": float2(math.Copysign), "mod": float2(math.Mod), "pow": float2(math.Pow),
		"remainder": float2(math.Remainder), "atan2": float2(math.Atan2), "hypot": float2(math.Hypot),
		"fabs": float1(math.Abs), "round": float1(math.Round), "exp": float1(math.Exp), "sqrt": float1(math.Sqrt),
		"acos": float1(math.Acos), "asin": float1(math.Asin), "atan": float1(math.Atan), "cos": float1(math.Cos),
		"sin": float1(math.Sin), "tan": float1(math.Tan), "acosh": float1(math.Acosh), "asinh": float1(math.Asinh),
		"atanh": float1(math.Atanh), "cosh": float1(math.Cosh), "sinh": float1(math.Sinh), "tanh": float1(math.Tanh),
		"gamma":   float1(math.Gamma),
		"degrees": float1(func(x float64) float64 { return 360 * x / (2 * math.Pi) }),
		"radians": float1(func(x float64) float64 { return 2 * math.Pi * x / 360 }),
	}, Kwarg{"e", mkFloat(math.E)}, Kwarg{"pi", mkFloat(math.Pi)})
}
