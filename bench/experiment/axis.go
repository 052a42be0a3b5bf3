package experiment

import (
	"fmt"
	"strconv"

	rt "github.com/ichor-go/ichor/runtime"
)

// An Axis is a setting, and the values of it that a [Workload] compares: strings, ints or
// bools.
type Axis struct {
	Key    string
	Values []any
}

// Keys and values of the axes that a Workload sets up by itself.
const (
	Mode       = "mode"
	ModeGIL    = "gil"    // one thread at a time, plain counts
	ModeAtomic = "atomic" // no global lock, atomic counts
	ModeBiased = "biased" // no global lock; the thread that made an object counts it plainly, others atomically

	Immortal        = "immortal"
	ImmortalNone    = "none"
	ImmortalInPlace = "inplace" // its header says so: counting reads the header and writes nothing
	ImmortalAddress = "address" // its reference says so, from birth: counting does not touch the object
	ImmortalFrozen  = "frozen"  // its reference says so: it is a sealed copy
)

// Modes is the axis of modes: the GIL first, then no global lock with each way of counting.
func Modes() Axis { return Axis{Mode, []any{ModeGIL, ModeAtomic, ModeBiased}} }

// Immortality is the axis of what becomes of shared objects: mortal, or immortal in one of
// three ways.
func Immortality() Axis {
	return Axis{Immortal, []any{ImmortalNone, ImmortalInPlace, ImmortalAddress, ImmortalFrozen}}
}

// ModeOptions returns the options of a runtime for a mode, one of the values of [Modes].
func ModeOptions(mode string) (o rt.Options, err error) {
	switch mode {
	case ModeGIL:
		o.Mode = rt.GIL
	case ModeAtomic:
		o.Mode, o.Counting = rt.LockFree, rt.Atomic
	case ModeBiased:
		o.Mode, o.Counting = rt.LockFree, rt.Biased
	default:
		err = fmt.Errorf("unknown mode %q", mode)
	}
	return o, err
}

// NewRuntime makes a runtime for a mode, one of the values of [Modes], with options that the given
// functions may change. The caller closes it.
func NewRuntime(mode string, change ...func(o *rt.Options)) (*rt.Runtime, error) {
	o, err := ModeOptions(mode)
	if err != nil {
		return nil, err
	}
	if strconv.IntSize == 32 {
		o.AddressSpace = 64 << 20 // the runtimes of all variants have to fit
	}
	for _, f := range change {
		f(&o)
	}
	return rt.New(o)
}

// Bear runs build, which returns a new reference, and makes the result mortal or immortal, as
// one of the values of [Immortality] says. It returns a new reference: to the copy, if the
// result is frozen. Attached thread.
func Bear(t *rt.Thread, immortal string, build func() (rt.Ref, error)) (r rt.Ref, err error) {
	switch immortal {
	case ImmortalNone:
		return build()
	case ImmortalAddress:
		err = t.Immortally(func() error {
			r, err = build()
			return err
		})
	case ImmortalInPlace, ImmortalFrozen:
		made, err := build()
		if err != nil {
			return made, err
		}
		defer func() {
			if r != made {
				t.DecRef(made)
			}
		}()
		if immortal == ImmortalInPlace {
			if err := t.Immortalize(made); err != nil {
				return rt.Nil, err
			}
			return made, nil
		}
		f, err := t.Freeze(made)
		if err != nil {
			return rt.Nil, err
		}
		return f.Root(), nil
	default:
		err = fmt.Errorf("unknown kind of immortality %q", immortal)
	}
	return r, err
}
