package starlark

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	rt "github.com/ichor-go/ichor/runtime"
)

// A writer builds a text. Only a piece of it is in Go memory; full pieces are strings.
// It owns pieces only as long as it has no error: only fail sets err. A function that ends without
// done or goString calls abandon.
type writer struct {
	th      *Thread
	buf     []byte
	pieces  []Value
	err     error
	taken   bool
	path    []Value     // the containers around the value that is being written
	deepest int         // length of path that is accounted for, beyond the first freeLevels
	entries []jsonEntry // of the dicts among them, as JSON
}

// pieceSize is the size of the pieces of a writer.
const pieceSize = 64 << 10

// room makes room for n bytes in the buffer, n being at most pieceSize.
func (w *writer) room(n int) bool {
	w.take()
	if w.err == nil && len(w.buf)+n > pieceSize {
		w.flush()
	}
	return w.err == nil
}

// take gives the writer the memory that the thread's last one had.
func (w *writer) take() {
	if !w.taken {
		w.buf, w.path, w.entries = w.th.scratch, w.th.path, w.th.jsonEntries
		w.th.scratch, w.th.path, w.th.jsonEntries = nil, nil, nil
		w.taken = true
	}
}

// giveBack makes the memory that of the thread's next writer.
func (w *writer) giveBack() {
	if w.taken {
		w.th.scratch, w.th.path, w.th.jsonEntries = w.buf[:0], w.path[:0], w.entries[:0]
	}
	w.buf, w.path, w.entries, w.taken = nil, nil, nil, false
}

// enter makes the container v part of the path, until leave is called.
func (w *writer) enter(v Value) {
	w.take()
	w.path = append(w.path, v.borrowed())
	if len(w.path) > w.deepest+freeLevels && w.err == nil {
		w.deepest += freeLevels
		if err := w.th.reserve(freeLevels * levelBytes); err != nil {
			w.fail(err)
		}
	}
}

const (
	levelBytes = 3 << 10 // of the goroutine's stack for nested values, twice: a stack that grows is copied
	freeLevels = 32      // for which the memory does not count
)

func (w *writer) leave() { w.path = w.path[:len(w.path)-1] }

// inside reports whether the container v is part of the path.
func (w *writer) inside(v Value) bool { return slices.Contains(w.path, v.borrowed()) }

func (w *writer) flush() {
	v, b, err := w.th.newText(stringType, len(w.buf))
	if err != nil {
		w.fail(err)
		return
	}
	copy(b, w.buf)
	w.pieces = append(w.pieces, v)
	w.buf = w.buf[:0]
	if err := w.th.work(); err != nil {
		w.fail(err)
	}
}

// fail keeps the first error, and gives up the pieces.
func (w *writer) fail(err error) {
	w.err = err
	w.th.dropAll(w.pieces)
	w.pieces = nil
}

func (w *writer) str(s string) {
	for len(s) > pieceSize/2 {
		if w.room(pieceSize / 2) {
			w.buf = append(w.buf, s[:pieceSize/2]...)
		}
		s = s[pieceSize/2:]
	}
	if w.room(len(s)) {
		w.buf = append(w.buf, s...)
	}
}

func (w *writer) char(c byte) {
	if w.room(1) {
		w.buf = append(w.buf, c)
	}
}

func (w *writer) rune(r rune) {
	if w.room(4) {
		w.buf = utf8.AppendRune(w.buf, r)
	}
}

// quoted writes s as a literal.
func (w *writer) quoted(s string) {
	const hex = "0123456789abcdef"
	w.char('"')
	for s != "" {
		n := 0
		for n < len(s) && s[n] >= ' ' && s[n] < 0x7f && s[n] != '"' && s[n] != '\\' {
			n++
		}
		w.str(s[:n])
		if s = s[n:]; s == "" {
			break
		}
		c := s[0]
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1:
			w.str(`\x`)
			w.char(hex[c>>4])
			w.char(hex[c&15])
		case c == '"' || c == '\\':
			w.char('\\')
			w.char(c)
		case strconv.IsPrint(r):
			w.rune(r)
		default:
			q := syntaxQuote(s[:size])
			w.str(q[1 : len(q)-1])
		}
		s = s[size:]
	}
	w.char('"')
}

// done returns the text as a string.
func (w *writer) done() (Value, error) { return w.doneAs(stringType) }

func (w *writer) doneAs(y *rt.Type) (Value, error) {
	if w.err != nil {
		return 0, w.err
	}
	if len(w.pieces) == 0 {
		defer w.giveBack()
		if y == stringType && len(w.buf) <= 1 {
			return w.th.newString(string(w.buf))
		}
		v, b, err := w.th.newText(y, len(w.buf))
		copy(b, w.buf)
		return v, err
	}
	defer w.giveBack()
	n := len(w.buf)
	for _, p := range w.pieces {
		n += len(w.th.text(p))
	}
	v, b, err := w.th.newText(y, n)
	if err != nil {
		w.fail(err)
		return 0, err
	}
	for _, p := range w.pieces {
		b = b[copy(b, w.th.text(p)):]
		w.th.drop(p)
	}
	w.pieces = nil
	copy(b, w.buf)
	return v, nil
}

// abandon gives up the pieces that are left after an error.
func (w *writer) abandon() {
	w.giveBack()
	w.th.dropAll(w.pieces)
	w.pieces = nil
}

// goString returns the text, for an error or for output, and gives up the pieces.
func (w *writer) goString() string {
	n := len(w.buf)
	for _, p := range w.pieces {
		n += len(w.th.text(p))
	}
	var b strings.Builder
	b.Grow(n)
	for _, p := range w.pieces {
		b.WriteString(w.th.text(p))
	}
	w.th.dropAll(w.pieces)
	w.pieces = nil
	b.Write(w.buf)
	w.giveBack()
	return b.String()
}

// maxErrorText bounds what an error says of a value.
const maxErrorText = 4 << 10

// short returns the text of v for an error.
func (th *Thread) short(v Value) string {
	w := writer{th: th}
	w.value(v)
	if w.err != nil {
		w.abandon()
		return "..." // the program has reached a limit, too
	}
	if len(w.pieces) == 0 && len(w.buf) <= maxErrorText {
		return w.goString()
	}
	defer w.abandon()
	if len(w.pieces) > 0 {
		return brief(th.text(w.pieces[0]))
	}
	return brief(string(w.buf))
}

// brief shortens a text for an error.
func brief(s string) string {
	if len(s) <= maxErrorText {
		return s
	}
	return strings.ToValidUTF8(s[:maxErrorText], "") + "..."
}

// int writes an integer.
func (w *writer) int(v Value) {
	switch {
	case v.isInt():
		if w.room(20) {
			w.buf = strconv.AppendInt(w.buf, v.int(), 10)
		}
	case w.err == nil:
		held := w.th.held
		n := w.th.bigBits(v)
		if err := w.th.reserve(n / 8 * decimalBytes); err != nil {
			w.fail(err)
			return
		}
		w.th.chargeBig(n, n)
		w.str(w.th.big(v).String())
		w.th.release(held)
	}
}

// decimalBytes is what a text takes for each byte of an integer, with what math/big needs meanwhile. The
// value is a guess; TestAttacks shows that it is enough.
const decimalBytes = 24

// reserveString reserves memory for n copies of what goString is about to return.
func (w *writer) reserveString(n int) error {
	size := len(w.buf) + pieceSize*len(w.pieces)
	if err := w.th.reserve(n * size); err != nil {
		w.fail(err)
		return err
	}
	return nil
}

// Repr returns the text of v as repr(v) does.
func (th *Thread) Repr(v Value) string {
	held := th.held
	defer func() { th.release(held) }()
	w := writer{th: th}
	w.value(v)
	return w.goString()
}

// display writes v as str(v) does.
func (w *writer) display(v Value) {
	if s, ok := w.th.str(v); ok {
		w.str(s)
		return
	}
	w.take()
	path := w.path // of what surrounds v
	w.path = path[len(path):]
	w.value(v)
	w.path = path
}

func (w *writer) value(v Value) {
	th := w.th
	if w.err != nil {
		return
	}
	if err := th.work(); err != nil {
		w.fail(err)
		return
	}
	if len(w.path) > maxNesting {
		w.fail(errNesting)
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
		w.int(v)
	case kFloat:
		w.float(v.float())
	case kString:
		w.quoted(th.text(v))
	case kBytes:
		w.char('b')
		w.quoted(th.text(v))
	case kList, kTuple:
		w.items(k, v)
	case kDict:
		w.char('{')
		if w.inside(v) {
			w.str("...")
		} else {
			w.enter(v)
			for i, sep := 0, ""; w.err == nil; sep = ", " {
				key, x, next := th.tableNext(v, i)
				if key == 0 {
					break
				}
				i = next
				w.str(sep)
				w.value(key)
				w.str(": ")
				w.value(x)
			}
			w.leave()
		}
		w.char('}')
	case kSet:
		w.str("set([")
		w.enter(v)
		for i, sep := 0, ""; w.err == nil; sep = ", " {
			key, _, next := th.tableNext(v, i)
			if key == 0 {
				break
			}
			i = next
			w.str(sep)
			w.value(key)
		}
		w.leave()
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
		w.value(text)
		w.str([...]string{".elems()", ".elem_ords()", ".codepoints()", ".codepoint_ords()", ".elems()"}[mode])
	case kStruct:
		w.enter(v)
		w.structure(v)
		w.leave()
	case kModule:
		w.str(fmt.Sprintf("<module %q>", th.text(th.structHead(v))))
	case kHost:
		w.str(th.host(v).String())
	default:
		w.str("<" + kindNames[k] + ">")
	}
}

func (w *writer) items(k kind, v Value) {
	open, end := byte('['), byte(']')
	if k == kTuple {
		open, end = '(', ')'
	}
	w.char(open)
	if k == kList && w.inside(v) {
		w.str("...")
	} else {
		w.enter(v)
		n := w.th.length(v)
		for i := 0; i < n && w.err == nil; i++ {
			x := w.th.itemAt(v, i)
			if x == 0 {
				break
			}
			if i > 0 {
				w.str(", ")
			}
			w.value(x)
		}
		w.leave()
		if k == kTuple && n == 1 {
			w.char(',')
		}
	}
	w.char(end)
}

// float writes f as %g does.
func (w *writer) float(f float64) {
	if w.room(32) {
		w.buf = appendFloat(w.buf, f, 'g')
	}
}

// formatFloat formats f as %e, %f or %g does.
func formatFloat(f float64, conv byte) string { return string(appendFloat(nil, f, conv)) }

// appendFloat appends the text of formatFloat.
func appendFloat(b []byte, f float64, conv byte) []byte {
	switch {
	case math.IsInf(f, 1):
		return append(b, "+inf"...)
	case math.IsInf(f, -1):
		return append(b, "-inf"...)
	case f != f:
		return append(b, "nan"...)
	case conv == 'g' || conv == 'G':
		n := len(b)
		b = strconv.AppendFloat(b, f, conv, -1, 64)
		if s := b[n:]; bytes.IndexByte(s, conv-'g'+'e') < 0 && bytes.IndexByte(s, '.') < 0 {
			b = append(b, ".0"...)
		}
		return b
	}
	return strconv.AppendFloat(b, f, conv, 6, 64)
}
