package starlark

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.starlark.net/syntax"
)

// A writer builds a text in Go memory, whose size counts against the machine's limit.
type writer struct {
	th  *Thread
	buf []byte
	err error
}

func (w *writer) grow(n int) bool {
	if w.err == nil && len(w.buf)+n > cap(w.buf) {
		w.err = w.th.room(2*cap(w.buf) + n)
	}
	return w.err == nil
}

func (w *writer) str(s string) {
	if w.grow(len(s)) {
		w.buf = append(w.buf, s...)
	}
}

func (w *writer) char(c byte) {
	if w.grow(1) {
		w.buf = append(w.buf, c)
	}
}

func (w *writer) rune(r rune) {
	if w.grow(4) {
		w.buf = utf8.AppendRune(w.buf, r)
	}
}

// done returns the text as a string.
func (w *writer) done() (Value, error) {
	if w.err != nil {
		return 0, w.err
	}
	return w.th.newString(string(w.buf))
}

// Repr returns the text of v as repr(v) does.
func (th *Thread) Repr(v Value) string {
	w := writer{th: th}
	w.value(v, nil)
	return string(w.buf)
}

// display writes v as str(v) does.
func (w *writer) display(v Value) {
	if s, ok := w.th.str(v); ok {
		w.str(s)
		return
	}
	w.value(v, nil)
}

func (w *writer) value(v Value, path []Value) {
	th := w.th
	if w.err != nil {
		return
	}
	if len(path) > maxNesting {
		w.err = errNesting
		return
	}
	switch k := th.kind(v); k {
	case kNone:
		w.str("None")
	case kBool:
		if v == True {
			w.str("True")
		} else {
			w.str("False")
		}
	case kInt:
		w.str(th.intString(v))
	case kFloat:
		w.str(formatFloat(v.float(), 'g'))
	case kString:
		w.str(syntax.Quote(th.text(v), false))
	case kBytes:
		w.str(syntax.Quote(th.text(v), true))
	case kList, kTuple:
		w.items(k, v, path)
	case kDict:
		w.char('{')
		if slices.Contains(path, v.borrowed()) {
			w.str("...")
		} else {
			path = append(path, v.borrowed())
			for i, sep := 0, ""; w.err == nil; sep = ", " {
				key, x, next := th.tableNext(v, i)
				if key == 0 {
					break
				}
				i = next
				w.str(sep)
				w.value(key, path)
				w.str(": ")
				w.value(x, path)
			}
		}
		w.char('}')
	case kSet:
		w.str("set([")
		for i, sep := 0, ""; w.err == nil; sep = ", " {
			key, _, next := th.tableNext(v, i)
			if key == 0 {
				break
			}
			i = next
			w.str(sep)
			w.value(key, append(path, v.borrowed()))
		}
		w.str("])")
	case kRange:
		w.str(th.rangeOf(v).String())
	case kFunction:
		w.str("<function " + th.code(v).name + ">")
	case kBuiltin:
		w.str("<built-in function " + th.builtin(v).name + ">")
	case kMethod:
		recv, b := th.methodParts(v)
		w.str("<built-in method " + b.name + " of " + th.typeName(recv) + " value>")
	case kElems:
		text, mode := th.elemsOf(v)
		w.value(text, path)
		w.str([...]string{".elems()", ".elem_ords()", ".codepoints()", ".codepoint_ords()", ".elems()"}[mode])
	case kStruct:
		w.structure(v, append(path, v.borrowed()))
	case kModule:
		w.str(fmt.Sprintf("<module %q>", th.text(th.structHead(v))))
	case kHost:
		w.str(th.host(v).String())
	default:
		w.str("<" + kindNames[k] + ">")
	}
}

func (w *writer) items(k kind, v Value, path []Value) {
	open, end := byte('['), byte(']')
	if k == kTuple {
		open, end = '(', ')'
	}
	w.char(open)
	if k == kList && slices.Contains(path, v.borrowed()) {
		w.str("...")
	} else {
		path = append(path, v.borrowed())
		n := w.th.length(v)
		for i := 0; i < n && w.err == nil; i++ {
			x := w.th.itemAt(v, i)
			if x == 0 {
				break
			}
			if i > 0 {
				w.str(", ")
			}
			w.value(x, path)
		}
		if k == kTuple && n == 1 {
			w.char(',')
		}
	}
	w.char(end)
}

// formatFloat formats f as %e, %f or %g does.
func formatFloat(f float64, conv byte) string {
	switch {
	case math.IsInf(f, 1):
		return "+inf"
	case math.IsInf(f, -1):
		return "-inf"
	case f != f:
		return "nan"
	case conv == 'g' || conv == 'G':
		s := strconv.FormatFloat(f, conv, -1, 64)
		if strings.IndexByte(s, conv-'g'+'e') < 0 && strings.IndexByte(s, '.') < 0 {
			s += ".0"
		}
		return s
	}
	return strconv.FormatFloat(f, conv, 6, 64)
}
