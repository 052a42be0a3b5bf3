package runtime

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ichor-go/ichor/internal/arena"
	"github.com/ichor-go/ichor/internal/copymap"
	"github.com/ichor-go/ichor/internal/fault"
	"github.com/ichor-go/ichor/internal/mutant"
)

// Freezing copies a graph, in the order in which a walk from its root meets the objects, into
// memory that is then made read-only:
//
//	copy      object by object, while other threads run. A container is copied with its lock
//	          held, after its version was noted. References to objects that are still to be
//	          copied are borrowed, and counted before each safe point
//	validate  the versions of all mutable objects are read again. If none has changed, the
//	          copy is the graph at the moment between the two steps. Otherwise freezing
//	          starts again, and after some tries with the world stopped
//	seal      the memory becomes read-only, and the Frozen joins the runtime's list
//
// A slot of a copy holds a small integer, a singleton, or selfBase plus the distance of another
// copy from the start. Headers are immortal. Their count words, which are not needed for
// counting, hold the distance of the object from the start and its size. So the bytes depend
// only on the graph: an image consists of these bytes and a page before them.

// Errors of Freeze, as the cause of a *FreezeError.
var (
	// ErrFrozen is the error of a write to a frozen object.
	ErrFrozen = fault.New("object is frozen")
	// ErrChanged says that an object changed while it was being frozen.
	ErrChanged = fault.New("changed while it was being copied")
	// ErrNotFreezable says that objects of a type cannot be frozen.
	ErrNotFreezable = fault.New("cannot be frozen")
)

// FrozenError is the error that a write to a frozen object returns: ErrFrozen with the object.
// The reference is borrowed: it identifies the object, and does not keep it alive.
type FrozenError struct {
	Type string
	Ref  Ref
}

func (e *FrozenError) Error() string {
	return fmt.Sprintf("%s%s %s is frozen, want a mutable object", fault.Prefix, e.Type, e.Ref)
}

// Unwrap returns ErrFrozen.
func (e *FrozenError) Unwrap() error { return ErrFrozen }

// FrozenError returns the error for a write to the frozen object r. r is borrowed. Attached
// thread.
func (t *Thread) FrozenError(r Ref) error { return &FrozenError{t.TypeOf(r).String(), r} }

// FreezeError names the object that could not be frozen.
type FreezeError struct {
	Path string // from the root: root.a[3].x
	Type string
	Err  error // ErrNotFreezable, ErrChanged, ErrMemoryLimit, or the error of the type's Copy
}

func (e *FreezeError) Error() string {
	return fmt.Sprintf("%sfreeze: %s, a %s: %s", fault.Prefix, e.Path, e.Type, fault.Bare(e.Err))
}

// Unwrap returns the cause.
func (e *FreezeError) Unwrap() error { return e.Err }

// FreezeOptions configure Freeze. The zero value works.
type FreezeOptions struct {
	// ShareEqual stores equal objects once: ints, floats, numbers, bytes, tuples that can be
	// keys, and objects of user-defined types that have no references or have a Freezing.Hash.
	// Equal strings are stored once in any case.
	ShareEqual bool

	// Mseal makes the system refuse to unmap the memory, by any call, until the process ends
	// (mseal of Linux 6.10). So Unload fails, and Close leaves the memory mapped. If the system
	// does not have mseal, the error is errors.ErrUnsupported.
	Mseal bool

	// Tries is how often Freeze copies while other threads run. If the graph has changed each
	// time, it copies once more with the world stopped for the duration of the copy. 0 is 3. If
	// negative, the world is stopped at once.
	Tries int

	// NoStop makes Freeze return ErrChanged instead, after at least one try. It still stops the
	// world for as long as it takes to read the versions, if there are objects with writers
	// that take no lock: records.
	NoStop bool
}

// Freeze copies everything that is reachable from root into read-only memory, compactly and in
// the order of a walk. Where the system protects pages, even broken or foreign code cannot
// write to the copy. Any thread reads it without locks, counts or retries. A write returns an
// error that is ErrFrozen. Shared objects stay shared, and cycles stay cycles. The originals
// are not changed, and die by their own counts. The copy lives until Unload or Close.
//
// Other threads may run meanwhile, and read and change the graph. The copy is the graph at one
// moment of the call, never a mixture of two moments. If the graph changes during each try,
// Freeze stops the world for the last one: see FreezeOptions.Tries. An object that cannot be
// frozen (a Cell, a Weak, a Foreign, or one of a type without Freezing) is ErrNotFreezable. The
// error is a *FreezeError with the path to the object, and nothing is left behind. Other errors
// are ErrMappings and ErrAddressSpace. Frozens into which the graph leads cannot be unloaded
// during the call. A safe point, and there are more while it copies. root is borrowed. Attached
// thread, which holds root.
func (t *Thread) Freeze(root Ref, opts ...FreezeOptions) (*Frozen, error) {
	return t.FreezeContext(context.Background(), root, opts...)
}

// FreezeContext is Freeze that ends early if ctx ends while it copies or waits for the world to
// stop. Then nothing is left behind. A safe point in any case. root is borrowed. Attached
// thread, which holds root.
func (t *Thread) FreezeContext(ctx context.Context, root Ref, opts ...FreezeOptions) (f *Frozen, err error) {
	t.mustBeAttached()
	if root.IsNil() {
		return nil, fault.Errorf("freeze: %w", ErrNilRef)
	}
	z := &freezer{t: t, ctx: ctx, root: root, copying: newCopying(t.Heap)}
	if len(opts) > 0 {
		z.opts = opts[0]
	}
	done := false
	t.hold(z)
	defer func() { // even if a type's Copy panics
		if z.ext != nil && !done {
			_ = z.ext.Free() // it cannot fail: the memory is not mseal'ed
		}
		t.unhold(z)
		z.letGo()
	}()
	t.Checkpoint()
	t.rt.freezing.Inc()
	defer t.rt.freezing.Dec()
	if f, err = z.freeze(); err != nil {
		return nil, err
	}
	done = true
	t.rt.addFrozen(t, f)
	return f, nil
}

// Freeze is Thread.Freeze for goroutines that are not attached. root is borrowed: a counted
// reference to it must exist throughout the call. Any goroutine that is not attached.
func (r *Runtime) Freeze(root Ref, opts ...FreezeOptions) (*Frozen, error) {
	return r.FreezeContext(context.Background(), root, opts...)
}

// FreezeContext is Thread.FreezeContext for goroutines that are not attached. root is borrowed:
// a counted reference to it must exist throughout the call. Any goroutine that is not attached.
func (r *Runtime) FreezeContext(ctx context.Context, root Ref, opts ...FreezeOptions) (f *Frozen, err error) {
	r.mustNotWait(nil)
	err = r.DoContext(ctx, func(t *Thread) (err error) {
		f, err = t.FreezeContext(ctx, root, opts...)
		return err
	})
	return f, err
}

// freezer is a call of Freeze in progress.
type freezer struct {
	t    *Thread
	ctx  context.Context
	opts FreezeOptions
	root Ref

	ext   *arena.Extent
	start Handle // alloc changes it
	room  uint32 // usable granules

	stopped bool // the world is stopped, as in the last try
	again   bool // the addresses were used up once

	copying
}

// copying is the progress of one try.
//
//	counted ≤ len(stack): the entries below hold a count, those above are borrowed
type copying struct {
	next   uint32 // granules in use
	stored Ref    // the root, in the encoding of a slot

	copies  copymap.Map
	objects int64
	types   []*Type // user-defined types, by their index in headers
	local   map[*Type]uint32
	equal   copymap.Equal
	byHash  map[uint32][]uint32 // copies by Freezing.Hash, for ShareEqual
	unlike  map[pair]bool       // pairs that were compared and differ

	stack   []wanted
	counted int
	done    []Ref     // counted objects that are copied: their children may still be borrowed
	watched []watched // in the order of copying, so that the path to an object is before it

	lockless bool   // a watched object is Lockless
	touched  uint32 // keeps the compiler from removing loads

	c Copy
}

func newCopying(h Heap) copying {
	return copying{copies: copymap.New(h.mask), byHash: make(map[uint32][]uint32), unlike: make(map[pair]bool), local: make(map[*Type]uint32)}
}

// wanted is an object to be copied, and the word that will lead to the copy.
type wanted struct {
	r    Ref
	word uint32 // offset from the start of the Frozen; rootWord for the root
}

const rootWord = ^uint32(0)

// watched is a mutable object, and its version before it was copied.
type watched struct {
	r       Ref
	version uint64
}

func (z *freezer) freeze() (*Frozen, error) {
	if err := z.newExtent(); err != nil {
		return nil, err
	}
	if err := z.snapshot(); err != nil {
		return nil, err
	}
	bytes := uintptr(z.next) << arena.GranuleShift
	if err := z.ext.Seal(bytes, z.opts.Mseal); err != nil {
		return nil, fault.Errorf("freeze: %w", err)
	}
	return &Frozen{rt: z.t.rt, ext: z.ext, start: z.start, granules: z.next, stored: z.stored, objects: z.objects, types: z.types}, nil
}

func (z *freezer) newExtent() error {
	ext, err := z.t.rt.space.NewExtent(0)
	if err != nil {
		return fault.Errorf("freeze: %w", err)
	}
	z.ext, z.start, z.room = ext, Handle(ext.Start()), 0
	return nil
}

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

// givenUp returns the error of a Freeze whose context has ended.
func (z *freezer) givenUp() error { return fault.GivenUp(z.ctx, "freeze") }

// fail returns the error for the object r, with its path.
func (z *freezer) fail(r Ref, err error) error {
	name := "object of an unknown type"
	if y := z.t.rt.typeAt(r); y != nil {
		name = y.String()
	}
	return &FreezeError{Path: z.t.pathTo(z.root, r), Type: name, Err: err}
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
