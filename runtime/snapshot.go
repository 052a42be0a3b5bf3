package runtime

import (
	"cmp"
	"errors"

	"github.com/ichor-go/ichor/internal/arena"
	"github.com/ichor-go/ichor/internal/mutant"
)

// A copy has to be the graph at one moment. So Freeze tries in two ways:
//
//	beside others   copy, then validate. A change in the meantime shows in a version, and
//	                the copy is discarded
//	alone           copy with the world stopped: no thread is in the middle of a change, no
//	                lock is held, and nothing changes. So this try succeeds
//
// In a stopped world every object's lock is free, since writers reach no safe point while they
// hold it.

// freezeTries is the default of FreezeOptions.Tries. The value is a guess.
const freezeTries = 3

// snapshot copies the graph until a try sees no change; the last try has the world stopped.
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
		case err != nil: // this does not count as a try
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

// try copies the graph, beside others or alone. changed is an object that has changed
// meanwhile, or Nil.
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

// elsewhere reports whether to copy again at other addresses: if there are none left behind the
// ones that were taken, but may be some elsewhere. It says so once.
func (z *freezer) elsewhere(err error) bool {
	if z.again || !errors.Is(err, arena.ErrAddressSpace) || z.ext.Free() != nil {
		return false
	}
	z.again = true
	z.ext, z.next = nil, 0
	return z.newExtent() == nil
}

// reset starts a new try in the same memory.
func (z *freezer) reset() {
	z.letGo()
	z.t.rt.space.Zero(uint32(z.start), z.next)
	z.copying = newCopying(z.t.Heap)
}

// restEvery is how many objects are copied between two safe points, which takes about a
// millisecond. The value is a guess; tests change it.
var restEvery = 16384

// rest is a safe point. It counts the borrowed references first.
func (z *freezer) rest() {
	for ; z.counted < len(z.stack); z.counted++ {
		z.t.IncRef(z.stack[z.counted].r)
	}
	z.t.DecRefs(z.done) // the references that were borrowed through them are counted now
	z.done = z.done[:0]
	z.t.Checkpoint()
}

// held calls visit for each count that the call holds, and for the references into Frozens that
// it holds without a count.
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

// letGo gives up all counts. The try cannot go on afterwards: see reset.
func (z *freezer) letGo() {
	for _, w := range z.stack[:z.counted] {
		z.t.DecRef(w.r)
	}
	z.t.DecRefs(z.done)
}

// validate returns an object that has changed since it was copied, or Nil. The call holds none
// of these objects any more. But the path to each from the root, which the caller holds, leads
// through objects that are before it in the list. If those have not changed, it is alive.
//
// Where writers take no lock, one may be in the middle of a change that began before the copy
// and shows in no version yet. In a stopped world there is no such writer.
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
