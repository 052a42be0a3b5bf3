package runtime

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ichor-go/ichor/internal/arena"
	"github.com/ichor-go/ichor/internal/fault"
	"github.com/ichor-go/ichor/internal/header"
)

// Freezing says how objects of a type are frozen. Its functions are called by a thread that may
// hold borrowed references and may have stopped the world. They must not reach a safe point,
// call user code, or take a lock other than the object's own, which its writers never hold at
// a safe point.
//
// A frozen object has a body and no block. The body may have another layout than that of a
// mortal object: it needs no lock, no version, and no room to grow. The type's methods call
// Handle.IsFrozen to tell the two apart. In a frozen object they read slots with Heap.Slot and
// everything else with Word. Methods that write, even to a lock, return Thread.FrozenError
// instead.
type Freezing struct {
	// Layout names the layout of a frozen object's body. An image records the type's name and
	// this string. A program can open the image if it has a type with both. Change it whenever
	// the layout changes. Empty for types that cannot be in images.
	Layout string

	// Copy copies an object: see the type Copy. CopyBody and CopySlots serve types whose frozen
	// objects have the same layout as the others. If objects of the type can change, Copy holds
	// their lock while it reads; it may call Alloc and Slot with the lock held.
	Copy func(c *Copy) error

	// Version returns a number that differs after each change of the object, for types that are
	// Mutable. A writer increments it before the change, with the lock held that Copy takes as
	// well. An operation that leaves the contents as they were, such as moving them to a larger
	// block, need not increment it. Version takes no lock, so it reads the number with one
	// atomic load. Writers that take no lock increment it before and after the change, and the
	// type sets Lockless.
	Version  func(h Heap, o Body) uint64
	Lockless bool

	// Check checks an object of an image as if an attacker had written it: see the type Check.
	// It checks each object by itself, and follows no reference except to a Check.Leaf.
	// CheckBody and CheckSlots go with CopyBody and CopySlots. Nil for types without a Layout.
	Check func(k *Check) error

	// CheckDeep is called after Check has passed all objects of the image, and may follow
	// references. It is not called for objects that Check has declared Settled. An object whose
	// type has a Hash comes after the objects with a Hash that it refers to, and these come
	// before all others. User-defined types come after the built-in ones. Nil if there is
	// nothing more to check.
	CheckDeep func(k *Check) error

	// Hash returns a number that is the same for equal objects. It returns 0 for an object that
	// equals no other. It is for types that are not Mutable, whose contents are entirely in
	// Slots, and whose objects do not lead back to themselves. FreezeOptions.ShareEqual uses
	// it. Nil if no two objects are equal.
	Hash func(o Body) uint32

	// Label names the i-th reference that Traverse visits or Slots returns, counted from 0 and
	// including Nil, in the path of an error: "[3]", ".x". Nil for "<3>".
	Label func(t *Thread, r Ref, i int) string
}

func (z *Freezing) validate(y *Type) error {
	switch {
	case z == nil:
		return nil
	case z.Copy == nil:
		return fmt.Errorf("its Freezing has no Copy")
	case y.Mutable && z.Version == nil:
		return fmt.Errorf("it is Mutable, and its Freezing has no Version")
	case z.Hash != nil && y.Slots == nil:
		return fmt.Errorf("its Freezing has a Hash, but the type has no Slots")
	case z.Layout != "" && z.Check == nil:
		return fmt.Errorf("its Freezing has a Layout but no Check")
	case y.Finalize != nil || y.Drop != nil:
		return fmt.Errorf("it has Freezing and Finalize or Drop: frozen objects do not die")
	}
	return nil
}

// Copy is the copying of one object, as Freezing.Copy gets it. Freezing.Copy calls Alloc once,
// with the size of the frozen body, and then fills the body that Alloc returns: slots with
// Slot, all other words with SetWord and its kin. The copy is not yet published. An attached
// thread uses a Copy, during the call.
type Copy struct {
	z     *freezer
	r     Ref
	o     Body
	at    uint32 // offset of the copy's header, in granules from the start of the Frozen
	words int    // size of the copy's body; -1 before Alloc
}

// Thread returns the thread that freezes. Do not reach a safe point with it.
func (c *Copy) Thread() *Thread { return c.z.t }

// Source returns the object to be copied. The reference is borrowed. The object may be frozen
// itself, since a mortal graph can lead into a frozen one. Then its body has the frozen layout,
// and Freezing.Copy must not lock it. Heap.Slot reads its slots correctly in either case.
func (c *Copy) Source() (Ref, Body) { return c.r, c.o }

// Alloc returns the copy's body, of the given number of zero bytes. The body is valid during
// the call of Freezing.Copy.
func (c *Copy) Alloc(bytes int) (Body, error) {
	if c.words >= 0 {
		return Body{}, errors.New("the type's Copy allocated twice")
	}
	if bytes < 0 || bytes > maxBody {
		return Body{}, &SizeError{"body", int64(bytes), "bytes", maxBody}
	}
	at, err := c.z.alloc(arena.Granules(uintptr(bytes) + header.Size))
	if err != nil {
		return Body{}, err
	}
	c.at, c.words = at, bytes/4
	return c.z.body(at), nil
}

// Body returns the copy's body after Alloc.
func (c *Copy) Body() Body { return c.z.body(c.at) }

// Slot makes word i of the copy's body refer to the copy of child, a reference that was just
// loaded from a slot of the source. child is borrowed.
func (c *Copy) Slot(i int, child Ref) {
	if uint(i) >= uint(c.words) {
		fault.Throw(Misuse{What: "slot outside the frozen body", On: fmt.Sprintf("word %d", i), Want: fmt.Sprintf("0 to %d, inside what Alloc returned", c.words-1)})
	}
	c.z.want(child, c.at*granuleWords+headerWords+uint32(i))
}

const (
	granuleWords = arena.GranuleSize / 4
	headerWords  = header.Size / 4
)

// CopyBody returns a Freezing.Copy for types without references and blocks, whose bodies all
// have the given size. Any goroutine.
func CopyBody(bytes int) func(c *Copy) error {
	return func(c *Copy) error {
		n := (bytes + 3) / 4
		return c.copyWords(n, n)
	}
}

// CopySlots is a Freezing.Copy for types that have Slots, which lie in the object itself,
// behind all other words of the body. It takes no lock, so the type must be immutable or
// Lockless. Use it only as Freezing.Copy, which an attached thread calls.
func CopySlots(c *Copy) error {
	from, first, n := c.z.t.rt.typeAt(c.r).Slots(c.z.t.Heap, c.o)
	if from != c.o {
		return fmt.Errorf("its slots are not in the object")
	}
	if err := c.copyWords(first, first+n); err != nil {
		return err
	}
	for i := first; i < first+n; i++ {
		c.Slot(i, c.z.t.Slot(c.r, c.o, i))
	}
	return nil
}

// copyWords makes a copy with the given number of words. The first n are those of the source,
// the others are zero.
func (c *Copy) copyWords(n, all int) error {
	to, err := c.Alloc(all * 4)
	if err != nil {
		return err
	}
	for i := range n {
		to.SetWord(i, c.o.Load(i))
	}
	return nil
}

// pathTo returns a shortest path from root to the object r, as in root.a[3].x, for an error.
// If other threads write meanwhile, the path is what the graph looks like now. It reaches no
// safe point.
func (t *Thread) pathTo(root, r Ref) string {
	type step struct {
		from Ref
		i    int // index of the reference in from
	}
	came := map[Ref]step{root: {}}
	for queue := []Ref{root}; len(queue) > 0 && came[r] == (step{}) && r != root; queue = queue[1:] {
		from := queue[0]
		y := t.rt.typeAt(from)
		if from.IsFrozen() || y == nil || y.Traverse == nil {
			continue
		}
		i := 0
		y.Traverse(t.Heap, t.Body(from), func(c Ref) {
			if _, seen := came[c]; !seen && !c.IsNil() && c.Handle < selfBase {
				came[c] = step{from, i}
				queue = append(queue, c)
			}
			i++
		})
	}
	if r != root && came[r] == (step{}) {
		return fmt.Sprintf("root...%s", r) // r has left the graph
	}
	var labels []string
	for at := r; at != root; at = came[at].from {
		s := came[at]
		labels = append(labels, t.label(s.from, s.i))
	}
	slices.Reverse(labels)
	return "root" + strings.Join(labels, "")
}

func (t *Thread) label(r Ref, i int) string {
	if z := t.rt.typeAt(r).Freezing; z != nil && z.Label != nil {
		return z.Label(t, r, i)
	}
	return fmt.Sprintf("<%d>", i)
}
