// Package traces reads the stacks of goroutines as Go prints them. A trace shows the arguments
// of each frame, and so the addresses of the objects that functions have. The package knows
// nothing of these objects: an address is its text, as %p prints it.
package traces

import (
	"bytes"
	"fmt"
	"reflect"
	"runtime"
	"strconv"
)

// maxBytes bounds what All returns. A trace takes a few hundred bytes for each frame, and stops
// all goroutines meanwhile. Tests set a smaller bound.
var maxBytes = 16 << 20

// separator stands between the traces of two goroutines.
var separator = []byte("\n\n")

// All returns the traces of all goroutines, as far as they fit into 16 MiB. Any goroutine.
func All() []byte {
	for size := 64 << 10; ; size *= 4 {
		buf := make([]byte, size)
		if n := runtime.Stack(buf, true); n < size || size >= maxBytes {
			return buf[:n]
		}
	}
}

// Own returns the trace of the calling goroutine. Any goroutine.
func Own() []byte {
	for size := 16 << 10; ; size *= 4 {
		buf := make([]byte, size)
		if n := runtime.Stack(buf, false); n < size {
			return buf[:n]
		}
	}
}

// GoroutineID returns the id of the calling goroutine. It parses a trace, since Go offers no
// other way, which takes a microsecond. Any goroutine.
func GoroutineID() uint64 {
	var buf [64]byte
	s := buf[:runtime.Stack(buf[:], false)]
	s = bytes.TrimPrefix(s, []byte("goroutine "))
	n, _ := strconv.ParseUint(string(s[:max(bytes.IndexByte(s, ' '), 0)]), 10, 64)
	return n
}

// Showing returns the trace of the first goroutine that has an address as an argument. If an
// argument may be stale, Go prints a question mark behind it: such a trace is returned only if
// there is no better one. Any goroutine.
func Showing(all []byte, address string) (trace string, found bool) {
	for one := range bytes.SplitSeq(all, separator) {
		switch sure, shown := shows(one, address); {
		case sure:
			return string(one), true
		case shown && !found:
			trace, found = string(one), true
		}
	}
	return trace, found
}

// shows reports whether address is an argument in a trace (found), and whether that argument is
// certain to be live (sure).
func shows(trace []byte, address string) (sure, found bool) {
	for {
		_, rest, ok := bytes.Cut(trace, []byte(address))
		if !ok {
			return false, found
		}
		switch trace = rest; {
		case len(rest) == 0:
		case rest[0] == '?':
			found = true
		case bytes.IndexByte([]byte(",)}"), rest[0]) >= 0:
			return true, true
		}
	}
}

// InCall returns the last trace of a goroutine that is in a call of a function with an address
// among its arguments, but not the first one. Traces with a frame of the function but are left
// out. Functions are named by the end of their names, as in "(*T).f". Any goroutine.
func InCall(all []byte, function, address, but string) (trace string, found bool) {
	for one := range bytes.SplitSeq(all, separator) {
		_, frame, _ := bytes.Cut(one, []byte(function+"(")) // an empty one shows no address
		args, _, _ := bytes.Cut(frame, []byte("\n"))
		if bytes.Contains(args, []byte(" "+address)) && !bytes.Contains(one, []byte(but+"(")) {
			trace, found = string(one), true
		}
	}
	return trace, found
}

// HasCall reports whether a trace has a frame of a function with an address as its first
// argument, which is certain to be live. The function is named by the end of its name. Any
// goroutine.
func HasCall(trace []byte, function, address string) bool {
	return bytes.Contains(trace, fmt.Appendf(nil, "%s(%s,", function, address))
}

// MaxFrames is how many frames of its stack Count inspects.
const MaxFrames = 256

// Count returns how many of the innermost frames of the calling goroutine belong to functions
// with the given entry addresses: see Entry. Any goroutine.
func Count(entries ...uintptr) (n int) {
	var pcs [MaxFrames]uintptr
	for _, pc := range pcs[:runtime.Callers(2, pcs[:])] {
		f := runtime.FuncForPC(pc - 1)
		if f == nil {
			continue
		}
		for _, e := range entries {
			if f.Entry() == e {
				n++
			}
		}
	}
	return n
}

// Entry returns the entry address of a function that is no closure. Any goroutine.
func Entry(function any) uintptr { return reflect.ValueOf(function).Pointer() }
