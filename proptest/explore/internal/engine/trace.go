//go:build explore

package engine

import (
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/ichor-go/ichor/internal/point"
)

var kinds = [...]string{
	point.PlainRead: "read", point.PlainWrite: "write", point.AtomicLoad: "load", point.AtomicStore: "store",
	point.AtomicUpdate: "update", point.Acquire: "lock", point.Release: "unlock", point.Birth: "birth", point.Death: "death",
	point.Waiting: "waiting", point.Start: "start", point.Uninterrupted: "locked stretch", point.Resumption: "go on",
}

// Row is a line of a trace.
type Row struct {
	Step    int     // its number in the schedule; 0 for what is no step
	Thread  int     // who takes it
	Op      string  // what it does
	Object  string  // to what, by a short name
	Value   string  // what it has read or written
	Switch  string  // why another thread than before takes it
	Stack   []Frame // where, the innermost first
	Log     bool    // the program has said it
	lookups []uintptr
}

// Frame is a place in the source.
type Frame struct {
	Function string
	File     string
	Line     int
}

// trace records the steps of a schedule for a reader.
//
// Threads and the search both write to it, so what does is nothing that the race detector looks into.
type trace struct {
	rows  []Row
	names []uintptr // the addresses that have names
}

func newTrace() *trace { return &trace{} }

// name returns a short name for an address.
//
//go:norace
func (tr *trace) name(op point.Op) string {
	if op.Size == 0 {
		return ""
	}
	for i, a := range tr.names {
		if a == op.Addr {
			return nameOf(i)
		}
	}
	tr.names = append(tr.names, op.Addr)
	return nameOf(len(tr.names) - 1)
}

func nameOf(i int) string { return fmt.Sprint("w", i) }

// note records a step, before the thread takes it.
//
//go:norace
func (tr *trace) note(e *Execution, t *Thread) {
	r := Row{Step: len(e.schedule) + 1, Thread: t.id, Op: t.operation(), lookups: slices.Clone(t.where)}
	if t.op.Kind == point.Resumption {
		r.Op = t.what + " returns"
	}
	r.Object = tr.name(t.op)
	if e.last >= 0 && e.last != t.id {
		switch was := e.threads[e.last]; {
		case was.done:
			r.Switch = was.name + " has ended"
		case e.options.of(was.id) >= 0:
			r.Switch = was.name + " is preempted"
		default:
			r.Switch = was.name + " waits in " + was.operation()
		}
	}
	tr.rows = append(tr.rows, r)
}

// aside records what a thread does without a point.
//
//go:norace
func (tr *trace) aside(t *Thread, op point.Op, what string) {
	tr.rows = append(tr.rows, Row{Thread: t.id, Op: what, Object: tr.name(op), lookups: slices.Clone(t.where)})
}

// say records what happens to a thread.
//
//go:norace
func (tr *trace) say(t *Thread, text string) {
	t.callers()
	tr.rows = append(tr.rows, Row{Thread: t.id, Op: text, lookups: slices.Clone(t.where)})
}

// log records what the program says.
//
//go:norace
func (tr *trace) log(t *Thread, text string) {
	tr.rows = append(tr.rows, Row{Thread: t.id, Op: text, Log: true, lookups: slices.Clone(t.where)})
}

// value adds what the thread's last step has read or written.
//
//go:norace
func (tr *trace) value(t *Thread, text string) {
	for i := len(tr.rows) - 1; i >= 0; i-- {
		if r := &tr.rows[i]; r.Thread == t.id && r.Step > 0 {
			r.Value = text
			return
		}
	}
}

// finish looks the places up.
func (tr *trace) finish() []Row {
	for i := range tr.rows {
		tr.rows[i].Stack = stack(tr.rows[i].lookups)
	}
	return tr.rows
}

// lines returns the steps as text.
func (tr *trace) lines() (list []string) {
	for _, r := range tr.rows {
		if r.Step > 0 {
			what := strings.TrimSpace(r.Op + " " + r.Object)
			list = append(list, fmt.Sprintf("%d  %-12s %s", r.Thread, what, place(r.lookups)))
		}
	}
	return list
}

// machinery lists parts of the names of functions that a trace leaves out, unless they are tests'.
var machinery = [...]string{
	"/internal/point.", "/explore/internal/engine.", "/proptest/explore/sync.", "/proptest/explore/atomic.", "/proptest/explore/uatomic.",
	"/proptest/explore/shim.", "/proptest/explore/time.", "/proptest/explore/context.", "/proptest/explore/errgroup.",
	"/proptest/explore/semaphore.", "/proptest/explore.(*E)", "/proptest/explore.(*session)", "/explore.(*word)", "engine.(*word)",
}

// Machinery reports whether a function is part of the explorer.
func Machinery(function, file string) bool {
	if strings.HasPrefix(function, "runtime.") || strings.HasPrefix(function, "iter.Pull") || strings.HasPrefix(function, "sync.(*") {
		return true
	}
	test := strings.HasSuffix(file, "_test.go") && !strings.Contains(function, "(*word)")
	return !test && slices.ContainsFunc(machinery[:], func(p string) bool { return strings.Contains(function, p) })
}

// stack returns the frames of the program.
func stack(pcs []uintptr) (list []Frame) {
	if len(pcs) == 0 {
		return nil
	}
	frames := runtime.CallersFrames(pcs)
	for {
		f, more := frames.Next()
		if f.Function != "" && !Machinery(f.Function, f.File) {
			list = append(list, Frame{f.Function, f.File, f.Line})
		}
		if !more {
			return list
		}
	}
}

// place returns the place of a point: the innermost functions that are not mere accessors.
func place(pcs []uintptr) string {
	if len(pcs) == 0 {
		return "its start"
	}
	var list []string
	for _, f := range stack(pcs) {
		if list = append(list, fmt.Sprintf("%s %s:%d", f.Function[strings.LastIndexByte(f.Function, '/')+1:], filepath.Base(f.File), f.Line)); len(list) == 4 {
			break
		}
	}
	return strings.Join(list, " < ")
}

// Outer returns the innermost frame that is not in this module, or the innermost of all.
func Outer(list []Frame) Frame {
	for _, f := range list {
		if !strings.HasPrefix(f.Function, "github.com/ichor-go/ichor/") {
			return f
		}
	}
	return list[0]
}

// shortPlace returns the innermost place.
func shortPlace(pcs []uintptr) string {
	for _, f := range stack(pcs) {
		return fmt.Sprintf("%s:%d", filepath.Base(f.File), f.Line)
	}
	return "an unknown place"
}
