package runtime

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"go.uber.org/atomic"

	"github.com/ichor-go/ichor/internal/arena"
	"github.com/ichor-go/ichor/internal/fault"
	"github.com/ichor-go/ichor/internal/mutant"
	"github.com/ichor-go/ichor/internal/point"
	"github.com/ichor-go/ichor/internal/profile"
)

// Frozen is a frozen graph with its memory: the result of Freeze, or an opened image. Use keeps
// it loaded while it is read, and Unload frees its memory. A Current replaces it under its
// readers.
//
//	state — condition — transition (by)
//	loaded — in the runtime's list; any thread reads its objects — leaving (UnloadContext,
//	         if it is in use), unloaded (Unload, UnloadContext, Close)
//	leaving — as loaded, but no new use begins — loaded (UnloadContext, if its context ends),
//	         unloaded (UnloadContext, when all uses have ended)
//	unloaded — references into it are invalid, and its addresses are inaccessible where the
//	         system can do that
//
// Any goroutine may use it while it is loaded.
type Frozen struct {
	rt       *Runtime
	ext      *arena.Extent
	start    Handle
	granules uint32
	stored   Ref // the root, in the encoding of a slot
	objects  int64
	types    []*Type // user-defined types, by their index in headers
	sealed   bool
	mapped   bool
	profiled *profile.HeapRecord // nil if there is no heap profile

	using     atomic.Int32             // readers without a thread; -1 after the memory was freed
	departure point.Pointer[departure] // nil while it is loaded: see lease.go
	kept      atomic.Bool              // belongs to a Current
}

// use keeps f loaded until unuse, and reports whether f is loaded. It is Use for calls without
// a thread.
func (f *Frozen) use() bool {
	for f.departure.Load() == nil {
		n := f.using.Load()
		if n < 0 {
			return false
		}
		if f.using.CompareAndSwap(n, n+1) {
			return true
		}
	}
	return false
}

func (f *Frozen) unuse() {
	if f.using.Dec() == 0 {
		if d := f.departure.Load(); d != nil {
			d.end()
		}
	}
}

// Root returns the reference to the copy of the frozen root. It is counted by nobody, and valid
// until f is unloaded. Any goroutine.
func (f *Frozen) Root() Ref { return Home(f.start).Ref(f.stored) }

// String returns the size of f and the name of its runtime. Any goroutine.
func (f *Frozen) String() string {
	state := ""
	if f.using.Load() < 0 {
		state = ", unloaded"
	}
	return fmt.Sprintf("frozen graph of %d objects, %d bytes, of %s%s", f.objects, f.Bytes(), f.rt.name(), state)
}

// Objects returns the number of objects. Any goroutine.
func (f *Frozen) Objects() int64 { return f.objects }

// Bytes returns the size of all objects, in bytes. Any goroutine.
func (f *Frozen) Bytes() int64 { return int64(f.granules) << arena.GranuleShift }

// Sealed reports whether the system prevents writes. It does not where objects lie in Go
// memory. Any goroutine.
func (f *Frozen) Sealed() bool { return f.sealed }

// Mapped reports whether the memory is mapped from a file: an opened image, unless it was so
// small that it was read. Any goroutine.
func (f *Frozen) Mapped() bool { return f.mapped }

// Contains reports whether the object r, which is borrowed, lies in f. Any goroutine.
func (f *Frozen) Contains(r Ref) bool { return r.Handle-f.start < Handle(f.granules) }

// Start returns the address of the first object, for tools that ask the system about these
// pages. Any goroutine.
func (f *Frozen) Start() uintptr { return uintptr(f.rt.at(Ref{f.start})) }

// FrozenType says how many objects of a type a Frozen has, and how large they are.
type FrozenType struct {
	Type    string
	Objects int64
	Bytes   int64
}

// Types returns the objects' number and size by type, in descending order of bytes. It visits
// every object. Any goroutine, while f is loaded.
func (f *Frozen) Types() []FrozenType {
	if !f.use() {
		return nil
	}
	defer f.unuse()
	sums := map[*Type]*FrozenType{}
	f.each(func(r Ref, size uint32) {
		y := f.rt.typeAt(r)
		s := sums[y]
		if s == nil {
			s = &FrozenType{Type: y.String()}
			sums[y] = s
		}
		s.Objects++
		s.Bytes += int64(size) << arena.GranuleShift
	})
	list := make([]FrozenType, 0, len(sums))
	for _, s := range sums {
		list = append(list, *s)
	}
	slices.SortFunc(list, func(a, b FrozenType) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Type, b.Type))
	})
	return list
}

// each calls fn with every object and its size in granules, in the order of addresses.
func (f *Frozen) each(fn func(r Ref, size uint32)) {
	for at := uint32(0); at < f.granules; {
		size := f.rt.header(Ref{f.start + Handle(at)}).FrozenSize()
		fn(Ref{f.start + Handle(at)}, size)
		at += size
	}
}

// frozenAt returns the Frozen that r lies in, or nil. Any goroutine.
func (r *Runtime) frozenAt(x Ref) *Frozen {
	list := *r.frozen.Load()
	i, found := slices.BinarySearchFunc(list, x, func(f *Frozen, x Ref) int { return cmp.Compare(f.start, x.Handle) })
	if !found {
		i--
	}
	if i < 0 || !list[i].Contains(x) {
		return nil
	}
	return list[i]
}

// localType returns the type of a frozen object whose meta word has an index.
func (r *Runtime) localType(x Ref, meta uint32) *Type {
	f := r.frozenAt(x)
	if i := int(meta >> localShift); f != nil && i < len(f.types) {
		return f.types[i]
	}
	return nil
}

// addFrozen and dropFrozen change the list of loaded Frozens, which is in the order of
// addresses, and replaced as a whole. t is the thread that loads f, or nil.
func (r *Runtime) addFrozen(t *Thread, f *Frozen) {
	f.sealed, f.mapped = f.ext.Sealed(), f.ext.Mapped()
	if r.heap != nil {
		var ctx context.Context
		if t != nil {
			ctx = t.ctx
		}
		f.loaded(ctx, r.heap)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	list := *r.frozen.Load()
	i, _ := slices.BinarySearchFunc(list, f.start, func(x *Frozen, at Handle) int { return cmp.Compare(x.start, at) })
	list = slices.Concat(list[:i], []*Frozen{f}, list[i:])
	r.frozen.Store(&list)
}

func (r *Runtime) dropFrozen(f *Frozen) {
	if r.heap != nil {
		f.unloaded(r.heap)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	list := slices.DeleteFunc(slices.Clone(*r.frozen.Load()), func(x *Frozen) bool { return x == f })
	r.frozen.Store(&list)
}

// Frozen returns the loaded Frozens, in the order of addresses. Any goroutine.
func (r *Runtime) Frozen() []*Frozen { return slices.Clone(*r.frozen.Load()) }

// FrozenState describes a frozen graph and its readers. A plain value.
type FrozenState struct {
	Objects int64
	Bytes   int64
	Mapped  bool
	Leases  int  // calls of Use in progress
	Readers int  // calls of WriteTo, WriteFile and Types in progress
	Current bool // it belongs to a Current
	Leaving bool // UnloadContext waits for its readers
}

// ReadFrozen returns the loaded frozen graphs, in the order of their addresses. It stops the
// world to count the leases. A safe point. Attached thread.
func (t *Thread) ReadFrozen() (all []FrozenState) {
	t.StopTheWorld(func() {
		for _, f := range *t.rt.frozen.Load() {
			all = append(all, FrozenState{
				Objects: f.Objects(), Bytes: f.Bytes(), Mapped: f.Mapped(),
				Leases: len(t.leasesOn(f)), Readers: int(max(f.using.Load(), 0)),
				Current: f.kept.Load(), Leaving: f.departure.Load() != nil,
			})
		}
	})
	return all
}

// ErrSealed says that a Frozen stays loaded until the process ends.
var ErrSealed = arena.ErrLocked

// ErrMappings says that frozen graphs and images already have half of the memory mappings that
// vm.max_map_count of Linux allows the process. The other half is left to the rest of the
// program.
var ErrMappings = arena.ErrMappings

// ErrInUse says that a call has to wait for readers of a Frozen, or for the Current that has it.
// The errors that match it say which.
var ErrInUse = fault.New("frozen graph in use")

var (
	// errRead: a call in progress reads the graph or holds references into it, on any thread.
	errRead = &fault.Kind{Text: "unload: the graph is in use by Use, WriteTo, WriteFile, Types, Freeze, Share, ToJSON, a loop over a List or a Dict, or a Scope", Of: ErrInUse}
	// errKept: the graph belongs to a Current.
	errKept = &fault.Kind{Text: "the graph belongs to a Current, which unloads it", Of: ErrInUse}
	// errInside: the call would wait for the caller's own lease.
	errInside = &fault.Kind{Text: "the caller is inside Use of the current graph, and would wait for itself", Of: ErrInUse}
)

// ErrUnloaded says that a Frozen was unloaded, is being unloaded, or belongs to another
// runtime.
var ErrUnloaded = fault.New("not loaded in this runtime")

// ReferredError says that a Frozen cannot be unloaded, because objects refer into it. The
// reference is borrowed: it identifies one of these objects, and does not keep it alive.
type ReferredError struct {
	Count int    // number of references found
	Type  string // of the first object
	Ref   Ref
}

func (e *ReferredError) Error() string {
	return fmt.Sprintf("%sunload: %d references lead into the graph, the first one from %s %s", fault.Prefix, e.Count, e.Type, e.Ref)
}

// referred searches the heap for references into f. World stopped.
func (t *Thread) referred(f *Frozen) error {
	var e ReferredError
	t.rt.eachObject(func(r Ref) {
		y := typeOf(t.header(r).Meta())
		if y == nil || y.Traverse == nil || mutant.On && mutant.Is(mutant.UnloadOverlooks) && r.Handle >= Limit ||
			mutant.On && mutant.Is(mutant.UnloadOverlooksMortal) && r.Handle < Limit {
			return
		}
		y.Traverse(t.Heap, t.Body(r), func(c Ref) {
			if f.Contains(c) {
				if e.Count++; e.Count == 1 {
					e.Type, e.Ref = y.String(), r
				}
			}
		})
	})
	if e.Count > 0 {
		return &e
	}
	return nil
}

// onHold reports whether a call in progress or a scope holds a reference into f. World stopped.
func (t *Thread) onHold(f *Frozen) (found bool) {
	for _, x := range t.rt.attachedThreads() {
		found = found || slices.ContainsFunc(x.owned, f.Contains)
		for _, h := range x.holds {
			h.held(func(r Ref) { found = found || f.Contains(r) })
		}
	}
	return found
}

// emptyWeakInto empties the weak references into f. World stopped.
func (t *Thread) emptyWeakInto(f *Frozen) {
	t.rt.eachObject(func(r Ref) {
		if TypeID(t.header(r).Meta()&metaTypeMax) == TypeWeak && f.Contains(t.Body(r).LoadRef(weakTarget)) {
			t.Body(r).StoreRef(weakTarget, Nil)
		}
	})
}
