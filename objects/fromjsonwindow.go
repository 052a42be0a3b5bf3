package objects

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"

	"github.com/ichor-go/ichor/internal/jsonpos"
)

// jsonWindow holds the part of a JSON text that has been read and is still needed.
//
//	0 ......... last ............ pos ............ len(buf)
//	no longer   behind the last   not looked
//	needed      whole token       at
//
// What lies behind the last token stays until the next one is complete: if there is none,
// package jsonpos reads these bytes again and says what is wrong with them. So the code that
// reads tokens only has to notice that something is.
type jsonWindow struct {
	in   outsideReader
	buf  []byte
	base int64 // offset of buf[0] in the text
	last int
	pos  int
}

// more reads more of the text, which may move the rest of the window to its beginning. It
// returns false at the end of the text, or if the reader has failed. All indices into buf
// are good for nothing afterwards, except last and pos, and those relative to them.
func (w *jsonWindow) more() bool {
	if w.last > 0 {
		n := copy(w.buf, w.buf[w.last:])
		w.buf = w.buf[:n]
		w.base += int64(w.last)
		w.pos -= w.last
		w.last = 0
	}
	if len(w.buf) > cap(w.buf)/2 { // a long token
		w.buf = append(make([]byte, 0, 2*cap(w.buf)), w.buf...)
	}
	n, err := w.in.Read(w.buf[len(w.buf):cap(w.buf)])
	w.buf = w.buf[:len(w.buf)+n]
	return err == nil
}

// need reports whether n bytes lie behind index i, which is relative to pos. It reads them
// if they do not.
func (w *jsonWindow) need(i, n int) bool {
	for len(w.buf)-w.pos-i < n {
		if !w.more() {
			return false
		}
	}
	return true
}

// space skips white space. It returns the byte behind it, or false if there is none.
func (w *jsonWindow) space() (byte, bool) {
	for {
		for w.pos < len(w.buf) {
			c := w.buf[w.pos]
			if c > ' ' || c != ' ' && c != '\n' && c != '\r' && c != '\t' {
				return c, true
			}
			w.pos = spacesEnd(w.buf, w.pos+1)
		}
		if !w.more() {
			return 0, false
		}
	}
}

// spacesEnd returns the index behind the spaces that begin at index i, or one within them,
// near the end of text. Indented texts have long runs of spaces.
func spacesEnd(text []byte, i int) int {
	for ; i+8 <= len(text); i += 8 {
		if x := binary.LittleEndian.Uint64(text[i:]) ^ ' '*eachByte; x != 0 {
			return i + bits.TrailingZeros64(x)/8
		}
	}
	return i
}

// offset returns the offset of pos in the text.
func (w *jsonWindow) offset() int64 { return w.base + int64(w.pos) }

// faultIn returns the error for a text that goes wrong behind its last token. kind and length
// say where that token is: see jsonpos.Next.
func (w *jsonWindow) faultIn(kind byte, length int) error {
	base := w.base + int64(w.last)
	f, inside := jsonpos.Next(w.buf[w.last:], base, kind, int64(length))
	e := &JSONError{Byte: f.Offset, Expected: f.Expected, Found: f.Found}
	err := w.in.err
	switch {
	case inside || err == nil:
	case err == errTooLarge:
		return &JSONError{Byte: base, Expected: "a text of fewer bytes, see JSONOptions.MaxBytes", Found: "more", Err: err}
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		if err != io.EOF || kind == 0 && w.pos == len(w.buf) { // in the second case the text is empty
			e.Err = err
		}
	default:
		e = &JSONError{Byte: w.base + int64(len(w.buf)), Expected: "more text", Found: jsonpos.Shorten(err.Error()), Err: err}
	}
	return e
}

// tooDeep returns the error for a container at pos in which the levels of nesting exceed
// most.
func (w *jsonWindow) tooDeep(most int) error {
	return &JSONError{Byte: w.offset(), Expected: fmt.Sprintf("a nesting depth of at most %d", most), Found: "one more"}
}
