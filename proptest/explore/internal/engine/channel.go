//go:build explore

package engine

import (
	"time"
	"unsafe"

	"github.com/ichor-go/ichor/internal/point"
)

// A channel is modelled by those who wait for it. What is in its buffer stays there, and so does that
// it is closed: the model does operations on the channel itself where they do not wait. Values pass
// directly between a thread that waits and the one that comes, as in Go.

// Case is an operation on a channel, as a case of a select statement.
type Case interface {
	Channel() unsafe.Pointer      // the channel's identity; nil for a nil channel
	Sends() bool                  // or it receives
	Room() (length, capacity int) // of the channel
	Do() (done, open bool)        // does the operation, if it need not wait
	Give(to Case)                 // hands the value of this send over to a receive
	Text(t *Thread) string        // the value
}

// waiting is a thread that waits for a channel.
type waiting struct {
	t      *Thread
	ticket int
	index  int // of the case
}

// choice is what a thread waits for in a select statement.
type choice struct {
	ticket  int // the number of the statement, so that what is left of earlier ones is void
	cases   []Case
	chosen  int
	byClose bool
	outside Case // what has come from outside of the exploration
	ready   []int
}

// first returns the first thread of a line that still waits.
//
//go:norace
func first(line *[]*waiting) *waiting {
	for len(*line) > 0 {
		w := (*line)[0]
		if w.t.parked && w.t.choice.ticket == w.ticket {
			return w
		}
		*line = (*line)[1:]
	}
	return nil
}

// Alternatives implements Waiter: the number of cases that are ready, or one for the default or for
// waiting.
//
//go:norace
func (c *choice) Alternatives(t *Thread) int {
	c.ready = c.ready[:0]
	if c.outside == nil {
		for i, x := range c.cases {
			if t.e.ready(c, x) {
				c.ready = append(c.ready, i)
			}
		}
	}
	if c.outside != nil {
		for i, x := range c.cases {
			if x == c.outside {
				c.ready = append(c.ready[:0], i)
			}
		}
	}
	return max(1, len(c.ready))
}

// ready reports whether an operation need not wait.
//
//go:norace
func (e *Execution) ready(c *choice, x Case) bool {
	p := x.Channel()
	if p == nil {
		return false
	}
	o := e.engine.objects.object(uintptr(p), x)
	n, m := x.Room()
	switch {
	case o.closed:
		return true
	case x.Sends():
		return n < m || first(&o.receivers) != nil
	default:
		return n > 0 || first(&o.senders) != nil || e.probe(o, c, x)
	}
}

// probe looks for what code outside of the exploration has done with an empty channel.
//
//go:norace
func (e *Execution) probe(o *object, c *choice, x Case) bool {
	done, open := x.Do()
	if done && open {
		c.outside = x
	}
	o.closed = o.closed || done && !open
	return done
}

// pollOutside looks for what code outside of the exploration has done with the channels that threads
// wait for. It is called when nobody can continue.
//
//go:norace
func (e *Execution) pollOutside() (found bool) {
	for range 2 {
		waits := false
		for _, t := range e.threads {
			for i, x := range t.choice.cases {
				if !t.parked || x.Sends() || x.Channel() == nil {
					continue
				}
				waits = true
				if e.probe(e.engine.objects.object(uintptr(x.Channel()), x), &t.choice, x) {
					t.choice.chosen, t.choice.byClose = i, t.choice.outside == nil
					e.outside = true
					t.Wake()
					e.outside = false
					found = true
				}
			}
		}
		if found || !waits {
			break
		}
		time.Sleep(time.Millisecond)
	}
	return found
}

// Select is the model of the select statement, and of single operations on channels. It returns the
// index of the case that was taken, and -1 for the default.
//
//go:norace
func (t *Thread) Select(hasDefault bool, cases []Case, what string) int {
	if t.abandoned {
		if hasDefault {
			return -1
		}
		t.quit()
	}
	c := &t.choice
	c.ticket++
	c.cases, c.chosen, c.byClose, c.outside = cases, -1, false, nil
	t.wait, t.what = c, what
	op := point.Op{Kind: point.Waiting} // depends on everything
	if len(cases) == 1 {
		op = point.Op{Kind: point.AtomicUpdate, Addr: uintptr(cases[0].Channel()), Size: 1}
	}
	t.at(op)
	if t.alt < len(c.ready) {
		i := c.ready[t.alt]
		c.cases = nil // it waits for none of them: see pollOutside
		if c.outside == nil {
			t.e.perform(t, cases[i])
		}
		t.told(cases[i])
		return i
	}
	if hasDefault {
		c.cases = nil
		t.Unchanged()
		return -1
	}
	for i, x := range cases {
		if p := x.Channel(); p != nil {
			o := t.e.engine.objects.object(uintptr(p), x)
			w := &waiting{t, c.ticket, i}
			if x.Sends() {
				o.senders = append(o.senders, w)
			} else {
				o.receivers = append(o.receivers, w)
			}
		}
	}
	Release(unsafe.Pointer(t))
	t.what = what
	t.park()
	c.ticket++ // what is left in the lines is void, if it parks for something else
	c.cases = nil
	Acquire(unsafe.Pointer(t))
	if c.byClose {
		cases[c.chosen].Do() // receives nothing, or panics
	}
	t.told(cases[c.chosen])
	return c.chosen
}

// told adds a value to the trace.
//
//go:norace
func (t *Thread) told(x Case) {
	if t.e.trace != nil {
		t.Says(x.Text(t))
	}
}

// perform does an operation that is ready. t is nil for a timer.
//
//go:norace
func (e *Execution) perform(t *Thread, x Case) {
	o := e.engine.objects.object(uintptr(x.Channel()), x)
	_, capacity := x.Room()
	e.changes++
	if x.Sends() {
		if w := first(&o.receivers); w != nil && !o.closed {
			to := w.t.choice.cases[w.index]
			x.Give(to)
			if capacity == 0 {
				Acquire(unsafe.Pointer(w.t))
			}
			w.complete()
			return
		}
		x.Do() // there is room, or it panics
		return
	}
	if n, _ := x.Room(); n > 0 {
		x.Do()
		if w := first(&o.senders); w != nil { // there is room now
			Acquire(unsafe.Pointer(w.t))
			w.t.choice.cases[w.index].Do()
			w.complete()
		}
		return
	}
	if w := first(&o.senders); w != nil {
		Acquire(unsafe.Pointer(w.t))
		w.t.choice.cases[w.index].Give(x)
		w.complete()
		return
	}
	x.Do() // it is closed
}

// complete wakes a thread whose operation another one has done.
//
//go:norace
func (w *waiting) complete() {
	w.t.choice.chosen = w.index
	Release(unsafe.Pointer(w.t))
	w.t.Wake()
}

// MarkClosed says that a channel is about to be closed, without a point.
//
//go:norace
func (t *Thread) MarkClosed(p unsafe.Pointer, keep any) { t.object(p, keep).closed = true }

// Close is the model of close, before the channel is closed.
//
//go:norace
func (t *Thread) Close(p unsafe.Pointer, keep any) {
	if t.abandoned {
		return
	}
	o := t.object(p, keep)
	t.At(point.AtomicUpdate, p, 1, "close")
	o.closed = true
}

// Closed wakes the threads that wait for a channel, once it is closed.
//
//go:norace
func (t *Thread) Closed(p unsafe.Pointer, keep any) {
	o := t.object(p, keep)
	for _, line := range []*[]*waiting{&o.receivers, &o.senders} {
		for w := first(line); w != nil; w = first(line) {
			w.t.choice.byClose = true
			w.t.choice.chosen = w.index
			w.t.Wake()
		}
	}
}

// Look is a point before a load of a channel's length.
//
//go:norace
func (t *Thread) Look(p unsafe.Pointer, what string) { t.At(point.AtomicLoad, p, 1, what) }
