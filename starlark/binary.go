package starlark

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/bits"
	"strings"

	rt "github.com/ichor-go/ichor/runtime"
	"go.starlark.net/syntax"
)

var (
	errFloatDivision = errors.New("floating-point division by zero")
	errFloorDivision = errors.New("floored division by zero")
	errIntModulo     = errors.New("integer modulo by zero")
	errFloatModulo   = errors.New("floating-point modulo by zero")
)

// binary returns x op y, with a count of its own. Comparisons are elsewhere.
func (th *Thread) binary(op syntax.Token, x, y Value) (Value, error) {
	kx, ky := th.kind(x), th.kind(y)
	switch {
	case op == syntax.IN || op == syntax.NOT_IN:
		in, known, err := th.contains(kx, ky, x, y)
		if err != nil {
			return 0, err
		}
		if known {
			return mkBool(in == (op == syntax.IN)), nil
		}
	case kx == kInt && ky == kInt:
		return th.intBinary(op, x, y)
	case (kx == kInt || kx == kFloat) && (ky == kInt || ky == kFloat):
		if v, known, err := th.floatBinary(op, x, y); known || err != nil {
			return v, err
		}
	default:
		if v, known, err := th.otherBinary(op, kx, ky, x, y); known || err != nil {
			return v, err
		}
	}
	if kx == kHost {
		if h, ok := th.host(x).(HostBinary); ok {
			if v, err := h.Binary(th, op, y, false); v != 0 || err != nil {
				return v, err
			}
		}
	}
	if ky == kHost {
		if h, ok := th.host(y).(HostBinary); ok {
			if v, err := h.Binary(th, op, x, true); v != 0 || err != nil {
				return v, err
			}
		}
	}
	if (op == syntax.LTLT || op == syntax.GTGT) && kx == kInt {
		_, err := th.asInt(y)
		return 0, err
	}
	if op == syntax.NOT_IN {
		op = syntax.IN
	}
	return 0, fmt.Errorf("unknown binary op: %s %s %s", th.typeName(x), op, th.typeName(y))
}

// intBinary is binary for two integers.
func (th *Thread) intBinary(op syntax.Token, x, y Value) (Value, error) {
	if x.isInt() && y.isInt() {
		a, b := x.int(), y.int()
		switch op {
		case syntax.PLUS:
			return th.newInt(a + b)
		case syntax.MINUS:
			return th.newInt(a - b)
		case syntax.STAR:
			hi, lo := bits.Mul64(uint64(max(a, -a)), uint64(max(b, -b)))
			if hi == 0 && lo < 1<<63 {
				return th.newInt(a * b)
			}
		case syntax.SLASHSLASH:
			if b == 0 {
				return 0, errFloorDivision
			}
			return th.newInt(floorDiv(a, b))
		case syntax.PERCENT:
			if b == 0 {
				return 0, errIntModulo
			}
			return mkInt(int64(floorMod(a, b))), nil
		case syntax.AMP:
			return mkInt(int64(a & b)), nil
		case syntax.PIPE:
			return mkInt(int64(a | b)), nil
		case syntax.CIRCUMFLEX:
			return mkInt(int64(a ^ b)), nil
		}
	}
	var z big.Int
	switch op {
	case syntax.SLASH:
		v, _, err := th.floatBinary(op, x, y)
		return v, err
	case syntax.LTLT, syntax.GTGT:
		n, err := th.asInt(y)
		switch {
		case err != nil && th.intSign(y) > 0 && op == syntax.LTLT:
			return 0, fmt.Errorf("shift count too large: %s out of range", th.intString(y))
		case err != nil:
			return 0, err
		case n < 0:
			return 0, fmt.Errorf("negative shift count: %d", n)
		case op == syntax.GTGT:
			if x.isInt() {
				return mkInt(int64(x.int() >> min(n, 63))), nil
			}
			return th.newBig(z.Rsh(th.big(x), uint(n)))
		case n >= 512:
			return 0, fmt.Errorf("shift count too large: %d", n)
		case x.isInt() && n < 63:
			if a := x.int(); a<<n>>n == a {
				return th.newInt(a << n)
			}
		}
		return th.newBig(z.Lsh(th.big(x), uint(n)))
	case syntax.STAR:
		if n := th.bigBits(x) + th.bigBits(y); n > maxBits {
			return 0, fmt.Errorf("integer too large: %d bits, the limit is %d", n, maxBits)
		}
	}
	held := th.held
	defer func() { th.release(held) }()
	if err := th.reserve((th.bigBits(x) + th.bigBits(y)) / 2); err != nil {
		return 0, err
	}
	a, b := th.big(x), th.big(y)
	if op == syntax.STAR || op == syntax.SLASHSLASH || op == syntax.PERCENT {
		th.chargeBig(th.bigBits(x), th.bigBits(y))
	}
	switch op {
	case syntax.PLUS:
		z.Add(a, b)
	case syntax.MINUS:
		z.Sub(a, b)
	case syntax.STAR:
		z.Mul(a, b)
	case syntax.SLASHSLASH, syntax.PERCENT:
		if b.Sign() == 0 {
			if op == syntax.PERCENT {
				return 0, errIntModulo
			}
			return 0, errFloorDivision
		}
		var m big.Int
		z.QuoRem(a, b, &m)
		if m.Sign() != 0 && m.Sign() != b.Sign() {
			z.Sub(&z, big.NewInt(1))
			m.Add(&m, b)
		}
		if op == syntax.PERCENT {
			return th.newBig(&m)
		}
	case syntax.AMP:
		z.And(a, b)
	case syntax.PIPE:
		z.Or(a, b)
	case syntax.CIRCUMFLEX:
		z.Xor(a, b)
	default:
		return 0, fmt.Errorf("unknown binary op: int %s int", op)
	}
	return th.newBig(&z)
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}

func floorMod(a, b int64) int64 {
	m := a % b
	if m != 0 && (m < 0) != (b < 0) {
		m += b
	}
	return m
}

// number returns the int or float v as a float.
func (th *Thread) number(v Value) (float64, error) {
	if v.isFloat() {
		return v.float(), nil
	}
	return th.finite(v)
}

// floatBinary is binary for two numbers of which one is a float, and for a division.
func (th *Thread) floatBinary(op syntax.Token, x, y Value) (Value, bool, error) {
	switch op {
	case syntax.PLUS, syntax.MINUS, syntax.STAR, syntax.SLASH, syntax.SLASHSLASH, syntax.PERCENT:
	default:
		return 0, false, nil
	}
	a, err := th.number(x)
	if err != nil {
		return 0, true, err
	}
	b, err := th.number(y)
	if err != nil {
		return 0, true, err
	}
	switch op {
	case syntax.PLUS:
		a += b
	case syntax.MINUS:
		a -= b
	case syntax.STAR:
		a *= b
	case syntax.SLASH:
		if b == 0 {
			return 0, true, errFloatDivision
		}
		a /= b
	case syntax.SLASHSLASH:
		if b == 0 {
			return 0, true, errFloorDivision
		}
		a = math.Floor(a / b)
	case syntax.PERCENT:
		if b == 0 {
			return 0, true, errFloatModulo
		}
		a = floatMod(a, b)
	}
	return mkFloat(a), true, nil
}

func floatMod(x, y float64) float64 {
	z := math.Mod(x, y)
	if (x < 0) != (y < 0) && z != 0 {
		z += y
	}
	return z
}

// otherBinary is binary for values that are not both numbers.
func (th *Thread) otherBinary(op syntax.Token, kx, ky kind, x, y Value) (v Value, known bool, err error) {
	switch op {
	case syntax.PLUS:
		if kx != ky {
			break
		}
		switch kx {
		case kString:
			v, err = th.addText(stringType, x, y)
			return v, true, err
		case kBytes:
			v, err = th.addText(bytesType, x, y)
			return v, true, err
		case kList, kTuple:
			v, err = th.addItems(kx, x, y)
			return v, true, err
		case kStruct:
			v, err = th.addStructs(x, y)
			return v, true, err
		}
	case syntax.STAR:
		if kx == kInt {
			x, y, kx, ky = y, x, ky, kx
		}
		if ky == kInt && (kx == kString || kx == kBytes || kx == kList || kx == kTuple) {
			v, err = th.repeat(kx, x, y)
			return v, true, err
		}
	case syntax.PERCENT:
		if kx == kString {
			v, err = th.interpolate(th.text(x), y)
			return v, true, err
		}
	case syntax.PIPE:
		if kx == ky && (kx == kDict || kx == kSet) {
			y1, y := dictType, y
			if kx == kSet {
				y1 = setType
			}
			v, err = th.clone(y1, x)
			if err == nil {
				if err = th.addAll(v, y); err != nil {
					th.drop(v)
					v = 0
				}
			}
			return v, true, err
		}
	case syntax.MINUS, syntax.AMP, syntax.CIRCUMFLEX:
		if kx == kSet && ky == kSet {
			switch op {
			case syntax.MINUS:
				v, err = th.difference(x, y)
			case syntax.AMP:
				v, err = th.intersection(x, y)
			default:
				v, err = th.symmetricDifference(x, y)
			}
			return v, true, err
		}
	}
	return 0, false, nil
}

func (th *Thread) addText(y *rt.Type, a, b Value) (Value, error) {
	s, t := th.text(a), th.text(b)
	switch {
	case t == "":
		return th.dup(a), nil
	case s == "":
		return th.dup(b), nil
	}
	return th.concat(y, s, t)
}

func (th *Thread) addItems(k kind, x, y Value) (Value, error) {
	n, m := th.length(x), th.length(y)
	if k == kTuple {
		switch {
		case n == 0:
			return th.dup(y), nil
		case m == 0:
			return th.dup(x), nil
		}
		v, o, err := th.newTuple(n + m)
		if err != nil {
			return 0, err
		}
		for i := range n + m {
			src, j := x, i
			if i >= n {
				src, j = y, i-n
			}
			r := th.t.Body(src.ref()).Ref(tupleSlots + j)
			th.t.IncRef(r)
			o.SetRef(tupleSlots+i, r)
		}
		return v, nil
	}
	v, err := th.newList(n + m)
	if err != nil {
		return 0, err
	}
	for _, src := range []Value{x, y} {
		if err := th.listExtend(v, src); err != nil {
			th.drop(v)
			return 0, err
		}
	}
	return v, nil
}

// maxRepeat is how large the result of a repetition can be.
const maxRepeat = 1 << 30

func (th *Thread) repeat(k kind, x, count Value) (Value, error) {
	n := th.length(x)
	many := 0
	if n > 0 {
		var err error
		if many, err = th.asInt(count); err != nil {
			return 0, fmt.Errorf("repeat count %s too large", th.intString(count))
		}
	}
	many = max(many, 0)
	if over, size := bits.Mul64(uint64(n), uint64(many)); over != 0 || size >= maxRepeat {
		return 0, fmt.Errorf("excessive repeat (%d * %d elements)", n, many)
	}
	switch k {
	case kString, kBytes:
		y := stringType
		if k == kBytes {
			y = bytesType
		} else if n*many == 0 {
			return th.m.empty, nil
		}
		v, b, err := th.newText(y, n*many)
		if err != nil {
			return 0, err
		}
		for done := copy(b, th.text(x)); done < len(b); done *= 2 {
			copy(b[done:], b[:done])
		}
		return v, nil
	case kTuple:
		v, o, err := th.newTuple(n * many)
		if err != nil || n*many == 0 {
			return v, err
		}
		for i := range n * many {
			r := th.t.Body(x.ref()).Ref(tupleSlots + i%n)
			th.t.IncRef(r)
			o.SetRef(tupleSlots+i, r)
		}
		return v, nil
	}
	v, err := th.newList(n * many)
	if err != nil || n*many == 0 {
		return v, err
	}
	o := th.t.Body(v.ref())
	b := th.t.Block(o.LoadRef(listBlock))
	for i := range n {
		r := th.listSlot(x, i)
		if r.IsNil() {
			r = rt.None // another thread has shortened the list
		}
		for j := range many {
			th.t.IncRef(r)
			b.SetRef(blockSlots+j*n+i, r)
		}
	}
	o.Store(listLen, uint32(n*many))
	return v, nil
}

// contains reports whether x is in y, and whether the types of both are known.
func (th *Thread) contains(kx, ky kind, x, y Value) (in, known bool, err error) {
	switch ky {
	case kString:
		if kx != kString {
			return false, true, fmt.Errorf("'in <string>' requires string as left operand, not %s", th.typeName(x))
		}
		th.scan(len(th.text(y)))
		return strings.Contains(th.text(y), th.text(x)), true, nil
	case kBytes:
		th.scan(len(th.text(y)))
		switch kx {
		case kBytes:
			return strings.Contains(th.text(y), th.text(x)), true, nil
		case kInt:
			n, ok := th.int64(x)
			if !ok || n < 0 || n > 255 {
				return false, true, fmt.Errorf("int in bytes: %s out of range (want value in unsigned 8-bit range)", th.intString(x))
			}
			return strings.IndexByte(th.text(y), byte(n)) >= 0, true, nil
		}
		return false, true, fmt.Errorf("'in bytes' requires bytes or int as left operand, not %s", th.typeName(x))
	case kList, kTuple:
		for i := range th.length(y) {
			e := th.itemAt(y, i)
			if e == 0 {
				break
			}
			if err := th.work(); err != nil {
				return false, true, err
			}
			if eq, err := th.equal(e, x); eq || err != nil {
				return eq, true, err
			}
		}
		return false, true, nil
	case kDict:
		v, err := th.tableGet(y, x)
		return v != 0, true, limitOnly(err) // what cannot be hashed is no key
	case kSet:
		v, err := th.tableGet(y, x)
		return v != 0, true, err
	case kRange:
		if kx != kInt && kx != kFloat {
			return false, true, fmt.Errorf("'in <range>' requires integer as left operand, not %s", th.typeName(x))
		}
		n, err := th.toInt(x)
		if err != nil {
			return false, true, fmt.Errorf("'in <range>' requires integer as left operand, not %s", th.typeName(x))
		}
		defer th.drop(n)
		i, err := th.asInt(n)
		return err == nil && th.rangeOf(y).contains(i), true, nil
	}
	return false, false, nil
}

// unary returns op x, with a count of its own.
func (th *Thread) unary(op syntax.Token, x Value) (Value, error) {
	switch k := th.kind(x); {
	case k == kInt && op == syntax.PLUS:
		return th.dup(x), nil
	case k == kInt && op == syntax.MINUS:
		return th.intBinary(syntax.MINUS, mkInt(0), x)
	case k == kInt && op == syntax.TILDE:
		if x.isInt() {
			return mkInt(int64(^x.int())), nil
		}
		return th.newBig(new(big.Int).Not(th.big(x)))
	case k == kFloat && op == syntax.PLUS:
		return x, nil
	case k == kFloat && op == syntax.MINUS:
		return mkFloat(-x.float()), nil
	}
	return 0, fmt.Errorf("unknown unary op: %s %s", op, th.typeName(x))
}
