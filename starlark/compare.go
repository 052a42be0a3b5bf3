package starlark

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/bits"
	"math/rand/v2"
	"strings"

	"go.starlark.net/syntax"
)

// compareDepth is how deep comparisons go, as in starlark-go.
const compareDepth = 10

var errCompareDepth = errors.New("comparison exceeded maximum recursion depth")

// The seeds keep programs from choosing keys with equal hashes.
var seed1, seed2 = rand.Uint64(), rand.Uint64() | 1

func mix(h uint64) uint32 {
	hi, lo := bits.Mul64(h^seed1, seed2)
	h = hi ^ lo
	return uint32(h>>32) ^ uint32(h)
}

// hash returns the hash of a key. Equal keys have equal hashes: 1 and 1.0 too.
func (th *Thread) hash(v Value) (uint32, error) {
	if v.isInt() {
		return mix(uint64(v.int())), nil
	}
	if r := v.ref(); v < floatBase && th.t.QuickKind(r) == stringType.ID() {
		if h := th.t.Body(r).Load(textHash); h != 0 {
			return h, nil
		}
	}
	return th.hashDepth(v, maxNesting)
}

// maxNesting bounds the recursion over values.
const maxNesting = 1000

var errNesting = fmt.Errorf("value is nested too deeply: the limit is %d", maxNesting)

func (th *Thread) hashDepth(v Value, depth int) (uint32, error) {
	if depth == 0 {
		return 0, errNesting
	}
	if err := th.work(); err != nil {
		return 0, err
	}
	if v.isInt() {
		return mix(uint64(v.int())), nil
	}
	if v.isFloat() {
		return th.hashFloat(v.float()), nil
	}
	switch k := th.kind(v); k {
	case kString, kBytes:
		return th.textHashOf(v), nil
	case kNone:
		return 1, nil
	case kBool:
		if v == True {
			return 3, nil
		}
		return 2, nil
	case kInt:
		return th.hashBig(v), nil
	case kTuple:
		h := uint32(0x345678)
		for i := range th.tupleLen(v) {
			x, err := th.hashDepth(th.tupleAt(v, i), depth-1)
			if err != nil {
				return 0, err
			}
			h = mix(uint64(h)<<32 | uint64(x))
		}
		return h, nil
	case kStruct:
		h := uint32(8731)
		for i := range th.structLen(v) {
			x, err := th.hashDepth(th.structAt(v, i), depth-1)
			if err != nil {
				return 0, err
			}
			h = mix(uint64(h)<<32 | uint64(x))
		}
		return h, nil
	case kFunction, kBuiltin, kMethod:
		return mix(uint64(v.ref().Handle)), nil
	case kHost:
		if x, ok := th.host(v).(HostHash); ok {
			return x.Hash()
		}
		return 0, fmt.Errorf("unhashable: %s", th.typeName(v))
	case kList, kDict, kSet:
		return 0, unhashable(kindNames[k])
	}
	return 0, fmt.Errorf("unhashable: %s", th.typeName(v))
}

func (th *Thread) hashFloat(f float64) uint32 {
	if f == math.Trunc(f) && f >= minSmall && f <= maxSmall {
		return mix(uint64(int64(f)))
	}
	if f != f {
		return 1618033
	}
	return mix(math.Float64bits(f))
}

// hashBig returns the hash of an integer of more than 48 bits: that of the float that is equal, if there
// is one, else that of its bytes.
func (th *Thread) hashBig(v Value) uint32 {
	if f, exact := th.nearestFloat(v); exact {
		return th.hashFloat(f)
	}
	if n, ok := th.int64(v); ok {
		return mix(uint64(n))
	}
	s := th.bigBytes(v)
	th.scan(len(s))
	return hashText(s)
}

func (th *Thread) equal(a, b Value) (bool, error) {
	return th.equalDepth(a, b, compareDepth)
}

func (th *Thread) equalDepth(a, b Value, depth int) (bool, error) {
	return th.compareDepth(syntax.EQL, a, b, depth)
}

func (th *Thread) compare(op syntax.Token, a, b Value) (bool, error) {
	return th.compareDepth(op, a, b, compareDepth)
}

// longText is from how many bytes on a comparison of texts counts as work.
const longText = 4 << 10

// orderOf returns the number of a comparison in comparisons.
func orderOf(op syntax.Token) opcode {
	switch op {
	case syntax.EQL:
		return 0
	case syntax.NEQ:
		return 1
	case syntax.LT:
		return 2
	case syntax.LE:
		return 3
	case syntax.GT:
		return 4
	}
	return 5
}

func threeway(op syntax.Token, cmp int) bool {
	switch op {
	case syntax.EQL:
		return cmp == 0
	case syntax.NEQ:
		return cmp != 0
	case syntax.LE:
		return cmp <= 0
	case syntax.LT:
		return cmp < 0
	case syntax.GE:
		return cmp >= 0
	}
	return cmp > 0
}

func floatCompare(x, y float64) int {
	switch {
	case x > y:
		return 1
	case x < y:
		return -1
	case x == y:
		return 0
	case x == x:
		return -1
	case y == y:
		return 1
	}
	return 0
}

// intFloatCompare compares the integer x with the float y. A NaN is the greatest float.
func (th *Thread) intFloatCompare(x Value, y float64) int {
	switch {
	case y != y || math.IsInf(y, 1):
		return -1
	case math.IsInf(y, -1):
		return 1
	case x.isInt():
		return floatCompare(float64(x.int()), y) // 48 bits are exact
	case th.bigBits(x) > floatBits:
		return th.intSign(x)
	}
	return new(big.Float).SetInt(th.big(x)).Cmp(big.NewFloat(y))
}

func (th *Thread) compareDepth(op syntax.Token, a, b Value, depth int) (bool, error) {
	if depth < 1 {
		return false, errCompareDepth
	}
	if a&b >= intBase {
		return intOrder(orderOf(op), a.int(), b.int()), nil
	}
	ka, kb := th.kind(a), th.kind(b)
	if ka == kb {
		switch ka {
		case kInt:
			return threeway(op, th.compareInts(a, b)), nil
		case kFloat:
			return threeway(op, floatCompare(a.float(), b.float())), nil
		case kString, kBytes:
			x, y := th.text(a), th.text(b)
			if n := min(len(x), len(y)); n >= longText {
				th.scan(n)
				if err := th.work(); err != nil {
					return false, err
				}
			}
			if op == syntax.EQL {
				return x == y, nil
			}
			return threeway(op, strings.Compare(x, y)), nil
		case kBool:
			x, y := 0, 0
			if a == True {
				x = 1
			}
			if b == True {
				y = 1
			}
			return threeway(op, x-y), nil
		case kTuple, kList:
			return th.compareItems(op, a, b, depth)
		case kHost:
			if eq, ok := th.host(a).(HostCompare); ok {
				return eq.Compare(th, op, th.host(b), depth)
			}
		}
		if op != syntax.EQL && op != syntax.NEQ {
			if ka == kSet {
				return th.compareSets(op, a, b)
			}
			return false, th.notImplemented(op, a, b)
		}
		eq, err := th.equalSame(ka, a, b, depth)
		return eq == (op == syntax.EQL), err
	}
	switch {
	case ka == kInt && kb == kFloat:
		return threeway(op, th.intFloatCompare(a, b.float())), nil
	case ka == kFloat && kb == kInt:
		return threeway(op, -th.intFloatCompare(b, a.float())), nil
	}
	switch op {
	case syntax.EQL:
		return false, nil
	case syntax.NEQ:
		return true, nil
	}
	return false, th.notImplemented(op, a, b)
}

func (th *Thread) notImplemented(op syntax.Token, a, b Value) error {
	return fmt.Errorf("%s %s %s not implemented", th.typeName(a), op, th.typeName(b))
}

// equalSame compares two values of the same kind, which is none of the above.
func (th *Thread) equalSame(k kind, a, b Value, depth int) (bool, error) {
	if same(a, b) && k != kDict && k != kSet && k != kStruct {
		return true, nil
	}
	switch k {
	case kDict:
		if th.tableLen(a) != th.tableLen(b) {
			return false, nil
		}
		for i := 0; ; {
			kr, xr, h, next := th.tableSlots(a, i)
			if kr.IsNil() {
				return true, nil
			}
			i = next
			yr, err := th.tableSlot(b, 0, kr, h)
			if yr.IsNil() {
				return false, limitOnly(err)
			}
			if xr == yr && xr.IsInt() && depth > 1 {
				continue
			}
			if eq, err := th.equalDepth(th.peek(xr), th.peek(yr), depth-1); !eq || err != nil {
				return false, err
			}
		}
	case kSet:
		if th.tableLen(a) != th.tableLen(b) {
			return false, nil
		}
		return th.subset(a, b)
	case kRange:
		x, y := th.rangeOf(a), th.rangeOf(b)
		return x.len == y.len && (x.len == 0 || x.start == y.start && (x.len == 1 || x.step == y.step)), nil
	case kStruct:
		return th.structsEqual(a, b, depth)
	}
	return false, nil
}

// subset reports whether all keys of a are in b.
func (th *Thread) subset(a, b Value) (bool, error) {
	for i := 0; ; {
		kr, _, h, next := th.tableSlots(a, i)
		if kr.IsNil() {
			return true, nil
		}
		i = next
		if x, err := th.tableSlot(b, 0, kr, h); x.IsNil() {
			return false, limitOnly(err)
		}
	}
}

// limitOnly returns err if it says that the program has reached a limit, which nothing hides.
func limitOnly(err error) error {
	var limit *LimitError
	if errors.As(err, &limit) {
		return err
	}
	return nil
}

func (th *Thread) compareSets(op syntax.Token, a, b Value) (bool, error) {
	la, lb := th.tableLen(a), th.tableLen(b)
	switch {
	case op == syntax.GE && la >= lb, op == syntax.GT && la > lb:
		return th.subset(b, a)
	case op == syntax.LE && la <= lb, op == syntax.LT && la < lb:
		return th.subset(a, b)
	}
	return false, nil
}

// compareItems compares two lists or two tuples.
func (th *Thread) compareItems(op syntax.Token, a, b Value, depth int) (bool, error) {
	la, lb := th.length(a), th.length(b)
	if la != lb && (op == syntax.EQL || op == syntax.NEQ) {
		return op == syntax.NEQ, nil
	}
	for i := range min(la, lb) {
		x, y := th.itemAt(a, i), th.itemAt(b, i)
		if x == 0 || y == 0 {
			break // another thread has shortened a list
		}
		if err := th.work(); err != nil {
			return false, err
		}
		eq, err := th.equalDepth(x, y, depth-1)
		if err != nil {
			return false, err
		}
		if !eq {
			switch op {
			case syntax.EQL:
				return false, nil
			case syntax.NEQ:
				return true, nil
			}
			return th.compareDepth(op, x, y, depth-1)
		}
	}
	return threeway(op, la-lb), nil
}

// truth returns the truth of v.
func (th *Thread) truth(v Value) bool {
	if v.isInt() {
		return v.int() != 0
	}
	if v.isFloat() {
		return v.float() != 0
	}
	switch th.kind(v) {
	case kNone:
		return false
	case kBool:
		return v == True
	case kString, kBytes:
		return th.text(v) != ""
	case kTuple, kList, kDict, kSet, kRange:
		return th.length(v) > 0
	case kHost:
		if x, ok := th.host(v).(HostTruth); ok {
			return x.Truth()
		}
	}
	return true
}

// length returns the length of v, or -1 if it has none.
func (th *Thread) length(v Value) int {
	switch th.kind(v) {
	case kString, kBytes:
		return len(th.text(v))
	case kTuple:
		return th.tupleLen(v)
	case kList:
		return th.listLen(v)
	case kDict, kSet:
		return th.tableLen(v)
	case kRange:
		return th.rangeOf(v).len
	case kElems:
		text, mode := th.elemsOf(v)
		if mode == elemStrings || mode == elemOrds {
			return len(th.text(text))
		}
	case kHost:
		if x, ok := th.host(v).(HostLen); ok {
			return x.Len()
		}
	}
	return -1
}

// typeName returns what type(v) is.
func (th *Thread) typeName(v Value) string {
	switch k := th.kind(v); k {
	case kElems:
		switch _, mode := th.elemsOf(v); mode {
		case byteInts:
			return "bytes.elems"
		case pointStrings, pointOrds:
			return "string.codepoints"
		}
		return "string.elems"
	case kHost:
		return th.host(v).Type()
	default:
		return kindNames[k]
	}
}
