//go:build !ichormortal

package header

// Tested reports whether counting tests for objects that are immortal in place. Builds
// with the tag "ichormortal" leave the test out, to measure what it costs: each case
// header.Tested && owner < 0 is compiled out, and calls that would make an object
// immortal in place refuse to. Immortality by address remains, as its one comparison
// also tells small integers from objects.
const Tested = true
