//go:build explore

package engine

import (
	"fmt"

	"github.com/ichor-go/ichor/internal/point"
)

// clocks orders accesses. Each thread has a vector: how far it knows each thread to have
// advanced (Lamport; Mattern; the check is that of race detectors). A thread's own entry
// increases with each access that other threads can learn of.
//
// Memory is recorded in cells of eight bytes. Two accesses to a byte by different threads
// are ordered if the thread of the later one knows of the earlier one.
type clocks struct {
	generation uint32
	threads    int
	now        [clockThreads]vector
	cells      map[uintptr]*cell
	recent     *cell // the cell found last, at key
	key        uintptr
}

type vector [clockThreads]uint32

func (v *vector) join(w *vector) {
	for i := range v {
		v[i] = max(v[i], w[i])
	}
}

// cell records the accesses to eight bytes. A record of an earlier generation is void.
type cell struct {
	generation uint32
	dead       uint8     // a bit for each byte that was freed
	released   [2]vector // the vector of the last atomic store to each half
	bytes      [8][accesses]vector
}

// The kinds of accesses to a byte. A cell has each thread's last access of each kind.
const (
	plainRead = iota
	plainWrite
	atomicRead
	atomicWrite
	accesses
)

// conflicts lists, for each kind of access, the kinds that must be ordered with it.
var conflicts = [accesses][]int{
	plainRead:   {plainWrite, atomicWrite},
	plainWrite:  {plainRead, plainWrite, atomicRead, atomicWrite},
	atomicRead:  {plainWrite},
	atomicWrite: {plainRead, plainWrite},
}

var accessNames = [accesses]string{"plain read", "plain write", "atomic load", "atomic store"}

func newClocks() *clocks { return &clocks{cells: map[uintptr]*cell{}} }

// clockThreads is the number of threads that have clocks. What further ones do is not checked.
const clockThreads = 4

// fork starts the clock of a thread that another one has started.
func (c *clocks) fork(parent, child int) {
	if parent < clockThreads && child < clockThreads {
		c.threads = max(c.threads, child+1)
		c.now[child] = c.now[parent]
		c.now[child][child]++
		c.now[parent][parent]++
	}
}

// begin resets everything.
func (c *clocks) begin(threads int) {
	if len(c.cells) > 1<<12 {
		clear(c.cells)
	}
	c.generation++
	c.recent = nil
	c.threads = min(threads, clockThreads)
	for i := range c.now {
		c.now[i] = vector{}
		c.now[i][i] = 1
	}
}

func (c *clocks) cell(addr uintptr) *cell {
	if c.recent != nil && c.key == addr>>3 {
		return c.recent
	}
	x := c.cells[addr>>3]
	if x == nil {
		x = &cell{}
		c.cells[addr>>3] = x
	}
	c.recent, c.key = x, addr>>3
	if x.generation != c.generation {
		*x = cell{generation: c.generation}
	}
	return x
}

// access checks that an access is ordered with the earlier ones, and records it.
func (c *clocks) access(t int, op point.Op) error {
	if t >= clockThreads {
		return nil
	}
	switch op.Kind {
	case point.PlainRead:
		return c.touch(t, op, plainRead)
	case point.PlainWrite:
		return c.touch(t, op, plainWrite)
	case point.AtomicLoad:
		c.acquire(t, op.Addr)
		return c.touch(t, op, atomicRead)
	case point.AtomicStore:
		err := c.touch(t, op, atomicWrite)
		c.release(t, op.Addr, false)
		return err
	case point.AtomicUpdate:
		c.acquire(t, op.Addr)
		err := c.touch(t, op, atomicWrite)
		c.release(t, op.Addr, true)
		return err
	case point.Acquire:
		c.acquire(t, op.Addr)
	case point.Release:
		c.release(t, op.Addr, true)
	case point.Uninterrupted:
		c.acquire(t, op.Addr)
		c.release(t, op.Addr, true)
	case point.Waiting:
		if op.Size > 0 {
			c.acquire(t, op.Addr)
		}
	case point.Birth:
		c.born(t, op)
	case point.Death:
		err := c.touch(t, op, plainWrite)
		c.died(op)
		return err
	}
	return nil
}

func (c *clocks) acquire(t int, addr uintptr) {
	c.now[t].join(&c.cell(addr).released[addr>>2&1])
}

func (c *clocks) release(t int, addr uintptr, joins bool) {
	v := &c.cell(addr).released[addr>>2&1]
	if joins {
		v.join(&c.now[t])
	} else {
		*v = c.now[t]
	}
	c.now[t][t]++
}

func (c *clocks) touch(t int, op point.Op, kind int) error {
	var err error
	for a, end := op.Addr, op.Addr+op.Size; a < end; {
		x := c.cell(a)
		for ; a < end; a++ {
			b := a & 7
			if x.dead>>b&1 != 0 && err == nil {
				err = fmt.Errorf("%s of memory that was given back", accessNames[kind])
			}
			for _, k := range conflicts[kind] {
				for u, when := range x.bytes[b][k][:c.threads] {
					if u != t && when > c.now[t][u] && err == nil {
						err = fmt.Errorf("race: %s, not in order with the %s of thread %d", accessNames[kind], accessNames[k], u)
					}
				}
			}
			x.bytes[b][kind][t] = c.now[t][t]
			if b == 7 {
				a++
				break
			}
		}
	}
	return err
}

// born forgets the records of memory that is being allocated, and records it as written.
func (c *clocks) born(t int, op point.Op) {
	c.each(op, func(x *cell, b uintptr) {
		x.dead &^= 1 << b
		x.bytes[b] = [accesses]vector{}
		x.bytes[b][plainWrite][t] = c.now[t][t]
		x.released[b>>2] = vector{}
	})
}

func (c *clocks) died(op point.Op) {
	c.each(op, func(x *cell, b uintptr) { x.dead |= 1 << b })
}

func (c *clocks) each(op point.Op, f func(x *cell, b uintptr)) {
	for a := op.Addr; a < op.Addr+op.Size; a++ {
		f(c.cell(a), a&7)
	}
}
