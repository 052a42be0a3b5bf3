//go:build !ichormortal

package header

// Tested reports whether counting tests for immortality in place. Builds with the tag
// "ichormortal" do not, to measure what the test costs. Their fast paths read
//
//	if !header.Tested || h.Owner() >= 0
//
// and whatever would make an object immortal in place refuses to. Immortality by address
// stays: its one compare also tells small integers from objects.
const Tested = true
