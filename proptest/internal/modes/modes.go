// Package modes lists the modes in which the properties must hold.
package modes

import (
	"fmt"

	rt "github.com/ichor-go/ichor/runtime"
)

// All returns o once for each way to count and to check objects.
func All(o rt.Options) (all []rt.Options) {
	for _, checked := range []bool{false, true} {
		o.Checked = checked
		o.Mode, o.Counting = rt.GIL, rt.AutoCounting
		all = append(all, o)
		o.Mode = rt.LockFree
		for _, counting := range []rt.Counting{rt.Atomic, rt.Biased} {
			o.Counting = counting
			all = append(all, o)
		}
	}
	return all
}

// Counting says how objects are counted: gil, atomic or biased.
func Counting(o rt.Options) string {
	if o.Mode == rt.LockFree {
		return o.Counting.String()
	}
	return o.Mode.String()
}

// Name says how objects are counted, and whether they are checked. It is a part of the names of
// tests.
func Name(o rt.Options) string {
	return fmt.Sprintf("%s/checked=%t", Counting(o), o.Checked)
}
