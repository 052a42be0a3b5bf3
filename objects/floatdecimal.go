package objects

import (
	"encoding/binary"
	"math"
	"math/bits"
	"strconv"
)

// Most numbers with a point have few digits: they are m / 10^p for an integer m that fits
// 64 bits and a small p. The functions here convert between such a decimal and a float with
// integers alone, and without an error: a product or quotient of two numbers of 64 bits is
// computed with all its 128 bits, or with a remainder, and then rounded once. Package
// strconv, which does the same for all numbers, is their reference in the tests.

// maxPlaces is the largest p: 10^p fits 64 bits.
const maxPlaces = 19

// powers10 are the powers of ten from 10^0 to 10^maxPlaces.
var powers10 = func() (table [maxPlaces + 1]uint64) {
	table[0] = 1
	for i := range maxPlaces {
		table[i+1] = table[i] * 10
	}
	return table
}()

// decimalFloat returns the float that is nearest to m / 10^p; of two, the one whose last bit
// is 0.
//
//	m / 10^p = (hi·2^64 + lo) / d · 2^e     with hi and d shifted until hi < d <= 2·hi
//
// So the quotient has 64 bits, the highest of them set. The conversion to a float rounds it
// to 53. It would round a quotient that lies half-way between two floats to the even one, so
// a remainder sets the lowest bit, which no float has.
func decimalFloat(m uint64, p int) float64 {
	if m == 0 {
		return 0
	}
	left, right := bits.LeadingZeros64(m), bits.LeadingZeros64(powers10[p])
	hi, lo, d := m<<left, uint64(0), powers10[p]<<right
	e := right - left - 64
	if hi >= d {
		hi, lo, e = hi>>1, hi<<63, e+1
	}
	q, rest := bits.Div64(hi, lo, d)
	if rest != 0 {
		q |= 1
	}
	return float64(q) * math.Float64frombits(uint64(e+1023)<<52) // exact: 2^e
}

// floatDecimal returns the integer that is nearest to |v|·10^p, the even one of two. It
// returns false if the integer has more than 19 digits, and for some numbers that are far from 1.
//
//	|v|·10^p = m·10^p / 2^k     the product has 128 bits, and 1 <= k <= 128
func floatDecimal(v float64, p int) (uint64, bool) {
	const fraction, top = 1<<52 - 1, 1 << 63
	b := math.Float64bits(v)
	k := uint(1075 - int(b>>52&0x7ff))
	switch {
	case p > maxPlaces:
		return 0, false
	case v == 0:
		return 0, true
	case k-1 >= 128: // also if k is negative
		return 0, false
	}
	hi, lo := bits.Mul64(b&fraction|(fraction+1), powers10[p])
	if hi>>k != 0 {
		return 0, false
	}
	// A shift by 64 or more gives 0, so of two shifts in opposite directions one does.
	q := lo>>k | hi<<(64-k) | hi>>(k-64)
	if q >= 1e19 {
		return 0, false
	}
	rest, more := hi<<(128-k)|lo>>(k-64)|lo<<(64-k), lo<<(128-k) // what q leaves, from the top bit on
	if rest > top || rest == top && (more != 0 || q&1 != 0) {
		q++
	}
	return q, true
}

// appendDecimal appends m / 10^p, with p digits after the point. It writes maxPlaces digits,
// in groups of three, eight and eight, and then drops those that are too many.
func appendDecimal(dst []byte, negative bool, m uint64, p int) []byte {
	const group = 1e8
	if negative {
		dst = append(dst, '-')
	}
	whole := m / powers10[p]
	dst = strconv.AppendUint(dst, whole, 10)
	if p == 0 {
		return dst
	}
	rest := (m - whole*powers10[p]) * powers10[maxPlaces-p]
	dst = append(dst, ".0000000000000000000"...)
	digits := dst[len(dst)-maxPlaces:]
	binary.LittleEndian.PutUint64(digits[0:], eightDigits(rest/group/group)>>(5*8))
	binary.LittleEndian.PutUint64(digits[3:], eightDigits(rest/group%group))
	binary.LittleEndian.PutUint64(digits[11:], eightDigits(rest%group))
	return dst[:len(dst)-maxPlaces+p]
}

// eightDigits returns the eight digits of v, which is below 10^8, the first one in the lowest
// byte. Each step splits all parts of v at once: two of four digits, four of two, eight of
// one. A quotient by 100 or 10 is a product and a shift, which is exact for such small parts.
func eightDigits(v uint64) uint64 {
	v = v/10000 | v%10000<<32
	q := v * 10486 >> 20 & 0x7f_0000007f
	v = q | (v-q*100)<<16
	q = v * 103 >> 10 & 0xf_000f_000f_000f
	v = q | (v-q*10)<<8
	return v | 0x3030303030303030
}
