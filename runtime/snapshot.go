package runtime

import (
	"cmp"
	"errors"

	"github.com/ichor-go/ichor/internal/arena"
	"github.com/ichor-go/ichor/internal/mutant"
)

// A copy is worth something if it is the graph at one moment. So Freeze tries:
//
//	beside others   copy, then validate. What changes meanwhile shows in a version, and
//	                the copy is given up
//	alone           copy with the world stopped: nobody is in the midst of a change, no lock is
//	                held, and nothing changes. So this one succeeds
//
// An object's lock is free in a stopped world since its writers reach no safe point while
// they hold it.

// freezeTries is how often a graph is copied beside its writers unless the options say
// otherwise. A guess.
const freezeTries = 3

// snapshot copies the graph until nothing has changed meanwhile; in the end with the world
// stopped.
func (z *freezer) snapshot() error {
	tries := cmp.Or(z.opts.Tries, freezeTries)
	if z.opts.NoStop {
		tries = max(tries, 1)
	}
	for z.ctx.Err() == nil {
		changed, err := z.try(tries > 0)
		switch {
		case err != nil && !z.elsewhere(err):
			return err
		case err != nil: // that was none
		case changed.IsNil():
			return nil
		case tries == 1 && z.opts.NoStop:
			return z.fail(changed, ErrChanged)
		default:
			tries--
		}
		z.reset()
		z.t.Checkpoint()
	}
	return z.givenUp()
}

// try copies the graph, beside others or alone. changed is what has changed meanwhile.
func (z *freezer) try(beside bool) (changed Ref, err error) {
	if beside {
		if err = z.copyAll(); err == nil {
			changed, err = z.validate()
		}
		return changed, err
	}
	if z.t.StopTheWorldContext(z.ctx, func() {
		z.stopped = true
		err = z.copyAll()
	}) != nil {
		err = z.givenUp()
	}
	return Nil, err
}

// elsewhere reports whether to copy again, at other addresses: if there were none behind
// those that were taken, but may be some around them. It does so once.
func (z *freezer) elsewhere(err error) bool {
	if z.again || !errors.Is(err, arena.ErrAddressSpace) || z.ext.Free() != nil {
		return false
	}
	z.again = true
	z.ext, z.next = nil, 0
	return z.newExtent() == nil
}

// reset begins again. The memory is used again.
func (z *freezer) reset() {
	z.letGo()
	z.t.rt.space.Zero(uint32(z.start), z.next)
	z.copying = newCopying(z.t.Heap)
}

// restEvery is how many objects are copied between two safe points: about a
// millisecond. A guess. Tests change it.
var restEvery = 16384

// rest is a safe point. What was borrowed is counted before.
func (z *freezer) rest() {
	for ; z.counted < len(z.stack); z.counted++ {
		z.t.IncRef(z.stack[z.counted].r)
	}
	z.t.DecRefs(z.done) // now that what was borrowed by way of them is counted
	z.done = z.done[:0]
	z.t.Checkpoint()
}

// held calls visit for each count that the call holds, and for what it holds without one:
// references into what is frozen.
func (z *freezer) held(visit func(Ref)) {
	for _, w := range z.stack[:z.counted] {
		visit(w.r)
	}
	for _, r := range z.done {
		visit(r)
	}
	if z.root.IsFrozen() {
		visit(z.root)
	}
}

// letGo gives up all counts. What it has got to is of no use any more: see reset.
func (z *freezer) letGo() {
	for _, w := range z.stack[:z.counted] {
		z.t.DecRef(w.r)
	}
	z.t.DecRefs(z.done)
}

// validate returns an object that has changed since it was copied, or Nil. Nothing holds
// these objects any more. But the way to each from the root, which the caller holds, leads
// by objects that are before it in the list: if those have not changed, it lives.
//
// Where writers take no lock, one may be in the midst of a change that began before
// the copy and shows in no version yet. In a stopped world nobody is.
func (z *freezer) validate() (changed Ref, err error) {
	if mutant.On && mutant.Is(mutant.FreezeUnvalidated) {
		return Nil, nil
	}
	look := func() {
		for _, w := range z.watched {
			if typeOf(z.t.header(w.r).Meta()).Freezing.Version(z.t.Heap, z.t.Body(w.r)) != w.version {
				changed = w.r
				return
			}
		}
	}
	if !z.lockless {
		look()
	} else if z.t.StopTheWorldContext(z.ctx, look) != nil {
		err = z.givenUp()
	}
	return changed, err
}
