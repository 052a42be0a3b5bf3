package runtime

import (
	"bytes"
	"encoding/gob"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/ichor-go/ichor/internal/arena"
)

// frostType is a leaf that can be frozen.
var frostType = must(DefineType(Type{Name: "frost", Freezing: &Freezing{Layout: "eight bytes", Copy: CopyBody(8), Check: CheckBody(8)}}))

// TestSharedDescription alters each part of the description of a heap: opening it says what is
// wrong, and the unaltered one opens.
func TestSharedDescription(t *testing.T) {
	o := Options{Counting: Atomic}
	backed := o
	backed.Backing = MemfdBacking
	r := newRuntime(t, backed)
	var node, weak, born Ref
	must0(t, r.Do(func(th *Thread) error {
		node = newNode(th, newLeaf(th))
		weak = newWatch(th, node, nil)
		leaf, _, err := th.New(frostType, 8)
		if err != nil {
			return err
		}
		defer th.DecRef(leaf)
		if _, err := th.Freeze(leaf); err != nil {
			return err
		}
		return th.Immortally(func() error { born = newLeaf(th); return nil })
	}))
	file := must(r.Share(node, weak, born, None))
	message := must(arena.ReadShared(file))
	defer func() {
		must0(t, r.Do(func(th *Thread) error {
			th.DecRefs([]Ref{weak, node})
			return nil
		}))
		must0(t, errors.Join(file.Close(), r.Close()))
	}()
	open := func(change func(h *sharedHeap)) error {
		var h sharedHeap
		must0(t, gob.NewDecoder(bytes.NewReader(message)).Decode(&h))
		change(&h)
		var altered bytes.Buffer
		must0(t, gob.NewEncoder(&altered).Encode(&h))
		w, _, err := openHeap(file, altered.Bytes(), o)
		if err == nil {
			must0(t, w.Close())
		}
		return err
	}
	must0(t, open(func(*sharedHeap) {}))
	if _, _, err := openHeap(file, []byte("x"), o); err == nil || !strings.Contains(err.Error(), "description of the heap: ") {
		t.Errorf("no description: %v", err)
	}
	for want, change := range map[string]func(h *sharedHeap){
		"root nil is not an object":        func(h *sharedHeap) { h.Roots[0] = Nil },
		"root 0x":                          func(h *sharedHeap) { h.Roots[0].Handle++ },
		"root 0x5":                         func(h *sharedHeap) { h.Roots[0].Handle = 0x5000_0000 },
		"root 0xb":                         func(h *sharedHeap) { h.Roots[0].Handle = frozenBase + frozenCount/2 },
		"root 0xc":                         func(h *sharedHeap) { h.Roots[0].Handle = selfBase },
		"root 0xfffff":                     func(h *sharedHeap) { h.Roots[0] = Ref{none + 1} },
		"root 0xffffff0c is not an object": func(h *sharedHeap) { h.Roots[0] = Ref{endSingletons} },
		"root 0x8":                         func(h *sharedHeap) { h.Roots[2].Handle++ },
		"interned string":                  func(h *sharedHeap) { h.Interned = map[uint64]Ref{1: {node.Handle + 1}} },
		"target 0x":                        func(h *sharedHeap) { h.Weak = map[Ref][]Ref{{node.Handle + 1}: {weak}} },
		"weak reference 0x":                func(h *sharedHeap) { h.Weak[node] = []Ref{{weak.Handle + 1}} },
		"not a weak reference to":          func(h *sharedHeap) { h.Weak[node] = []Ref{node} },
		"type 65535 is \"x\" with":         func(h *sharedHeap) { h.Types = append(h.Types, sharedType{ID: 65535, Name: "x"}) },
		"parts are missing":                func(h *sharedHeap) { h.Frozen = append(h.Frozen, sharedFrozen{}) },
		"objects of type 65535":            func(h *sharedHeap) { h.Frozen[0].Types[0] = 65535 },
		"objects of type 0":                func(h *sharedHeap) { h.Frozen[0].Types[0] = 0 },
		"frozen bytes where there are":     func(h *sharedHeap) { h.Frozen[0].Bytes += 16 },
		"of a frozen graph is not one of its objects": func(h *sharedHeap) { h.Frozen[0].Stored.Handle = selfBase + selfCount - 1 },
		"root 0xffffff01 of a frozen graph":           func(h *sharedHeap) { h.Frozen[0].Stored = Ref{none + 1} },
		"type 1 is \"x\" with":                        func(h *sharedHeap) { h.Types = append(h.Types, sharedType{ID: 1, Name: "x"}) },
		"description of the heap: ":                   func(h *sharedHeap) { h.Space = nil },
		"131073 states of threads":                    func(h *sharedHeap) { h.States = maxStates + 1 },
		"-1 states of threads":                        func(h *sharedHeap) { h.States = -1 },
		"built-in types do not have the layouts":      func(h *sharedHeap) { h.Layouts++ },
	} {
		if err := open(change); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// TestSharedSnapshot checks that the snapshot of a worker shows the objects of the heap as that of
// the parent does, with their sizes.
func TestSharedSnapshot(t *testing.T) {
	r := newRuntime(t, Options{Backing: MemfdBacking, CollectAfter: -1})
	var node Ref
	must0(t, r.Do(func(th *Thread) error {
		node = newBox(th, newLeaf(th))
		for range 2 {
			must0(t, th.Immortally(func() error {
				_ = newBox(th, newBox(th, newLeaf(th)))
				return nil
			}))
		}
		return nil
	}))
	file := must(r.Share(node))
	w, _, err := OpenShared(file, Options{})
	must0(t, err)
	if got, want := must(w.HeapSnapshot()).Types(), must(r.HeapSnapshot()).Types(); !slices.Equal(got, want) || len(got) != 2 {
		t.Errorf("types in the worker %+v, want %+v", got, want)
	}
	must0(t, r.Do(func(th *Thread) error {
		th.DecRef(node)
		return nil
	}))
	must0(t, errors.Join(file.Close(), w.Close(), r.Close()))
}

// TestSharedChecked checks that checked mode knows the objects that another process has made,
// and says where they come from.
func TestSharedChecked(t *testing.T) {
	r := newRuntime(t, Options{Backing: MemfdBacking})
	var node, born Ref
	must0(t, r.Do(func(th *Thread) error {
		node = newNode(th, newLeaf(th))
		return th.Immortally(func() error { born = newLeaf(th); return nil })
	}))
	file := must(r.Share(node, born))
	w, roots, err := OpenShared(file, Options{Checked: true})
	must0(t, err)
	must0(t, w.Do(func(th *Thread) error {
		if len(roots) != 2 || th.TypeOf(roots[0]) != nodeType || th.TypeOf(roots[1]) != leafType {
			t.Errorf("the roots are %v", roots)
		}
		leaf := th.Body(node).LoadRef(1)
		th.IncRef(leaf)
		th.DecRef(leaf)
		th.DecRef(leaf)
		wantIn(t, panics(t, func() { th.IncRef(leaf) }), "use after free: Thread.IncRef of leaf", "born in the process that shared the heap", "decref at")
		return nil
	}))
	must0(t, w.Close())
	must0(t, r.Do(func(th *Thread) error {
		th.DecRef(node)
		return nil
	}))
	must0(t, errors.Join(file.Close(), r.Close()))
}

// TestShareRefuses checks that a heap is not shared while memory is being filled with objects,
// or if code of this process would have to travel, and is shared afterwards.
func TestShareRefuses(t *testing.T) {
	r := newRuntime(t, Options{Backing: MemfdBacking})
	refused := func(want string, roots ...Ref) {
		t.Helper()
		var e *ShareError
		if file, err := r.Share(roots...); file != nil || !errors.As(err, &e) || !strings.Contains(err.Error(), want) {
			t.Errorf("shared, want %q: %v", want, err)
		}
	}
	refused("nil reference", Nil)
	r.freezing.Inc()
	refused("a graph is being frozen")
	r.freezing.Dec()
	must0(t, r.beginOpening())
	refused("an image is being opened")
	r.endOpening()
	must0(t, r.Do(func(th *Thread) error { return th.Immortally(func() error { return nil }) }))
	g := r.mu.regions[0]
	g.built.Store(false)
	refused("objects are being born immortal")
	g.built.Store(true)
	r.foreign.Store(None, 1)
	refused("1 objects hold Go values")
	r.foreign.Delete(None)
	var x, w Ref
	must0(t, r.Do(func(th *Thread) error {
		x = newLeaf(th)
		w = newWatch(th, x, func(*Thread) {})
		return nil
	}))
	refused("has a callback")
	must0(t, r.Do(func(th *Thread) error {
		th.DecRefs([]Ref{w, x})
		return nil
	}))
	defer func(n int) { maxStates = n }(maxStates)
	maxStates = 0
	refused("threads were attached at once, want at most 0")
	maxStates = 1
	file := must(r.Share())
	if _, err := r.Share(); !errors.Is(err, ErrShared) {
		t.Errorf("shared again: %v", err)
	}
	must0(t, errors.Join(file.Close(), r.Close()))
}

// TestShareHoldsRoots checks that a finalizer that runs in Share cannot unload a root, and that
// nothing is held afterwards.
func TestShareHoldsRoots(t *testing.T) {
	for _, o := range []Options{{Mode: GIL}, {Counting: Atomic}, {Counting: Biased}} {
		o.Backing = MemfdBacking
		r := newRuntime(t, o)
		f := frozenWide(t, r)
		calls := 0
		finalized = func(th *Thread, _ Ref) {
			calls++
			if err := th.Unload(f); !errors.Is(err, ErrInUse) {
				t.Errorf("unload of a root: %v", err)
			}
		}
		must0(t, r.Do(func(th *Thread) error {
			loop := newFinal(th, Nil)
			th.Body(loop).StoreRef(0, loop)
			return nil
		}))
		file := must(r.Share(f.Root()))
		must0(t, r.Do(func(th *Thread) error {
			if calls != 1 || len(th.holds) != 0 {
				t.Errorf("%d finalizers were called, %d calls hold references", calls, len(th.holds))
			}
			return nil
		}))
		must0(t, errors.Join(file.Close(), r.Close()))
	}
}

// TestInheritedIsNoLeak checks that objects that the heap held when it was shared are no leaks
// where it was opened, and neither are those that they have come to hold since, in any number
// of steps. All others are.
func TestInheritedIsNoLeak(t *testing.T) {
	r := newRuntime(t, Options{Backing: MemfdBacking})
	var node Ref
	must0(t, r.Do(func(th *Thread) error {
		node = newNode(th, Nil, newLeaf(th), None)
		return nil
	}))
	file := must(r.Share(node))
	for leaks := range 2 {
		w, _, err := OpenShared(file, Options{})
		must0(t, err)
		must0(t, w.Do(func(th *Thread) error {
			loop := newNode(th, newNode(th, newLeaf(th)), Nil)
			setSlot(th, loop, 1, loop)
			setSlot(th, node, 0, loop)
			th.DecRef(loop)
			for range leaks {
				newNode(th, node)
			}
			return nil
		}))
		err = w.Close()
		var leak *LeakError
		if leaks == 0 && err != nil || leaks > 0 && (!errors.As(err, &leak) || len(leak.Types) != 1 || leak.Types[0] != (Leak{"node", leaks})) {
			t.Errorf("%d leaks: %v", leaks, err)
		}
	}
	must0(t, r.Do(func(th *Thread) error {
		th.DecRef(node)
		return nil
	}))
	must0(t, errors.Join(file.Close(), r.Close()))
}

// TestSharedHeapIsDescribed checks that the description has everything that a worker needs, and
// that the worker gets it.
func TestSharedHeapIsDescribed(t *testing.T) {
	for _, o := range []Options{{Mode: GIL}, {Counting: Atomic}, {Counting: Biased}} {
		backed := o
		backed.Backing = MemfdBacking
		r := newRuntime(t, backed)
		var leaf, node, immortal, float, retired Ref
		var watches []Ref
		must0(t, r.Do(func(th *Thread) error {
			leaf = newLeaf(th)
			node = newNode(th, Nil)
			for range 4 {
				watches = append(watches, newWatch(th, leaf, nil))
			}
			th.DecRef(watches[1]) // the others keep their places
			immortal = newNode(th, newLeaf(th))
			must0(t, th.Immortalize(immortal))
			r.intern.Store(77, leaf)
			frost, _, err := th.New(frostType, 8)
			must0(t, err)
			f, err := th.Freeze(frost)
			must0(t, err)
			if f.Objects() != 1 {
				t.Errorf("%d objects are frozen", f.Objects())
			}
			th.DecRef(frost)
			loop := newNode(th, Nil) // garbage, whose memory waits for a grace period
			th.SetWeak(loop)
			th.Body(loop).StoreRef(1, loop)
			float = newFloat(th, 1, 0) // of a built-in type
			retired = newLeaf(th)      // retired by what the loop's death makes due
			th.Body(node).StoreRef(1, retired)
			watches = append(watches, newWatch(th, loop, func(th *Thread) { setSlot(th, node, 0, Nil) }))
			return nil
		}))
		last := watches[4]
		watches = []Ref{watches[0], watches[2], watches[3]}
		file := must(r.Share(leaf, node))
		must0(t, r.Do(func(th *Thread) error { r.mustHold(t, th, 9); return nil }))
		if n := r.Memory().Objects; n != 9 {
			t.Errorf("%d objects were shared, want 9", n)
		}
		shared := r.SharedRanges()
		must0(t, r.Do(func(th *Thread) error {
			x := newWide(th, newWide(th))
			f, err := th.Freeze(x)
			if err != nil {
				return err
			}
			th.DecRef(x)
			bytes := int64(0)
			for _, x := range shared {
				bytes += int64(x.End - x.Start)
			}
			if now := r.SharedRanges(); !slices.Equal(now, shared) || r.Memory().SharedBytes != bytes || bytes == 0 {
				t.Errorf("shared are %v, and were %v: %d bytes, want %d", now, shared, r.Memory().SharedBytes, bytes)
			}
			frozen, heap := 0, 0
			at := uintptr(th.at(leaf))
			for _, x := range shared {
				if x.Frozen {
					frozen++
				} else if x.Start <= at && at < x.End {
					heap++
				}
			}
			if frozen != 1 || heap != 1 {
				t.Errorf("%d frozen graphs are shared, and %d ranges with the leaf", frozen, heap)
			}
			return th.Unload(f)
		}))
		var h sharedHeap
		must0(t, gob.NewDecoder(bytes.NewReader(must(arena.ReadShared(file)))).Decode(&h))
		names := map[string]string{}
		for _, y := range h.Types {
			names[y.Name] = y.Layout
			if types.table[y.ID].Load().Name != y.Name || types.table[y.ID].Load().meta != y.Meta {
				t.Errorf("type %d is %s, with %#x", y.ID, y.Name, y.Meta)
			}
		}
		if want := map[string]string{"leaf": "", "node": "", "watch": "", "frost": "eight bytes"}; !maps.Equal(names, want) {
			t.Errorf("the types are %q, want %q", names, want)
		}
		if len(h.Interned) != 1 || h.Interned[77] != leaf || len(h.Weak) != 1 || !slices.Equal(h.Weak[leaf], watches) {
			t.Errorf("interned are %v, weak references %v", h.Interned, h.Weak)
		}
		if h.InPlace != 2 || h.Seed != r.seed || h.States != len(*r.queues.Load()) || len(h.Frozen) != 1 || h.Frozen[0].Objects != 1 {
			t.Errorf("the description is %+v", h)
		}

		other := o
		if o.Mode == LockFree {
			other.Mode = GIL
		} else {
			other.Mode = LockFree
		}
		if _, _, err := OpenShared(file, other); err == nil || !strings.Contains(err.Error(), "the heap's mode is "+o.Mode.String()+", the options say "+other.Mode.String()) {
			t.Errorf("opened in another mode: %v", err)
		}
		other = o
		other.Counting = map[Counting]Counting{AutoCounting: Biased, Atomic: Biased, Biased: Atomic}[o.Counting]
		w, _, err := OpenShared(file, other)
		if o.Mode == LockFree && (err == nil || !strings.Contains(err.Error(), "the heap's counting is "+o.Counting.String())) {
			t.Errorf("opened with other counting: %v", err)
		}
		if o.Mode == GIL {
			must0(t, err) // it is valid only in the other process
			must0(t, w.Close())
		}
		w, roots, err := OpenShared(file, o)
		must0(t, err)
		must0(t, w.Do(func(th *Thread) error {
			if len(roots) != 2 || th.TypeOf(roots[0]) != leafType || th.TypeOf(w.Frozen()[0].Root()) != frostType {
				t.Errorf("the roots are %v", roots)
			}
			if _, _, ok := w.space.Block(uint32(retired.Handle)); ok {
				t.Error("a retired object was shared")
			}
			if x, ok := w.intern.Load(77); !ok || x != leaf || w.intern.Size() != 1 {
				t.Errorf("interned is %s", x)
			}
			e, _ := w.weak.Load(leaf)
			if w.weak.Size() != 1 || e.alive != 3 || len(e.list) != 3 {
				t.Fatalf("the weak references are %+v", e)
			}
			for i, x := range watches {
				if e.list[i].ref != x || th.Body(x).Word(weakIndex) != uint32(i) || th.followWeak(x) != leaf {
					t.Errorf("weak reference %d is %s, at %d", i, e.list[i].ref, th.Body(x).Word(weakIndex))
				}
				th.DecRef(leaf)
			}
			if n := w.Memory().InPlace; n != 2 || w.seed != r.seed {
				t.Errorf("%d are immortal in place, and the seed is %v", n, w.seed)
			}
			if o.Mode == LockFree && th.owner != firstID+int32(h.States) {
				t.Errorf("the thread has the id %d, and %d states have one already", th.owner, h.States)
			}
			if next := w.collector.next.Load(); next < int64(w.opts.CollectAfter) {
				t.Errorf("a collection is due at %d containers", next)
			}
			return nil
		}))
		must0(t, w.Close())
		must0(t, r.Do(func(th *Thread) error {
			th.DecRefs(append(watches, leaf, node, float, last))
			return nil
		}))
		r.intern.Clear()
		must0(t, errors.Join(file.Close(), r.Close()))
		if _, err := r.Share(); err != ErrClosed {
			t.Errorf("shared after Close: %v", err)
		}
	}
}
