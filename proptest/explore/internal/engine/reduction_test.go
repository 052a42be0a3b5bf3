//go:build explore

package engine

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"unsafe"

	"pgregory.net/rapid"
)

// lined is a word on a cache line of its own.
type lined struct {
	word
	_ [60]byte
}

// lastZero has writers that each read one word and write the next one, and a reader that looks for the
// last word that is zero, from the end.
func lastZero(n int) func() Program {
	return func() Program {
		words := make([]lined, n+1)
		p := Program{Threads: []func(){func() {
			for i := n; i > 0 && words[i].load() != 0; i-- {
			}
		}}}
		for i := 1; i <= n; i++ {
			p.Threads = append(p.Threads, func() { words[i].store(words[i-1].load() + 1) })
		}
		return p
	}
}

// readers has one writer of a word, and readers that each read a word of their own and then that one.
func readers(n int) func() Program {
	return func() Program {
		words := make([]lined, n+1)
		p := Program{Threads: []func(){func() { words[0].store(42) }}}
		for i := 1; i <= n; i++ {
			p.Threads = append(p.Threads, func() { words[i].load(); words[0].load() })
		}
		return p
	}
}

// fileSystem is the example of Flanagan and Godefroid (POPL 2005): each thread looks for a free block for an
// inode, under locks. Threads with different numbers below 13 meet nowhere.
func fileSystem(threads int) func() Program {
	const blocks, inodes = 26, 32
	return func() Program {
		var inodeOf, busy [inodes]int
		locks := make([]struct {
			key *mutex
		}, inodes+blocks)
		for i := range locks {
			locks[i].key = &mutex{}
		}
		p := Program{}
		for tid := 1; tid <= threads; tid++ {
			p.Threads = append(p.Threads, func() {
				i := tid % inodes
				locks[i].key.Lock()
				if inodeOf[i] == 0 {
					for b := i * 2 % blocks; ; b = (b + 1) % blocks {
						m := locks[inodes+b].key
						m.Lock()
						if busy[b] == 0 {
							busy[b], inodeOf[i] = 1, b+1
							m.Unlock()
							break
						}
						m.Unlock()
					}
				}
				locks[i].key.Unlock()
			})
		}
		return p
	}
}

// mutex is a lock of the engine.
type mutex struct{ _ [64]byte }

func (m *mutex) Reset()        {}
func (m *mutex) Lock()         { Me().Lock(unsafe.Pointer(m), m) }
func (m *mutex) TryLock() bool { return Me().TryLock(unsafe.Pointer(m), m) }
func (m *mutex) Unlock()       { Me().Unlock(unsafe.Pointer(m), m) }

// TestReduction compares the number of schedules with what theory and published tools say, and with sleep sets
// alone. The results in Concuerror's test suite are 64 for last_zero(5), with 33 more given up by its source sets; 64 for
// readers(6), with 250 more given up by its persistent sets; and 8 for the file system with 16 threads.
func TestReduction(t *testing.T) {
	for _, x := range []struct {
		name                  string
		build                 func() Program
		whole, cut, cutAsleep int64
	}{
		{"last_zero(5)", lastZero(5), 64, 33, 466},
		{"readers(6)", readers(6), 64, 0, 1488},
		{"file system, 14 threads", fileSystem(14), 2, 0, -1},
		{"file system, 16 threads", fileSystem(16), 8, 0, -1},
		{"file system, 18 threads", fileSystem(18), 32, 0, -1},
		{"3 threads of 3 dependent steps: 9!/3!^3", adders(3, 3, false), 1680, 0, 0},
		{"3 threads of 4 independent steps", adders(3, 4, true), 1, 0, 24},
		{"tagged free list", freeList(true), 55, 0, 30},
	} {
		r := Unbounded(x.build)
		if r.Failure != nil || r.Schedules != x.whole || r.Cut != x.cut {
			t.Errorf("%s: %d schedules and %d given up, want %d and %d: %v", x.name, r.Schedules, r.Cut, x.whole, x.cut, r.Failure)
		}
		if x.cutAsleep < 0 {
			continue // sleep sets alone would give up millions
		}
		if s := slept(x.build); s.Schedules != x.whole || s.Cut != x.cutAsleep {
			t.Errorf("%s, sleep sets alone: %d schedules and %d given up, want %d and %d", x.name, s.Schedules, s.Cut, x.whole, x.cutAsleep)
		}
	}
}

// action is a step of a thread of a random program.
type action struct{ what, where int }

// randomProgram has actions on two words, two locks, a wait group, and threads that are started.
func randomProgram(list [][]action, note func(string)) func() Program {
	return func() Program {
		words := make([]lined, 2)
		locks := []*mutex{{}, {}}
		var group mutex
		got := make([]string, len(list))
		p := Program{Check: func() error {
			note(fmt.Sprint(got, words[0].v, words[1].v))
			return nil
		}}
		for i, actions := range list {
			held, added := [2]bool{}, 0
			do := func(a action) {
				t, w, m := Me(), &words[a.where], locks[a.where]
				switch a.what {
				case 0:
					got[i] += fmt.Sprint(w.load())
				case 1:
					w.store(int32(i + 1))
				case 2:
					got[i] += fmt.Sprint(w.add(1))
				case 3:
					if !held[a.where] {
						m.Lock()
						held[a.where] = true
					}
				case 4:
					if !held[a.where] && m.TryLock() {
						held[a.where] = true
						got[i] += "t"
					}
				case 5:
					if held[a.where] {
						held[a.where] = false
						m.Unlock()
					}
				case 6:
					added++
					t.Add(unsafe.Pointer(&group), &group, 1)
				case 7:
					if added > 0 {
						added--
						t.Add(unsafe.Pointer(&group), &group, -1)
					}
				case 8:
					t.WaitFor(unsafe.Pointer(&group), &group)
					got[i] += "w"
				case 9:
					t.Go("child", func() { words[a.where].add(5) })
				}
			}
			p.Threads = append(p.Threads, func() {
				for _, a := range actions {
					do(a)
				}
				for where, h := range held {
					if h {
						locks[where].Unlock()
					}
				}
			})
		}
		return p
	}
}

// TestReductionOfRandomPrograms demands that the reduction reaches what sleep sets alone reach, in as many
// schedules.
func TestReductionOfRandomPrograms(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		anAction := rapid.Custom(func(t *rapid.T) action {
			return action{rapid.IntRange(0, 9).Draw(t, "what"), rapid.IntRange(0, 1).Draw(t, "where")}
		})
		list := rapid.SliceOfN(rapid.SliceOfN(anAction, 1, 3), 2, 3).Draw(t, "threads")
		outcomes := func(search func(func() Program) Result) (seen []string, r Result) {
			r = search(randomProgram(list, func(s string) {
				if !slices.Contains(seen, s) {
					seen = append(seen, s)
				}
			}))
			slices.Sort(seen)
			return seen, r
		}
		few, r := outcomes(Unbounded)
		all, s := outcomes(slept)
		switch {
		case r.Failure != nil && s.Failure != nil:
		case r.Failure != nil || s.Failure != nil:
			t.Fatalf("failures: %v and, with sleep sets alone, %v", r.Failure, s.Failure)
		case !slices.Equal(few, all):
			t.Fatalf("the reduction ends in\n%v\nsleep sets alone in\n%v", few, all)
		case r.Schedules != s.Schedules || r.Cut > s.Cut:
			t.Fatalf("%d schedules and %d given up, with sleep sets alone %d and %d", r.Schedules, r.Cut, s.Schedules, s.Cut)
		}
	})
}

// TestReducedThreads has more threads than fit.
func TestReducedThreads(t *testing.T) {
	r := Unbounded(adders(maxReduced+1, 1, true))
	if r.Failure == nil || !errors.Is(r.Failure.Err, errThreads) {
		t.Errorf("found %v", r.Failure)
	}
}
