//go:build ichormortal

package header

// Tested reports whether counting tests for objects that are immortal in place.
const Tested = false
