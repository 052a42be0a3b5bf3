package objects

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/ichor-go/ichor/internal/aligned"
	rt "github.com/ichor-go/ichor/runtime"
)

// scaled returns how often to do something: n times, a tenth of that under the race
// detector or with -short, a hundredth with both. What TestKeyed repeats is as short as with
// -short.
func scaled(n int) int {
	if raceEnabled {
		n /= 10
	}
	if testing.Short() || alwaysKeyed {
		n /= 10
	}
	return max(n, 1)
}

// racesOnly reports whether the tests run for the race detector only: with it, and with
// -short. Tests in which one goroutine runs do less then. They are ten times as slow, and the
// detector can find nothing in them.
func racesOnly() bool { return raceEnabled && testing.Short() }

// oneGoroutine skips a long test of one goroutine if racesOnly.
func oneGoroutine(t *testing.T) {
	if racesOnly() {
		t.Skip("one goroutine")
	}
}

// levels is the depth of nesting in tests with littleStack.
const levels = 6000

// littleStack limits the stacks of goroutines for the time of a test. A call that recurses
// into an object of that many levels ends the process: there are 21 bytes for each, and a
// frame takes 24 at the least on 64-bit machines.
func littleStack(t *testing.T) {
	was := debug.SetMaxStack(128 << 10)
	t.Cleanup(func() { debug.SetMaxStack(was) })
}

// smallSpace is the address space of runtimes that tests make by the hundred. Under the
// race detector it is Go memory.
const smallSpace = 32 << 20

// forModes runs f in the two modes, and in lock-free mode with both ways of counting.
func forModes(t *testing.T, f func(t *testing.T, o rt.Options)) {
	t.Run("gil", func(t *testing.T) { f(t, rt.Options{Mode: rt.GIL}) })
	t.Run("lockfree", func(t *testing.T) { f(t, rt.Options{Mode: rt.LockFree, Counting: rt.Atomic}) })
	t.Run("biased", func(t *testing.T) { f(t, rt.Options{Mode: rt.LockFree, Counting: rt.Biased}) })
}

// aloneInModes is forModes for tests in which only one goroutine runs. For the race detector
// one mode is enough.
func aloneInModes(t *testing.T, f func(t *testing.T, o rt.Options)) {
	if racesOnly() {
		f(t, rt.Options{Mode: rt.LockFree, Counting: rt.Biased})
		return
	}
	forModes(t, f)
}

// forAllModes is forModes, and adds checked mode. For small tests.
func forAllModes(t *testing.T, f func(t *testing.T, o rt.Options)) {
	forModes(t, f)
	t.Run("lockfree,checked", func(t *testing.T) { f(t, rt.Options{Mode: rt.LockFree, Checked: true}) })
}

// clean runs f on a thread of a new runtime. It fails if counts and references differ
// afterwards, or if an object or a block is left.
func clean(t rapid.TB, o rt.Options, f func(th *rt.Thread)) {
	t.Helper()
	withRuntime(t, o, func(r *rt.Runtime) {
		must0(t, r.Do(func(th *rt.Thread) error {
			f(th)
			return nil
		}))
	})
}

// withRuntime is clean for tests with threads of their own.
func withRuntime(t rapid.TB, o rt.Options, f func(r *rt.Runtime)) {
	t.Helper()
	r, err := rt.New(o)
	must0(t, err)
	f(r)
	err = r.Do(func(th *rt.Thread) error { return th.Audit() })
	m := r.Memory()
	if err = errors.Join(err, r.Close()); err != nil {
		t.Logf("%v", err)
		t.Fatalf("the audit or the close found something wrong")
	}
	// Checked mode keeps the dead, and immortals stay.
	if !o.Checked && m.Immortals+m.InPlace == 0 && m.Objects+m.Blocks != 0 {
		t.Logf("%+v", m)
		t.Fatalf("objects or blocks are left")
	}
}

// audit compares counts and references. held are the test's own.
func audit(t rapid.TB, th *rt.Thread, held ...rt.Ref) {
	t.Helper()
	if noAudits {
		return
	}
	if err := th.Audit(held...); err != nil {
		t.Logf("%v", err)
		t.Fatalf("the audit found something wrong")
	}
}

func must0(t rapid.TB, err error) {
	t.Helper()
	if err != nil {
		t.Logf("%v", err)
		t.Fatalf("unexpected error")
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// undone returns the error of a call that has failed, and says so in its other result.
func undone(done bool, err error) error {
	if done {
		panic("a call that has failed says that it has done something")
	}
	return err
}

// ok is must for worker goroutines, which cannot fail a test: Run passes the panic on to
// the test.
func ok(err error) {
	if err != nil {
		panic(err)
	}
}

// unless returns err if it is not an E.
func unless[E error](err error) error {
	var e E
	if errors.As(err, &e) {
		return nil
	}
	return err
}

// hog takes all memory up to the limit, and returns the references that hold it.
func hog(t rapid.TB, th *rt.Thread) (held []rt.Ref) {
	t.Helper()
	for size := 24 << 10; size > 0; size /= 2 {
		for {
			r, err := NewBytes(th, make([]byte, size))
			if errors.Is(err, rt.ErrMemoryLimit) {
				break
			}
			must0(t, err)
			held = append(held, r)
		}
	}
	return held
}

// bigBase makes integers too large for a reference, so each is an object.
const bigBase = 1 << 40

// newBig returns a new reference to a boxed integer with the mark n.
func newBig(th *rt.Thread, n int) rt.Ref { return must(NewInt(th, bigBase+int64(n))) }

// bigOf returns the mark of a boxed integer, or -1.
func bigOf(th *rt.Thread, r rt.Ref) int {
	v, ok := Int(r).Value(th)
	if !ok || v < bigBase || r.IsInt() {
		return -1
	}
	return int(v - bigBase)
}

func smallInt(n int) rt.Ref {
	r, ok := rt.Int(int64(n))
	if !ok {
		panic("too large for a small integer")
	}
	return r
}

// wantError fails unless err is a *E.
func wantError[E error](t rapid.TB, err error) {
	t.Helper()
	var e E
	if !errors.As(err, &e) {
		t.Logf("got %v (%T), want %T", err, err, e)
		t.Fatalf("wrong kind of error")
	}
}

// A machine drives an object and its model. Its operations take two numbers, and do
// something sensible with any. check compares object and model.
type machine interface {
	ops() map[string]func(a, b int)
	check()
	close()
}

// checkMachine runs random operations, drawn by rapid.
func checkMachine(t *testing.T, o rt.Options, start func(t rapid.TB, th *rt.Thread) machine) {
	t.Helper()
	switch {
	case racesOnly():
		fewerChecks(t, 4)
	case o.Checked && !testing.Short(): // it takes the stack at each count; rapid itself divides by five with -short
		fewerChecks(t, 5)
	}
	o.AddressSpace = smallSpace
	rapid.Check(t, func(t *rapid.T) {
		clean(t, o, func(th *rt.Thread) {
			m := start(t, th)
			actions := map[string]func(*rapid.T){"": func(*rapid.T) { m.check() }}
			for name, op := range m.ops() {
				actions[name] = func(t *rapid.T) {
					op(rapid.IntRange(0, 1<<16).Draw(t, "a"), rapid.IntRange(0, 1<<16).Draw(t, "b"))
				}
			}
			t.Repeat(actions)
			m.close()
		})
	})
}

// fewerChecks divides the number of rapid's checks, for the time of a test.
func fewerChecks(t *testing.T, by int) {
	checks := flag.Lookup("rapid.checks").Value
	was := checks.String()
	must0(t, checks.Set(strconv.Itoa(max(must(strconv.Atoi(was))/by, 1))))
	t.Cleanup(func() { must0(t, checks.Set(was)) })
}

// A fuzzStage has the runtimes on which the inputs of a fuzz target run, one after the
// other: one for each mode, with a thread that stays attached. Making them for each input
// would take most of the time.
type fuzzStage struct {
	threads [2]*rt.Thread // GIL, lock-free
	runs    int
}

// auditEvery is how many inputs run between two audits of the whole heap. An audit takes
// longer than most inputs.
const auditEvery = 64

var noAudits = false // audit does nothing

// fuzzMachine returns a fuzz target that runs the operations listed in an input, three
// bytes each, on a machine of each kind.
func fuzzMachine(f *testing.F, starts ...func(t rapid.TB, th *rt.Thread) machine) func(t *testing.T, input []byte) {
	var s fuzzStage
	for i, mode := range []rt.Mode{rt.GIL, rt.LockFree} {
		s.threads[i] = must(must(rt.New(rt.Options{Mode: mode, AddressSpace: smallSpace})).Attach())
	}
	f.Cleanup(func() {
		for _, th := range s.threads {
			r := th.Runtime()
			th.Detach()
			if err := r.Close(); err != nil && !f.Failed() {
				f.Error(err)
			}
		}
	})
	return func(t *testing.T, input []byte) {
		input = input[:min(len(input), 3*100)] // go test first minimizes interesting inputs, which takes minutes for long ones
		s.runs++
		noAudits = s.runs%auditEvery != 0
		defer func() { noAudits = false }()
		for _, th := range s.threads {
			for _, start := range starts {
				s.one(t, th, input, start)
			}
		}
	}
}

// one runs an input on a new machine, and fails if something is left. It compares the
// machine with its model now and then, and in the end.
func (s *fuzzStage) one(t *testing.T, th *rt.Thread, input []byte, start func(t rapid.TB, th *rt.Thread) machine) {
	m := start(t, th)
	ops := m.ops()
	names := slices.Sorted(maps.Keys(ops))
	for i := 0; i+3 <= len(input); i += 3 {
		ops[names[int(input[i])%len(names)]](int(input[i+1]), int(input[i+2]))
		if i/3%16 == 15 {
			m.check()
		}
	}
	m.check()
	m.close()
	for range 2 { // a grace period, and the releases that it delays
		th.Checkpoint()
	}
	th.Collect()
	if n := th.Runtime().Memory(); n.Objects+n.Blocks != 0 {
		t.Fatalf("%d objects and %d blocks are left", n.Objects, n.Blocks)
	}
}

// fuzzSeeds adds command lists that reach every operation in many orders.
func fuzzSeeds(f *testing.F) {
	f.Add([]byte{})
	seeds := byte(24)
	if racesOnly() {
		seeds = 4
	}
	for seed := range seeds {
		var b []byte
		for i := range 60 {
			x := byte(i)*(2*seed+37) + seed
			b = append(b, x, x*x>>3+byte(i), x^0x5a)
		}
		f.Add(b)
	}
}

// run is Runtime.Run, which must succeed. fn must reach safe points itself.
func run(t *testing.T, r *rt.Runtime, n int, fn func(th *rt.Thread, worker int) error) {
	t.Helper()
	err := r.Run(context.Background(), n, func(_ context.Context, th *rt.Thread, worker int) error { return fn(th, worker) })
	if err != nil {
		t.Fatal(err)
	}
}

// A borrower reads boxed integers without counting them, and looks at them again before its
// next safe point: they are good until then.
type borrower struct {
	refs  []rt.Ref
	marks []int
}

// borrow notes a borrowed reference, which must be one that some thread stored.
func (b *borrower) borrow(th *rt.Thread, r rt.Ref) error {
	n := bigOf(th, r)
	if n < 0 {
		return fmt.Errorf("read %s, which no thread stored", Format(th, r))
	}
	b.refs, b.marks = append(b.refs, r), append(b.marks, n)
	return nil
}

// giveBack ends all borrows, and is a safe point.
func (b *borrower) giveBack(th *rt.Thread) error {
	for i, r := range b.refs {
		if got := bigOf(th, r); got != b.marks[i] {
			return fmt.Errorf("borrowed %d, found %d before the next safe point", b.marks[i], got)
		}
	}
	b.refs, b.marks = b.refs[:0], b.marks[:0]
	th.Checkpoint()
	return nil
}

// timeline checks the reads beside a single writer for linearizability. The writer's
// operations are numbered, and state s is the one after s operations.
type timeline struct{ started, done aligned.Int64 }

// write runs the writer's next operation.
func (l *timeline) write(op func()) {
	l.started.Inc()
	op()
	l.done.Inc()
}

// A witness is a reader whose observations never go back in time.
type witness struct {
	l  *timeline
	at int64 // no earlier state can explain its next observation
}

// see runs a read whose result fits the states s for which explains(s) holds. It fails
// unless such a state existed between the read's begin and end, and not before the states
// that explained earlier reads.
func (w *witness) see(read func() (explains func(s int64) bool, what string)) error {
	from := max(w.at, w.l.done.Load())
	explains, what := read()
	to := w.l.started.Load()
	for s := from; s <= to; s++ {
		if explains(s) {
			w.at = s
			return nil
		}
	}
	return fmt.Errorf("%s: explained by no state from %d to %d", what, from, to)
}
