package main

import (
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/ichor-go/ichor/objects"
	"github.com/ichor-go/ichor/proptest"
	rt "github.com/ichor-go/ichor/runtime"
)

func TestRun(t *testing.T) {
	var out strings.Builder
	if err := run(&out, rt.Options{Checked: true}); err != nil {
		t.Fatal(err)
	}
	want := "3 lines are left, the oldest is \"line 2\"\n" +
		"every count matches the references, and nothing leaked\n"
	if out.String() != want {
		t.Errorf("got:\n%swant:\n%s", out.String(), want)
	}
}

// TestNoRoom lets memory run out at each possible place: nothing leaks.
func TestNoRoom(t *testing.T) {
	for limit := int64(64 << 10); ; limit += 64 << 10 {
		err := run(io.Discard, rt.Options{MemoryLimit: limit})
		if err == nil {
			return
		}
		if err.Error() != rt.ErrMemoryLimit.Error() {
			t.Fatalf("with %d bytes: got %v, want %v alone", limit, err, rt.ErrMemoryLimit)
		}
	}
}

// TestRing runs random programs on rings and on their model. In the process that
// TestBugIsFound starts, it fails.
func TestRing(t *testing.T) {
	t.Parallel()
	if os.Getenv(plant) != "" {
		proptest.Conformance(t, proptest.Config{Ops: 10}, subject(leakyPush))
		return
	}
	proptest.Conformance(t, proptest.Config{}, subject(push))
}

const capacity = 3

// model is a ring in plain Go.
type model struct {
	items []int
	log   string
}

// subject returns rings with the given Push.
func subject(push func(t *rt.Thread, r rt.Ref, n int) (any, error)) proptest.Subject[model] {
	return proptest.Subject[model]{
		New: func(t *rt.Thread) (rt.Ref, error) { return NewRing(t, capacity) },
		Ops: []proptest.Op[model]{
			{Name: "push", Do: push, Model: pushed, Writes: true, Linearizable: true},
			{Name: "pop", Do: pop, Model: popped, Writes: true, Linearizable: true},
			{Name: "get", Do: get, Model: got, Linearizable: true},
			{Name: "log", Do: readLog, Model: logged, Linearizable: true},
		},
	}
}

// boxed is beyond the range of small integers, so that items are counted objects.
const boxed = 1 << 40

func push(t *rt.Thread, r rt.Ref, n int) (any, error) {
	v, err := objects.NewInt(t, boxed+int64(n))
	if err == nil {
		Ring(r).Push(t, v)
		t.DecRef(v)
	}
	return nil, err
}

func pop(t *rt.Thread, r rt.Ref, _ int) (any, error) { return number(t, Ring(r).Pop(t)), nil }

func get(t *rt.Thread, r rt.Ref, n int) (any, error) { return number(t, Ring(r).Get(t, n)), nil }

func readLog(t *rt.Thread, r rt.Ref, _ int) (any, error) { return Ring(r).Log(t), nil }

// number returns the number of item v, or -1 for Nil, and gives v up.
func number(t *rt.Thread, v rt.Ref) int {
	if v == rt.Nil {
		return -1
	}
	defer t.DecRef(v)
	n, _ := objects.Int(v).Value(t)
	return int(n - boxed)
}

func noted(log, op string) string { return (log + op)[max(0, len(log)+1-16):] }

func pushed(m model, n int) (model, any) {
	items := append(slices.Clone(m.items), n)
	return model{items[max(0, len(items)-capacity):], noted(m.log, "+")}, nil
}

func popped(m model, _ int) (model, any) {
	if len(m.items) == 0 {
		return m, -1
	}
	return model{slices.Clone(m.items[1:]), noted(m.log, "-")}, m.items[0]
}

func got(m model, n int) (model, any) {
	if n >= len(m.items) {
		return m, -1
	}
	return m, m.items[n]
}

func logged(m model, _ int) (model, any) { return m, m.log }

// leakyPush is a Push with a bug: it does not give up the item that it overwrites.
func leakyPush(t *rt.Thread, r rt.Ref, n int) (any, error) {
	full := Ring(r).Len(t) == capacity
	if full {
		Ring(r).Get(t, 0) // as if the slot's count had not been retired
	}
	return push(t, r, n)
}

// plant is the environment variable that makes TestRing use leakyPush.
const plant = "RING_WITH_A_BUG"

// TestBugIsFound checks that Conformance finds the bug, and reports the shortest
// program that has it: four pushes into a ring of three.
func TestBugIsFound(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the tests twice")
	}
	t.Parallel() // the child takes as long as the other tests
	cmd := exec.Command(os.Args[0], "-test.run=^TestRing$/^programs$", "-rapid.nofailfile", "-rapid.seed=1")
	cmd.Env = append(os.Environ(), plant+"=1")
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err == nil || !strings.Contains(string(out), "property (b)") {
		t.Fatalf("the bug was not found: %v", err)
	}
	_, program, _ := strings.Cut(string(out), "the program, with ")
	program, _, _ = strings.Cut(program, "\tend")
	if n := strings.Count(program, ".push("); n != capacity+1 || strings.Count(program, "\n") != n+1 {
		t.Errorf("the program is not just %d pushes", capacity+1)
	}
}
