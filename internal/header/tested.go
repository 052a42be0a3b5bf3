//go:build !ichormortal

package header

// Tested reports whether counting tests for immortality in place. Builds with the tag
// "ichormortal" do not, to measure what the test costs: a case header.Tested && owner < 0 is
// compiled out, and whatever would make an object immortal in place refuses to.
// Immortality by address stays: its one compare also tells small integers from objects.
const Tested = true
