package objects

import (
	"bufio"
	"context"
	"errors"
	"io"
	goruntime "runtime"

	rt "github.com/ichor-go/ichor/runtime"
)

// outsideReader calls a user's reader outside the world. It gives up on a reader that keeps
// returning nothing, and does not call a reader again after an error. The decoder does
// neither.
type outsideReader struct {
	ctx    context.Context
	t      *rt.Thread
	r      io.Reader
	left   int64
	buf    *bufio.Reader
	err    error
	gaveUp bool   // ctx has ended
	apart  []byte // the buffer of a read that can be left behind; nil before the first one
}

// readSize is the number of bytes that are requested from a user's reader.
const readSize = 64 << 10

// begin makes o read from r.
func (o *outsideReader) begin(ctx context.Context, t *rt.Thread, r io.Reader, most int64) {
	o.ctx, o.t, o.r, o.left, o.err, o.gaveUp = ctx, t, r, most, nil, false
	o.buf.Reset((*outside)(o))
}

// outside is the reader below an outsideReader's buffer.
type outside outsideReader

// errGaveUp ends a text when its context has ended.
var errGaveUp = errors.New("given up")

func (o *outside) Read(p []byte) (n int, err error) {
	o.t.Blocking(func() {
		if o.ctx.Done() == nil {
			n, err = o.r.Read(p)
		} else {
			n, err = o.readApart(p)
		}
	})
	return n, err
}

// readApart is a Read that is left behind if ctx ends.
func (o *outside) readApart(p []byte) (int, error) {
	if o.apart == nil {
		o.apart = make([]byte, readSize)
	}
	x := &apartRead{over: make(chan struct{})}
	if o.ctx.Err() == nil {
		go x.read(o.r, o.apart[:min(len(p), readSize)])
	}
	select {
	case <-x.over:
		return x.result(p)
	case <-o.ctx.Done():
		o.apart, o.gaveUp = nil, true
		return 0, errGaveUp
	}
}

// apartRead is a Read in a goroutine of its own.
type apartRead struct {
	buf      []byte // the bytes that were read
	err      error
	returned bool
	panicked any
	over     chan struct{}
}

func (x *apartRead) read(r io.Reader, buf []byte) {
	defer close(x.over)
	defer func() { x.panicked = recover() }()
	n, err := r.Read(buf)
	x.buf, x.err, x.returned = buf[:n], err, true
}

// result returns the results of Read. If Read panicked or ended its goroutine, so does
// result.
func (x *apartRead) result(p []byte) (int, error) {
	switch {
	case x.returned:
		return copy(p, x.buf), x.err
	case x.panicked != nil:
		panic(x.panicked)
	}
	goruntime.Goexit()
	return 0, nil // not reached
}

// maxEmptyReads is how many reads in a row may return nothing, as in package bufio.
const maxEmptyReads = 100

// errTooLarge ends a text that is larger than the options allow.
var errTooLarge = errors.New("text is too large")

func (o *outsideReader) Read(p []byte) (n int, err error) {
	for range maxEmptyReads {
		if o.err != nil {
			return 0, o.err
		}
		n, o.err = o.buf.Read(p)
		if o.left -= int64(n); o.left < 0 {
			o.err = errTooLarge
			return 0, o.err
		}
		if n > 0 {
			return n, nil
		}
	}
	o.err = io.ErrNoProgress
	return 0, o.err
}
