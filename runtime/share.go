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

// A heap in a memfd is shared with other processes, which go on with it each on its own:
//
//	state    — condition — transition (who)
//	own      — made by New with MemfdBacking — shared (Share)
//	shared   — the parent, from Share on — (it goes on as any runtime)
//	adopted  — a worker, made by OpenShared — (likewise)
//
// Objects do not know in which process they are: references, types, counts and locks
// mean the same. What the runtime knows of them and keeps in Go memory travels beside
// them, as a sharedHeap.
//
// A worker's threads have other ids than the parent's, whose states are away for good
// there: so an object that a thread of the parent owns is counted as one of a thread
// that has detached.

// ShareError says why a heap cannot be shared, or a shared one not opened.
type ShareError struct {
	Op  string // "share", "open shared"
	Err error
}

func (e *ShareError) Error() string { return fault.Prefix + e.Op + ": " + fault.Bare(e.Err) }

// Unwrap returns the cause.
func (e *ShareError) Unwrap() error { return e.Err }

// ErrShared says that a heap was shared already: that is done once, for any number of
// processes.
var ErrShared = arena.ErrShared

// sharedHeap is what a worker needs to know besides the objects.
type sharedHeap struct {
	Mode     Mode
	Counting Counting
	Layouts  uint64 // layoutHash
	Types    []sharedType
	Space    *arena.Layout
	States   int       // of threads
	Seed     [2]uint64 // tables in the heap depend on it
	InPlace  int64
	Interned map[uint64]Ref
	Weak     map[Ref][]Ref // weak references by what they lead to, oldest first
	Frozen   []sharedFrozen
	Roots    []Ref
}

// sharedType is a user-defined type that objects have. In headers it is a number, so it
// must have the same one in the worker.
type sharedType struct {
	ID           TypeID
	Name, Layout string
	Meta         uint32
}

// sharedFrozen is a Frozen, whose memory is the extent at the same place in the list.
type sharedFrozen struct {
	Stored  Ref
	Objects int64
	Bytes   int64
	Types   []TypeID
}

// Share makes the heap, as it is, one that other processes can open, and returns the file
// that it lies in: hand it to programs that are started, with exec.Cmd.ExtraFiles, and
// close it then. roots, which are borrowed, are what OpenShared returns there; who calls Share
// owns a reference to each of them, and does not give it up while workers are being started.
//
// The runtime must have been made with MemfdBacking. It goes on as before, with all its
// threads, and nobody sees what it does from now on: memory that was in use is copied
// page by page as it is written, and new objects lie elsewhere. It can be shared once.
//
// Everything travels: mortal and immortal objects, frozen ones, weak references, Cells.
// But for code: a callback of a weak reference and the Go value of a Foreign are of this
// process, so with one of them alive Share fails. So it does during Freeze,
// OpenImage and Immortally. Finalizers that are due run here, and not in workers.
// Errors are a *ShareError, among them ErrShared. It stops the world, and looks at every
// object once. Linux. Any goroutine that is not attached.
func (r *Runtime) Share(roots ...Ref) (file *os.File, err error) {
	r.mustNotWait(nil)
	err = r.Do(func(t *Thread) (err error) {
		var frozen []Ref
		for _, x := range roots {
			if x.IsFrozen() {
				frozen = append(frozen, x)
			}
		}
		t.Hold(&frozen) // the others have counts, of the caller's
		defer t.Unhold(&frozen)
		t.Collect() // workers should not have to
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

// share describes the heap and shares it. World stopped, nothing is retired or queued.
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
		return nil, fmt.Errorf("%d objects hold Go values, which are of this process", n)
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
	r.mu.Lock() // no image is opened meanwhile
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

// nothingBegun fails if memory is being filled that is not objects yet. r.mu is held.
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

// addTypes adds the user-defined ones among the types that were seen.
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

// OpenShared makes a runtime of a heap that another process has shared: file is what
// Share returned there, and can be closed afterwards. Nothing is copied or read but a
// description of a few bytes for each KiB; memory is shared until it is written, page by
// page, and nobody sees what is. The runtime goes on like any other: it reads,
// counts, allocates, frees and collects. roots are borrowed, and stay so for as long as
// the runtime is open: the process that shared the heap owns a reference to each.
//
// The program must be the same one, with the same types, defined in the same order: those
// that objects have are compared by number, name and Layout. Mode and Counting of
// the options must be those of the heap, AddressSpace and Backing are its own and must be
// left out, and MemoryLimit does not count what is shared. What the heap held when it was
// shared is no leak at Close.
//
// The description is checked, the objects are not: a file from who is not trusted must
// not be opened. Errors are a *ShareError. Linux. Any goroutine.
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
		return nil, nil, errors.New("options: AddressSpace and Backing are those of the shared heap")
	}
	message, err := arena.ReadShared(file)
	if err != nil {
		return nil, nil, err
	}
	return openHeap(file, message, opts)
}

// openHeap is openShared with the description at hand.
func openHeap(file *os.File, message []byte, opts Options) (*Runtime, []Ref, error) {
	var h sharedHeap
	if err := gob.NewDecoder(bytes.NewReader(message)).Decode(&h); err != nil {
		return nil, nil, fault.Partf("description of the heap: %w", err)
	}
	if err := h.fits(opts); err != nil {
		return nil, nil, err
	}
	space, regions, extents, err := arena.Adopt(file, h.Space, arena.Config{Limit: opts.MemoryLimit, Readable: opts.Checked, Inject: opts.Inject})
	if err != nil {
		return nil, nil, err
	}
	r := makeRuntime(space, opts)
	if err := r.adopt(&h, regions, extents); err != nil {
		return nil, nil, errors.Join(err, space.Close())
	}
	return r, h.Roots, nil
}

// fits fails if this program or these options are not for the heap.
func (h *sharedHeap) fits(opts Options) error {
	switch {
	case h.Space == nil || len(h.Frozen) != len(h.Space.Extents):
		return errors.New("description of the heap: parts are missing")
	case h.Mode != opts.Mode:
		return fmt.Errorf("the heap is of mode %s, the options say %s", h.Mode, opts.Mode)
	case h.Mode == LockFree && h.Counting != opts.Counting:
		return fmt.Errorf("the heap's counting is %s, the options say %s", h.Counting, opts.Counting)
	case h.Layouts != layoutHash():
		return errors.New("built-in types have another layout than in this program")
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

// typeNumber is the type with that number, nil if there is none.
func typeNumber(id TypeID) *Type {
	if int(id) >= len(types.table) {
		return nil
	}
	return types.table[id].Load()
}

// maxStates bounds the states of threads that a description can name: a worker takes 200
// bytes for each. A guess.
var maxStates = 1 << 17

func (y *Type) describe() string {
	if y == nil {
		return "not defined"
	}
	return ImageType{y.Name, describeType(y).Layout}.String()
}

// adopt takes over what another process's runtime knew. Nobody else has r yet.
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
				o.SetWord(weakIndex, uint32(i)) // some had left the list; else no page is written
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
		r.addFrozen(f)
	}
	return nil
}

// checkShared fails if the description refers to what is not there. It reads what
// weak references lead to, and no other object.
func (r *Runtime) checkShared(h *sharedHeap) error {
	check := func(what string, x Ref) error {
		if !r.holds(x) {
			return fmt.Errorf("%s %s is no object", what, x)
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
				return fmt.Errorf("%s is no weak reference to %s", w, target)
			}
		}
	}
	for _, f := range *r.frozen.Load() {
		root := f.Root()
		if root.IsFrozen() && !f.Contains(root) || !r.holds(root) {
			return fmt.Errorf("root %s of a frozen graph is no object of it", root)
		}
	}
	return nil
}

// holds reports whether x is a value, or an object begins where it leads; of a frozen
// graph, whether it leads into one. Nobody else has r yet.
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

// SharedRange is memory of a heap that processes share.
type SharedRange struct {
	Start, End uintptr // the address of the first byte, and of what is behind it
	Frozen     bool    // it is that of a Frozen, all of it
}

// SharedRanges returns where the memory lies that was shared, for who asks the system
// about it: /proc/PID/smaps tells what of it was copied (Anonymous), and
// /proc/PID/pagemap which pages (without bit 61). Any goroutine.
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

// sharedBytes adds them up.
func (r *Runtime) sharedBytes() (n int64) {
	for _, x := range r.SharedRanges() {
		n += int64(x.End - x.Start)
	}
	return n
}
