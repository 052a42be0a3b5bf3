package runtime

import (
	"context"
	"fmt"

	"github.com/ichor-go/ichor/internal/arena"
	"github.com/ichor-go/ichor/internal/copymap"
	"github.com/ichor-go/ichor/internal/fault"
	"github.com/ichor-go/ichor/internal/header"
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
	equal   equalTable
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

// copyAll copies everything that the root leads to.
func (z *freezer) copyAll() error {
	z.want(z.root, rootWord)
	for n := 1; len(z.stack) > 0; n++ {
		if n%restEvery == 0 {
			if z.ctx.Err() != nil {
				return z.givenUp()
			}
			if !z.stopped {
				z.rest()
			}
		}
		w := z.pop()
		at, ok := z.copies.Get(uint32(w.r.Handle))
		if !ok || mutant.On && mutant.Is(mutant.CopiedTwice) {
			var err error
			if at, err = z.copy(w.r); err != nil {
				return z.fail(w.r, err)
			}
			z.copies.Set(uint32(w.r.Handle), at)
		}
		z.store(w.word, Ref{selfBase + Handle(at)})
	}
	return nil
}

// want makes a word lead to the copy of r, now or when the copy exists.
func (z *freezer) want(r Ref, word uint32) {
	switch {
	case r.IsNil():
		fault.Throw(Misuse{
			What: "frozen slot with a nil reference", On: z.t.rt.typeAt(z.c.r).String() + " " + z.c.r.String(),
			Want: "a reference in each slot that Freezing.Copy copies",
		})
	case r.Handle >= selfBase:
		z.store(word, r) // the same in every runtime
	default:
		if at, ok := z.copies.Get(uint32(r.Handle)); ok && !(mutant.On && mutant.Is(mutant.CopiedTwice)) {
			z.store(word, Ref{selfBase + Handle(at)})
			return
		}
		// It will be copied soon, and cache misses overlap if they begin now.
		z.touched += z.t.header(r).Meta()
		z.stack = append(z.stack, wanted{r, word})
	}
}

func (z *freezer) store(word uint32, v Ref) {
	if word == rootWord {
		z.stored = v
		return
	}
	z.t.Block(Ref{z.start}).SetRef(int(word), v)
}

func (z *freezer) pop() wanted {
	n := len(z.stack) - 1
	w := z.stack[n]
	z.stack = z.stack[:n]
	if n < z.counted {
		z.counted = n
		if w.r.Handle < Limit {
			z.done = append(z.done, w.r)
		}
	}
	return w
}

func (z *freezer) header(at uint32) *header.Header { return z.t.header(Ref{z.start + Handle(at)}) }
func (z *freezer) body(at uint32) Body             { return z.t.Body(Ref{z.start + Handle(at)}) }

// alloc returns the offset of n granules. Everything copied so far may have moved afterwards.
func (z *freezer) alloc(n uint32) (uint32, error) {
	if z.t.check != nil {
		if err := z.t.check.inject(); err != nil {
			return 0, err
		}
	}
	if n > z.room-z.next {
		if n > uint32(selfCount)-z.next {
			return 0, fault.Partf("more than %d bytes in one frozen graph: %w", int64(selfCount)<<arena.GranuleShift, arena.ErrAddressSpace)
		}
		if err := z.ext.Grow(uintptr(z.next+n) << arena.GranuleShift); err != nil {
			return 0, limitError(err)
		}
		z.start, z.room = Handle(z.ext.Start()), uint32(z.ext.Room()>>arena.GranuleShift)
	}
	at := z.next
	z.next += n
	return at, nil
}

// copy copies one object, and returns the offset of the copy.
func (z *freezer) copy(r Ref) (uint32, error) {
	t := z.t
	if t.check != nil {
		t.check.access(t, r)
	}
	if bits, note, ok := t.header(r).Number(); ok {
		at, err := z.alloc(1)
		if err != nil {
			return 0, err
		}
		z.header(at).BirthFrozenFloat(bits, note)
		return z.keep(at, z.opts.ShareEqual), nil
	}
	y := t.rt.typeAt(r)
	if y == nil || y.Freezing == nil {
		return 0, ErrNotFreezable
	}
	o := t.Body(r)
	if y.settle != nil {
		y.settle(t, r)
	}
	hash := uint32(0)
	if z.opts.ShareEqual && y.Freezing.Hash != nil {
		hash = y.Freezing.Hash(o)
		if at, ok := z.findEqual(r, y, hash); ok {
			return at, nil
		}
	}
	if y.Mutable && !r.IsFrozen() {
		z.watched = append(z.watched, watched{r, y.Freezing.Version(t.Heap, o)})
		z.lockless = z.lockless || y.Freezing.Lockless
	}
	z.c = Copy{z: z, r: r, o: o, words: -1}
	n := len(z.stack)
	if err := y.Freezing.Copy(&z.c); err != nil {
		return 0, err
	}
	at := z.c.at
	if z.c.words < 0 {
		return 0, fmt.Errorf("the type's Copy allocated nothing")
	}
	meta, err := z.meta(y)
	if err != nil {
		return 0, err
	}
	z.header(at).BirthFrozen(meta, at, z.next-at)
	for i, j := n, len(z.stack)-1; i < j; i, j = i+1, j-1 {
		z.stack[i], z.stack[j] = z.stack[j], z.stack[i] // the first one is copied next
	}
	if hash != 0 {
		z.byHash[hash] = append(z.byHash[hash], at)
	}
	leaf := y.Traverse == nil && !y.Mutable
	return z.keep(at, leaf && (y.id == TypeString || z.opts.ShareEqual)), nil
}

// keep adds the object at offset at, which was the last to be copied, to the number of objects.
// If it may be shared and there is an equal one, keep frees its memory and returns the offset
// of the equal one.
func (z *freezer) keep(at uint32, share bool) uint32 {
	if share {
		if other := z.equal.find(z, at); other != at {
			z.t.rt.space.Zero(uint32(z.start)+at, z.next-at)
			z.next = at
			return other
		}
	}
	z.objects++
	return at
}

// meta returns the meta word of frozen objects of type y.
func (z *freezer) meta(y *Type) (uint32, error) {
	if y.id < firstUserType {
		return uint32(y.id), nil
	}
	i, ok := z.local[y]
	if !ok {
		if i = uint32(len(z.types)); i == maxLocal {
			return 0, fmt.Errorf("more than %d user-defined types in one frozen graph", maxLocal)
		}
		z.local[y] = i
		z.types = append(z.types, y)
	}
	return i<<localShift | uint32(typeLocal), nil
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
