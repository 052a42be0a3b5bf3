package runtime

import (
	"errors"
	"fmt"
	goruntime "runtime"
	"runtime/debug"
	"strings"
	"testing"
)

// The tests of this package define types of their own, since package objects imports it.
var (
	leafType = must(DefineType(Type{Name: "leaf"}))

	// A node has the number of its slots in word 0, and the slots behind it.
	nodeType = must(DefineType(Type{
		Name:    "node",
		Mutable: true,
		Traverse: func(_ Heap, o Body, visit func(Ref)) {
			for i := range int(o.Word(0)) {
				visit(o.LoadRef(1 + i))
			}
		},
	}))

	// A box keeps one slot in a block.
	boxType = must(DefineType(Type{
		Name:    "box",
		Mutable: true,
		Traverse: func(h Heap, o Body, visit func(Ref)) {
			if b := o.LoadRef(0); b != Nil {
				visit(h.Block(b).LoadRef(0))
			}
		},
		Block: func(o Body) Ref { return o.LoadRef(0) },
	}))

	_ = defineBuiltin(TypeString, Type{Name: "string"}, nil)
	_ = defineBuiltin(TypeNone, Type{Name: "None"}, nil)
	_ = defineBuiltin(TypeBool, Type{Name: "bool"}, nil)
	_ = defineBuiltin(TypeFloat, Type{Name: "float"}, nil)
	_ = defineBuiltin(TypeInt, Type{Name: "int"}, nil)
	_ = defineBuiltin(TypeBytes, Type{Name: "bytes"}, nil)
	_ = defineBuiltin(TypeTuple, Type{Name: "tuple"}, nil)
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func must0(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newLeaf(t *Thread) Ref {
	r, o, err := t.New(leafType, 8)
	if err != nil {
		panic(err)
	}
	o.SetWord(0, 42)
	return r
}

// newNode returns a new reference to a node, and steals the slots.
func newNode(t *Thread, slots ...Ref) Ref {
	r, o, err := t.New(nodeType, 4*(1+len(slots)))
	if err != nil {
		panic(err)
	}
	o.SetWord(0, uint32(len(slots)))
	copy(o.Refs(1, len(slots)), slots)
	return r
}

func newBox(t *Thread, slot Ref) Ref {
	r, o, err := t.New(boxType, 8)
	if err != nil {
		panic(err)
	}
	b, blk, err := t.NewBlock(r, 16)
	if err != nil {
		panic(err)
	}
	blk.SetRef(0, slot)
	o.SetRef(0, b)
	return r
}

// setSlot overwrites a node's slot as a container does.
func setSlot(t *Thread, node Ref, i int, v Ref) {
	t.IncRef(v)
	t.Retire(t.Body(node).SwapRef(1+i, v))
}

// needsThreads skips a test in which a goroutine loops until another one has done something, if
// there is only one operating system thread and no preemption.
func needsThreads(t *testing.T) {
	if goruntime.GOOS == "js" {
		t.Skip("SKIPPED: needs several threads, and there is only one here")
	}
}

// forModes runs f in every mode, plain and checked.
func forModes(t *testing.T, f func(t *testing.T, o Options)) {
	for _, o := range []Options{
		{Mode: GIL}, {Mode: LockFree, Counting: Atomic}, {Mode: LockFree, Counting: Biased},
		{Mode: GIL, Checked: true}, {Mode: LockFree, Counting: Atomic, Checked: true}, {Mode: LockFree, Counting: Biased, Checked: true},
	} {
		t.Run(fmt.Sprintf("%s/%s/checked=%t", o.Mode, o.Counting, o.Checked), func(t *testing.T) { f(t, o) })
	}
}

// racesOnly reports whether the tests run for the race detector only: with it, and with
// -short. Tests in which one goroutine runs do less then. They are ten times as slow, and the
// detector can find nothing in them.
func racesOnly() bool { return raceEnabled && testing.Short() }

// aloneInModes is forModes for tests in which only one goroutine runs. For the race detector
// one mode is enough.
func aloneInModes(t *testing.T, f func(t *testing.T, o Options)) {
	if racesOnly() {
		f(t, Options{Mode: LockFree, Counting: Biased})
		return
	}
	forModes(t, f)
}

// levels is the depth of nesting in tests with littleStack.
const levels = 6000

// littleStack limits the stacks of goroutines for the time of a test. A call that recurses
// into a chain of that many objects ends the process: there are 21 bytes for each, and a frame
// takes 24 at the least on 64-bit machines.
func littleStack(t *testing.T) {
	was := debug.SetMaxStack(128 << 10)
	t.Cleanup(func() { debug.SetMaxStack(was) })
}

func newRuntime(t testing.TB, o Options) *Runtime {
	t.Helper()
	r, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// clean runs f on a thread of a new runtime, and fails if any object is left.
func clean(t *testing.T, o Options, f func(t *testing.T, th *Thread)) {
	t.Helper()
	r := newRuntime(t, o)
	err := r.Do(func(th *Thread) error {
		f(t, th)
		return th.Audit()
	})
	if err := errors.Join(err, r.Close()); err != nil {
		t.Error(err)
	}
}

// panics returns the message of f's panic, and fails if there is none.
func panics(t *testing.T, f func()) (msg string) {
	t.Helper()
	defer func() {
		t.Helper()
		p := recover()
		if p == nil {
			t.Error("no panic")
			return
		}
		msg = fmt.Sprint(p)
	}()
	f()
	return ""
}

func wantIn(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%q is missing in:\n%s", p, text)
		}
	}
}
