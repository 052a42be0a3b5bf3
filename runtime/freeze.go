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

// Freezing copies a graph, in the order in which a walk from its root meets the
// objects, into memory that is then read-only:
//
//	copy      object by object, other threads running. A container is copied with its lock
//	          held, and its version noted before. What is still to be copied is borrowed,
//	          and counted before each safe point
//	validate  the versions of all that can change are looked at again. If none has
//	          changed, all of the graph was at this moment as it was copied. Else it begins
//	          again, and after some tries with the world stopped
//	seal      the memory becomes read-only, and the Frozen one of the runtime's
//
// A slot of a copy holds a small integer, a singleton, or the distance of another copy
// from the start, on top of selfBase. Headers are immortal, and keep in the words that
// nobody counts in how far the object is from the start, and how large. So the bytes
// depend on nothing but the graph: an image is these bytes and a page before them.

// Errors of Freeze, as the cause of a *FreezeError.
var (
	// ErrFrozen says that a frozen object was to be changed.
	ErrFrozen = fault.New("object is frozen")
	// ErrChanged says that an object changed while it was being frozen.
	ErrChanged = fault.New("changed while it was being copied")
	// ErrNotFreezable says that objects of a type cannot be frozen.
	ErrNotFreezable = fault.New("cannot be frozen")
)

// FrozenError is what a write to a frozen object returns: ErrFrozen, and which one. The
// reference is borrowed: it says which, and keeps nothing alive.
type FrozenError struct {
	Type string
	Ref  Ref
}

func (e *FrozenError) Error() string {
	return fmt.Sprintf("%s%s %s is frozen, want one that can change", fault.Prefix, e.Type, e.Ref)
}

// Unwrap returns ErrFrozen.
func (e *FrozenError) Unwrap() error { return ErrFrozen }

// FrozenError returns the error for a write to the frozen object r. r is borrowed.
// Attached thread.
func (t *Thread) FrozenError(r Ref) error { return &FrozenError{t.TypeOf(r).String(), r} }

// FreezeError says which object could not be frozen.
type FreezeError struct {
	Path string // from the root: root["a"][3].x
	Type string
	Err  error // ErrNotFreezable, ErrChanged, ErrMemoryLimit, or what the type's Copy said
}

func (e *FreezeError) Error() string {
	return fmt.Sprintf("%sfreeze: %s, a %s: %s", fault.Prefix, e.Path, e.Type, fault.Bare(e.Err))
}

// Unwrap returns the cause.
func (e *FreezeError) Unwrap() error { return e.Err }

// FreezeOptions are how Freeze copies. The zero value works.
type FreezeOptions struct {
	// ShareEqual makes one object of equal ints, floats, numbers, bytes, and tuples
	// that are keys, and of equal objects of user-defined types without references.
	// Equal strings are one in any case.
	ShareEqual bool

	// Mseal has the system refuse to let go of the memory, by whatever call, before
	// the process ends (mseal of Linux 6.10). So Unload fails, and Close leaves it.
	// Where the system cannot do it the error is errors.ErrUnsupported.
	Mseal bool

	// Tries is how often Freeze copies while other threads go on. If the graph has
	// changed each time, it copies once more with the world stopped: for as long as one
	// copy takes. 0 is 3. Negative: the world is stopped at once.
	Tries int

	// NoStop has Freeze return ErrChanged instead, after at least one try. The world is
	// stopped only for as long as it takes to look at the versions, if there are
	// objects whose writers take no lock: records.
	NoStop bool
}

// Freeze makes a deep copy of everything that is reachable from root, compact and in
// the order of a walk, in memory that is then read-only: also to code that is broken or
// foreign, where the system protects pages. Any thread reads the copy, with no
// lock, no count and no retry; a write returns an error that is ErrFrozen. Shared
// objects stay shared, and cycles cycles. The originals are not changed, and die by
// their own counts. The copy lives until Unload or Close.
//
// Other threads may run, read what is copied, and change it. The copy is the graph at one
// moment of the call, never half old and half new. If they change it each time that it
// is copied, Freeze holds them off for the last time: see FreezeOptions.Tries. An object that
// cannot be frozen (Cell, Weak, Foreign, or of a type without Freezing) is ErrNotFreezable. Errors are a
// *FreezeError with the path to the object; nothing is left behind then. Other errors are
// ErrMappings, and that of an address space that is used up. Frozen graphs that
// the graph leads into cannot be unloaded meanwhile. A safe point, also now and
// then while it copies. root is borrowed. Attached thread, which holds root.
func (t *Thread) Freeze(root Ref, opts ...FreezeOptions) (*Frozen, error) {
	return t.FreezeContext(context.Background(), root, opts...)
}

// FreezeContext is Freeze that is given up when ctx ends, while it copies or waits for the
// world to stop: nothing is left behind. A safe point in any case. root is borrowed. Attached
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
	defer func() { // also if a type's Copy panics
		if z.ext != nil && !done {
			_ = z.ext.Free() // it is not sealed for good
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
	t.rt.addFrozen(f)
	return f, nil
}

// Freeze is Thread.Freeze for goroutines that are not attached. Somebody holds root, which
// is borrowed. Any goroutine that is not attached.
func (r *Runtime) Freeze(root Ref, opts ...FreezeOptions) (*Frozen, error) {
	return r.FreezeContext(context.Background(), root, opts...)
}

// FreezeContext is Thread.FreezeContext for goroutines that are not attached. Somebody holds
// root, which is borrowed. Any goroutine that is not attached.
func (r *Runtime) FreezeContext(ctx context.Context, root Ref, opts ...FreezeOptions) (f *Frozen, err error) {
	r.mustNotWait(nil)
	err = r.DoContext(ctx, func(t *Thread) (err error) {
		f, err = t.FreezeContext(ctx, root, opts...)
		return err
	})
	return f, err
}

// freezer is a Freeze under way.
type freezer struct {
	t    *Thread
	ctx  context.Context
	opts FreezeOptions
	root Ref

	ext   *arena.Extent
	start Handle // alloc changes it
	room  uint32 // granules that can be used

	stopped bool // the world is: in the last tries
	again   bool // the addresses were used up once

	copying
}

// copying is what a try has got to.
//
//	counted ≤ len(stack): the entries below hold a count, those above are borrowed
type copying struct {
	next   uint32 // granules in use
	stored Ref    // the root, as a slot would hold it

	copies  copymap.Map
	objects int64
	types   []*Type // user-defined, by their index in headers
	local   map[*Type]uint32
	equal   equalTable
	byHash  map[uint32][]uint32 // what Freezing.Hash knows, for ShareEqual
	unlike  map[pair]bool       // what was compared and differs

	stack   []wanted
	counted int
	done    []Ref     // counted entries that are copied: their children may still be borrowed
	watched []watched // in the order in which they were copied, so what leads to one is before it

	lockless bool   // there is one among the watched
	touched  uint32 // keeps the compiler from dropping loads

	c Copy
}

func newCopying(h Heap) copying {
	return copying{copies: copymap.New(h.mask), byHash: make(map[uint32][]uint32), unlike: make(map[pair]bool), local: make(map[*Type]uint32)}
}

// wanted is an object to be copied, and the word that is to lead to the copy.
type wanted struct {
	r    Ref
	word uint32 // from the start of the Frozen; rootWord for none
}

const rootWord = ^uint32(0)

// watched is an object that can change, and its version before it was copied.
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

// want notes that a word is to lead to the copy of r.
func (z *freezer) want(r Ref, word uint32) {
	switch {
	case r.IsNil():
		fault.Throw(Misuse{
			What: "frozen slot of a nil reference", On: z.t.rt.typeAt(z.c.r).String() + " " + z.c.r.String(),
			Want: "a reference in each slot that Freezing.Copy copies",
		})
	case r.Handle >= selfBase:
		z.store(word, r) // the same in every runtime
	default:
		if at, ok := z.copies.Get(uint32(r.Handle)); ok && !(mutant.On && mutant.Is(mutant.CopiedTwice)) {
			z.store(word, Ref{selfBase + Handle(at)})
			return
		}
		// The copy is not far, and misses of the cache overlap if they begin now.
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

// alloc returns the offset of n granules. All that was copied may lie elsewhere afterwards.
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

// copy copies one object, and returns the copy's offset.
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
		return 0, fmt.Errorf("the type's Copy has allocated nothing")
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

// keep counts the object at offset at, which was the last to be copied. If it may be
// shared and there was one like it, that one's offset is returned and the memory
// taken back.
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

// fail returns the error for the object r.
func (z *freezer) fail(r Ref, err error) error {
	name := "object of an unknown type"
	if y := z.t.rt.typeAt(r); y != nil {
		name = y.String()
	}
	return &FreezeError{Path: z.t.pathTo(z.root, r), Type: name, Err: err}
}
