package starlark

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"go.starlark.net/syntax"
)

// The functions of the universe that are about numbers and characters.

func abs(th *Thread, c *Call) (Value, error) {
	if err := c.positional(1, 1); err != nil {
		return 0, err
	}
	x := c.Args[0]
	switch th.kind(x) {
	case kFloat:
		return mkFloat(math.Abs(x.float())), nil
	case kInt:
		if th.intSign(x) >= 0 {
			return th.dup(x), nil
		}
		return th.unary(syntax.MINUS, x)
	}
	return 0, fmt.Errorf("got %s, want int or float", th.typeName(x))
}

func chr(th *Thread, c *Call) (Value, error) {
	if err := exactly1(c, ""); err != nil {
		return 0, err
	}
	i, err := th.asInt(c.Args[0])
	switch {
	case err != nil:
		return 0, c.error(err)
	case i < 0:
		return 0, c.errorf("Unicode code point %d out of range (<0)", i)
	case i > unicode.MaxRune:
		return 0, c.errorf("Unicode code point U+%X out of range (>0x10FFFF)", i)
	}
	return th.newString(string(rune(i)))
}

func floatOf(th *Thread, c *Call) (Value, error) {
	if len(c.Kwargs) > 0 {
		return 0, fmt.Errorf("float does not accept keyword arguments")
	}
	if len(c.Args) == 0 {
		return mkFloat(0), nil
	}
	if len(c.Args) != 1 {
		return 0, fmt.Errorf("float got %d arguments, wants 1", len(c.Args))
	}
	x := c.Args[0]
	switch th.kind(x) {
	case kBool:
		if x == True {
			return mkFloat(1), nil
		}
		return mkFloat(0), nil
	case kInt:
		f, err := th.finite(x)
		return mkFloat(f), err
	case kFloat:
		return x, nil
	case kString:
		s := th.text(x)
		if len(s) > shortNumber {
			if err := th.reserve(2 * len(s)); err != nil { // an error of strconv has a copy
				return 0, err
			}
		}
		switch strings.ToLower(s[:min(len(s), 10)]) {
		case "":
			return 0, fmt.Errorf("float: empty string")
		case "inf", "+inf", "infinity", "+infinity":
			return mkFloat(math.Inf(1)), nil
		case "-inf", "-infinity":
			return mkFloat(math.Inf(-1)), nil
		case "nan", "+nan", "-nan":
			return mkFloat(math.NaN()), nil
		}
		f, err := strconv.ParseFloat(s, 64)
		if math.IsInf(f, 0) {
			return 0, fmt.Errorf("floating-point number too large")
		}
		if err != nil {
			return 0, fmt.Errorf("invalid float literal: %s", brief(s))
		}
		return mkFloat(f), nil
	}
	return 0, fmt.Errorf("float got %s, want number or string", th.typeName(x))
}

func hashOf(th *Thread, c *Call) (Value, error) {
	if err := c.positional(1, 1); err != nil {
		return 0, err
	}
	x := c.Args[0]
	switch th.kind(x) {
	case kString:
		th.scan(len(th.text(x)))
		return mkInt(int64(javaHash(th.text(x)))), nil
	case kBytes:
		th.scan(len(th.text(x)))
		h := uint32(2166136261)
		for _, b := range []byte(th.text(x)) {
			h = (h ^ uint32(b)) * 16777619
		}
		return mkInt(int64(h)), nil
	}
	return 0, fmt.Errorf("hash: got %s, want string or bytes", th.typeName(x))
}

func javaHash(s string) (h int32) {
	for _, r := range s {
		if utf16.IsSurrogate(r) {
			a, b := utf16.EncodeRune(r)
			h = 31*(31*h+a) + b
		} else {
			h = 31*h + r
		}
	}
	return h
}

func intOf(th *Thread, c *Call) (Value, error) {
	x, base := mkInt(0), Value(0)
	if err := c.Unpack(th, c.Args, []string{"x", "base?"}, &x, &base); err != nil {
		return 0, err
	}
	if s, ok := th.str(x); ok {
		b := 10
		if base != 0 {
			var err error
			if b, err = th.asInt(base); err != nil {
				return 0, fmt.Errorf("int: for base, got %s, want int", th.typeName(base))
			}
			if b != 0 && (b < 2 || b > 36) {
				return 0, fmt.Errorf("int: base must be an integer >= 2 && <= 36")
			}
		}
		if len(s) > maxBits/4 {
			return 0, fmt.Errorf("int: literal too large: %d digits", len(s))
		}
		if err := th.reserve(2 * len(s)); err != nil {
			return 0, err
		}
		th.chargeBig(4*len(s), 4*len(s))
		if n := parseInt(s, b); n != nil {
			return th.newBig(n)
		}
		return 0, fmt.Errorf("int: invalid literal with base %d: %s", b, brief(s))
	}
	if base != 0 {
		return 0, fmt.Errorf("int: can't convert non-string with explicit base")
	}
	switch x {
	case True:
		return mkInt(1), nil
	case False:
		return mkInt(0), nil
	}
	v, err := th.toInt(x)
	if err != nil {
		return 0, c.error(err)
	}
	return v, nil
}

func parseInt(s string, base int) *big.Int {
	neg := false
	if s != "" && (s[0] == '+' || s[0] == '-') {
		neg = s[0] == '-'
		s = s[1:]
	}
	if len(s) > 1 && s[0] == '0' {
		prefix := 0
		if len(s) > 2 {
			switch s[1] {
			case 'o', 'O':
				prefix = 8
			case 'x', 'X':
				prefix = 16
			case 'b', 'B':
				prefix = 2
			}
		}
		if prefix != 0 {
			if base == 0 || prefix == base {
				base = prefix
				s = s[2:]
			}
		} else if base == 0 {
			if strings.Trim(s, "0") != "" {
				return nil
			}
			return new(big.Int)
		}
	}
	if base == 0 {
		base = 10
	}
	if s != "" && (s[0] == '-' || s[0] == '+') {
		return nil
	}
	n, ok := new(big.Int).SetString(s, base)
	if !ok {
		return nil
	}
	if neg {
		n.Neg(n)
	}
	return n
}

func ord(th *Thread, c *Call) (Value, error) {
	if err := exactly1(c, ""); err != nil {
		return 0, err
	}
	x := c.Args[0]
	switch th.kind(x) {
	case kString:
		s := th.text(x)
		r, n := utf8.DecodeRuneInString(s)
		if n == 0 || n != len(s) {
			return 0, fmt.Errorf("ord: string encodes %d Unicode code points, want 1", utf8.RuneCountInString(s))
		}
		return mkInt(int64(r)), nil
	case kBytes:
		s := th.text(x)
		if len(s) != 1 {
			return 0, fmt.Errorf("ord: bytes has length %d, want 1", len(s))
		}
		return mkInt(int64(s[0])), nil
	}
	return 0, fmt.Errorf("ord: got %s, want string or bytes", th.typeName(x))
}

func rangeFunc(th *Thread, c *Call) (Value, error) {
	if err := c.positional(1, 3); err != nil {
		return 0, err
	}
	start, err := c.int(th, 0, 0)
	if err != nil {
		return 0, err
	}
	stop, err := c.int(th, 1, 0)
	if err != nil {
		return 0, err
	}
	step, err := c.int(th, 2, 1)
	if err != nil {
		return 0, err
	}
	if len(c.Args) == 1 {
		start, stop = 0, start
	}
	if step == 0 {
		return 0, c.errorf("step argument must not be zero")
	}
	return th.newRange(start, stop, step)
}
