package main

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// killers counts the mutants that each test has killed, by function and by file. Mutants of the same
// lines tend to fall to the same tests, so a mutant meets the killers of its neighbours first. The
// order decides how long a run takes, and which test gets the credit, but not the verdict.
type killers struct {
	mu    sync.Mutex
	kills map[killer]int
}

type killer struct{ where, test string }

const (
	firstKillers = 12              // tests that are moved to the front
	killerTime   = 2 * time.Second // a test that takes longer keeps its place
)

// add records that a test has killed a mutant.
func (k *killers) add(m Mutant, test string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.kills == nil {
		k.kills = map[killer]int{}
	}
	k.kills[killer{m.Package + " " + m.Func, test}]++
	k.kills[killer{m.File, test}]++
}

// first moves to the front the tests that have killed the most mutants of m's function, then those of
// its file. The others keep their order.
func (k *killers) first(m Mutant, tests []*leaf) []*leaf {
	k.mu.Lock()
	defer k.mu.Unlock()
	type ranked struct {
		*leaf
		function, file int
	}
	var known []ranked
	for _, l := range tests {
		r := ranked{l, k.kills[killer{m.Package + " " + m.Func, l.String()}], k.kills[killer{m.File, l.String()}]}
		if r.file > 0 && l.Took <= killerTime {
			known = append(known, r)
		}
	}
	slices.SortStableFunc(known, func(a, b ranked) int {
		return cmp.Or(cmp.Compare(b.function, a.function), cmp.Compare(b.file, a.file))
	})
	known = known[:min(len(known), firstKillers)]
	order := make([]*leaf, 0, len(tests))
	for _, r := range known {
		order = append(order, r.leaf)
	}
	for _, l := range tests {
		if !slices.Contains(order[:len(known)], l) {
			order = append(order, l)
		}
	}
	return order
}
