package objects

import (
	"bytes"
	"math"
	"strconv"
)

// floatFormatting says how a Float is written, so that a number from a document is written
// as it was read: 1.50 stays 1.50.
//
//	31 ........ 24  23 ...... 16  15 ......... 8  7 ...... 0
//	exponent's      exponent's    digits after    style
//	least digits    sign: 1 if +  the point
//
// style is 0 for the shortest text that reads back as the same number, else 'f', 'e' or
// 'E'. A floatFormatting is the note on a Float, and has at most 26 bits.
type floatFormatting uint32

const shortest floatFormatting = 0

// decimalFormatting is the formatting of a decimal without exponent, with so many digits
// after the point.
func decimalFormatting(places int) floatFormatting { return floatFormatting(places<<8 | 'f') }

// maxDigits bounds the number of digits after the point in a formatting.
const maxDigits = 60

// valid reports whether formattingOf can return f.
func (f floatFormatting) valid() bool {
	switch byte(f) {
	case 'f':
		return f>>16 == 0 && f>>8 <= maxDigits
	case 'e', 'E':
		return f>>24 <= 3 && f>>16&0xff <= 1 && f>>8&0xff <= maxDigits
	}
	return f == shortest
}

// formattingOf returns the formatting that writes v as the literal, and whether there is
// one. v is the value of the literal.
func formattingOf(literal []byte, v float64) (floatFormatting, bool) {
	style := byte('f')
	mantissa := literal
	var plus, least int
	if i := bytes.IndexAny(literal, "eE"); i >= 0 {
		style, mantissa = literal[i], literal[:i]
		exponent := literal[i+1:]
		if exponent[0] == '+' {
			plus = 1
		}
		least = len(bytes.TrimLeft(exponent, "+-"))
	}
	digits := 0
	if i := bytes.IndexByte(mantissa, '.'); i >= 0 {
		digits = len(mantissa) - i - 1
	}
	if digits > maxDigits || least > 3 {
		return 0, false
	}
	f := floatFormatting(least<<24 | plus<<16 | digits<<8 | int(style))
	var buf [96]byte
	if bytes.Equal(appendFloat(buf[:0], v, f), literal) {
		return f, true
	}
	// From 2^53 on, the shortest text has zeros where the exact number has digits.
	return shortest, bytes.Equal(appendShortest(buf[:0], v), literal)
}

// appendFloat appends the text of v, which is finite, to dst.
func appendFloat(dst []byte, v float64, f floatFormatting) []byte {
	digits := int(f >> 8 & 0xff)
	switch style := byte(f); style {
	case 'f':
		if m, ok := floatDecimal(v, digits); ok {
			return appendDecimal(dst, math.Signbit(v), m, digits)
		}
		return strconv.AppendFloat(dst, v, 'f', digits, 64)
	case 'e', 'E':
		return appendExponent(dst, v, style, digits, f>>16&0xff != 0, int(f>>24))
	}
	return appendShortest(dst, v)
}

// appendShortest writes v as JavaScript does, but always with a point or an exponent: 1.0
// is a Float, 1 is an Int.
func appendShortest(dst []byte, v float64) []byte {
	if a := math.Abs(v); a != 0 && (a < 1e-6 || a >= 1e21) {
		return appendExponent(dst, v, 'e', -1, true, 1)
	}
	n := len(dst)
	dst = strconv.AppendFloat(dst, v, 'f', -1, 64)
	if bytes.IndexByte(dst[n:], '.') < 0 {
		dst = append(dst, ".0"...)
	}
	return dst
}

// appendExponent writes a mantissa, and an exponent of at least the given number of digits.
// strconv would always write a sign and at least two digits.
func appendExponent(dst []byte, v float64, letter byte, digits int, plus bool, least int) []byte {
	n := len(dst)
	dst = strconv.AppendFloat(dst, v, 'e', digits, 64)
	i := n + bytes.LastIndexByte(dst[n:], 'e')
	exponent, _ := strconv.Atoi(string(dst[i+1:]))
	dst = append(dst[:i], letter)
	if exponent < 0 {
		dst = append(dst, '-')
		exponent = -exponent
	} else if plus {
		dst = append(dst, '+')
	}
	text := strconv.Itoa(exponent)
	for range least - len(text) {
		dst = append(dst, '0')
	}
	return append(dst, text...)
}
