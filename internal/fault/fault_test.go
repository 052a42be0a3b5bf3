package fault

import (
	"errors"
	"fmt"
	goruntime "runtime"
	"strings"
	"testing"
)

// TestErrorf: a message has the prefix once, whatever errors it wraps, and they are wrapped.
func TestErrorf(t *testing.T) {
	inner := New("inner")
	more := &Kind{Text: "more", Of: inner}
	typed := &Misuse{What: "wrong"}
	for _, c := range []struct {
		err  error
		want string
	}{
		{inner, "ichor: inner"},
		{more, "ichor: more"},
		{Errorf("outer %d", 1), "ichor: outer 1"},
		{Errorf("outer: %w", inner), "ichor: outer: inner"},
		{Errorf("a: %w", Errorf("b: %w", typed)), "ichor: a: b: wrong"},
		{Errorf("a: %w", errors.Join(inner, inner)), "ichor: a: inner\ninner"},
		{Partf("part: %w", inner), "part: inner"},
		{Errorf("a: %v", fmt.Errorf("b: %w", inner)), "ichor: a: b: ichor: inner"}, // only Partf would remove b's prefix
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
	if err := Errorf("a: %w", Errorf("b: %w", more)); !errors.Is(err, more) || !errors.Is(err, inner) {
		t.Errorf("%v does not wrap its cause", err)
	}
	var m *Misuse
	if !errors.As(Errorf("a: %w", typed), &m) || m != typed {
		t.Error("the misuse is not found")
	}
	for _, v := range []any{inner, "inner"} {
		if got := BareValue(v); got != "inner" {
			t.Errorf("the value %v is %q", v, got)
		}
	}
}

// TestMisuseText: a message leaves out the empty fields.
func TestMisuseText(t *testing.T) {
	for want, m := range map[string]Misuse{
		"ichor: a":                    {What: "a"},
		"ichor: a: b":                 {What: "a", Call: "b"},
		"ichor: a: c":                 {What: "a", On: "c"},
		"ichor: a: b of c; want d\ne": {What: "a", Call: "b", On: "c", Want: "d", History: "e"},
	} {
		if got := m.Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestShortName: a function has the name that users write.
func TestShortName(t *testing.T) {
	for full, want := range map[string]string{
		module + "runtime.(*Thread).DecRef":        "Thread.DecRef",
		module + "runtime.(*Thread).Scope.func1":   "Thread.Scope",
		module + "runtime.(*Thread).Scope.func1.2": "Thread.Scope",
		module + "runtime.DoValue[...]":            "rt.DoValue",
		module + "runtime.DoValue[...].func1":      "rt.DoValue",
		module + "sched.(*Deferred[...]).Defer":    "Deferred.Defer",
		module + "objects.NewList":                 "objects.NewList",
		module + "objects.List.Append":             "List.Append",
		module + "locks.(*Member).Exit-fm":         "Member.Exit",
		module + "locks.Lock.deferwrap1":           "locks.Lock",
	} {
		if got := shortName(full); got != want {
			t.Errorf("%s is %s, want %s", full, got, want)
		}
	}
	for name, want := range map[string]bool{
		"Thread.DecRef": true, "Thread.free": false, "rt.Own": true, "objects.newList": false, "mergeQueue.Push": false, "locks.Lock": true, "sched.Run": true,
		"arena.New": false,
	} {
		if got := isExported(name); got != want {
			t.Errorf("%s is exported: %t", name, got)
		}
	}
}

// TestThrow: without a call of the library on the stack Call stays empty, and a given Call is
// kept.
func TestThrow(t *testing.T) {
	thrown := func(m Misuse) (got *Misuse) {
		defer func() { got = recover().(*Misuse) }()
		Throw(m)
		return nil
	}
	if m := thrown(Misuse{What: "a"}); m.Call != "" || m.What != "a" {
		t.Errorf("%+v", m)
	}
	if m := thrown(Misuse{Call: "b"}); m.Call != "b" {
		t.Errorf("%+v", m)
	}
}

// TestOwn: which functions are the library's.
func TestOwn(t *testing.T) {
	for _, c := range []struct {
		function, file string
		want           bool
	}{
		{module + "runtime.New", "a.go", true},
		{module + "runtime.TestNew", "a_test.go", false},
		{module + "internal/arena.New", "a.go", true},
		{module + "examples/vm.main", "main.go", false},
		{module + "proptest.Run", "a.go", false},
		{module + "objects_test.Example", "a.go", false},
		{"main.main", "main.go", false},
		{"runtime.goexit", "asm.s", false},
	} {
		if got := Own(goruntime.Frame{Function: c.function, File: c.file}); got != c.want {
			t.Errorf("%s in %s is the library's: %t", c.function, c.file, got)
		}
	}
	if !ofGo("runtime.gopanic") || !ofGo("internal/runtime/maps.f") || !ofGo("") || ofGo("main.main") {
		t.Error("functions of Go are not recognized")
	}
}

// TestHere: a stack begins at the innermost frame of user code, and has at most stackLen frames.
func TestHere(t *testing.T) {
	s := Here()
	if !strings.Contains(s.Site(), "fault.TestHere ") || !strings.Contains(s.Site(), "fault_test.go:") || !strings.Contains(s.String(), "\n      "+s.Site()) {
		t.Errorf("%s, %s", s.Site(), s)
	}
	var deep func(n int) Stack
	deep = func(n int) Stack {
		if n == 0 {
			return Here()
		}
		return deep(n - 1)
	}
	if s := deep(2 * stackLen); len(s) != stackLen {
		t.Errorf("%d frames", len(s))
	}
	if got := (Stack{}).Site(); got != "an unknown place" {
		t.Errorf("%q", got)
	}
	var none Stack
	done := make(chan bool)
	go func() { // without a frame of user code
		defer close(done)
		none = libraryStack()
	}()
	<-done
	if len(none) == 0 {
		t.Error("the stack of a goroutine of the library is empty")
	}
}

// libraryStack is Here called where every frame counts as the library's.
func libraryStack() Stack {
	var pcs [maxDepth]uintptr
	for _, pc := range pcs[:goruntime.Callers(1, pcs[:])] {
		owners.Store(pc, true)
	}
	return here(pcs[:goruntime.Callers(1, pcs[:])])
}

// TestTrim: Trim removes the library's innermost frames, and all arguments.
func TestTrim(t *testing.T) {
	lib := module + "runtime.(*Thread).Checkpoint(0xc00001)\n\t/lib/checkpoint.go:10 +0x12\n"
	sync := "sync.(*Mutex).Lock(...)\n\t/go/mutex.go:1 +0x1\nruntime.gopark(0x1)\n\t/go/proc.go:2 +0x2\n"
	user := "main.(*T).work(0xc1, {0x2, 0x3})\n\t/user/main.go:7 +0x77\n"
	rest := module + "runtime.(*Thread).do(0xc00001)\n\t/lib/do.go:39 +0x1\n" + "created by main.main in goroutine 1\n\t/user/main.go:3 +0x33\n"
	want := "goroutine 7 [running]:\n  main.(*T).work\n      /user/main.go:7\n  " + module + "runtime.(*Thread).do\n      /lib/do.go:39\n  created by main.main in goroutine 1\n      /user/main.go:3"
	if got := Trim("goroutine 7 [running]:\n" + sync + lib + user + rest); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := Trim("goroutine 7 [running]:\n" + lib + "...additional frames elided...\n" + user + rest); got != want {
		t.Errorf("with frames left out: got\n%s\nwant\n%s", got, want)
	}
	test := module + "runtime.TestX(0x1)\n\t/lib/x_test.go:5 +0x1\n"
	if got := Trim("goroutine 7 [running]:\n" + test); !strings.Contains(got, "TestX\n") {
		t.Errorf("a test's frame is gone: %s", got)
	}
	all := strings.TrimSpace("goroutine 7 [running]:\n" + lib + sync)
	if got := Trim(all); got != all {
		t.Errorf("a trace of the library's alone: %s", got)
	}
	if got := Trim("goroutine 7 [running]:\n" + strings.Repeat(user, maxLines+1)); strings.Count(got, "main.(*T).work") != maxLines || !strings.HasSuffix(got, "\n  ...") {
		t.Errorf("a long trace: %s", got)
	}
	if got := Trim("not found"); got != "not found" {
		t.Errorf("no trace: %s", got)
	}
}
