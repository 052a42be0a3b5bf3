// Package jsonpos reports where a text stops being JSON, and what was expected there.
package jsonpos

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Fault is the place at which a text stops being valid.
type Fault struct {
	Offset   int64 // in bytes from the start of the text
	Expected string
	Found    string
}

func (f Fault) String() string {
	return fmt.Sprintf("byte %d: expected %s, found %s", f.Offset, f.Expected, f.Found)
}

// Describe says what the grammar expects at the place where dec stopped. err is the
// error of ReadToken. A nil err means that another token follows although dec has read
// its one value.
//
// The expectation follows from the decoder's state after its last token and from the
// text since then. err is used only for errors outside the grammar: repeated names, the
// depth limit, and a reader that fails.
func Describe(dec *jsontext.Decoder, err error) Fault {
	var syntax *jsontext.SyntacticError
	isSyntax := errors.As(err, &syntax)
	if errors.Is(err, jsontext.ErrDuplicateName) {
		name := syntax.JSONPointer.LastToken()
		return Fault{syntax.ByteOffset, "a member name that is new in its object", Shorten(strconv.Quote(name)) + " again"}
	}
	kind, length := dec.StackIndex(dec.StackDepth())
	c := &cursor{text: dec.UnreadBuffer(), base: dec.InputOffset()}
	f, known := c.value(byte(kind), length)
	atEnd := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
	switch {
	case known && (c.pos < len(c.text) || atEnd || err == nil):
		return f
	case isSyntax:
		if dec.StackDepth() >= MaxDepth {
			return Fault{syntax.ByteOffset, fmt.Sprintf("a nesting depth of at most %d", MaxDepth), "one more"}
		}
		return Fault{syntax.ByteOffset, "valid JSON", Shorten(syntax.Err.Error())}
	case err == nil:
		return Fault{c.base, "end of file", "more text"}
	}
	return Fault{c.base + int64(len(c.text)), "more text", Shorten(err.Error())}
}

// Next finds the first fault in the text that follows a token, and reports whether the fault
// is before the end of the text. kind, length and base say where in a document the text is:
// after length tokens in a container of the kind '{' or '[', or of neither at the top level,
// and base bytes from the start. A fault at the end of the text says what would have to
// follow. The text holds no fault behind the beginning of a container.
func Next(text []byte, base int64, kind byte, length int64) (f Fault, inside bool) {
	c := &cursor{text: text, base: base}
	f, _ = c.value(kind, length)
	return f, c.pos < len(text)
}

// MaxDepth is the nesting depth at which jsontext gives up.
const MaxDepth = 10000

// A cursor walks the text after the last token until the text breaks the grammar.
type cursor struct {
	text []byte
	pos  int
	base int64 // offset of text[0]
}

// miss returns the fault at the cursor.
func (c *cursor) miss(expected string) (Fault, bool) {
	return Fault{c.base + int64(c.pos), expected, found(c.text[c.pos:])}, true
}

// space skips white space and reports whether text is left.
func (c *cursor) space() bool {
	for c.pos < len(c.text) && strings.IndexByte(" \t\r\n", c.text[c.pos]) >= 0 {
		c.pos++
	}
	return c.pos < len(c.text)
}

// eat skips white space and then b, if it comes next, and reports whether it did.
func (c *cursor) eat(b byte) bool {
	if c.space() && c.text[c.pos] == b {
		c.pos++
		return true
	}
	return false
}

// value finds the fault in the text that follows length tokens in a container of the
// given kind ('{', '[', or neither at the top level). It walks over whole scalars. It
// returns false when it comes to a container, because it does not look inside for a
// fault.
func (c *cursor) value(kind byte, length int64) (Fault, bool) {
	for ; ; length++ {
		expected := ""
		switch {
		case kind == '[' && length == 0:
			expected = "an array element or ']'"
		case kind == '[':
			if !c.eat(',') {
				return c.miss("',' or ']' after an array element")
			}
			expected = "an array element after ','"
		case kind == '{' && length == 0:
			expected = "a member name in quotes or '}'"
		case kind == '{' && length%2 == 0:
			if !c.eat(',') {
				return c.miss("',' or '}' after an object member")
			}
			expected = "a member name in quotes after ','"
		case kind == '{':
			if !c.eat(':') {
				return c.miss("':' after a member name")
			}
			expected = "a value after ':'"
		case length == 0:
			expected = "a JSON value"
		default:
			c.space()
			return c.miss("end of file")
		}
		if !c.space() {
			return c.miss(expected)
		}
		first := c.text[c.pos]
		if kind == '{' && length%2 == 0 && first != '"' {
			return c.miss(expected)
		}
		if first == '{' || first == '[' {
			return Fault{}, false
		}
		if f, bad := c.scalar(expected); bad {
			return f, true
		}
	}
}

// scalar walks over a string, number or literal, or finds the fault in it.
func (c *cursor) scalar(expected string) (Fault, bool) {
	switch first := c.text[c.pos]; {
	case first == '"':
		return c.str()
	case first == '-' || isDigit(first):
		return c.number()
	default:
		for _, word := range []string{"true", "false", "null"} {
			if first != word[0] {
				continue
			}
			for i := range len(word) {
				if c.pos == len(c.text) || c.text[c.pos] != word[i] {
					return c.miss(fmt.Sprintf("%q of %s", rune(word[i]), word))
				}
				c.pos++
			}
			return Fault{}, false
		}
	}
	return c.miss(expected)
}

func isDigit(b byte) bool { return '0' <= b && b <= '9' }

func (c *cursor) number() (Fault, bool) {
	at := func(set string) bool { return c.pos < len(c.text) && strings.IndexByte(set, c.text[c.pos]) >= 0 }
	digits := func() bool {
		from := c.pos
		for c.pos < len(c.text) && isDigit(c.text[c.pos]) {
			c.pos++
		}
		return c.pos > from
	}
	if at("-") {
		c.pos++
	}
	if at("0") {
		c.pos++
	} else if !digits() {
		return c.miss("a digit")
	}
	if at(".") {
		c.pos++
		if !digits() {
			return c.miss("a digit after '.'")
		}
	}
	if at("eE") {
		c.pos++
		if at("+-") {
			c.pos++
		}
		if !digits() {
			return c.miss("a digit of the exponent")
		}
	}
	return Fault{}, false
}

func (c *cursor) str() (Fault, bool) {
	c.pos++
	for c.pos < len(c.text) {
		switch b := c.text[c.pos]; {
		case b == '"':
			c.pos++
			return Fault{}, false
		case b < ' ':
			return c.miss("control characters in a string to be escaped")
		case b == '\\':
			if f, bad := c.escape(); bad {
				return f, true
			}
		default:
			r, size := utf8.DecodeRune(c.text[c.pos:])
			switch {
			case !utf8.FullRune(c.text[c.pos:]):
				c.pos = len(c.text)
			case r == utf8.RuneError && size == 1:
				return c.miss("UTF-8 in a string")
			default:
				c.pos += size
			}
		}
	}
	return c.miss("'\"' at the end of a string")
}

// escape walks over a backslash and the characters that belong to it, surrogate pairs
// included.
func (c *cursor) escape() (Fault, bool) {
	c.pos++
	if c.pos == len(c.text) || strings.IndexByte(`"\/bfnrtu`, c.text[c.pos]) < 0 {
		return c.miss(`one of "\/bfnrtu after a backslash`)
	}
	c.pos++
	if c.text[c.pos-1] != 'u' {
		return Fault{}, false
	}
	from := c.pos - 2
	first, f, bad := c.hex4()
	switch {
	case bad:
		return f, true
	case first >= 0xDC00 && first < 0xE000:
		c.pos = from
		return c.miss("a high surrogate before a low one")
	case first < 0xD800 || first >= 0xE000:
		return Fault{}, false
	}
	second := c.pos
	for _, set := range []string{`\`, "u", "dD", "cdefCDEF"} {
		if c.pos < len(c.text) && strings.IndexByte(set, c.text[c.pos]) < 0 {
			c.pos = second
		} else if c.pos < len(c.text) {
			c.pos++
			continue
		}
		return c.miss(`a low surrogate, \uDC00 to \uDFFF`)
	}
	c.pos -= 2
	_, f, bad = c.hex4()
	return f, bad
}

func (c *cursor) hex4() (v rune, f Fault, bad bool) {
	for range 4 {
		if c.pos == len(c.text) || strings.IndexByte("0123456789abcdefABCDEF", c.text[c.pos]) < 0 {
			f, bad = c.miss(`four hexadecimal digits after \u`)
			return 0, f, bad
		}
		digit, _ := strconv.ParseUint(string(c.text[c.pos]), 16, 8)
		v = v<<4 | rune(digit)
		c.pos++
	}
	return v, Fault{}, false
}

// found names the character at the start of text.
func found(text []byte) string {
	switch r, size := utf8.DecodeRune(text); {
	case len(text) == 0:
		return "end of file"
	case strings.HasPrefix(string(text[:min(3, len(text))]), "\xef\xbb\xbf"):
		return "a UTF-8 byte order mark"
	case len(text) >= 2 && (text[0] == 0xff && text[1] == 0xfe || text[0] == 0xfe && text[1] == 0xff):
		return "a UTF-16 byte order mark"
	case r == utf8.RuneError && size == 1, r < ' ', r == 0x7f:
		return fmt.Sprintf("0x%02x", text[0])
	default:
		return strconv.QuoteRune(r)
	}
}

// Shorten keeps a message on one line.
func Shorten(s string) string {
	const limit = 100
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "") + "..."
	}
	return strings.Join(strings.Fields(s), " ")
}
