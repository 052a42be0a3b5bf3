package main

import (
	"fmt"
	"slices"
	"strconv"

	rt "github.com/ichor-go/ichor/runtime"
)

// Values of the config key mode, and of immortal: the same in every scenario.
const (
	modeGIL    = "gil"
	modeAtomic = "atomic"
	modeBiased = "biased"

	immortalNone    = "none"
	immortalInPlace = "inplace"
	immortalAddress = "address"
	immortalFrozen  = "frozen"
)

// modes are all of them, the baseline first.
var modes = []string{modeGIL, modeAtomic, modeBiased}

// newRuntime makes a runtime for a mode.
func newRuntime(mode string) (*rt.Runtime, error) {
	if !slices.Contains(modes, mode) {
		return nil, fmt.Errorf("unknown mode %q", mode)
	}
	o := modeOptions(mode)
	if strconv.IntSize == 32 {
		o.AddressSpace = 64 << 20 // the runtimes of all variants have to fit
	}
	return rt.New(o)
}

// modeOptions are the options for a mode, which is known.
func modeOptions(mode string) rt.Options {
	switch mode {
	case modeAtomic:
		return rt.Options{Mode: rt.LockFree, Counting: rt.Atomic}
	case modeBiased:
		return rt.Options{Mode: rt.LockFree, Counting: rt.Biased}
	}
	return rt.Options{Mode: rt.GIL}
}

// bear runs build, which returns a new reference, and gives the object the kind
// of immortality.
func bear(t *rt.Thread, immortal string, build func() (rt.Ref, error)) (r rt.Ref, err error) {
	switch immortal {
	case immortalAddress:
		err = t.Immortally(func() error {
			r, err = build()
			return err
		})
		return r, err
	case immortalInPlace:
		if r, err = build(); err == nil {
			err = t.Immortalize(r)
		}
		return r, err
	}
	return build()
}

// tenants counts the rows that share something: the first sets it up, the last
// closes it.
type tenants int

func (n *tenants) first() bool { *n++; return *n == 1 }
func (n *tenants) last() bool  { *n--; return *n == 0 }
