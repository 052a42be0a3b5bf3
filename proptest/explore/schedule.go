//go:build explore

package explore

import (
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/ichor-go/ichor/internal/point"
)

// Schedule has the thread that takes each step.
type Schedule []uint8

// String returns the schedule in the form that Parse reads: 0x12 1x3.
func (s Schedule) String() string {
	var b strings.Builder
	for i := 0; i < len(s); {
		n := 1
		for i+n < len(s) && s[i+n] == s[i] {
			n++
		}
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%dx%d", s[i], n)
		i += n
	}
	return b.String()
}

// Parse reads a schedule in the form that String returns.
func Parse(text string) (Schedule, error) {
	var s Schedule
	for _, part := range strings.Fields(text) {
		who, times, ok := strings.Cut(part, "x")
		t, err1 := strconv.ParseUint(who, 10, 8)
		n, err2 := strconv.Atoi(times)
		if !ok || err1 != nil || err2 != nil || t >= maxThreads || n < 1 || n > 1<<20 {
			return nil, fmt.Errorf("schedule: %q is not a thread and a number of steps, as in 0x12", part)
		}
		for range n {
			s = append(s, uint8(t))
		}
	}
	return s, nil
}

var kinds = [...]string{
	point.PlainRead: "read", point.PlainWrite: "write", point.AtomicLoad: "load", point.AtomicStore: "store",
	point.AtomicUpdate: "update", point.Acquire: "lock", point.Release: "unlock", point.Birth: "birth", point.Death: "death",
	point.Waiting: "waiting", point.Start: "start", point.Uninterrupted: "locked stretch",
}

// trace records the steps of a schedule for a reader.
type trace struct {
	lines []string
	names map[uintptr]string
}

func newTrace() *trace { return &trace{names: map[uintptr]string{}} }

func (tr *trace) note(t *thread) {
	what := kinds[t.op.Kind]
	if t.op.Size > 0 {
		name, ok := tr.names[t.op.Addr]
		if !ok {
			name = fmt.Sprintf("w%d", len(tr.names))
			tr.names[t.op.Addr] = name
		}
		what += " " + name
	}
	tr.lines = append(tr.lines, fmt.Sprintf("%d  %-12s %s", t.id, what, place(t.where)))
}

// machinery lists functions that a trace leaves out.
var machinery = [...]string{"internal/point.", "explore.newThread", "iter.Pull", "runtime.coro", "explore.(*word)"}

// place returns the place of a point: the innermost functions that are not mere accessors.
func place(pcs []uintptr) string {
	if len(pcs) == 0 {
		return "its start"
	}
	frames := runtime.CallersFrames(pcs)
	var list []string
	for {
		f, more := frames.Next()
		if !slices.ContainsFunc(machinery[:], func(p string) bool { return strings.Contains(f.Function, p) }) {
			name := f.Function[strings.LastIndexByte(f.Function, '/')+1:]
			list = append(list, fmt.Sprintf("%s %s:%d", name, filepath.Base(f.File), f.Line))
		}
		if !more || len(list) == 4 {
			return strings.Join(list, " < ")
		}
	}
}
