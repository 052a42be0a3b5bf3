package image

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// A path names a value in a graph in the same way as the errors of Freeze:
//
//	path   empty, or steps; the dot of a first key may be left out
//	step   .key           a key without dots, brackets, quotes and blanks
//	       ["key"]        any key, as a JSON string
//	       [index]        from 0
type step struct {
	key   string
	index int // -1 for a key
	end   int // where the step ends in the text
}

// parsePath takes a path apart. Its error names the byte, and says what was expected there.
func parsePath(path string) ([]step, error) {
	var steps []step
	for at := 0; at < len(path); {
		var s step
		var err error
		switch {
		case path[at] == '[':
			s, err = parseBracket(path, at)
		case path[at] == '.':
			s, err = parseKey(path, at+1)
		case at == 0:
			s, err = parseKey(path, 0)
		default:
			err = fmt.Errorf("byte %d: expected '.' or '[', found %s", at, foundAt(path, at))
		}
		if err != nil {
			return nil, err
		}
		steps = append(steps, s)
		at = s.end
	}
	return steps, nil
}

func parseKey(path string, at int) (step, error) {
	n := strings.IndexAny(path[at:], ".[]\" \t\r\n")
	if n < 0 {
		n = len(path) - at
	}
	if n == 0 {
		return step{}, fmt.Errorf("byte %d: expected a key, found %s", at, foundAt(path, at))
	}
	end := at + n
	if end < len(path) && path[end] != '.' && path[end] != '[' {
		return step{}, fmt.Errorf("byte %d: expected '.' or '[' after a key, found %s: other keys go in brackets and quotes", end, foundAt(path, end))
	}
	return step{path[at:end], -1, end}, nil
}

func parseBracket(path string, at int) (step, error) {
	s := step{index: -1, end: at + 1}
	rest := path[s.end:]
	if strings.HasPrefix(rest, `"`) {
		n := closingQuote(rest)
		key, err := jsontext.AppendUnquote(nil, rest[:n])
		if err != nil {
			return s, fmt.Errorf("byte %d: expected a key as a JSON string", s.end)
		}
		s.key, s.end = string(key), s.end+n
	} else {
		n := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		if n == 0 {
			return s, fmt.Errorf("byte %d: expected an index or a quoted key, found %s", s.end, foundAt(path, s.end))
		}
		i, err := strconv.Atoi(rest[:n])
		if err != nil {
			i = math.MaxInt // no list is that long
		}
		s.index, s.end = i, s.end+n
	}
	if !strings.HasPrefix(path[s.end:], "]") {
		return s, fmt.Errorf("byte %d: expected ']', found %s", s.end, foundAt(path, s.end))
	}
	s.end++
	return s, nil
}

// closingQuote returns the length of the JSON string at the start of s, or that of s if the
// string does not end.
func closingQuote(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(s)
}

func foundAt(path string, at int) string {
	if at == len(path) {
		return "the end"
	}
	_, n := utf8.DecodeRuneInString(path[at:])
	return strconv.Quote(path[at : at+n])
}

// followPath follows the steps of a path from r, an object of an image, and returns a borrowed
// reference. Its error names the path up to the step that fails.
func followPath(t *rt.Thread, r rt.Ref, path string, steps []step) (rt.Ref, error) {
	for _, s := range steps {
		next, why := followStep(t, r, s)
		if why != "" {
			return rt.Nil, fmt.Errorf("path %s: %s", path[:s.end], why)
		}
		r = next
	}
	return r, nil
}

// followStep returns a borrowed reference to what a step leads to, or says why there is none.
func followStep(t *rt.Thread, r rt.Ref, s step) (next rt.Ref, why string) {
	kind := t.Kind(r)
	name := t.TypeOf(r).Name
	if s.index < 0 {
		if kind != rt.TypeDict {
			return rt.Nil, fmt.Sprintf("no key %q: this is not a dict but a value of type %s", s.key, name)
		}
		key, err := objects.NewString(t, s.key)
		if err != nil {
			return rt.Nil, err.Error()
		}
		defer t.DecRef(key)
		next, ok := objects.Dict(r).Lookup(t, key)
		if !ok {
			return rt.Nil, fmt.Sprintf("no key %q in a dict of %s", s.key, counted(objects.Dict(r).Len(t), "entry", "entries"))
		}
		return next, ""
	}
	n, ok := 0, false
	switch kind {
	case rt.TypeList:
		n = objects.List(r).Len(t)
		next, ok = objects.List(r).At(t, s.index)
	case rt.TypeTuple:
		n = objects.Tuple(r).Len(t)
		next, ok = objects.Tuple(r).At(t, s.index)
	default:
		return rt.Nil, fmt.Sprintf("no index %d: this is not a list but a value of type %s", s.index, name)
	}
	if !ok {
		return rt.Nil, fmt.Sprintf("index %d is out of range: the length is %d", s.index, n)
	}
	return next, ""
}
