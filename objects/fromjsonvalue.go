package objects

import (
	"io"
	"strconv"

	"github.com/ichor-go/ichor/internal/jsonpos"

	rt "github.com/ichor-go/ichor/runtime"
)

// jsonBuilder makes objects from a JSON text while it reads the text. It holds a count of
// each reference in values: the future contents of containers that are still open.
//
// It has no recursion, and one loop: a turn reads a value, or the beginning of a container;
// then it reads what may follow, up to the next value. That closes the containers that end
// there.
type jsonBuilder struct {
	jsonWindow
	t        *rt.Thread
	region   bool // objects are born in a region: see rt.Thread.Immortally
	maxDepth int
	values   []rt.Ref
	open     []jsonOpen
	text     []byte // of a string with escapes
	names    jsonNames
}

// jsonOpen is an open container.
type jsonOpen struct {
	kind   byte   // '[' or '{'
	start  int    // index in values where its contents begin
	number uint64 // see jsonNames
	old    int    // how many old numbers there were when it began
}

// document returns the value of the whole text.
func (b *jsonBuilder) document() (rt.Ref, error) {
	for {
		c, ok := b.space()
		if !ok {
			return rt.Nil, b.fault()
		}
		if err := b.value(c); err != nil {
			return rt.Nil, err
		}
		done, err := b.next()
		if err != nil {
			return rt.Nil, err
		}
		if done {
			return b.values[0], nil
		}
	}
}

// value reads the value that begins with c, or the beginning of a container.
func (b *jsonBuilder) value(c byte) (err error) {
	var r rt.Ref
	switch c {
	case '"':
		r, err = b.stringValue()
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		r, err = b.number()
	case '[', '{':
		return b.enter(c)
	case 't':
		r, err = rt.True, b.literal("true")
	case 'f':
		r, err = rt.False, b.literal("false")
	case 'n':
		r, err = rt.None, b.literal("null")
	default:
		err = b.fault()
	}
	if err == nil {
		b.push(r)
	}
	return err
}

// push takes the value of the token that ends before pos.
func (b *jsonBuilder) push(r rt.Ref) {
	b.last = b.pos
	b.values = append(b.values, r)
}

func (b *jsonBuilder) literal(word string) error {
	if !b.need(0, len(word)) || string(b.buf[b.pos:b.pos+len(word)]) != word {
		return b.fault()
	}
	b.pos += len(word)
	return nil
}

// enter opens the container that begins at pos.
func (b *jsonBuilder) enter(kind byte) error {
	if len(b.open) >= b.maxDepth {
		return b.tooDeep(b.maxDepth)
	}
	b.open = append(b.open, jsonOpen{kind, len(b.values), b.names.container(len(b.open)), len(b.names.old)})
	b.pos++
	b.last = b.pos
	return nil
}

// next reads what follows a value or the beginning of a container, up to the next value or
// the end of the text. It reports whether the text is complete.
func (b *jsonBuilder) next() (done bool, err error) {
	for len(b.open) > 0 {
		c, ok := b.space()
		if !ok {
			return false, b.fault()
		}
		in := b.open[len(b.open)-1]
		if c == in.kind+2 { // ']' or '}'
			if err := b.leave(in); err != nil {
				return false, err
			}
			continue
		}
		if len(b.values) > in.start {
			if c != ',' {
				return false, b.fault()
			}
			b.pos++
			if in.kind == '{' {
				if c, ok = b.space(); !ok {
					return false, b.fault()
				}
			}
		}
		if in.kind == '{' {
			return false, b.name(in, c)
		}
		return false, nil
	}
	if _, ok := b.space(); ok || b.in.err != io.EOF {
		return false, b.fault()
	}
	return true, nil
}

// leave closes the innermost container, whose end is at pos.
func (b *jsonBuilder) leave(in jsonOpen) (err error) {
	var r rt.Ref
	if in.kind == '{' {
		r, err = newSmallDict(b.t, b.values[in.start:])
	} else {
		r, err = NewListSteal(b.t, b.values[in.start:]...)
	}
	if err != nil {
		return err
	}
	b.open = b.open[:len(b.open)-1]
	b.names.leave(in.old)
	b.values = b.values[:in.start]
	b.pos++
	b.push(r)
	return nil
}

// name reads the name of a member of the object in, and the colon. The name should begin with c.
func (b *jsonBuilder) name(in jsonOpen, c byte) error {
	if c != '"' {
		return b.fault()
	}
	begin := b.offset()
	text, err := b.str()
	if err != nil {
		return err
	}
	r, again, err := b.names.reference(b.t, in.number, text)
	if again {
		return &JSONError{Byte: begin, Expected: "a member name that is new in its object", Found: jsonpos.Shorten(strconv.Quote(string(text))) + " again"}
	}
	if err != nil {
		return err
	}
	b.push(r)
	if c, ok := b.space(); !ok || c != ':' {
		return b.fault()
	}
	b.pos++
	return nil
}

// fault returns the error for what follows the last token.
func (b *jsonBuilder) fault() error {
	in := jsonOpen{}
	if len(b.open) > 0 {
		in = b.open[len(b.open)-1]
	}
	return b.faultIn(in.kind, len(b.values)-in.start)
}
