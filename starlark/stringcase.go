package starlark

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// stringMap applies f to each rune. It changes the 26 letters of ASCII from first on.
func stringMap(f func(rune) rune, first byte) Func {
	return func(th *Thread, c *Call) (Value, error) {
		if err := c.positional(0, 0); err != nil {
			return 0, err
		}
		s := th.text(c.Recv)
		all, letters := byte(0), 0
		for i := range len(s) {
			all |= s[i]
			if s[i]-first < 26 {
				letters++
			}
		}
		if all < utf8.RuneSelf {
			return th.flipCase(c.Recv, s, first, letters)
		}
		w := writer{th: th}
		for _, r := range s {
			w.rune(f(r))
		}
		return w.done()
	}
}

// flipCase returns v, whose text s is ASCII, with the other case of the letters from first on.
func (th *Thread) flipCase(v Value, s string, first byte, letters int) (Value, error) {
	switch {
	case letters == 0:
		return th.dup(v), nil
	case len(s) == 1:
		return th.m.chars[s[0]^0x20], nil
	}
	v, b, err := th.newText(stringType, len(s))
	for i := range b {
		if b[i] = s[i]; s[i]-first < 26 {
			b[i] ^= 0x20
		}
	}
	return v, err
}

func casedRune(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || unicode.SimpleFold(r) != r
}

func cased(s string) bool { return strings.IndexFunc(s, casedRune) >= 0 }

// unchanged reports whether f leaves all runes of s as they are. Invalid UTF-8 does not stay.
func unchanged(s string, f func(rune) rune) bool {
	for i, r := range s {
		if f(r) != r || r == utf8.RuneError && s[i] != 0xEF {
			return false
		}
	}
	return true
}

func isTitle(s string) bool {
	var any, prev bool
	for _, r := range s {
		switch {
		case 'A' <= r && r <= 'Z' || unicode.IsTitle(r):
			if prev {
				return false
			}
			prev, any = true, true
		case unicode.IsLower(r):
			if !prev {
				return false
			}
			any = true
		case unicode.IsUpper(r):
			return false
		default:
			prev = false
		}
	}
	return any
}
