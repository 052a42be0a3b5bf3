package arena

import (
	"testing"

	"pgregory.net/rapid"
)

// The free runs are always exactly the addresses that are not taken.
func TestRunsModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const first, end = 100, 100 + 300
		var r runs
		r.give(run{first, end - first}, false)
		var taken []run
		var stale [end]bool // was in use before
		fits := func(n uint32) bool {
			free := uint32(0)
			for i := uint32(first); i < end; i++ {
				free++
				for _, x := range taken {
					if x.first <= i && i < x.end() {
						free = 0
					}
				}
				if free >= n {
					return true
				}
			}
			return false
		}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			n := rapid.Uint32Range(1, 80).Draw(t, "n")
			switch what := rapid.IntRange(0, 3).Draw(t, "what"); {
			case what == 0 && len(taken) > 0:
				i := int(n) % len(taken)
				used := rapid.Bool().Draw(t, "used")
				for k := taken[i].first; k < taken[i].end(); k++ {
					stale[k] = used
				}
				r.give(taken[i], used)
				taken = append(taken[:i], taken[i+1:]...)
			case what == 1:
				at := run{first + n*3, n}
				clear := at.end() <= end
				for _, x := range taken {
					clear = clear && (at.end() <= x.first || x.end() <= at.first)
				}
				for k := at.first; clear && k < at.end(); k++ {
					clear = !stale[k]
				}
				if got := r.takeAt(at); got != clear {
					t.Fatalf("takeAt(%v) = %t, want %t beside %v", at, got, clear, taken)
				}
				if clear {
					taken = append(taken, at)
				}
			default:
				var growing []*Extent
				for _, x := range taken {
					if rapid.IntRange(0, 3).Draw(t, "grows") == 0 {
						growing = append(growing, &Extent{at: x})
					}
				}
				grows := rapid.Bool().Draw(t, "to grow")
				fresh := longest(r.fresh)
				got, ok := r.find(n, growing, grows)
				if ok != fits(n) {
					t.Fatalf("find(%d) = %t beside %v", n, ok, taken)
				}
				if !ok || !grows && fresh < n {
					stale = [end]bool{} // find merges both kinds of free runs
				}
				if ok && grows && len(r.used) == 0 {
					stale = [end]bool{}
				}
				if !ok {
					continue
				}
				if got.n != n || got.first < first || got.end() > end {
					t.Fatalf("find(%d) = %v", n, got)
				}
				for k := got.first; k < got.end(); k++ {
					if stale[k] {
						t.Fatalf("find(%d) = %v, which was in use before, although a run of %d was not", n, got, fresh)
					}
				}
				for _, x := range taken {
					if got.first < x.end() && x.first < got.end() {
						t.Fatalf("find returned %v, but %v is in use", got, x)
					}
				}
				taken = append(taken, got)
			}
			left := uint32(end - first)
			for _, x := range taken {
				left -= x.n
			}
			for _, list := range [][]run{r.fresh, r.used} {
				for i, x := range list {
					if left -= x.n; i > 0 && list[i-1].end() >= x.first {
						t.Fatalf("runs %v touch or overlap", list)
					}
				}
			}
			if left != 0 {
				t.Fatalf("%v and %v are free, which is %d less than expected", r.fresh, r.used, left)
			}
			for _, x := range r.fresh {
				if r.behind(x.first) != x.n || r.behind(x.first+1) != 0 {
					t.Fatalf("behind %d there are %d, want %d", x.first, r.behind(x.first), x.n)
				}
			}
		}
	})
}

// Each of several growing extents begins in the longest free run, and leaves half of it
// to the extent in front of it. Addresses that were in use before come last.
func TestRunsFind(t *testing.T) {
	var r runs
	r.give(run{0, 128}, false)
	var growing []*Extent
	for i, want := range []uint32{0, 64, 32, 96} {
		at, ok := r.find(1, growing, true)
		if !ok || at.first != want {
			t.Fatalf("growing extent %d begins at %d, want %d", i, at.first, want)
		}
		growing = append(growing, &Extent{at: at})
	}
	if at, _ := r.find(10, growing, false); at != (run{16, 10}) {
		t.Errorf("a run of known size begins at %d, want 16", at.first)
	}
	if at, ok := r.find(31, growing, false); !ok || at != (run{33, 31}) {
		t.Errorf("with no other place: %v", at)
	}
	r = runs{}
	r.give(run{0, 10}, true)
	r.give(run{20, 6}, false)
	for _, want := range []run{{20, 5}, {0, 5}} {
		if at, _ := r.find(5, nil, true); at != want {
			t.Errorf("found %v, want %v", at, want)
		}
	}
}

// TestRunsFindWhere: a growing extent begins in the longest free run. That may be one
// that was in use before, if it is more than twice as long as all others. An extent of
// known size takes the first run that fits.
func TestRunsFindWhere(t *testing.T) {
	for _, c := range []struct {
		fresh, used []run
		n           uint32
		grows       bool
		want        run
		ok          bool
	}{
		{[]run{{0, 5}, {10, 20}, {40, 20}}, nil, 3, false, run{0, 3}, true},
		{[]run{{0, 5}, {10, 20}, {40, 20}}, nil, 6, false, run{10, 6}, true},
		{[]run{{0, 5}, {10, 20}, {40, 20}}, nil, 3, true, run{10, 3}, true},
		{[]run{{0, 10}}, []run{{20, 20}}, 1, true, run{0, 1}, true},
		{[]run{{0, 10}}, []run{{20, 21}}, 1, true, run{20, 1}, true},
		{[]run{{0, 10}}, []run{{20, 21}}, 1, false, run{0, 1}, true},
		{[]run{{0, 10}}, []run{{20, 21}}, 11, false, run{20, 11}, true},
		{[]run{{0, 10}}, []run{{10, 5}}, 15, false, run{0, 15}, true},
		{[]run{{0, 10}}, []run{{20, 21}}, 22, false, run{}, false},
	} {
		r := runs{fresh: c.fresh, used: c.used}
		if got, ok := r.find(c.n, nil, c.grows); got != c.want || ok != c.ok {
			t.Errorf("%d in %v and %v, to grow %t: %v, %t, want %v, %t", c.n, c.fresh, c.used, c.grows, got, ok, c.want, c.ok)
		}
	}
}

// TestRunsAround: the free runs on both sides are included, used before or not.
func TestRunsAround(t *testing.T) {
	for _, c := range []struct {
		fresh, used []run
		want        run
	}{
		{nil, nil, run{20, 5}},
		{[]run{{10, 9}, {26, 4}}, []run{{0, 9}, {31, 4}}, run{20, 5}},
		{[]run{{10, 10}, {25, 4}}, nil, run{10, 19}},
		{nil, []run{{10, 10}, {25, 4}}, run{10, 19}},
		{[]run{{0, 10}, {25, 4}}, []run{{10, 10}, {29, 3}}, run{0, 32}},
		{[]run{{10, 10}}, []run{{0, 10}}, run{0, 25}},
	} {
		r := runs{fresh: c.fresh, used: c.used}
		if got := r.around(run{20, 5}); got != c.want {
			t.Errorf("around, with %v and %v free: %v, want %v", c.fresh, c.used, got, c.want)
		}
	}
}
