package objects

import (
	"fmt"
	"strconv"

	rt "github.com/ichor-go/ichor/runtime"
)

// Package fmt prints a reference without a thread, and so without access to the object. The
// text names the kind that the Go type claims, and says how to print the contents. A value
// that the reference alone tells is printed itself: None, a small integer.

// show returns the text for a reference of the Go type of a kind.
func show(kind string, r rt.Ref) string {
	switch r {
	case rt.Nil, rt.None, rt.True, rt.False, rt.EmptyString, rt.EmptyBytes, rt.EmptyTuple:
		return r.String()
	}
	if r.IsInt() {
		return strconv.FormatInt(r.Int(), 10)
	}
	return fmt.Sprintf("%s %s (objects.Format shows its contents, and needs a thread)", kind, r)
}

// String shows the reference, not the object: see Format. Any goroutine.
func (i Int) String() string { return show("int", i) }

// String shows the reference, not the object: see Format. Any goroutine.
func (f Float) String() string { return show("float", f) }

// String shows the boolean. Any goroutine.
func (b Bool) String() string { return show("bool", b) }

// String shows the reference, not the object: see Format. Any goroutine.
func (n Number) String() string { return show("number", n) }

// String shows the reference, not the object: see Text and Format. Any goroutine.
func (s String) String() string { return show("string", s) }

// String shows the reference, not the object: see Format. Any goroutine.
func (s Bytes) String() string { return show("bytes", s) }

// String shows the reference, not the object: see Format. Any goroutine.
func (s Tuple) String() string { return show("tuple", s) }

// String shows the reference, not the object: see Format. Any goroutine.
func (l List) String() string { return show("list", l) }

// String shows the reference, not the object: see Format. Any goroutine.
func (d Dict) String() string { return show("dict", d) }

// String shows the reference, not the object: see Format. Any goroutine.
func (r Record) String() string { return show("record", r) }

// String shows the reference, not the object: see Format. Any goroutine.
func (c Cell) String() string { return show("cell", c) }

// String shows the reference, not the object: see Format. Any goroutine.
func (w Weak) String() string { return show("weak", w) }

// String shows the reference, not the object: see Format. Any goroutine.
func (f Foreign) String() string { return show("foreign", f) }
