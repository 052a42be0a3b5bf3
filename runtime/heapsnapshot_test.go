package runtime

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ichor-go/ichor/internal/header"
	"github.com/ichor-go/ichor/internal/heapfile"
	"github.com/ichor-go/ichor/internal/heapgraph"
)

// texts returns the paths as lines, with a letter for each object instead of its reference.
func texts(paths []HeapPath, names map[Ref]string) (lines []string) {
	for _, p := range paths {
		line := p.String()
		for r, name := range names {
			line = strings.ReplaceAll(line, r.String(), name)
		}
		lines = append(lines, line)
	}
	return lines
}

func wantLines(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// A program leaks an object on purpose: the path names the holder, and in checked mode where the
// count was taken.
func TestPathsOfLeak(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		r := newRuntime(t, o)
		var leaf, cache Ref
		must0(t, r.Do(func(th *Thread) error {
			leaf = newLeaf(th)
			cache = newNode(th, Nil, newBox(th, leaf)) // steals the leaf, and is never given up
			return nil
		}))
		paths := must(r.Paths(leaf))
		names := map[Ref]string{leaf: "L", cache: "C", paths[0].Steps[1].Ref: "B"}
		wantLines(t, texts(paths, names), "Go code → node C <1> → box B <0> → leaf L")
		if got := paths[0].History; strings.Contains(got, "born at") != o.Checked || strings.Contains(got, "TestPathsOfLeak") != o.Checked {
			t.Errorf("the history is %q", got)
		}
		s := must(r.HeapSnapshot())
		held := s.HeldByCode(10)
		if len(held) != 1 || held[0].Ref != cache || held[0].Count != 1 || held[0].Type != "node" || held[0].History != paths[0].History {
			t.Errorf("held by code: %+v", held)
		}
		if got := s.Retained(cache); got != paths[0].Steps[0].Bytes+paths[0].Steps[1].Bytes+paths[0].Steps[2].Bytes {
			t.Errorf("the cache retains %d bytes: %+v", got, paths)
		}
		must0(t, r.Do(func(th *Thread) error {
			th.DecRef(cache)
			return nil
		}))
		if s := must(r.HeapSnapshot()); s.Objects() != 0 || s.Retained(cache) != 0 || s.Paths(leaf, 1) != nil {
			t.Errorf("after the leak: %s", s)
		}
		must0(t, r.Close())
		if _, err := r.Paths(leaf); err != ErrClosed {
			t.Errorf("after Close: %v", err)
		}
		if s, err := r.HeapSnapshot(); s != nil || err != ErrClosed {
			t.Errorf("after Close: %v, %v", s, err)
		}
		if err := r.WriteHeapSnapshot(nil); err != ErrClosed {
			t.Errorf("after Close: %v", err)
		}
	})
}

// refsHolder and its like are calls in progress.
func TestRoots(t *testing.T) {
	aloneInModes(t, func(t *testing.T, o Options) {
		clean(t, o, func(t *testing.T, th *Thread) {
			names := map[Ref]string{}
			add := func(name string, r Ref) Ref {
				names[r] = name
				return r
			}
			owned, held := add("O", newLeaf(th)), add("H", newLeaf(th))
			frozenList := []Ref{held, held}
			th.SetName("t")
			th.Hold(&frozenList)
			th.IncRef(held)
			must0(t, th.Scope(func(s *Scope) {
				s.Own(owned, nil)
				th.IncRef(held)
				wantLines(t, texts(must(th.Paths(owned)), names), `a scope of `+th.name()+` → leaf O`)
				wantLines(t, texts(must(th.Paths(held)), names), `a call in progress on `+th.name()+` (2 counts) → leaf H`, "Go code → leaf H")
				if p := must(th.Paths(held)); p[0].History != "" || (p[1].History != "") != o.Checked {
					t.Errorf("histories %q and %q", p[0].History, p[1].History)
				}
			}))
			th.Unhold(&frozenList)
			th.DecRefs([]Ref{held, held, held})
			if o.Mode == LockFree {
				testRetiredRoots(t, th)
			}
		})
	})
}

// What has been retired is alive until its grace period is over, and the memory of what has died
// is no object.
func testRetiredRoots(t *testing.T, th *Thread) {
	node, leaf := newNode(th, Nil), newLeaf(th)
	setSlot(th, node, 0, leaf)
	setSlot(th, node, 0, Nil) // retires the leaf, with the world's other thread attached
	th.DecRef(leaf)
	weak := newLeaf(th)
	th.SetWeak(weak)
	th.DecRef(weak) // its memory waits
	var snapshot *HeapSnapshot
	raw := th.copyHeap()
	snapshot = must(newHeapSnapshot(raw))
	wantLines(t, texts(snapshot.Paths(leaf, 9), map[Ref]string{leaf: "L"}), "the grace period of what "+th.name()+" has retired → leaf L")
	if snapshot.Paths(weak, 9) != nil {
		t.Error("the memory of a dead object is in the snapshot")
	}
	th.DecRef(node)
}

// For each mortal object, edges, roots and excess add up to its count.
func TestSnapshotEquation(t *testing.T) {
	aloneInModes(t, func(t *testing.T, o Options) {
		clean(t, o, func(t *testing.T, th *Thread) {
			shared := newLeaf(th)
			th.IncRef(shared)
			ring := newNode(th, Nil, shared, shared)
			setSlot(th, ring, 0, ring)
			th.DecRef(ring) // garbage, but for a collection to find
			kept := newNode(th, newBox(th, newLeaf(th)))
			s := must(th.HeapSnapshot())
			wantLines(t, texts(s.Paths(ring, 9), map[Ref]string{ring: "R"}), "a cycle of garbage → node R")
			wantLines(t, texts(s.Paths(shared, 9), map[Ref]string{ring: "R", shared: "S"}), "a cycle of garbage → node R <1> → leaf S")
			for _, x := range s.Types() {
				want := map[string]int64{"leaf": 2, "node": 2, "box": 1}[x.Type]
				if x.Objects != want || x.Retained < x.Bytes {
					t.Errorf("%+v, want %d objects", x, want)
				}
			}
			stats := th.ReadStats()
			var bytes int64
			for _, x := range s.Types() {
				bytes += x.Bytes
			}
			if m := stats.Memory; s.Objects() != int(m.Objects) || bytes != m.ObjectBytes+m.BlockBytes {
				t.Errorf("%d objects in %d bytes, want %+v", s.Objects(), bytes, m)
			}
			th.Collect()
			th.DecRef(kept)
		})
	})
}

// Objects that are immortal in place, by address, or frozen are in the snapshot. Regions lie
// among each other in memory, and a frozen graph is one object.
func TestSnapshotOfImmortals(t *testing.T) {
	aloneInModes(t, func(t *testing.T, o Options) {
		clean(t, o, func(t *testing.T, th *Thread) {
			var lists [3]Ref
			for i := range lists {
				must0(t, th.Immortally(func() error {
					for range 9000 { // two spans and more
						lists[i] = newNode(th, lists[i])
					}
					return nil
				}))
			}
			inPlace := newNode(th, newLeaf(th), lists[0])
			must0(t, th.Immortalize(inPlace))
			s := must(th.HeapSnapshot())
			if want := 3*9000 + 2; s.Objects() != want {
				t.Errorf("%d objects, want %d", s.Objects(), want)
			}
			wantLines(t, texts(s.Paths(lists[0], 9), map[Ref]string{lists[0]: "L", inPlace: "I"}), "immortality → node L", "immortality → node I <1> → node L")
			wantLines(t, texts(s.Paths(lists[1], 9), map[Ref]string{lists[1]: "L"}), "immortality → node L")
			if got, all := s.Retained(lists[2]), th.rt.Memory().RegionBytes; got != all/3 {
				t.Errorf("a list retains %d bytes, of %d", got, all)
			}
			sticky := newLeaf(th)
			h := th.header(sticky)
			local, count := h.Local(), header.SharedCount(h.Shared())
			h.SetCounts(local, 1<<27+1<<26)
			s = must(th.HeapSnapshot())
			wantLines(t, texts(s.Paths(sticky, 9), map[Ref]string{sticky: "S"}), "Go code → leaf S")
			if s.g.Flags[s.find(sticky)] != heapgraph.Sticky {
				t.Error("a sticky count is not marked")
			}
			h.SetCounts(local, count)
			th.DecRef(sticky)
		})
	})
}

// What a mortal retains is what is freed with it, which leaves out the immortals that only it
// leads to, and what these hold.
func TestRetainedIsFreed(t *testing.T) {
	aloneInModes(t, func(t *testing.T, o Options) {
		clean(t, o, func(t *testing.T, th *Thread) {
			inner := newNode(th, newLeaf(th)) // steals the leaf
			must0(t, th.Immortalize(inner))
			outer := newNode(th, inner, Nil)
			must0(t, th.Immortalize(outer))
			mortal := newLeaf(th)
			setSlot(th, inner, 0, mortal)
			th.DecRef(mortal)
			var born Ref
			must0(t, th.Immortally(func() error {
				born = newNode(th, Nil)
				return nil
			}))
			kept := newNode(th, outer, born, newBox(th, newLeaf(th)), Nil)
			setSlot(th, kept, 3, kept)
			s := must(th.HeapSnapshot())
			before := th.ReadStats().Memory
			th.DecRef(kept)
			th.Collect()
			after := th.ReadStats().Memory
			freed := before.ObjectBytes + before.BlockBytes - after.ObjectBytes - after.BlockBytes
			if got := s.Retained(kept); !o.Checked && got != freed || got == 0 { // checked mode keeps freed memory in quarantine
				t.Errorf("it retains %d bytes, and %d were freed", got, freed)
			}
			if s.Retained(outer) <= s.Retained(inner) {
				t.Errorf("the outer immortal retains %d bytes, the inner one %d", s.Retained(outer), s.Retained(inner))
			}
		})
	})
}

// The sizes of all objects add up to the memory in use, whatever the objects are and wherever they
// lie. Types come in descending order of bytes, and only if they have objects.
func TestSnapshotSizes(t *testing.T) {
	aloneInModes(t, func(t *testing.T, o Options) {
		clean(t, o, func(t *testing.T, th *Thread) {
			large, _, err := th.New(leafType, 1<<20)
			must0(t, err)
			pair := newTwin(th, 1, None, None)
			frozen := must(th.Freeze(pair))
			made := []Ref{newBox(th, newLeaf(th)), newNode(th, frozen.Root(), None), must(th.newFloat(1.5, 0)), large, pair}
			must0(t, th.Immortally(func() error {
				_ = newNode(th, newBox(th, newBox(th, newLeaf(th))))
				return nil
			}))
			m, s := th.ReadStats().Memory, must(th.HeapSnapshot())
			var objects, bytes int64
			types := s.Types()
			for _, x := range types {
				objects, bytes = objects+x.Objects, bytes+x.Bytes
				if x.Objects == 0 {
					t.Errorf("no object has the type %s", x.Type)
				}
			}
			if want := m.ObjectBytes + m.BlockBytes + m.RegionBytes + m.FrozenBytes; bytes != want || objects != int64(s.Objects()) || objects != int64(len(made)+1)+4+1 {
				t.Errorf("%d objects of %d bytes, want %d of %d: %+v", objects, bytes, s.Objects(), want, types)
			}
			if !slices.IsSortedFunc(types, func(a, b HeapType) int { return int(b.Bytes - a.Bytes) }) || types[0].Type != "leaf" {
				t.Errorf("in no order: %+v", types)
			}
			th.DecRefs(made)
			must0(t, th.Unload(frozen))
		})
	})
}

// Slots are numbered as the type visits them, whatever is in those before.
func TestSlotNumbers(t *testing.T) {
	clean(t, Options{Mode: LockFree}, func(t *testing.T, th *Thread) {
		for want, slots := range map[int][]Ref{0: {}, 1: {Nil}, 2: {None, Nil}, 3: {Nil, True, None}} {
			for _, holder := range []func(*Thread, ...Ref) Ref{newNode, newWide} {
				leaf := newLeaf(th)
				th.SetWeak(leaf) // which is no reason to leave it out
				from := holder(th, append(slices.Clone(slots), leaf)...)
				if want != 2 { // there is a word behind the last slot
					th.Body(from).SetRef(1+want+1, leaf)
				}
				s := must(th.HeapSnapshot())
				if n := len(s.g.Sources(s.find(leaf))); n != 1 {
					t.Errorf("%d slots lead to the leaf", n)
				}
				wantLines(t, texts(s.Paths(leaf, 9), map[Ref]string{leaf: "L", from: "H"}), fmt.Sprintf("Go code → %s H <%d> → leaf L", th.TypeOf(from), want))
				th.DecRef(from)
			}
		}
	})
}

// There are no more answers than asked for, and those that matter most come first.
func TestMostAnswers(t *testing.T) {
	clean(t, Options{Mode: LockFree}, func(t *testing.T, th *Thread) {
		leaf, twice := newLeaf(th), newLeaf(th)
		th.IncRef(twice)
		const n = maxPaths + 2
		var boxes []Ref
		for range n {
			th.IncRef(leaf)
			boxes = append(boxes, newBox(th, leaf))
		}
		th.DecRef(leaf)
		s := must(th.HeapSnapshot())
		for most, want := range map[int]int{0: 0, 1: 1, n - 1: n - 1, n: n, n + 2: n + 1} {
			if got := s.HeldByCode(most); len(got) != want || want > 0 && (got[0].Ref != twice || got[0].Count != 2) {
				t.Errorf("%d held by code, asked for %d: %+v", len(got), most, got)
			}
			if got := s.Paths(leaf, most); len(got) != min(most, n) {
				t.Errorf("%d paths, asked for %d: %v", len(got), most, got)
			}
		}
		if got := must(th.Paths(leaf)); len(got) != maxPaths {
			t.Errorf("%d paths", len(got))
		}
		th.DecRefs(append(boxes, twice, twice))
	})
}

// A snapshot says how its runtime counts.
func TestSnapshotMode(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		o.Name = "it"
		clean(t, o, func(t *testing.T, th *Thread) {
			began := time.Now()
			s := must(th.HeapSnapshot())
			want := o.Mode.String()
			if o.Mode != GIL {
				want += ", " + o.Counting.String()
			}
			if got := s.String(); got != fmt.Sprintf("heap snapshot of 0 objects of runtime \"it\" (%s)", want) {
				t.Error(got)
			}
			if taken := s.raw.Taken; taken.Before(began) || taken.After(time.Now()) || s.Stopped() <= 0 || s.Stopped() > time.Since(began) {
				t.Errorf("taken %s, stopped for %s", taken, s.Stopped())
			}
		})
	})
}

// A snapshot is the same after writing and reading it.
func TestSnapshotFile(t *testing.T) {
	clean(t, Options{Mode: LockFree, Name: "written"}, func(t *testing.T, th *Thread) {
		node := newNode(th, Nil, newLeaf(th))
		s := must(th.HeapSnapshot())
		var one, two bytes.Buffer
		if n := must(s.WriteTo(&one)); n != int64(one.Len()) {
			t.Errorf("%d bytes, and %d were counted", one.Len(), n)
		}
		must0(t, th.WriteHeapSnapshot(&two))
		for _, b := range []*bytes.Buffer{&one, &two} {
			got := must(ReadHeapSnapshot(b))
			if got.String() != `heap snapshot of 2 objects of runtime "written" (lockfree, atomic)` || fmt.Sprint(got.Types()) != fmt.Sprint(s.Types()) ||
				fmt.Sprint(got.Paths(node, 9)) != fmt.Sprint(s.Paths(node, 9)) || got.Stopped() <= 0 {
				t.Errorf("read %s, want %s", got, s)
			}
		}
		if _, err := ReadHeapSnapshot(strings.NewReader("{}")); err == nil || err.Error() != "ichor: heap snapshot: not a heap snapshot: it does not begin with ICHORHEAP" {
			t.Error(err)
		}
		var bad bytes.Buffer
		must((&heapfile.Snapshot{Chunks: [][]byte{{0x80}}}).WriteTo(&bad))
		if _, err := ReadHeapSnapshot(&bad); err == nil || err.Error() != "ichor: heap snapshot: chunk 0: byte 0: a record is cut short" {
			t.Error(err)
		}
		if err := th.WriteHeapSnapshot(full{}); err != errFull {
			t.Error(err)
		}
		if _, err := s.WriteTo(full{}); err != errFull {
			t.Error(err)
		}
		th.DecRef(node)
		th.Blocking(func() {
			if err := th.rt.WriteHeapSnapshot(full{}); err != errFull {
				t.Error(err)
			}
		})
	})
}

// full is a writer that has no room.
type full struct{}

var errFull = errors.New("full")

func (full) Write([]byte) (int, error) { return 0, errFull }
