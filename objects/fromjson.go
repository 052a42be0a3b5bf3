package objects

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/ichor-go/ichor/internal/fault"
	"github.com/ichor-go/ichor/internal/jsonpos"
	"github.com/ichor-go/ichor/internal/mutant"
	rt "github.com/ichor-go/ichor/runtime"
)

// JSONOptions are the options of FromJSON. The zero value works.
type JSONOptions struct {
	// MaxDepth bounds the nesting of arrays and objects. 0 means 1,000. The maximum is
	// 10,000.
	MaxDepth int
	// MaxBytes bounds the size of the text. 0 means 1 GiB.
	MaxBytes int64
	// Immortal makes the document immortal by address: see rt.Thread.Immortally.
	Immortal bool
}

// JSONError reports where a text is not JSON that FromJSON accepts.
type JSONError struct {
	Byte     int64 // from the start of the text
	Expected string
	Found    string
	Err      error // the reader's error, if it failed
}

func (e *JSONError) Error() string {
	return fmt.Sprintf("%sJSON: byte %d: expected %s, found %s", fault.Prefix, e.Byte, e.Expected, e.Found)
}

// Unwrap returns the reader's error, if any.
func (e *JSONError) Unwrap() error { return e.Err }

// FromJSON reads one JSON value from r, which must end after it, and returns a new
// reference to the value: a dict, list, string, int, float or Number, or True, False or
// None. Member names are interned. A number becomes an Int if it is written without point
// and exponent and fits 64 bits. Else it becomes a Float if a Float can be written as the
// number was, else a Number. So AppendJSON gives back every digit. An object with two
// members of one name is an error.
//
// FromJSON builds objects as it reads. It calls r outside the world, so each read of 64 KiB
// is a safe point. The error is a *JSONError or rt.ErrMemoryLimit. After an error nothing
// is left in the heap. Attached thread.
func FromJSON(t *rt.Thread, r io.Reader, opts ...JSONOptions) (rt.Ref, error) {
	return FromJSONContext(context.Background(), t, r, opts...)
}

// FromJSONContext is like FromJSON and returns a new reference, but gives up when ctx ends,
// even if r is blocked in Read. In that case the Read continues in a goroutine of its own,
// with a buffer of its own, and r must not be used until it has returned. The error then
// matches ctx.Err() and context.Cause(ctx) for errors.Is, and nothing is left in the heap.
// Attached thread.
func FromJSONContext(ctx context.Context, t *rt.Thread, r io.Reader, opts ...JSONOptions) (rt.Ref, error) {
	o := JSONOptions{}
	if len(opts) > 0 {
		o = opts[0]
	}
	if o.MaxDepth == 0 {
		o.MaxDepth = 1000
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = 1 << 30
	}
	if o.MaxDepth < 0 || o.MaxDepth > jsonpos.MaxDepth {
		return rt.Nil, &rt.OptionsError{Option: "JSONOptions.MaxDepth", Value: o.MaxDepth, Want: fmt.Sprintf("0 for the default, or 1 to %d", jsonpos.MaxDepth)}
	}
	if o.MaxBytes < 0 {
		return rt.Nil, &rt.OptionsError{Option: "JSONOptions.MaxBytes", Value: o.MaxBytes, Want: "0 for the default, or a number of bytes"}
	}
	if !o.Immortal {
		return fromJSON(ctx, t, r, o)
	}
	var root rt.Ref
	err := t.Immortally(func() (err error) {
		root, err = fromJSON(ctx, t, r, o)
		return err
	})
	if err != nil {
		return rt.Nil, err
	}
	return root, nil
}

func fromJSON(ctx context.Context, t *rt.Thread, r io.Reader, o JSONOptions) (rt.Ref, error) {
	b := jsonBuilders.Get().(*jsonBuilder)
	b.begin(ctx, t, r, o)
	done, returned := false, false
	t.Hold(&b.values)
	defer func() { // also if r panics
		t.Unhold(&b.values)
		if !done && !(mutant.On && mutant.Is(mutant.JSONLeaks)) {
			t.DecRefs(b.values)
		}
		if returned {
			b.end()
		}
	}()
	root, err := b.document()
	if b.in.gaveUp {
		err = fault.GivenUp(ctx, "reading JSON")
	}
	done, returned = err == nil, true
	return root, err
}

// jsonBuilders are idle builders. Their buffers would be most of the cost of a small
// document. None of them refers to a thread or to a user's reader.
var jsonBuilders = sync.Pool{New: func() any {
	b := &jsonBuilder{names: newJSONNames()}
	b.in.buf = bufio.NewReaderSize(nil, readSize)
	b.buf = make([]byte, 0, readSize)
	return b
}}

// keptBytes is the size of the largest document after which its builder is reused: the
// builder's buffers may be as large. A guess.
const keptBytes = 1 << 20

func (b *jsonBuilder) begin(ctx context.Context, t *rt.Thread, r io.Reader, o JSONOptions) {
	b.t, b.maxDepth, b.region = t, o.MaxDepth, t.BirthsImmortal()
	b.in.begin(ctx, t, r, o.MaxBytes)
}

// end returns b to the pool. The references that it held have been given up, or passed on.
func (b *jsonBuilder) end() {
	size := b.base + int64(len(b.buf))
	values := b.values
	b.t, b.values, b.open, b.text = nil, nil, b.open[:0], b.text[:0]
	b.buf, b.base, b.last, b.pos = b.buf[:0], 0, 0, 0
	b.names.forget()
	b.in.begin(context.Background(), nil, nil, 0)
	if size <= keptBytes {
		b.values = values[:0]
		jsonBuilders.Put(b)
	}
}
