// Package kinds passes to package objects, which has the built-in kinds of objects, what
// package runtime offers to it and to nobody else: tables of its own, types with fixed
// numbers, births that take a note. It keeps them out of the API without a layer around
// package runtime, whose types it does not know.
package kinds

var offered any

// Offer is called once, by package runtime, while the program starts.
func Offer(methods any) { offered = methods }

// Taken returns what package runtime offers as the interface T, which names the methods
// that the caller uses. It panics if one of them is not offered, or not with these types:
// so a variable of a package that has it fails any test.
func Taken[T any]() T { return offered.(T) }
