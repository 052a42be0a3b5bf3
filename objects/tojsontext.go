package objects

import rt "github.com/ichor-go/ichor/runtime"

// bytesOf is textOf as bytes, which must not be written.
func bytesOf(o rt.Body) []byte { return o.Bytes(textBytes, int(o.Word(textLen))) }

// appendQuoted appends the JSON string with the given text, in its shortest form. The text is
// valid UTF-8.
func appendQuoted(dst, text []byte) []byte {
	dst = append(dst, '"')
	for {
		i, _ := plainEnd(text, 0)
		dst = append(dst, text[:i]...)
		if i == len(text) {
			return append(dst, '"')
		}
		dst = appendEscape(dst, text[i])
		text = text[i+1:]
	}
}

// appendEscape appends the escape sequence of a byte that a string cannot have as it is.
func appendEscape(dst []byte, c byte) []byte {
	const hex = "0123456789abcdef"
	switch c {
	case '"', '\\':
	case '\b':
		c = 'b'
	case '\f':
		c = 'f'
	case '\n':
		c = 'n'
	case '\r':
		c = 'r'
	case '\t':
		c = 't'
	default:
		return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
	}
	return append(dst, '\\', c)
}
