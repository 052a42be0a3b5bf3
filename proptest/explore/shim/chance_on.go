//go:build explore

package shim

import "github.com/ichor-go/ichor/proptest/explore/internal/engine"

// chance returns the next number of the calling thread, if it is part of an exploration.
//
//go:norace
func chance() (n uint64, explored bool) {
	if t := engine.Me(); t != nil {
		return t.Chance(), true
	}
	return 0, false
}

// explored reports whether the caller is part of an exploration.
//
//go:norace
func explored() bool { return engine.Me() != nil }
