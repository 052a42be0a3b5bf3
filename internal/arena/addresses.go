package arena

import (
	"cmp"
	"slices"
)

// run is a run of spans.
type run struct{ first, n uint32 }

func (r run) end() uint32 { return r.first + r.n }

// runs are the free addresses of the frozen quarter.
type runs struct {
	fresh []run // by rising address; no two of them touch
	used  []run // likewise, but used before: stale references may lead there
}

// find takes a run of n spans, from a free run that is long enough. If that begins
// where a growing extent ends, find takes the run from its middle and leaves the first
// half to the extent, unless no other place is left. If the new run is itself to grow
// (grows), it comes from the longest free run. Addresses that were in use before come
// last: find takes them if no other run is long enough or, for a run that grows, if the
// longest other run is less than half as long.
func (r *runs) find(n uint32, growing []*Extent, grows bool) (run, bool) {
	if grows && 2*longest(r.fresh) < longest(r.used) {
		r.reuse()
	}
	for range 2 {
		for _, polite := range [...]bool{true, false} {
			at, room := run{n: n}, uint32(0)
			for _, x := range r.fresh {
				if polite && slices.ContainsFunc(growing, func(e *Extent) bool { return e.at.end() == x.first }) {
					x = run{x.first + x.n/2, x.n - x.n/2}
				}
				if x.n >= n && x.n > room {
					at.first, room = x.first, x.n
					if !grows {
						break
					}
				}
			}
			if room > 0 {
				r.fresh = without(r.fresh, at)
				return at, true
			}
		}
		r.reuse()
	}
	return run{}, false
}

// reuse merges the addresses that were in use with those that were not.
func (r *runs) reuse() {
	all := append(r.fresh, r.used...)
	slices.SortFunc(all, func(a, b run) int { return cmp.Compare(a.first, b.first) })
	r.fresh, r.used = all[:0], nil
	for _, x := range all {
		if n := len(r.fresh); n > 0 && r.fresh[n-1].end() == x.first {
			r.fresh[n-1].n += x.n
		} else {
			r.fresh = append(r.fresh, x)
		}
	}
}

// behind returns the length in spans of the free run that begins at first and was never
// in use.
func (r *runs) behind(first uint32) uint32 {
	if i, ok := search(r.fresh, first); ok {
		return r.fresh[i].n
	}
	return 0
}

// around returns a run that is in use, extended by the free runs on both sides of it.
func (r *runs) around(x run) run {
	for _, list := range [][]run{r.fresh, r.used, r.fresh} {
		list = with(slices.Clone(list), x)
		i, ok := search(list, x.first)
		if !ok {
			i--
		}
		x = list[i]
	}
	return x
}

// takeAt takes a given run of addresses that were never in use, and reports whether all
// of it was free.
func (r *runs) takeAt(want run) bool {
	for _, x := range r.fresh {
		if want.n > 0 && x.first <= want.first && want.first-x.first < x.n && want.n <= x.end()-want.first {
			r.fresh = without(r.fresh, want)
			return true
		}
	}
	return false
}

// give returns a run to the free ones.
func (r *runs) give(x run, used bool) {
	switch {
	case x.n == 0:
	case used:
		r.used = with(r.used, x)
	default:
		r.fresh = with(r.fresh, x)
	}
}

func longest(list []run) (n uint32) {
	for _, x := range list {
		n = max(n, x.n)
	}
	return n
}

// search finds the first run of a list that begins at or after a span, and reports
// whether it begins exactly there.
func search(list []run, first uint32) (int, bool) {
	return slices.BinarySearchFunc(list, first, func(x run, first uint32) int { return cmp.Compare(x.first, first) })
}

// with returns the list with one more run, which overlaps none in it. Runs that touch
// are joined.
func with(list []run, x run) []run {
	i, _ := search(list, x.first)
	from, to := i, i
	if i > 0 && list[i-1].end() == x.first {
		from--
		x = run{list[from].first, list[from].n + x.n}
	}
	if i < len(list) && x.end() == list[i].first {
		to++
		x.n += list[i].n
	}
	return slices.Replace(list, from, to, x)
}

// without returns the list without a run that lies within one of its runs.
func without(list []run, x run) []run {
	i, ok := search(list, x.first)
	if !ok {
		i--
	}
	var rest []run
	if n := x.first - list[i].first; n > 0 {
		rest = append(rest, run{list[i].first, n})
	}
	if n := list[i].end() - x.end(); n > 0 {
		rest = append(rest, run{x.end(), n})
	}
	return slices.Replace(list, i, i+1, rest...)
}
