package proptest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/ichor-go/ichor/proptest/explore"
	"github.com/ichor-go/ichor/proptest/internal/trials"
	rt "github.com/ichor-go/ichor/runtime"
)

// Subject is a type of objects, and a model of them, for Conformance. A model is a Go
// value that stands for the state of an object:
//
//	proptest.Conformance(t, proptest.Config{}, proptest.Subject[[]int]{
//		New: func(t *rt.Thread) (rt.Ref, error) { return NewRing(t, 4) },
//		Ops: []proptest.Op[[]int]{
//			{Name: "push", Linearizable: true, Do: push, Model: pushed},
//			{Name: "pop", Linearizable: true, Do: pop, Model: popped},
//		},
//	})
type Subject[M any] struct {
	// New returns a new reference to an object in its first state.
	New func(t *rt.Thread) (rt.Ref, error)
	// Model is the state of the object that New returns.
	Model M
	Ops   []Op[M]
	// Freezes says that the type has Freezing.
	Freezes bool
}

// Op is an operation on objects of a Subject. Its operand is a number from 0 to 15, which
// the operation interprets as it likes.
type Op[M any] struct {
	Name string

	// Do performs the operation on r, which it borrows, and gives up all references that it
	// owns. It returns an observation: a value that reflect.DeepEqual can compare and that
	// contains no references. If it returns an error, r is unchanged. Several threads may
	// call it concurrently, and Faults may inject errors into it.
	Do func(t *rt.Thread, r rt.Ref, n int) (seen any, err error)

	// Derive replaces Do for operations that make another object of the type from r, which
	// it borrows. It returns a new reference to the new object.
	Derive func(t *rt.Thread, r rt.Ref, n int) (rt.Ref, error)

	// Model returns the state after the call, or the state of the object that Derive returns,
	// and the observation that Do must return. It does not change m.
	Model func(m M, n int) (after M, seen any)

	// Writes says that Do changes r: on a frozen object its error is rt.ErrFrozen.
	Writes bool

	// Linearizable says that concurrent calls of Do are linearizable with one another.
	Linearizable bool
}

// Conformance draws random programs with rapid, runs them on objects of the subject and
// on their models, and fails t if they differ, or if one of the properties in the package
// comment does not hold for the type. The log has the shrunk program. First it calls each operation once, and
// says what is wrong with the subject itself.
//
//   - programs: one thread, in every mode. Objects become immortal, and are frozen if the
//     type allows it. Checks audits, headers, frozen bytes, what is left at Close, and that
//     Freezing.Version differs after each call that changes the model.
//   - moved: the same, with the heap shared in the middle; both runtimes continue. Linux only.
//   - faults: the same, while one allocation or one system call fails. An operation that
//     returns the error must have changed nothing.
//   - images: a frozen object is written as an image, which is cut, or has a bit flipped. It
//     is refused; or, if its checksums are made right again, what Freezing.Check passes is an
//     object on which no operation panics. For subjects that Freeze.
//   - threads: several threads on the same object, with an audit at the end. In checked mode,
//     they yield when they allocate.
//   - histories: the same with calls that are Linearizable. If no order of the calls explains
//     them, a picture of the history is in t.ArtifactDir.
//   - explored: Explore, in builds with the tag explore.
//
// Conformance sets Mode, Counting, Checked, Backing and CollectAfter of the Config's Options
// itself. An AddressSpace of 0 means 4 MiB. Any goroutine that is not attached.
func Conformance[M any](t *testing.T, c Config, s Subject[M]) {
	t.Helper()
	if err := s.wrong(); err != nil {
		t.Fatal(err)
	}
	c.fill()
	if err := trials.Validate(s.trials(), c.Options); err != nil {
		t.Fatal(err)
	}
	trials.Check(t, s.trials(), trials.Config{Options: c.Options, Threads: c.Threads, Ops: c.Ops, Injected: ErrInjected})
	if explore.On {
		t.Run("explored", func(t *testing.T) { Explore(t, s) })
	}
}

// wrong returns what is missing in the subject, or contradicts itself.
func (s Subject[M]) wrong() error {
	switch {
	case s.New == nil:
		return errors.New("proptest: the subject has no New")
	case len(s.Ops) == 0:
		return errors.New("proptest: the subject has no Ops")
	}
	names := map[string]bool{}
	for i, op := range s.Ops {
		if names[op.Name] {
			return fmt.Errorf("proptest: two operations of the subject are named %s", op.Name)
		}
		names[op.Name] = op.Name != ""
		switch {
		case op.Name == "":
			return fmt.Errorf("proptest: operation %d of the subject has no Name", i)
		case op.Do == nil && op.Derive == nil:
			return fmt.Errorf("proptest: operation %s has neither Do nor Derive", op.Name)
		case op.Do != nil && op.Derive != nil:
			return fmt.Errorf("proptest: operation %s has both Do and Derive", op.Name)
		case op.Model == nil:
			return fmt.Errorf("proptest: operation %s has no Model", op.Name)
		}
	}
	return nil
}

// trials returns the subject as package trials has it.
func (s Subject[M]) trials() trials.Subject[M] {
	x := trials.Subject[M]{New: s.New, Model: s.Model, Freezes: s.Freezes}
	for _, op := range s.Ops {
		x.Ops = append(x.Ops, trials.Op[M](op))
	}
	return x
}

// Explore draws short concurrent programs of the subject with rapid, and explores each: package
// proptest/explore. It fails t if a schedule has calls that are not linearizable, although they are
// said to be, leaves a reference that nobody has counted, races, panics or deadlocks. The log has the
// shrunk program and the steps of the schedule. It ends after some seconds. Without the tag explore,
// each program runs once, with real goroutines. Any goroutine that is not attached.
func Explore[M any](t *testing.T, s Subject[M]) {
	t.Helper()
	if err := s.wrong(); err != nil {
		t.Fatal(err)
	}
	if err := trials.Validate(s.trials(), rt.Options{}); err != nil {
		t.Fatal(err)
	}
	trials.Explore(t, s.trials())
}
