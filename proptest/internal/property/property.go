// Package property names the properties that package proptest checks, and turns whatever goes
// wrong in a run into the failure of one of them.
package property

import (
	"errors"
	"fmt"

	"pgregory.net/rapid"
)

// Property is a promise that can be broken. Its text is constant, because rapid takes a failure
// with another text for a different failure.
type Property string

// The properties of package proptest, in the order of its documentation.
const (
	Headers     Property = "property (a), the header of an immortal object never changes"
	Counts      Property = "property (b), counts are the sums of references"
	Alive       Property = "property (c), nothing reachable is freed"
	NothingLeft Property = "property (c), nothing is left once everything has been dropped"
	Agree       Property = "property (d), all modes and the model agree"
	Final       Property = "property (e), an object that dies is finalized once"
	Garbage     Property = "property (f), one collection finds all garbage"
	Frozen      Property = "property (g), frozen objects never change"
	NotCopied   Property = "property (h), frozen objects are not copied"
	Linear      Property = "property (i), concurrent calls are linearizable"
	Stores      Property = "property (j), no thread stores to an immortal object"
)

// What Conformance demands besides.
const (
	Model  Property = "conformance: the objects and their model agree"
	Faults Property = "conformance: a call that returns an error has changed nothing"
	Turns  Property = "conformance: concurrent calls, in each order in which threads can take turns"
)

// Failure says that a property does not hold. Where a program cannot return it, it panics
// with it.
type Failure struct {
	Property Property
	Detail   string
}

func (f *Failure) Error() string { return fmt.Sprintf("%s: %s", f.Property, f.Detail) }

// Broken returns the failure of a property.
func (p Property) Broken(format string, args ...any) *Failure {
	return &Failure{p, fmt.Sprintf(format, args...)}
}

// Report fails t with a text that is the same for all failures of a property, and logs the
// details.
func Report(t *rapid.T, err error) {
	if err == nil {
		return
	}
	t.Log(err)
	var f *Failure
	if errors.As(err, &f) {
		t.Fatal(f.Property)
	}
	t.Fatal("a run of a program failed")
}
