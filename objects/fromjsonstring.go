package objects

import (
	"encoding/binary"
	"math/bits"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	rt "github.com/ichor-go/ichor/runtime"
)

// Words whose bytes are all 1, or have only their highest bit set.
const (
	eachByte = 0x0101010101010101
	topBits  = 0x8080808080808080
)

// plainEnd returns the index of the first byte from i on that a string in JSON cannot have as
// it is: a quote, a backslash or a control character. It returns len(text) if there is none.
// Bytes that are not ASCII count as plain. If there are such bytes before the end, seen has
// bits of topBits. (It may also have some without that.)
func plainEnd(text []byte, i int) (end int, seen uint64) {
	for ; i+8 <= len(text); i += 8 {
		w := binary.LittleEndian.Uint64(text[i:])
		seen |= w
		if s := special(w); s != 0 {
			return i + bits.TrailingZeros64(s)/8, seen
		}
	}
	for ; i < len(text); i++ {
		c := text[i]
		if c < ' ' || c == '"' || c == '\\' {
			break
		}
		seen |= uint64(c)
	}
	return i, seen
}

// special looks at eight bytes at once. It returns a word whose lowest set bit is the highest
// bit of the first special byte; 0 if there is none.
//
// To subtract n from each byte sets the highest bit of the bytes that are below n, if it was
// not set before. A byte that is too small also borrows from the one above it, so only what
// the lowest bit says is true. The exclusive or turns the byte that is sought into 0.
func special(w uint64) uint64 {
	control := w - ' '*eachByte
	quote := (w ^ '"'*eachByte) - eachByte
	backslash := (w ^ '\\'*eachByte) - eachByte
	return (control | quote | backslash) &^ w & topBits
}

// str reads the string at pos. The result is good until the window changes, or the next
// string is read.
func (b *jsonBuilder) str() (text []byte, err error) {
	i, escapes := 1, false // i is relative to pos, as the window may move
	seen := uint64(0)
	for {
		at := b.buf[b.pos:]
		from := i
		var bytes uint64
		i, bytes = plainEnd(at, i)
		seen |= bytes
		if escapes {
			b.text = append(b.text, at[from:i]...)
		}
		switch {
		case i == len(at):
			if !b.more() {
				return nil, b.fault()
			}
		case at[i] == '"':
			if text = at[1:i]; escapes {
				text = b.text
			}
			if seen&topBits != 0 && !utf8.Valid(text) {
				return nil, b.fault()
			}
			b.pos += i + 1
			return text, nil
		case at[i] == '\\':
			if !escapes {
				b.text, escapes = append(b.text[:0], at[1:i]...), true
			}
			n := b.escape(i)
			if n == 0 {
				return nil, b.fault()
			}
			i += n
		default:
			return nil, b.fault()
		}
	}
}

// escape appends the character to text that the escape sequence at index i, relative to pos,
// stands for. It returns the length of the sequence; 0 if it is none.
func (b *jsonBuilder) escape(i int) int {
	if !b.need(i, 2) {
		return 0
	}
	c := b.buf[b.pos+i+1]
	switch c {
	case '"', '\\', '/':
	case 'b':
		c = '\b'
	case 'f':
		c = '\f'
	case 'n':
		c = '\n'
	case 'r':
		c = '\r'
	case 't':
		c = '\t'
	case 'u':
		r, ok := b.unit(i)
		n := 6
		if ok && utf16.IsSurrogate(r) {
			low, _ := b.unit(i + n) // with 0 it is no pair
			r, n = utf16.DecodeRune(r, low), 2*n
			ok = r != utf8.RuneError
		}
		if !ok {
			return 0
		}
		b.text = utf8.AppendRune(b.text, r)
		return n
	default:
		return 0
	}
	b.text = append(b.text, c)
	return 2
}

// unit returns the UTF-16 code unit that \uXXXX at index i, relative to pos, stands for; 0 and
// false if there is something else.
func (b *jsonBuilder) unit(i int) (rune, bool) {
	if !b.need(i, 6) {
		return 0, false
	}
	at := b.buf[b.pos+i:]
	v, err := strconv.ParseUint(string(at[2:6]), 16, 16)
	if err != nil || at[0] != '\\' || at[1] != 'u' {
		return 0, false
	}
	return rune(v), true
}

// stringValue returns a new reference to the string at pos.
func (b *jsonBuilder) stringValue() (rt.Ref, error) {
	text, err := b.str()
	if err != nil {
		return rt.Nil, err
	}
	if b.region || len(text) == 0 {
		return NewStringBytes(b.t, text)
	}
	return newText(b.t, stringType, text, 0)
}
