package trials

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ichor-go/ichor/proptest/explore"
	"github.com/ichor-go/ichor/proptest/internal/modes"
	rt "github.com/ichor-go/ichor/runtime"
)

// TestExplore explores programs of a type that is right.
func TestExplore(t *testing.T) {
	x := boxes(add, added)
	x.Ops = append(x.Ops, Op[int]{Name: "fill", Do: fill, Model: filled, Linearizable: true})
	Explore(t, x.Subject)
}

// TestExploreFinds explores a program of each of some types with a bug, in each mode, and compares what
// is said.
func TestExploreFinds(t *testing.T) {
	if !explore.On {
		t.Skip("SKIPPED: nothing is explored without -tags explore")
	}
	for _, b := range []struct {
		name, says string
		modes      []rt.Options
		do         func(*rt.Thread, rt.Ref, int) (any, error)
		model      func(int, int) (int, any)
	}{
		{"two steps", "no order of these calls explains what they return:\n  thread 0: op(3) = 0", exploredModes[:2], func(t *rt.Thread, r rt.Ref, _ int) (any, error) {
			was := t.Body(r).Load(0)
			t.Body(r).Store(0, was+1)
			return int(was), nil
		}, added},
		{"plain words", "race: plain ", exploredModes[:2], func(t *rt.Thread, r rt.Ref, _ int) (any, error) {
			was := t.Body(r).Word(0)
			t.Body(r).SetWord(0, was+1)
			return int(was), nil
		}, added},
		{"a reference too many", "ichor: audit", exploredModes, func(t *rt.Thread, r rt.Ref, n int) (any, error) {
			_, err := fill(t, r, n)
			t.IncRef(t.Body(r).LoadRef(1))
			return nil, err
		}, filled},
		{"a panic", "panic: planted", exploredModes, func(t *rt.Thread, r rt.Ref, n int) (any, error) { panic("planted") }, filled},
	} {
		for _, o := range b.modes {
			x := boxes(b.do, b.model)
			p := turns{threads: [][]step{{{n: 3}}, {{n: 4}}}}
			_, err := explore.Run(b.name, explore.Config{Time: time.Minute}, func() explore.Fixed { return x.fixed(o, p) })
			if err == nil || !strings.Contains(err.Error(), b.says) {
				t.Errorf("%s, %s: want %q, found: %v", b.name, modes.Name(o), b.says, err)
			}
		}
	}
}

// deques are subjects, and what Explore says about each, one of these; nothing, if there is none.
var deques = map[string]struct {
	explore func(t *testing.T)
	says    []string
}{
	"a deque":                       {func(t *testing.T) { Explore(t, deque{locks: true}.subject(false)) }, nil},
	"a deque without locks":         {func(t *testing.T) { Explore(t, deque{}.subject(false)) }, []string{"race: plain "}},
	"a deque that reads twice":      {func(t *testing.T) { Explore(t, deque{locks: true}.subject(true)) }, []string{"no order of these calls explains what they return:"}},
	"a matrix":                      {func(t *testing.T) { Explore(t, matrix((*rt.Thread).Retire)) }, nil},
	"a matrix that does not retire": {func(t *testing.T) { Explore(t, matrix((*rt.Thread).DecRef)) }, []string{"race: plain ", "memory that was given back"}},
}

// dequeVariable names the subject that a child process of TestExploreDeques explores.
const dequeVariable = "ICHOR_EXPLORE_DEQUE"

// TestExploreDeques explores subjects such as users have, with the limits that users get. The test of
// a subject with a bug fails, so each runs in a process of its own.
func TestExploreDeques(t *testing.T) {
	if name := os.Getenv(dequeVariable); name != "" {
		deques[name].explore(t)
		return
	}
	if !explore.On {
		t.Skip("SKIPPED: nothing is explored without -tags explore")
	}
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, x := range deques {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(binary, "-test.run=^TestExploreDeques$", "-rapid.nofailfile")
			cmd.Env = append(os.Environ(), dequeVariable+"="+name)
			out, err := cmd.CombinedOutput()
			says := func(what string) bool { return strings.Contains(string(out), what) }
			if (err == nil) != (x.says == nil) || err != nil && !slices.ContainsFunc(x.says, says) {
				t.Errorf("want %q, found: %v\n%s", x.says, err, out)
			}
		})
	}
}
