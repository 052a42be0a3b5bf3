package main

import (
	"fmt"
	"strconv"
	"strings"
)

// The reader turns the text of a program into forms: lists in parentheses, and atoms. A
// comment goes from ; to the end of the line.
//
//	(def (twice n) (* 2 n))   ; a list of two words and two lists

// form is a list or an atom, and the line on which it begins.
type form struct {
	kind  formKind
	line  int
	items []form // of a list
	text  string // a name, or the text of a string
	n     int64  // of an int
}

type formKind uint8

const (
	listForm formKind = iota
	nameForm
	intForm
	stringForm
)

// head returns the name that a list begins with; "" for all other forms.
func (f form) head() string {
	if f.kind == listForm && len(f.items) > 0 && f.items[0].kind == nameForm {
		return f.items[0].text
	}
	return ""
}

// An Error reports an error of a program, and where it is.
type Error struct {
	File string
	Line int
	In   string // the function that ran; "" at the top, and while the program is compiled
	Err  error
}

// Error omits the name of the library, which authors of programs in the language need not
// know.
func (e *Error) Error() string {
	cause := strings.Replace(e.Err.Error(), "ichor: ", "", 1)
	if e.In == "" {
		return fmt.Sprintf("%s:%d: %s", e.File, e.Line, cause)
	}
	return fmt.Sprintf("%s:%d: in %s: %s", e.File, e.Line, e.In, cause)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// maxNesting bounds the nesting of lists, because reading and compiling them is recursive.
const maxNesting = 1000

// reader reads the forms of a text.
type reader struct {
	file, text string
	at, line   int
	depth      int
}

// read returns the forms of a text.
func read(file, text string) ([]form, error) {
	r := &reader{file: file, text: text, line: 1}
	var all []form
	for r.skip() {
		f, err := r.form()
		if err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	return all, nil
}

func (r *reader) fail(line int, format string, args ...any) error {
	return &Error{File: r.file, Line: line, Err: fmt.Errorf(format, args...)}
}

// skip skips blanks and comments, and reports whether anything is left.
func (r *reader) skip() bool {
	for ; r.at < len(r.text); r.at++ {
		switch r.text[r.at] {
		case '\n':
			r.line++
		case ' ', '\t', '\r':
		case ';':
			end := strings.IndexByte(r.text[r.at:], '\n')
			if end < 0 {
				r.at = len(r.text)
				return false
			}
			r.at += end - 1 // the loop adds 1 and meets the newline
		default:
			return true
		}
	}
	return false
}

// form reads the form that begins at the current position.
func (r *reader) form() (form, error) {
	line := r.line
	switch c := r.text[r.at]; c {
	case '(':
		r.at++
		return r.list(line)
	case ')':
		return form{}, r.fail(line, ") closes nothing")
	case '"':
		return r.quoted(line)
	}
	end := strings.IndexAny(r.text[r.at:], " \t\r\n();\"")
	if end < 0 {
		end = len(r.text) - r.at
	}
	word := r.text[r.at : r.at+end]
	r.at += end
	if digits := strings.TrimPrefix(word, "-"); digits != "" && digits[0] >= '0' && digits[0] <= '9' {
		n, err := strconv.ParseInt(word, 10, 64)
		if err != nil {
			return form{}, r.fail(line, "%s is not a 64-bit integer", word)
		}
		return form{kind: intForm, line: line, n: n}, nil
	}
	return form{kind: nameForm, line: line, text: word}, nil
}

func (r *reader) list(line int) (form, error) {
	f := form{kind: listForm, line: line}
	if r.depth++; r.depth > maxNesting {
		return f, r.fail(line, "lists nest deeper than %d", maxNesting)
	}
	defer func() { r.depth-- }()
	for r.skip() {
		if r.text[r.at] == ')' {
			r.at++
			return f, nil
		}
		item, err := r.form()
		if err != nil {
			return f, err
		}
		f.items = append(f.items, item)
	}
	return f, r.fail(line, "( is never closed")
}

// quoted reads a string, with the escapes of Go.
func (r *reader) quoted(line int) (form, error) {
	q, err := strconv.QuotedPrefix(r.text[r.at:])
	if err != nil {
		return form{}, r.fail(line, `" is not closed on its line, or an escape is wrong`)
	}
	text, err := strconv.Unquote(q)
	if err != nil {
		return form{}, r.fail(line, "%s: %v", q, err)
	}
	r.at += len(q)
	return form{kind: stringForm, line: line, text: text}, nil
}
