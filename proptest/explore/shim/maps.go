package shim

import (
	"cmp"
	"reflect"
	"slices"
)

// MapIter goes through a map. Entries that are removed before their turn are left out, and
// entries that are added meanwhile are not reached.
type MapIter[K comparable, V any] struct {
	Key   K
	Value V
	m     map[K]V
	keys  []K
	odd   []entry[K, V] // entries that no look-up finds: NaN is not equal to itself
}

type entry[K, V any] struct {
	key   K
	value V
}

// Map begins a loop over a map. In an exploration, the order is that of the keys, as far as
// they have one, and so the same whenever a schedule is run again. Elsewhere it is Go's.
func Map[M ~map[K]V, K comparable, V any](m M) *MapIter[K, V] {
	i := &MapIter[K, V]{m: m}
	if len(m) == 0 {
		return i
	}
	i.keys = make([]K, 0, len(m))
	for k, v := range m {
		if _, ok := m[k]; ok {
			i.keys = append(i.keys, k)
		} else {
			i.odd = append(i.odd, entry[K, V]{k, v})
		}
	}
	if explored() {
		slices.SortStableFunc(i.keys, func(a, b K) int { return compare(reflect.ValueOf(&a).Elem(), reflect.ValueOf(&b).Elem()) })
	}
	return i
}

// MapVars is Map, with what the variables of the loop are before its first iteration.
func MapVars[M ~map[K]V, K comparable, V any](m M) (i *MapIter[K, V], k K, v V) { return Map(m), k, v }

// Next goes to the next entry, and reports whether there is one.
func (i *MapIter[K, V]) Next() bool {
	for len(i.keys) > 0 {
		k := i.keys[0]
		i.keys = i.keys[1:]
		if v, ok := i.m[k]; ok {
			i.Key, i.Value = k, v
			return true
		}
	}
	if len(i.odd) > 0 && len(i.m) > 0 {
		i.Key, i.Value = i.odd[0].key, i.odd[0].value
		i.odd = i.odd[1:]
		return true
	}
	return false
}

// compare orders two values of a type. Pointers and channels have no order that is the same
// whenever the program runs, and count as equal.
func compare(a, b reflect.Value) int {
	switch a.Kind() {
	case reflect.Bool:
		return cmp.Compare(number(a.Bool()), number(b.Bool()))
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return cmp.Compare(a.Int(), b.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return cmp.Compare(a.Uint(), b.Uint())
	case reflect.Float32, reflect.Float64:
		return cmp.Compare(a.Float(), b.Float())
	case reflect.Complex64, reflect.Complex128:
		return cmp.Or(cmp.Compare(real(a.Complex()), real(b.Complex())), cmp.Compare(imag(a.Complex()), imag(b.Complex())))
	case reflect.String:
		return cmp.Compare(a.String(), b.String())
	case reflect.Array:
		for i := range a.Len() {
			if c := compare(a.Index(i), b.Index(i)); c != 0 {
				return c
			}
		}
	case reflect.Struct:
		for i := range a.NumField() {
			if c := compare(a.Field(i), b.Field(i)); c != 0 {
				return c
			}
		}
	case reflect.Interface:
		if a.IsNil() || b.IsNil() {
			return cmp.Compare(number(b.IsNil()), number(a.IsNil()))
		}
		a, b = a.Elem(), b.Elem()
		if a.Type() != b.Type() {
			return cmp.Compare(a.Type().String(), b.Type().String())
		}
		return compare(a, b)
	}
	return 0
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}
