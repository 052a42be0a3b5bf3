package starlark

import (
	"fmt"
	"io"
	"os"

	"go.starlark.net/syntax"
)

// The parser, the resolver and the compiler recurse. These bounds keep programs from using up
// the stack of the goroutine, which would end the process.
const (
	maxBrackets = 200
	maxChain    = 64 << 10 // bytes of an expression between commas, without those in brackets
)

// readSource returns the text of a program, and checks that it is not nested too deeply.
func readSource(file string, src any) ([]byte, error) {
	var text []byte
	var err error
	switch s := src.(type) {
	case nil:
		text, err = os.ReadFile(file)
	case string:
		text = []byte(s)
	case []byte:
		text = s
	case io.Reader:
		text, err = io.ReadAll(s)
	default:
		err = fmt.Errorf("the source of %s is a %T", file, src)
	}
	if err != nil {
		return nil, err
	}
	return text, checkSource(file, text)
}

// checkSource looks at brackets, strings and comments only. It leaves all errors but its own to
// the parser.
func checkSource(file string, s []byte) error {
	line := int32(1)
	chain := make([]int, 1, maxBrackets+2) // by depth
	unary := 0
	fail := func(what string) error {
		return syntax.Error{Pos: syntax.MakePosition(&file, line, 1), Msg: what}
	}
	for i := 0; i < len(s); i++ {
		at := len(chain) - 1
		chain[at]++
		if chain[at] > maxChain {
			return fail(fmt.Sprintf("expression too long: the limit is %d bytes without a comma", maxChain))
		}
		c := s[i]
		switch c {
		case '-', '+', '~':
			if unary++; unary > maxBrackets {
				return fail(fmt.Sprintf("expression is nested too deeply: the limit is %d operators", maxBrackets))
			}
			continue
		case ' ', '\t':
			continue
		}
		unary = 0
		switch c {
		case '\n':
			line++
			if at == 0 && (i == 0 || s[i-1] != '\\') {
				chain[0] = 0
			}
		case ',':
			chain[at] = 0
		case '#':
			for i+1 < len(s) && s[i+1] != '\n' {
				i++
			}
		case '(', '[', '{':
			if len(chain) > maxBrackets {
				return fail(fmt.Sprintf("expression is nested too deeply: the limit is %d brackets", maxBrackets))
			}
			chain = append(chain, 0)
		case ')', ']', '}':
			if at > 0 {
				chain = chain[:at]
			}
		case '"', '\'':
			i = skipString(s, i, &line)
		}
	}
	return nil
}

// skipString returns the index of the last byte of the string literal that begins at s[i].
func skipString(s []byte, i int, line *int32) int {
	c := s[i]
	triple := i+2 < len(s) && s[i+1] == c && s[i+2] == c
	if triple {
		i += 2
	}
	for i++; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			i++
			if i < len(s) && s[i] == '\n' {
				*line++
			}
		case s[i] == '\n':
			*line++
			if !triple {
				return i
			}
		case s[i] == c && !triple:
			return i
		case s[i] == c && i+2 < len(s) && s[i+1] == c && s[i+2] == c:
			return i + 2
		}
	}
	return i
}
