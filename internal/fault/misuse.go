package fault

import (
	goruntime "runtime"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Misuse is the value of a panic over a broken contract. Immutable.
type Misuse struct {
	What    string // what is wrong: "use after free"
	Call    string // the function called: "Thread.DecRef"
	On      string // the receiver or argument of the call: "list 0x00000120", "thread 3"
	Want    string // what the contract demands
	Type    string // the object's type, if the misuse is of an object and its type is known
	History string // the stacks that explain it: in checked mode, the object's history
}

func (m *Misuse) Error() string {
	var b strings.Builder
	b.WriteString(Prefix + m.What)
	switch {
	case m.Call != "" && m.On != "":
		b.WriteString(": " + m.Call + " of " + m.On)
	case m.Call != "" || m.On != "":
		b.WriteString(": " + m.Call + m.On)
	}
	if m.Want != "" {
		b.WriteString("; want " + m.Want)
	}
	if m.History != "" {
		b.WriteString("\n" + m.History)
	}
	return b.String()
}

// Throw panics with m. If m has no Call, Throw finds it on the stack. Any goroutine.
func Throw(m Misuse) {
	if m.Call == "" {
		m.Call = called()
	}
	panic(&m)
}

// called returns the name of the library function that user code called: the exported function
// nearest to the innermost frame of user code.
func called() (name string) {
	var pcs [64]uintptr
	frames := goruntime.CallersFrames(pcs[:goruntime.Callers(3, pcs[:])])
	for {
		f, more := frames.Next()
		switch {
		case ofGo(f.Function):
		case !Own(f):
			return name
		default:
			if short := shortName(f.Function); name == "" || isExported(short) {
				name = short
			}
		}
		if !more {
			return name
		}
	}
}

// shortName returns a function's name as users write it: Thread.DecRef, objects.NewList.
func shortName(function string) string {
	name := function[strings.LastIndexByte(function, '/')+1:]
	name = strings.TrimSuffix(strings.ReplaceAll(name, "[...]", ""), "-fm")
	pkg, name, _ := strings.Cut(name, ".")
	parts := strings.Split(name, ".")
	for i, p := range parts {
		if i > 0 && (strings.HasPrefix(p, "func") || strings.HasPrefix(p, "deferwrap") || strings.HasPrefix(p, "gowrap")) {
			parts = parts[:i] // a function literal inside it
			break
		}
		parts[i] = strings.Trim(p, "(*)")
	}
	if len(parts) > 1 {
		return strings.Join(parts, ".")
	}
	if pkg == "runtime" {
		pkg = "rt"
	}
	return pkg + "." + parts[0]
}

// isExported reports whether a short name is one that users can write: rt.Own, Thread.DecRef.
func isExported(short string) bool {
	of, name, _ := strings.Cut(short, ".")
	first, _ := utf8.DecodeRuneInString(name)
	typ, _ := utf8.DecodeRuneInString(of)
	isPackage := of == "rt" || of == "objects" || of == "locks" || of == "sched"
	return unicode.IsUpper(first) && (isPackage || unicode.IsUpper(typ))
}
