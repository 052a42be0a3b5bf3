package objects

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/ichor-go/ichor/internal/fault"
	"github.com/ichor-go/ichor/internal/jsonpos"
	rt "github.com/ichor-go/ichor/runtime"
)

// NotJSONError reports why an object cannot be written as JSON.
type NotJSONError struct{ Why string }

func (e *NotJSONError) Error() string { return fault.Prefix + "not JSON: " + e.Why }

// AppendJSON appends the JSON of r to dst. Dicts keep their order, and numbers keep every
// digit that was read. Bytes are written as base64 text, tuples as arrays, records as
// objects. The error is a *NotJSONError: a key is not a string, a float is not finite, an
// object has no JSON, or there are more than 10,000 levels, as in a cycle. dst is returned
// with whatever was appended. While other threads write to the graph, AppendJSON sees some
// state of each slot. It reaches no safe point. An object that several paths lead to is
// written once for each path, so the text can be much larger than the graph; ToJSON can be
// stopped. r is borrowed. Attached thread.
func AppendJSON(t *rt.Thread, dst []byte, r rt.Ref) ([]byte, error) {
	w := jsonWriter{t: t, dst: dst, full: math.MaxInt}
	err := w.value(r, 0)
	return w.dst, err
}

// ToJSON writes the JSON of r to w, in the form that AppendJSON gives it. It calls w
// outside the world: a safe point. If r is frozen, ToJSON writes piece by piece, and needs
// no memory for the whole text. An error may then come after a part has been written, and
// the graph cannot be unloaded until ToJSON returns. If w writes too little without an
// error, ToJSON returns io.ErrShortWrite. r is borrowed. Attached thread.
func ToJSON(t *rt.Thread, w io.Writer, r rt.Ref) error {
	j := jsonWriter{t: t, full: math.MaxInt}
	j.flush = func() (err error) {
		t.Blocking(func() {
			var n int
			if n, err = w.Write(j.dst); err == nil && n != len(j.dst) {
				err = io.ErrShortWrite
			}
		})
		j.dst = j.dst[:0]
		return err
	}
	if r.IsFrozen() { // borrowed references stay good across the safe points
		j.full = jsonPiece
		root := []rt.Ref{r}
		t.Hold(&root)
		defer t.Unhold(&root)
	}
	if err := j.value(r, 0); err != nil {
		return err
	}
	return j.flush()
}

// jsonPiece is how much text is written at once: enough that the cost of a call hardly
// matters. A guess.
const jsonPiece = 64 << 10

type jsonWriter struct {
	t       *rt.Thread
	dst     []byte
	scratch []rt.Ref // borrowed entries of the dicts being written
	full    int      // length of dst at which it is flushed
	flush   func() error
}

func (w *jsonWriter) value(r rt.Ref, depth int) error {
	if len(w.dst) >= w.full {
		if err := w.flush(); err != nil {
			return err
		}
	}
	if r.IsInt() {
		w.dst = strconv.AppendInt(w.dst, r.Int(), 10)
		return nil
	}
	if depth >= jsonpos.MaxDepth {
		if y := w.t.TypeOf(r); y != nil && y.Traverse != nil {
			return &NotJSONError{fmt.Sprintf("more than %d levels, or a cycle", jsonpos.MaxDepth)}
		}
	}
	o := w.t.Body(r)
	switch w.t.Kind(r) {
	case rt.TypeNone:
		w.dst = append(w.dst, "null"...)
	case rt.TypeBool:
		w.dst = strconv.AppendBool(w.dst, r == rt.True)
	case rt.TypeInt:
		w.dst = strconv.AppendInt(w.dst, int64(o.Uint64(0)), 10)
	case rt.TypeFloat:
		v, f, _ := w.t.Float(r)
		if !(math.Abs(v) <= math.MaxFloat64) {
			return &NotJSONError{fmt.Sprintf("the float %g", v)}
		}
		w.dst = appendFloat(w.dst, v, floatFormatting(f))
	case rt.TypeNumber:
		w.dst = append(w.dst, textOf(o)...)
	case rt.TypeString:
		w.dst = appendQuoted(w.dst, bytesOf(o))
	case rt.TypeBytes:
		w.dst = append(w.dst, '"')
		w.dst = base64.StdEncoding.AppendEncode(w.dst, bytesOf(o))
		w.dst = append(w.dst, '"')
	case rt.TypeTuple:
		return w.tuple(Tuple(r), depth)
	case rt.TypeList:
		return w.list(List(r), depth)
	case rt.TypeDict:
		return w.dict(Dict(r), depth)
	default:
		return w.other(r, depth)
	}
	return nil
}

// list writes the list l. As long as no other thread changes the list's block, it reads the
// items there, as At would.
func (w *jsonWriter) list(l List, depth int) error {
	w.dst = append(w.dst, '[')
	i := 0
	if ref := w.t.Body(l).LoadRef(boxBlock); !l.IsFrozen() && !ref.IsNil() {
		b := w.t.Block(ref)
		state := b.LoadUint64(listState)
		for ; i < lengthOf(state); i++ {
			r := b.LoadRef(listSlots + int(uint32(state)) + i)
			if r.IsNil() || b.LoadUint64(listState) != state {
				break
			}
			if err := w.item(i > 0, r, depth); err != nil {
				return err
			}
		}
	}
	for ; ; i++ {
		r, ok := l.At(w.t, i)
		if !ok {
			break
		}
		if err := w.item(i > 0, r, depth); err != nil {
			return err
		}
	}
	w.dst = append(w.dst, ']')
	return nil
}

func (w *jsonWriter) tuple(s Tuple, depth int) error {
	w.dst = append(w.dst, '[')
	for i := range s.Len(w.t) {
		r, _ := s.At(w.t, i)
		if err := w.item(i > 0, r, depth); err != nil {
			return err
		}
	}
	w.dst = append(w.dst, ']')
	return nil
}

func (w *jsonWriter) item(comma bool, r rt.Ref, depth int) error {
	if comma {
		w.dst = append(w.dst, ',')
	}
	return w.value(r, depth+1)
}

func (w *jsonWriter) dict(d Dict, depth int) error {
	n := len(w.scratch)
	w.scratch = d.appendBorrowed(w.t, w.scratch)
	m := len(w.scratch)
	w.dst = append(w.dst, '{')
	for i := n; i < m; i += 2 {
		k, v := w.scratch[i], w.scratch[i+1]
		if w.t.Kind(k) != rt.TypeString {
			return &NotJSONError{"a key that is not a string: " + Format(w.t, k)}
		}
		if err := w.member(i > n, bytesOf(w.t.Body(k)), v, depth); err != nil {
			return err
		}
	}
	w.scratch = w.scratch[:n]
	w.dst = append(w.dst, '}')
	return nil
}

func (w *jsonWriter) member(comma bool, name []byte, v rt.Ref, depth int) error {
	if comma {
		w.dst = append(w.dst, ',')
	}
	w.dst = appendQuoted(w.dst, name)
	w.dst = append(w.dst, ':')
	return w.value(v, depth+1)
}

func (w *jsonWriter) other(r rt.Ref, depth int) error {
	y := w.t.TypeOf(r)
	if y == nil {
		return &NotJSONError{"nil reference"}
	}
	rec := recordTypeOf(y)
	if rec == nil {
		return &NotJSONError{"an object of type " + y.String()}
	}
	w.dst = append(w.dst, '{')
	for i, f := range rec.fields {
		v, _ := Record(r).At(w.t, i)
		if err := w.member(i > 0, []byte(f), v, depth); err != nil {
			return err
		}
	}
	w.dst = append(w.dst, '}')
	return nil
}

// Format returns a short text that shows r to a human reader: its JSON if it has one, cut
// at 80 bytes, else its type and reference. r is borrowed. Attached thread.
func Format(t *rt.Thread, r rt.Ref) string {
	if r.IsNil() {
		return "nil"
	}
	w := jsonWriter{t: t, full: formatted + 1, flush: func() error { return errLong }}
	err := w.value(r, 0)
	var not *NotJSONError
	if errors.As(err, &not) {
		return fmt.Sprintf("%s %s", t.TypeOf(r), r)
	}
	if len(w.dst) > formatted {
		return strings.ToValidUTF8(string(w.dst[:formatted-3]), "") + "..."
	}
	return string(w.dst)
}

// formatted is the most bytes that Format returns. It looks at no more of the object.
const formatted = 80

var errLong = errors.New("long enough")
