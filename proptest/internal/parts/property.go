package parts

import (
	"errors"
	"fmt"

	"pgregory.net/rapid"
)

// property is a promise that can be broken. Its text is constant, because rapid takes a failure
// with another text for a different failure.
type property string

// The properties of package proptest, in the order of its documentation.
const (
	propHeaders property = "property (a), the header of an immortal object never changes"
	PropAudit   property = "property (b), counts are the sums of references"
	propAlive   property = "property (c), nothing reachable is freed"
	propNone    property = "property (c), nothing is left once everything has been dropped"
	propAgree   property = "property (d), all modes and the model agree"
	propFinal   property = "property (e), an object that dies is finalized once"
	propGarbage property = "property (f), one collection finds all garbage"
	propFrozen  property = "property (g), frozen objects never change"
	propShared  property = "property (h), frozen objects are not copied"
	propLinear  property = "property (i), concurrent calls are linearizable"
	propStores  property = "property (j), no thread stores to an immortal object"
)

// What Conformance demands besides.
const (
	propModel  property = "conformance: the objects and their model agree"
	propFaults property = "conformance: a call that returns an error has changed nothing"
)

// failure says that a property does not hold. Where a program cannot return it, it panics
// with it.
type failure struct {
	property property
	detail   string
}

func (f *failure) Error() string { return fmt.Sprintf("%s: %s", f.property, f.detail) }

// broken returns the failure of a property.
func (p property) broken(format string, args ...any) *failure {
	return &failure{p, fmt.Sprintf(format, args...)}
}

// report fails t with a text that is the same for all failures of a property, and logs the
// details.
func report(t *rapid.T, err error) {
	if err == nil {
		return
	}
	t.Log(err)
	var f *failure
	if errors.As(err, &f) {
		t.Fatal(f.property)
	}
	t.Fatal("a run of a program failed")
}
