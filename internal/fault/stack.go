package fault

import (
	"fmt"
	"reflect"
	goruntime "runtime"
	"strings"

	"github.com/puzpuzpuz/xsync/v3"
)

// module is the path of the library's module, with a slash at the end.
var module = strings.TrimSuffix(reflect.TypeFor[Misuse]().PkgPath(), "internal/fault")

// Own reports whether a frame is the library's own: of one of the packages in ownName, and not
// of a test. Any goroutine.
func Own(f goruntime.Frame) bool {
	return ownName(f.Function) && !strings.HasSuffix(f.File, "_test.go")
}

func ownName(function string) bool {
	rest, ok := strings.CutPrefix(function, module)
	if !ok {
		return false
	}
	for _, pkg := range []string{"runtime.", "runtime/metrics.", "objects.", "locks.", "sched.", "internal/"} {
		if strings.HasPrefix(rest, pkg) {
			return true
		}
	}
	return false
}

// ofGo reports whether a function belongs to Go's runtime.
func ofGo(function string) bool {
	return strings.HasPrefix(function, "runtime.") || strings.HasPrefix(function, "internal/runtime/") || function == ""
}

// Stack holds the innermost frames of user code at some moment. Immutable.
type Stack []uintptr

// stackLen bounds the frames of a Stack.
const stackLen = 8

// maxDepth bounds the number of library frames on top of those.
const maxDepth = 64

// owners caches, for each return address, whether a Stack leaves its frame out. Checked mode
// takes a Stack for every count.
var owners = xsync.NewMapOf[uintptr, bool]()

// Here returns the caller's Stack. If no frame is user code, it holds the library's frames.
// Any goroutine.
func Here() Stack {
	var few [2 * stackLen]uintptr // enough unless the library's calls are deep
	n := goruntime.Callers(2, few[:])
	if s := here(few[:n]); n < len(few) || len(s) == stackLen {
		return s
	}
	var pcs [maxDepth]uintptr
	return here(pcs[:goruntime.Callers(2, pcs[:])])
}

func here(pcs []uintptr) Stack {
	s := make(Stack, 0, stackLen)
	for _, pc := range pcs {
		if len(s) < stackLen && !leftOut(pc) {
			s = append(s, pc)
		}
	}
	if len(s) == 0 {
		return append(s, pcs[:min(len(pcs), stackLen)]...)
	}
	return s
}

// leftOut reports whether a Stack leaves out the frame of a return address, because it is the
// library's or Go's.
func leftOut(pc uintptr) bool {
	if out, ok := owners.Load(pc); ok {
		return out
	}
	f, _ := goruntime.CallersFrames([]uintptr{pc}).Next()
	out := Own(f) || ofGo(f.Function)
	owners.Store(pc, out)
	return out
}

// String returns the frames, each on a line of its own, with a line break before it.
func (s Stack) String() string {
	var b strings.Builder
	for _, pc := range s {
		fmt.Fprintf(&b, "\n      %s", site(pc))
	}
	return b.String()
}

// Site returns the innermost frame as one line. Any goroutine.
func (s Stack) Site() string {
	if len(s) == 0 {
		return "an unknown place"
	}
	return site(s[0])
}

func site(pc uintptr) string {
	f, _ := goruntime.CallersFrames([]uintptr{pc}).Next()
	return fmt.Sprintf("%s %s:%d", f.Function, f.File, f.Line)
}

// maxLines bounds the frames of a trace.
const maxLines = 16

// Trim shortens the trace of one goroutine, as Go prints it: it removes the innermost frames
// that are the library's or Go's, and all arguments. Any goroutine.
func Trim(trace string) string {
	lines := strings.Split(strings.TrimSpace(trace), "\n")
	var b strings.Builder
	b.WriteString(lines[0])
	n, inUser := 0, false
	for i := 1; i+1 < len(lines); i += 2 {
		if strings.HasPrefix(lines[i], "...") { // Go has left out frames here
			i--
			continue
		}
		function, file := lines[i], strings.TrimSpace(lines[i+1])
		if file, _, _ = strings.Cut(file, " +0x"); !inUser {
			name := withoutArgs(function)
			if ofGo(name) || waits(name) || ownName(name) && !strings.Contains(file, "_test.go:") {
				continue
			}
			inUser = true
		}
		if n++; n > maxLines {
			b.WriteString("\n  ...")
			break
		}
		fmt.Fprintf(&b, "\n  %s\n      %s", withoutArgs(function), file)
	}
	if !inUser { // all frames are the library's
		return strings.TrimSpace(trace)
	}
	return b.String()
}

// waits reports whether a function belongs to one of Go's packages in which goroutines wait.
func waits(function string) bool {
	return strings.HasPrefix(function, "sync.") || strings.HasPrefix(function, "sync/") || strings.HasPrefix(function, "internal/") || strings.HasPrefix(function, "time.Sleep")
}

// withoutArgs removes the arguments from a function in a trace.
func withoutArgs(function string) string {
	if strings.HasPrefix(function, "created by ") {
		return function
	}
	if i := strings.LastIndexByte(function, '('); i > 0 {
		return function[:i]
	}
	return function
}
