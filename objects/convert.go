package objects

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/ichor-go/ichor/internal/fault"
	"github.com/ichor-go/ichor/internal/jsonpos"
)

// ConvertError reports a value that FromGo or ToGo could not convert, and why.
type ConvertError struct {
	Path string // from the argument of the call: root.a[3], root["a b"]
	Type string // a Go type, or the type of an object
	Err  error
}

func (e *ConvertError) Error() string {
	return fmt.Sprintf("%sconvert %s, of type %s: %s", fault.Prefix, e.Path, e.Type, fault.Bare(e.Err))
}

// Unwrap returns the cause.
func (e *ConvertError) Unwrap() error { return e.Err }

var (
	errContainsItself = errors.New("it contains itself")
	errTooDeep        = fmt.Errorf("it is more than %d levels deep", jsonpos.MaxDepth)
)

// way is the path from the root to the value that is being converted: a step for each
// container.
type way []wayStep

// wayStep leads to item i of a container, or, if i is negative, to the member with the
// name.
type wayStep struct {
	name string
	i    int
}

func (s wayStep) String() string {
	if s.i < 0 {
		return label(s.name)
	}
	return "[" + strconv.Itoa(s.i) + "]"
}

// shownSteps is the number of steps that are shown at each end of a path.
const shownSteps = 8

func (w way) String() string {
	var b strings.Builder
	b.WriteString("root")
	for i, s := range w {
		switch {
		case i < shownSteps || i >= len(w)-shownSteps:
			b.WriteString(s.String())
		case i == shownSteps:
			b.WriteString("...")
		}
	}
	return b.String()
}
