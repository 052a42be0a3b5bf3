package objects

import (
	"io"
	"strconv"

	rt "github.com/ichor-go/ichor/runtime"
)

// jsonNumber is what one look at a number's digits tells.
type jsonNumber struct {
	len      int // of the number; 0 if it is none. It may end later if the text ends there
	negative bool
	digits   int    // before and after the point, without zeros at the beginning
	value    uint64 // of the digits, modulo 2^64
	places   int    // digits after the point
	exponent bool
}

// exactDigits is the largest number of digits that 64 bits always hold.
const exactDigits = 19

func isDigit(c byte) bool { return c-'0' <= 9 }

// scanNumber looks at the number at the beginning of text. seen is how far it has looked.
func scanNumber(text []byte) (x jsonNumber, seen int) {
	i := 0
	if text[0] == '-' {
		x.negative = true
		i++
	}
	first := i
	if i < len(text) && text[i] == '0' {
		i++
		first = i
	} else {
		for ; i < len(text) && isDigit(text[i]); i++ {
			x.value = 10*x.value + uint64(text[i]-'0')
		}
		if i == first {
			return x, i
		}
	}
	x.digits = i - first
	if i < len(text) && text[i] == '.' {
		i++
		point := i
		if x.digits == 0 {
			for i < len(text) && text[i] == '0' {
				i++
			}
		}
		first = i
		for ; i < len(text) && isDigit(text[i]); i++ {
			x.value = 10*x.value + uint64(text[i]-'0')
		}
		x.digits += i - first
		if x.places = i - point; x.places == 0 {
			return x, i
		}
	}
	if i < len(text) && text[i]|0x20 == 'e' {
		x.exponent = true
		i++
		if i < len(text) && (text[i] == '+' || text[i] == '-') {
			i++
		}
		from := i
		for i < len(text) && isDigit(text[i]) {
			i++
		}
		if i == from {
			return x, i
		}
	}
	x.len = i
	return x, i
}

// number reads the number at pos.
func (b *jsonBuilder) number() (rt.Ref, error) {
	x, seen := scanNumber(b.buf[b.pos:])
	if b.pos+seen == len(b.buf) {
		if !b.wholeNumber(seen) {
			return rt.Nil, b.fault()
		}
		x, _ = scanNumber(b.buf[b.pos:])
	}
	if x.len == 0 {
		return rt.Nil, b.fault()
	}
	raw := b.buf[b.pos : b.pos+x.len]
	b.pos += x.len
	switch {
	case x.exponent || x.digits > exactDigits || x.places > maxPlaces:
	case x.places > 0:
		v := decimalFloat(x.value, x.places)
		if m, ok := floatDecimal(v, x.places); ok && m == x.value { // it will be written as it was read
			if x.negative {
				v = -v
			}
			return newFloat(b.t, v, decimalFormatting(x.places))
		}
	case x.value < 1<<63 && !x.negative:
		return NewInt(b.t, int64(x.value))
	case x.value < 1<<63 && x.value > 0:
		return NewInt(b.t, -int64(x.value))
	}
	return newFromLiteral(b.t, raw)
}

// wholeNumber reads until the number at pos has an end in the window. It returns false if the
// reader fails. n bytes of the number have been looked at.
func (b *jsonBuilder) wholeNumber(n int) bool {
	for {
		text := b.buf[b.pos:]
		for n < len(text) && (isDigit(text[n]) || text[n] == '.' || text[n]|0x20 == 'e' || text[n] == '+' || text[n] == '-') {
			n++
		}
		if n < len(text) {
			return true
		}
		if !b.more() {
			return b.in.err == io.EOF
		}
	}
}

// newFromLiteral returns a new reference to the number with the given JSON literal.
func newFromLiteral(t *rt.Thread, raw []byte) (rt.Ref, error) {
	text := string(raw)
	if v, err := strconv.ParseInt(text, 10, 64); err == nil && text != "-0" {
		return NewInt(t, v)
	}
	if v, err := strconv.ParseFloat(text, 64); err == nil {
		if f, ok := formattingOf(raw, v); ok {
			return newFloat(t, v, f)
		}
	}
	return newNumber(t, raw)
}
