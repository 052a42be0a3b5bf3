package experiment

import "github.com/ichor-go/ichor/bench/internal/cpu"

// What [Row.Doubt] says.
const (
	Starved = "starved" // see Row.Starved
	Apart   = "apart"   // the row's threads did not work at the same time, see Row.Apart
)

// Doubt says in a word why the row must not be compared with others, or is "" if it may be. Reports
// mark a row in doubt, compute no ratio and fit no law with it, and conclude nothing from it.
func (r *Row) Doubt() string {
	switch {
	case r.Starved():
		return Starved
	case r.Apart() > muchApart:
		return Apart
	}
	return ""
}

// Starved reports whether the row's threads are known to have got less than 90 % of the CPU
// time that they asked for. Such a row says more about the load of the machine than about the
// variant.
func (r *Row) Starved() bool { return r.Got() < cpu.Enough }

// Apart is the share of the time of the row's samples for which some of their lanes had ended. The
// others then had the cores and the locks to themselves. If it is more than a tenth, the row's
// rate may be that of fewer threads than it has: two that hold each other up may seem not to.
func (r *Row) Apart() float64 {
	return r.medianOf(func(l Load) float64 { return l.Apart })
}
