//go:build ichormortal

package header

// Tested reports whether counting tests for immortality in place.
const Tested = false
