// Package kinds passes methods of package runtime to package objects, which implements the
// built-in kinds of objects. The methods give it tables of its own, types with fixed numbers, and
// births with a note. No other package gets them, so they stay out of the API, without a layer
// around package runtime. Package kinds does not know the types of package runtime.
package kinds

// Words of the body of a Tuple. Package runtime knows them, so that the death of a tuple takes no
// call of its type.
const (
	TupleLen   = 0 // number of slots
	TupleHash  = 1
	TupleSlots = 2 // the first slot
)

var offered any

// Offer stores the methods. Package runtime calls it once, during initialization.
func Offer(methods any) { offered = methods }

// Taken returns the offered methods as the interface T, which names those that the caller
// uses. It panics if a method is missing or has another signature. The caller keeps the
// result in a package variable, so a mismatch fails every test.
func Taken[T any]() T { return offered.(T) }
