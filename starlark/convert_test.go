package starlark

import (
	"math/big"
	"reflect"
	"testing"
)

// What FromGo makes of a value, ToGo gives back.
func TestConvert(t *testing.T) {
	huge := new(big.Int).Lsh(big.NewInt(1), 100)
	for _, v := range []any{
		nil, true, int64(1), int64(-1 << 62), huge, 1.5, "text", []byte("bytes"), []any{int64(1), "a", []any{}},
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
