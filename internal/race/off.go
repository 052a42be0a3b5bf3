//go:build !race

package race

// On reports whether the program runs under the race detector.
const On = false

// These functions are only called behind a test of On, so never in this build. They panic if they
// are called nevertheless.

func Hidden() (end func()) { panic(off) }
func Released[T any](*T)   { panic(off) }
func Acquired[T any](*T)   { panic(off) }
func Read[T any](*T)       { panic(off) }

const off = "ichor: an order for the race detector in a build without it"
