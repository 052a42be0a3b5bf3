//go:build explore

package engine

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/ichor-go/ichor/internal/point"
)

// Values adds the arguments and the results of an operation to the trace.
//
//go:norace
func (t *Thread) Values(args, results []any) {
	text := ""
	if len(args) > 0 {
		text = "(" + t.texts(args) + ")"
	}
	if len(results) > 0 {
		text += " = " + t.texts(results)
	}
	t.Says(strings.TrimSpace(text))
}

//go:norace
func (t *Thread) texts(list []any) string {
	var s []string
	for _, x := range list {
		s = append(s, t.Text(x))
	}
	return strings.Join(s, ", ")
}

// Text returns a value as text. What a pointer points to may belong to another thread, so it has a
// name only.
//
//go:norace
func (t *Thread) Text(x any) string {
	v := reflect.ValueOf(x)
	switch v.Kind() {
	case reflect.Invalid:
		return "nil"
	case reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint8,
		reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Float32, reflect.Float64, reflect.Complex64, reflect.Complex128:
		return fmt.Sprint(x)
	case reflect.String:
		return fmt.Sprintf("%.40q", v.String())
	case reflect.Pointer, reflect.UnsafePointer, reflect.Chan, reflect.Map, reflect.Func, reflect.Slice:
		if v.IsNil() {
			return "nil"
		}
		if t.e.trace != nil && v.Kind() != reflect.Func && v.Kind() != reflect.Slice {
			return "&" + t.e.trace.name(point.Op{Addr: v.Pointer(), Size: 1})
		}
	}
	return v.Type().String()
}
