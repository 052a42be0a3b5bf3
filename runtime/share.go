package runtime

import (
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
	"os"

	"github.com/ichor-go/ichor/internal/arena"
	"github.com/ichor-go/ichor/internal/fault"
	"github.com/ichor-go/ichor/internal/mutant"
)

// A heap in a memfd can be shared with other processes. Each goes on with a copy of its own:
//
//	state    — condition — transition (by)
//	own      — made by New with MemfdBacking — shared (Share)
//	shared   — the parent, after Share — none: it goes on as any runtime
//	adopted  — a worker, made by OpenShared — none, likewise
//
// Objects do not depend on the process that they are in: references, types, counts and locks
// mean the same in all. What the runtime knows of them in Go memory travels along, as a
// sharedHeap.
//
// A worker's threads have other ids than the parent's, whose states are away for good in the
// worker. So an object that a thread of the parent owns is counted like one of a detached
// thread.

// ShareError says why a heap cannot be shared, or a shared heap cannot be opened.
type ShareError struct {
	Op  string // "share", "open shared"
	Err error
}

func (e *ShareError) Error() string { return fault.Prefix + e.Op + ": " + fault.Bare(e.Err) }

// Unwrap returns the cause.
func (e *ShareError) Unwrap() error { return e.Err }

// ErrShared says that the heap was shared before. A heap can be shared once, with any number of
// processes.
var ErrShared = arena.ErrShared

// sharedHeap is everything that a worker needs besides the objects.
type sharedHeap struct {
	Mode     Mode
	Counting Counting
	Layouts  uint64 // layoutHash
	Types    []sharedType
	Space    *arena.Layout
	States   int       // number of thread states
	Seed     [2]uint64 // tables in the heap depend on it
	InPlace  int64
	Interned map[uint64]Ref
	Weak     map[Ref][]Ref // weak references by their target, oldest first
	Frozen   []sharedFrozen
	Roots    []Ref
}

// sharedType is a user-defined type that objects have. Headers refer to it by number, so it
// must have the same number in the worker.
type sharedType struct {
	ID           TypeID
	Name, Layout string
	Meta         uint32
}

// sharedFrozen is a Frozen. Its memory is the extent with the same index.
type sharedFrozen struct {
	Stored  Ref
	Objects int64
	Bytes   int64
	Types   []TypeID
}

// Share makes the heap, as it is now, available to other processes, and returns the file that
// it lies in. Pass the file to the programs to be started, by exec.Cmd.ExtraFiles, and then
// close it. roots, which are borrowed, are what OpenShared returns in those programs. The
// caller owns a reference to each root, and must not give it up while workers are being
// started.
//
// The runtime must have been made with MemfdBacking. It goes on as before, with all its
// threads. Its later changes are invisible to the workers: the memory in use is copied page by
// page when it is written, and new objects lie elsewhere. A heap can be shared once.
//
// Everything is shared: mortal, immortal and frozen objects, weak references, Cells. The
// exception is code: callbacks of weak references and the Go values of Foreigns belong to this
// process, so Share fails while one of them is alive. It also fails during Freeze, OpenImage
// and Immortally. Finalizers that are due run here, and not in workers. Errors are a
// *ShareError; one of them is ErrShared. Share stops the world, and visits every object once.
// Linux. Any goroutine that is not attached.
func (r *Runtime) Share(roots ...Ref) (file *os.File, err error) {
	r.mustNotWait(nil)
	err = r.Do(func(t *Thread) (err error) {
		var frozen []Ref
		for _, x := range roots {
			if x.IsFrozen() {
				frozen = append(frozen, x)
			}
		}
		t.Hold(&frozen) // frozen roots; the caller's counts keep the others
		defer t.Unhold(&frozen)
		t.Collect() // so that workers need not
		t.StopTheWorld(func() {
			t.settle()
			file, err = t.share(roots)
		})
		return err
	})
	if err != nil && !errors.Is(err, ErrClosed) {
		err = &ShareError{"share", err}
	}
	return file, err
}

// share describes the heap and shares it. World stopped; nothing is retired or queued.
func (t *Thread) share(roots []Ref) (*os.File, error) {
	r := t.rt
	h := &sharedHeap{
		Mode: r.opts.Mode, Counting: r.opts.Counting, Layouts: layoutHash(),
		States: len(*r.queues.Load()), InPlace: r.inPlace.Load(), Seed: r.seed,
		Interned: map[uint64]Ref{}, Weak: map[Ref][]Ref{}, Roots: roots,
	}
	for _, x := range roots {
		if x.IsNil() {
			return nil, ErrNilRef
		}
	}
	if h.States > maxStates {
		return nil, fmt.Errorf("%d threads were attached at once, want at most %d", h.States, maxStates)
	}
	if n := r.foreign.Size(); n > 0 {
		return nil, fmt.Errorf("%d objects hold Go values, which belong to this process", n)
	}
	if err := h.addWeak(r); err != nil {
		return nil, err
	}
	r.intern.Range(func(hash uint64, x Ref) bool {
		h.Interned[hash] = x
		return true
	})
	seen := map[uint32]bool{}
	r.eachObject(func(x Ref) { seen[r.header(x).Meta()&metaTypeMax] = true })
	r.mu.Lock() // so that no image is opened meanwhile
	defer r.mu.Unlock()
	if err := r.nothingBegun(); err != nil {
		return nil, err
	}
	var extents []*arena.Extent
	for _, f := range *r.frozen.Load() {
		extents = append(extents, f.ext)
		s := sharedFrozen{Stored: f.stored, Objects: f.objects, Bytes: f.Bytes()}
		for _, y := range f.types {
			seen[uint32(y.id)] = true
			s.Types = append(s.Types, y.id)
		}
		h.Frozen = append(h.Frozen, s)
	}
	h.addTypes(seen)
	var regions []*arena.Region
	for _, g := range r.mu.regions {
		regions = append(regions, g.mem)
	}
	var err error
	if h.Space, err = r.space.Layout(regions, extents); err != nil {
		return nil, err
	}
	var message bytes.Buffer
	if err := gob.NewEncoder(&message).Encode(h); err != nil {
		return nil, err
	}
	return r.space.Share(h.Space, extents, message.Bytes())
}

// nothingBegun fails if memory is being filled with objects that are not complete. r.mu is
// held.
func (r *Runtime) nothingBegun() error {
	switch {
	case r.freezing.Load() > 0:
		return errors.New("a graph is being frozen")
	case r.mu.opening > 0:
		return errors.New("an image is being opened")
	}
	for _, g := range r.mu.regions {
		if !g.built.Load() {
			return errors.New("objects are being born immortal")
		}
	}
	return nil
}

// addWeak adds the weak table.
func (h *sharedHeap) addWeak(r *Runtime) (err error) {
	r.weak.Range(func(target Ref, e weakRefs) bool {
		for _, w := range e.list {
			switch {
			case w.ref.IsNil():
			case len(w.fns) > 0:
				err = fmt.Errorf("%s has a callback, which is code of this process", w.ref)
				return false
			default:
				h.Weak[target] = append(h.Weak[target], w.ref)
			}
		}
		return true
	})
	return err
}

// addTypes adds the user-defined types among those that were seen.
func (h *sharedHeap) addTypes(seen map[uint32]bool) {
	for id := range seen {
		if y := types.table[id].Load(); y != nil && y.id >= firstUserType {
			h.Types = append(h.Types, describeType(y))
		}
	}
}

func describeType(y *Type) sharedType {
	s := sharedType{ID: y.id, Name: y.Name, Meta: y.meta}
	if y.Freezing != nil {
		s.Layout = y.Freezing.Layout
	}
	return s
}

// OpenShared makes a runtime of a heap that another process has shared. file is the file that
// Share returned there, and may be closed afterwards. OpenShared reads a description of a few
// bytes for each KiB, and copies nothing. Memory is shared until it is written, page by page,
// and each process sees only its own writes. The runtime works like any other: it reads,
// counts, allocates, frees and collects. roots are borrowed for as long as the runtime is open:
// the process that shared the heap owns a reference to each.
//
// The program must be the same one, with the same types, defined in the same order: types that
// objects have are compared by number, name and Layout. Mode and Counting of the options must
// be those of the heap. AddressSpace and Backing come from the heap and must be left out.
// MemoryLimit does not count shared memory. Objects that the heap held when it was shared are
// not leaks at Close.
//
// The description is checked, the objects are not: never open a file from an untrusted process.
// Errors are a *ShareError. Linux. Any goroutine.
func OpenShared(file *os.File, opts Options) (rt *Runtime, roots []Ref, err error) {
	rt, roots, err = openShared(file, opts)
	if err != nil {
		return nil, nil, &ShareError{"open shared", err}
	}
	return rt, roots, nil
}

func openShared(file *os.File, opts Options) (*Runtime, []Ref, error) {
	if err := opts.validate(); err != nil {
		return nil, nil, err
	}
	if opts.AddressSpace != 0 || opts.Backing != AutoBacking {
		return nil, nil, errors.New("options: AddressSpace and Backing are given by the shared heap, want neither")
	}
	message, err := arena.ReadShared(file)
	if err != nil {
		return nil, nil, err
	}
	return openHeap(file, message, opts)
}

// openHeap is OpenShared after the description was read.
func openHeap(file *os.File, message []byte, opts Options) (*Runtime, []Ref, error) {
	var h sharedHeap
	if err := gob.NewDecoder(bytes.NewReader(message)).Decode(&h); err != nil {
		return nil, nil, fault.Partf("description of the heap: %w", err)
	}
	if err := h.fits(opts); err != nil {
		return nil, nil, err
	}
	cfg := arena.Config{Limit: opts.MemoryLimit, Readable: opts.Checked, Direct: opts.Checked, Inject: opts.Inject}
	heap := newHeapProfile(opts.HeapProfileRate, &cfg)
	space, regions, extents, err := arena.Adopt(file, h.Space, cfg)
	if err != nil {
		return nil, nil, err
	}
	r := makeRuntime(space, opts)
	r.heap = heap
	if err := r.adopt(&h, regions, extents); err != nil {
		return nil, nil, errors.Join(err, space.Close())
	}
	return r, h.Roots, nil
}

// fits fails if this program or these options do not fit the heap.
func (h *sharedHeap) fits(opts Options) error {
	switch {
	case h.Space == nil || len(h.Frozen) != len(h.Space.Extents):
		return errors.New("description of the heap: parts are missing")
	case h.Mode != opts.Mode:
		return fmt.Errorf("the heap's mode is %s, the options say %s", h.Mode, opts.Mode)
	case h.Mode == LockFree && h.Counting != opts.Counting:
		return fmt.Errorf("the heap's counting is %s, the options say %s", h.Counting, opts.Counting)
	case h.Layouts != layoutHash():
		return errors.New("built-in types do not have the layouts of this program")
	case h.States < 0 || h.States > maxStates:
		return fmt.Errorf("description of the heap: %d states of threads", h.States)
	}
	for _, s := range h.Types {
		if y := typeNumber(s.ID); y == nil || describeType(y) != s {
			return fmt.Errorf("type %d is %s, in this program it is %s", s.ID, ImageType{s.Name, s.Layout}, y.describe())
		}
	}
	return nil
}

// typeNumber returns the type with that number, or nil.
func typeNumber(id TypeID) *Type {
	if int(id) >= len(types.table) {
		return nil
	}
	return types.table[id].Load()
}

// maxStates bounds the number of thread states in a description: a worker takes 200 bytes for
// each. The value is a guess.
var maxStates = 1 << 17

func (y *Type) describe() string {
	if y == nil {
		return "not defined"
	}
	return ImageType{y.Name, describeType(y).Layout}.String()
}

// adopt takes over what another process's runtime knew. r is not yet published.
func (r *Runtime) adopt(h *sharedHeap, regions []*arena.Region, extents []*arena.Extent) error {
	if r.gil == nil && !(mutant.On && mutant.Is(mutant.IDsReused)) {
		queues, away := make([]*mergeQueue, h.States), make([]mergeQueue, h.States)
		for i := range queues {
			queues[i] = &away[i]
		}
		r.queues.Store(&queues)
	}
	r.adopted, r.seed = true, h.Seed
	for _, mem := range regions {
		g := &region{mem: mem}
		g.built.Store(true)
		r.mu.regions = append(r.mu.regions, g)
	}
	if err := r.adoptFrozen(h, extents); err != nil {
		return err
	}
	if err := r.checkShared(h); err != nil {
		return fault.Partf("description of the heap: %w", err)
	}
	r.inPlace.Store(h.InPlace)
	for hash, x := range h.Interned {
		r.intern.Store(hash, x)
	}
	for target, list := range h.Weak {
		if mutant.On && mutant.Is(mutant.SharedWeakLost) {
			break
		}
		e := weakRefs{alive: len(list)}
		for i, w := range list {
			if o := r.Body(w); o.Word(weakIndex) != uint32(i) || mutant.On && mutant.Is(mutant.SharedWritten) {
				o.SetWord(weakIndex, uint32(i)) // some had left the list; otherwise no page is written
			}
			e.list = append(e.list, weakRef{ref: w})
		}
		r.weak.Store(target, e)
	}
	if r.check != nil {
		r.check.adopt()
	}
	r.plan(0)
	return nil
}

// adoptFrozen takes over the frozen graphs.
func (r *Runtime) adoptFrozen(h *sharedHeap, extents []*arena.Extent) error {
	for i, s := range h.Frozen {
		f := &Frozen{
			rt: r, ext: extents[i], start: Handle(extents[i].Start()),
			granules: uint32(s.Bytes >> arena.GranuleShift), stored: s.Stored, objects: s.Objects,
		}
		if s.Bytes != int64(extents[i].Bytes()) {
			return fmt.Errorf("description of the heap: %d frozen bytes where there are %d", s.Bytes, extents[i].Bytes())
		}
		for _, id := range s.Types {
			y := typeNumber(id)
			if y == nil {
				return fmt.Errorf("description of the heap: a frozen graph has objects of type %d, which is not defined", id)
			}
			f.types = append(f.types, y)
		}
		r.addFrozen(nil, f)
	}
	return nil
}

// checkShared fails if the description refers to objects that do not exist. It reads the
// targets of weak references, and no other objects.
func (r *Runtime) checkShared(h *sharedHeap) error {
	check := func(what string, x Ref) error {
		if !r.holds(x) {
			return fmt.Errorf("%s %s is not an object", what, x)
		}
		return nil
	}
	for _, x := range h.Roots {
		if err := check("root", x); err != nil {
			return err
		}
	}
	for _, x := range h.Interned {
		if err := check("interned string", x); err != nil {
			return err
		}
	}
	for target, list := range h.Weak {
		if err := check("target", target); err != nil {
			return err
		}
		for _, w := range list {
			if err := check("weak reference", w); err != nil {
				return err
			}
			if r.Body(w).LoadRef(weakTarget) != target {
				return fmt.Errorf("%s is not a weak reference to %s", w, target)
			}
		}
	}
	for _, f := range *r.frozen.Load() {
		root := f.Root()
		if root.IsFrozen() && !f.Contains(root) || !r.holds(root) {
			return fmt.Errorf("root %s of a frozen graph is not one of its objects", root)
		}
	}
	return nil
}

// holds reports whether x is a value, or leads to the start of an object, or anywhere into a
// Frozen. r is not yet published.
func (r *Runtime) holds(x Ref) bool {
	switch {
	case x.IsInt():
		return true
	case x.Handle >= none:
		return isSingleton(x)
	case x.IsFrozen():
		for _, f := range *r.frozen.Load() {
			if f.Contains(x) {
				return true
			}
		}
		return false
	case x.ImmortalByAddress():
		for _, g := range r.mu.regions {
			if g.mem.Contains(uint32(x.Handle)) {
				return true
			}
		}
		return false
	}
	p, _, ok := r.space.Block(uint32(x.Handle))
	return ok && (p == arena.Leaves || p == arena.Containers)
}

// SharedRange is a range of memory that processes share.
type SharedRange struct {
	Start, End uintptr // addresses of the first byte, and of the first one behind
	Frozen     bool    // it is exactly the memory of a Frozen
}

// SharedRanges returns where the shared memory lies, for tools that ask the system about it:
// /proc/PID/smaps tells how much of it was copied (Anonymous), and /proc/PID/pagemap which
// pages (without bit 61). Any goroutine.
func (r *Runtime) SharedRanges() (ranges []SharedRange) {
	for _, x := range r.space.SharedRanges() {
		ranges = append(ranges, SharedRange{Start: x[0], End: x[1]})
	}
	for _, f := range *r.frozen.Load() {
		if f.ext.Shared() && f.Bytes() > 0 {
			ranges = append(ranges, SharedRange{f.Start(), f.Start() + uintptr(f.Bytes()), true})
		}
	}
	return ranges
}

// sharedBytes returns the sum of their sizes.
func (r *Runtime) sharedBytes() (n int64) {
	for _, x := range r.SharedRanges() {
		n += int64(x.End - x.Start)
	}
	return n
}
