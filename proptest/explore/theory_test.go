//go:build explore

package explore_test

import "slices"

// The number of schedules of a classic, computed without the engine: a machine of two threads, copied at
// each choice, and a recursion over the choices with at most so many preemptions. The rule for loops that
// spin is that of docs/explore.md.

// machine is the state of a program of two threads.
type machine struct {
	mem     [10]int
	pc      [2]int
	reg     [2][3]int
	done    [2]bool
	parked  [2]bool
	changes int
	seen    [2][16]glance
}

// glance is how often a step has changed nothing since the last change of anything.
type glance struct{ changes, times int }

// effect is what a step has done.
type effect int

const (
	looks   effect = iota // a load
	changes               // a store, or an update that has changed something
	fails                 // an update that has changed nothing
)

// classic is a program: the cell that the next step of thread i accesses, its kind of access, whether it is
// possible, and the step itself.
type classic struct {
	cell func(m *machine, i int) (cell int, update bool)
	free func(m *machine, i int) bool // nil: always
	step func(m *machine, i int) effect
}

// count returns the number of schedules with at most bound preemptions.
func (c *classic) count(m machine, last, preemptions, bound int) int {
	var able, spinning []int
	for i := range 2 {
		if m.done[i] || m.parked[i] || c.free != nil && !c.free(&m, i) {
			continue
		}
		if g := m.seen[i][c.place(&m, i)]; g.times >= 3 && g.changes == m.changes {
			spinning = append(spinning, i)
			continue
		}
		able = append(able, i)
	}
	if len(able) == 0 && len(spinning) > 0 {
		able = spinning[len(spinning)-1:]
	}
	if len(able) == 0 {
		return 1
	}
	sum := 0
	for _, i := range able {
		cost := preemptions
		if i != last && slices.Contains(able, last) {
			cost++
		}
		if cost > bound {
			continue
		}
		next := m
		place := c.place(&next, i)
		if effect := c.step(&next, i); effect == changes {
			next.changes++
		} else if g := &next.seen[i][place]; g.changes != next.changes || g.times == 0 {
			*g = glance{next.changes, 1}
		} else {
			g.times++
		}
		sum += c.count(next, i, cost, bound)
	}
	return sum
}

// place tells apart what a thread looks at.
func (c *classic) place(m *machine, i int) int {
	cell, update := c.cell(m, i)
	if update {
		return 8 + cell%8
	}
	return cell % 8
}

// section has the steps of mutual exclusion: a prologue of the algorithm, two steps inside, an epilogue.
const (
	want0, want1, turn, inside = 0, 1, 2, 3
)

// petersonTheory has Peterson's algorithm as states: 0 wants, 1 turn, 2 and 3 the test, 4 and 5 inside, 6 out.
func petersonTheory() *classic {
	return &classic{
		cell: func(m *machine, i int) (int, bool) {
			return [7]int{want0 + i, turn, want0 + 1 - i, turn, inside, inside, want0 + i}[m.pc[i]], m.pc[i] == 4 || m.pc[i] == 5
		},
		step: func(m *machine, i int) effect {
			pc := m.pc[i]
			m.pc[i]++
			switch pc {
			case 0:
				m.mem[want0+i] = 1
			case 1:
				m.mem[turn] = 1 - i
			case 2:
				if m.mem[want0+1-i] == 0 {
					m.pc[i] = 4
				}
				return looks
			case 3:
				if m.mem[turn] == 1-i {
					m.pc[i] = 2
				}
				return looks
			case 4:
				m.mem[inside]++
			case 5:
				m.mem[inside]--
			case 6:
				m.mem[want0+i] = 0
				m.done[i] = true
			}
			return changes
		},
	}
}

// dekkerTheory has Dekker's algorithm as states: 0 wants, 1 the test, 2 whose turn, 3 steps back, 4 waits for
// the turn, 5 wants again, 6 and 7 inside, 8 and 9 out.
func dekkerTheory() *classic {
	return &classic{
		cell: func(m *machine, i int) (int, bool) {
			return [10]int{want0 + i, want0 + 1 - i, turn, want0 + i, turn, want0 + i, inside, inside, turn, want0 + i}[m.pc[i]], m.pc[i] == 6 || m.pc[i] == 7
		},
		step: func(m *machine, i int) effect {
			pc := m.pc[i]
			m.pc[i]++
			switch pc {
			case 0, 5:
				m.mem[want0+i] = 1
				m.pc[i] = 1
			case 1:
				if m.mem[want0+1-i] == 0 {
					m.pc[i] = 6
				}
				return looks
			case 2:
				if m.mem[turn] == i {
					m.pc[i] = 1
				}
				return looks
			case 3:
				m.mem[want0+i] = 0
			case 4:
				if m.mem[turn] != i {
					m.pc[i] = 4
				}
				return looks
			case 6:
				m.mem[inside]++
			case 7:
				m.mem[inside]--
			case 8:
				m.mem[turn] = 1 - i
			case 9:
				m.mem[want0+i] = 0
				m.done[i] = true
			}
			return changes
		},
	}
}

// The cells of the queue of Michael and Scott: head, tail, and the next of each of three nodes. Node 0 is the
// first one; thread i pushes node 1+i.
const msHead, msTail, msNext = 0, 1, 2

// michaelScottTheory has a push and a pop: 0 tail, 1 its next, 2 swings the tail that lags, 3 links, 4 swings
// the tail, 5 head, 6 its next, 7 swings the head. No next is -1.
func michaelScottTheory() (*classic, machine) {
	var m machine
	m.mem[msNext], m.mem[msNext+1], m.mem[msNext+2] = -1, -1, -1
	return &classic{
		cell: func(m *machine, i int) (int, bool) {
			r := &m.reg[i]
			cell := [8]int{msTail, msNext + r[0], msTail, msNext + r[0], msTail, msHead, msNext + r[0], msHead}[m.pc[i]]
			return cell, m.pc[i] == 2 || m.pc[i] == 3 || m.pc[i] == 4 || m.pc[i] == 7
		},
		step: func(m *machine, i int) effect {
			r, pc := &m.reg[i], m.pc[i]
			m.pc[i]++
			swap := func(cell, old, v int) effect {
				if m.mem[cell] != old {
					return fails
				}
				m.mem[cell] = v
				return changes
			}
			switch pc {
			case 0:
				r[0] = m.mem[msTail]
			case 1:
				if r[1] = m.mem[msNext+r[0]]; r[1] < 0 {
					m.pc[i] = 3
				}
			case 2:
				m.pc[i] = 0
				return swap(msTail, r[0], r[1])
			case 3:
				e := swap(msNext+r[0], -1, 1+i)
				if e == fails {
					m.pc[i] = 0
				}
				return e
			case 4:
				return swap(msTail, r[0], 1+i)
			case 5:
				r[0] = m.mem[msHead]
			case 6:
				if r[1] = m.mem[msNext+r[0]]; r[1] < 0 {
					m.done[i] = true
				}
			case 7:
				e := swap(msHead, r[0], r[1])
				m.done[i] = e == changes
				m.pc[i] = 5
				return e
			}
			return looks
		},
	}, m
}

// The cells of the bounded buffer: who has the lock, plus one; the items; the condition.
const lockCell, itemsCell, condCell = 0, 1, 2

// bufferTheory has a producer and a consumer of two items and a buffer of one: 0 locks, 1 waits, 2 is waked,
// 3 broadcasts, after which the lock is free.
func bufferTheory() *classic {
	return &classic{
		cell: func(m *machine, i int) (int, bool) {
			return [4]int{lockCell, condCell, 7, condCell}[m.pc[i]], m.pc[i] != 2
		},
		free: func(m *machine, i int) bool { return m.pc[i] != 0 || m.mem[lockCell] == 0 },
		step: func(m *machine, i int) effect {
			switch m.pc[i] {
			case 0:
				m.mem[lockCell] = i + 1
				if m.mem[itemsCell] == 1-i { // full, or empty
					m.pc[i] = 1
				} else {
					m.mem[itemsCell] = 1 - i
					m.pc[i] = 3
				}
			case 1:
				m.mem[lockCell], m.parked[i], m.pc[i] = 0, true, 2
			case 2:
				m.pc[i] = 0
				return looks
			case 3:
				m.parked = [2]bool{}
				m.mem[lockCell], m.pc[i] = 0, 0
				m.reg[i][0]++
				m.done[i] = m.reg[i][0] == 2
			}
			return changes
		},
	}
}
