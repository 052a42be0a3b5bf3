package starlark

import (
	"math"
	"math/big"
	"reflect"
	"testing"
)

// What FromGo makes of a value, ToGo gives back.
func TestConvert(t *testing.T) {
	huge := new(big.Int).Lsh(big.NewInt(1), 100)
	for _, v := range []any{
		nil, true, int64(1), int64(-1 << 62), int64(math.MinInt64), int64(math.MaxInt64), int64(1 << 48), int64(-1<<47 - 1), huge,
		new(big.Int).Lsh(big.NewInt(1), 63), new(big.Int).Neg(huge), 1.5, "text", []byte("bytes"), []any{int64(1), "a", []any{}},
		map[string]any{"a": int64(1), "b": map[string]any{"c": nil}}, duration(5),
	} {
		m := open(t, Options{})
		do(t, m, func(th *Thread) error {
			x, err := th.FromGo(v)
			if err != nil {
				return err
			}
			defer th.Drop(x)
			got, err := th.ToGo(x)
			if err != nil || !reflect.DeepEqual(got, v) {
				t.Errorf("%v: got %v, %v", v, got, err)
			}
			return nil
		})
	}
	m := open(t, Options{})
	do(t, m, func(th *Thread) error {
		for _, v := range []any{struct{}{}, []any{struct{}{}}, map[string]any{"a": make(chan int)}} {
			if x, err := th.FromGo(v); err == nil {
				t.Errorf("%T became %s", v, th.Repr(x))
			}
		}
		for _, src := range []string{"{1: 2}", "len", "[range]"} {
			v, err := th.Eval("e.star", src, nil)
			if err != nil {
				return err
			}
			if x, err := th.ToGo(v); err == nil {
				t.Errorf("%s became %v", src, x)
			}
			th.Drop(v)
		}
		return nil
	})
}

// CallGo calls a function with Go values, and says what is wrong.
func TestCallGo(t *testing.T) {
	m := open(t, Options{})
	do(t, m, func(th *Thread) error {
		mod, err := th.Exec("c.star", "def f(*a):\n    return {'a': a}\ndef g(x):\n    return x()\nh = 1\n")
		if err != nil {
			return err
		}
		defer th.Clear(mod)
		got, err := th.CallGo(mod, "f", 1, "b", []any{nil})
		if want := (map[string]any{"a": []any{int64(1), "b", []any{nil}}}); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("f: %v, %v, want %v", got, err, want)
		}
		seven := Func(func(th *Thread, c *Call) (Value, error) { return Int(7), nil })
		before := m.Runtime().Memory()
		for range 1000 {
			if got, err := th.CallGo(mod, "g", seven); got != int64(7) || err != nil {
				t.Errorf("g: %v, %v", got, err)
			}
		}
		if after := m.Runtime().Memory(); after.Immortals != before.Immortals || len(m.builtinList()) > 200 {
			t.Errorf("%d immortal objects, before %d; %d builtins", after.Immortals, before.Immortals, len(m.builtinList()))
		}
		for _, c := range []struct {
			name string
			arg  any
			want string
		}{
			{"nosuch", 1, "c.star has no global variable nosuch"},
			{"f", struct{}{}, "argument 1: a struct {} is no Starlark value"},
			{"g", 1, "invalid call of non-function (int)"},
			{"h", 1, "invalid call of non-function (int)"},
		} {
			if got, err := th.CallGo(mod, c.name, c.arg); err == nil || err.Error() != c.want {
				t.Errorf("%s(%v): %v, %v, want %s", c.name, c.arg, got, err, c.want)
			}
		}
		return nil
	})
}

// Integers of all sizes are ordered.
func TestIntegerOrder(t *testing.T) {
	var sorted []*big.Int
	for bits := uint(46); bits < 70; bits++ {
		for d := int64(-1); d <= 1; d++ {
			n := new(big.Int).Lsh(big.NewInt(1), bits)
			n.Add(n, big.NewInt(d))
			sorted = append(sorted, n, new(big.Int).Neg(n))
		}
	}
	sorted = append(sorted, big.NewInt(0))
	m := open(t, Options{})
	do(t, m, func(th *Thread) error {
		values := make([]Value, len(sorted))
		for i, n := range sorted {
			v, err := th.FromGo(n)
			if err != nil {
				return err
			}
			defer th.Drop(v)
			values[i] = v
		}
		for i, a := range sorted {
			for j, b := range sorted {
				if got := th.compareInts(values[i], values[j]); got != a.Cmp(b) {
					t.Errorf("%d compared with %d is %d, want %d", a, b, got, a.Cmp(b))
				}
				x, err := th.hash(values[i])
				y, err2 := th.hash(values[j])
				if err != nil || err2 != nil || a.Cmp(b) == 0 && x != y {
					t.Errorf("%d has the hashes %d and %d, %v, %v", a, x, y, err, err2)
				}
			}
			f, _ := new(big.Float).SetInt(a).Float64()
			if exact, accuracy := big.NewFloat(f).Int(nil); accuracy == big.Exact && exact.Cmp(a) == 0 {
				x, _ := th.hash(values[i])
				if y, _ := th.hash(mkFloat(f)); x != y {
					t.Errorf("%d has another hash than the float %g", a, f)
				}
			}
		}
		return nil
	})
}
