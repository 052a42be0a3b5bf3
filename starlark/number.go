package starlark

import (
	"cmp"
	"fmt"
	"math"
	"math/big"
	"math/bits"
	"strconv"
	"strings"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// Words of an integer of more than 48 bits. Immutable.
const (
	bigLen  = 0 // in bytes
	bigSign = 1 // 1 if it is negative
	bigData = 2
)

// maxBits bounds the size of integers. The spec has no bound; memory and time do.
const maxBits = 1 << 22

func (th *Thread) boxNumber(v Value) (rt.Ref, error) {
	if v >= intBase {
		if r, ok := rt.Int(v.int()); ok {
			return r, nil
		}
		r, err := objects.NewInt(th.t, v.int())
		return r, err
	}
	r, err := objects.NewFloat(th.t, v.float())
	return r, err
}

// unbox returns the number in a box.
func (th *Thread) unbox(r rt.Ref) (Value, bool) {
	switch th.t.Kind(r) {
	case rt.TypeFloat:
		f, _ := objects.Float(r).Value(th.t)
		return mkFloat(f), true
	case rt.TypeInt:
		if n, ok := objects.Int(r).Value(th.t); ok && n >= minSmall && n <= maxSmall {
			return mkInt(int64(n)), true
		}
	}
	return 0, false
}

// newInt returns the integer n.
func (th *Thread) newInt(n int64) (Value, error) {
	if n >= minSmall && n <= maxSmall {
		return mkInt(int64(n)), nil
	}
	abs := uint64(n)
	if n < 0 {
		abs = -abs
	}
	size := (bits.Len64(abs) + 7) / 8
	o, v, err := th.newBytesOfInt(size, n < 0)
	if err != nil {
		return 0, err
	}
	b := o.Bytes(bigData, size)
	for i := range b {
		b[i] = byte(abs >> (8 * (size - 1 - i)))
	}
	return v, nil
}

// newBytesOfInt returns a new object for an integer of n bytes, to be filled before it is published.
func (th *Thread) newBytesOfInt(n int, negative bool) (rt.Body, Value, error) {
	r, o, err := th.t.New(bigType, 4*bigData+n)
	if err != nil {
		return o, 0, err
	}
	o.SetWord(bigLen, uint32(n))
	if negative {
		o.SetWord(bigSign, 1)
	}
	return o, counted(r), nil
}

// newBig returns the integer b.
func (th *Thread) newBig(b *big.Int) (Value, error) {
	if b.IsInt64() {
		if n := b.Int64(); n >= minSmall && n <= maxSmall {
			return mkInt(int64(n)), nil
		}
	}
	if b.BitLen() > maxBits {
		return 0, fmt.Errorf("integer too large: %d bits, the limit is %d", b.BitLen(), maxBits)
	}
	n := (b.BitLen() + 7) / 8
	if err := th.large(n); err != nil {
		return 0, err
	}
	o, v, err := th.newBytesOfInt(n, b.Sign() < 0)
	if err != nil {
		return 0, err
	}
	b.FillBytes(o.Bytes(bigData, n))
	return v, nil
}

// big returns the integer v.
func (th *Thread) big(v Value) *big.Int {
	if v.isInt() {
		return big.NewInt(v.int())
	}
	if n, ok := objects.Int(v.ref()).Value(th.t); ok {
		return big.NewInt(n)
	}
	o := th.t.Body(v.ref())
	b := new(big.Int).SetBytes(o.Bytes(bigData, int(o.Word(bigLen))))
	if o.Word(bigSign) != 0 {
		b.Neg(b)
	}
	return b
}

// int64 returns the integer v, and whether it has at most 64 bits.
func (th *Thread) int64(v Value) (int64, bool) {
	if v.isInt() {
		return v.int(), true
	}
	if n, ok := objects.Int(v.ref()).Value(th.t); ok {
		return n, true
	}
	s := th.bigBytes(v)
	if len(s) > 8 {
		return 0, false
	}
	abs := uint64(0)
	for i := range len(s) {
		abs = abs<<8 | uint64(s[i])
	}
	if th.t.Body(v.ref()).Word(bigSign) != 0 {
		return int64(-abs), abs <= 1<<63
	}
	return int64(abs), abs < 1<<63
}

func (th *Thread) intSign(v Value) int {
	if v.isInt() {
		switch n := v.int(); {
		case n < 0:
			return -1
		case n > 0:
			return 1
		}
		return 0
	}
	if n, ok := objects.Int(v.ref()).Value(th.t); ok {
		return cmp.Compare(n, 0)
	}
	if th.t.Body(v.ref()).Word(bigSign) != 0 {
		return -1
	}
	return 1
}

// compareInts compares two integers, without copies of large ones.
func (th *Thread) compareInts(a, b Value) int {
	if x, ok := th.int64(a); ok {
		if y, ok := th.int64(b); ok {
			return cmp.Compare(x, y)
		}
		return -th.intSign(b)
	}
	sign := th.intSign(a)
	if _, ok := th.int64(b); ok || sign != th.intSign(b) {
		return sign
	}
	x, y := th.bigBytes(a), th.bigBytes(b)
	th.scan(min(len(x), len(y)))
	if len(x) != len(y) {
		return sign * cmp.Compare(len(x), len(y))
	}
	return sign * strings.Compare(x, y)
}

// bigBytes returns the bytes of an integer that is an object of bigType, without the sign. They are good
// as long as the object.
func (th *Thread) bigBytes(v Value) string {
	o := th.t.Body(v.ref())
	return o.String(bigData, int(o.Word(bigLen)))
}

// intString returns the text of the integer v for an error.
func (th *Thread) intString(v Value) string {
	if v.isInt() {
		return strconv.FormatInt(v.int(), 10)
	}
	if n := th.bigBits(v); n > maxErrorText {
		return fmt.Sprintf("an integer of %d bits", n)
	}
	return th.big(v).String()
}

// bigBits returns a bound on the bits of the integer v.
func (th *Thread) bigBits(v Value) int {
	if v.isInt() {
		return 48
	}
	if n, ok := objects.Int(v.ref()).Value(th.t); ok {
		return bits.Len64(uint64(max(n, -n)))
	}
	return 8 * int(th.t.Body(v.ref()).Word(bigLen))
}

// asInt returns the integer v if it has 32 bits.
func (th *Thread) asInt(v Value) (int, error) {
	if v.isInt() {
		if n := v.int(); n == int64(int32(n)) {
			return int(n), nil
		}
	} else if th.kind(v) != kInt {
		return 0, fmt.Errorf("got %s, want int", th.typeName(v))
	}
	return 0, fmt.Errorf("%s out of range", th.intString(v))
}

// asInt64 returns the integer v if it has 64 bits.
func (th *Thread) asInt64(v Value) (int, error) {
	if th.kind(v) != kInt {
		return 0, fmt.Errorf("got %s, want int", th.typeName(v))
	}
	if n, ok := th.int64(v); ok && n == int64(int(n)) {
		return int(n), nil
	}
	return 0, fmt.Errorf("%s out of range (want value in signed 64-bit range)", th.intString(v))
}

// finite returns the integer v as a float.
func (th *Thread) finite(v Value) (float64, error) {
	f := th.intFloat(v)
	if math.IsInf(f, 0) {
		return 0, fmt.Errorf("int too large to convert to float")
	}
	return f, nil
}

func (th *Thread) intFloat(v Value) float64 {
	if v.isInt() {
		return float64(v.int())
	}
	f, _ := th.nearestFloat(v)
	return f
}

// nearestFloat returns the float that is nearest to an integer of more than 48 bits, and whether it is equal.
func (th *Thread) nearestFloat(v Value) (float64, bool) {
	if th.bigBits(v) > floatBits {
		return math.Inf(th.intSign(v)), false
	}
	f, accuracy := new(big.Float).SetInt(th.big(v)).Float64()
	return f, accuracy == big.Exact
}

// floatBits is more than the bits of the integers that a float can be near to.
const floatBits = 1100

// toInt returns the int or float v as an integer, with a count of its own.
func (th *Thread) toInt(v Value) (Value, error) {
	if v.isFloat() {
		f := v.float()
		switch {
		case math.IsInf(f, 0):
			return 0, fmt.Errorf("cannot convert float infinity to integer")
		case f != f:
			return 0, fmt.Errorf("cannot convert float NaN to integer")
		}
		return th.floatInt(f)
	}
	if th.kind(v) == kInt {
		return th.dup(v), nil
	}
	return 0, fmt.Errorf("cannot convert %s to int", th.typeName(v))
}

// floatInt returns the finite float f without its fraction.
func (th *Thread) floatInt(f float64) (Value, error) {
	if f >= minSmall && f <= maxSmall {
		return mkInt(int64(f)), nil
	}
	b, _ := big.NewFloat(f).Int(nil)
	return th.newBig(b)
}

// chargeBig counts a multiplication or division of integers with so many bits as steps. The number
// is about the time that it takes, for integers of up to maxBits.
func (th *Thread) chargeBig(m, n int) { th.charge(int(int64(m/64) * int64(n/64) >> 11)) }
