package heapfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"
	"pgregory.net/rapid"

	"github.com/ichor-go/ichor/internal/heapgraph"
)

// object is what a test records.
type object struct {
	handle, kind, granules uint32
	flags                  uint8
	count                  int64
	refs                   bool
	slots                  []uint32 // handles, or 0 for no object
}

// save records objects in chunks of any number, last ones first.
func save(objects []object, cutBefore func(i int) bool) [][]byte {
	var w Recorder
	for i, x := range objects {
		if cutBefore(i) {
			w.Cut()
		}
		w.Object(x.handle, x.kind, x.flags, x.granules, x.count, x.refs)
		if x.refs {
			for _, to := range x.slots {
				if to == 0 {
					w.Other()
				} else {
					w.Slot(to)
				}
			}
			w.End()
		}
	}
	chunks := w.Chunks()
	slices.Reverse(chunks)
	return chunks
}

func drawObjects(t *rapid.T) (objects []object) {
	handle := uint64(0)
	for range rapid.IntRange(1, 20).Draw(t, "objects") {
		handle += uint64(rapid.SampledFrom([]uint32{1, 2, 100, 4096, 1 << 24, 1 << 29}).Draw(t, "gap"))
		if handle >= maxHandle {
			break
		}
		x := object{handle: uint32(handle), kind: uint32(rapid.IntRange(0, 2).Draw(t, "kind")) * 1000, granules: rapid.Uint32Range(1, 1<<20).Draw(t, "size")}
		x.flags = rapid.SampledFrom([]uint8{0, 0, heapgraph.Sticky, heapgraph.Immortal}).Draw(t, "flags")
		if x.flags&heapgraph.Immortal == 0 {
			x.count = rapid.Int64Range(0, 300).Draw(t, "count")
		}
		x.refs = rapid.Bool().Draw(t, "refs")
		objects = append(objects, x)
	}
	for i := range objects {
		if objects[i].refs {
			for range rapid.IntRange(0, 5).Draw(t, "slots") {
				to := rapid.IntRange(-1, len(objects)-1).Draw(t, "slot")
				if to < 0 {
					objects[i].slots = append(objects[i].slots, 0)
				} else {
					objects[i].slots = append(objects[i].slots, objects[to].handle)
				}
			}
		}
	}
	return objects
}

func someTables() Tables {
	return Tables{
		Runtime: "test", Mode: "gil", Taken: time.Unix(1, 2).UTC(), Stopped: 3,
		Kinds: []Kind{{0, "frozen graph"}, {1000, "a"}, {2000, "b\x00"}},
		Notes: map[uint32]string{5: "note"},
	}
}

// What was recorded, in any number of chunks, is in the graph: after writing and reading, too.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		objects := drawObjects(t)
		s := &Snapshot{Tables: someTables(), Chunks: save(objects, func(int) bool { return rapid.Bool().Draw(t, "cut") })}
		s.Holders = []Holder{{heapgraph.Retired, "none", nil}, {heapgraph.Call, "h", []uint32{objects[0].handle, maxHandle - 1}}}
		var b bytes.Buffer
		if n, err := s.WriteTo(&b); err != nil || n != int64(b.Len()) {
			t.Fatalf("%d bytes, %v", n, err)
		}
		got, err := Read(&b)
		if err != nil || !reflect.DeepEqual(got, s) {
			t.Fatalf("%v, read %+v, want %+v", err, got, s)
		}
		g, err := got.Graph()
		if err != nil {
			t.Fatal(err)
		}
		node := map[uint32]heapgraph.Node{}
		for i, x := range objects {
			node[x.handle] = heapgraph.Node(i)
		}
		if g.Len() != len(objects) || fmt.Sprint(g.Roots) != "[{1 0}]" || g.Holders[1].Name != "h" || g.Holders[1].Kind != heapgraph.Call {
			t.Fatalf("%d nodes, roots %v of %v", g.Len(), g.Roots, g.Holders)
		}
		for i, x := range objects {
			n := heapgraph.Node(i)
			if path := g.Edges(n); len(path) > 0 {
				slots := got.Slots(g, []heapgraph.Node{n, path[0]})
				if len(slots) != 1 || node[x.slots[slots[0]]] != path[0] {
					t.Fatalf("object %#x refers to node %d in slot %v", x.handle, path[0], slots)
				}
			}
			var edges []heapgraph.Node
			for at, to := range x.slots {
				if to == 0 {
					continue
				}
				edges = append(edges, node[to])
				if slot, ok := got.slotTo(x.handle, func(h uint32) bool { return h == to }); !ok || x.slots[slot] != to || slot > uint64(at) {
					t.Fatalf("object %#x refers to %#x in slot %d, %t", x.handle, to, slot, ok)
				}
			}
			if g.Handles[n] != x.handle || g.Sizes[n] != x.granules || int64(g.Counts[n]) != x.count || g.Flags[n] != x.flags ||
				g.Name(n) != s.Kinds[x.kind/1000].Name || !slices.Equal(g.Edges(n), edges) {
				t.Fatalf("node %d is not %+v", n, x)
			}
			if _, ok := got.slotTo(x.handle, func(h uint32) bool { return h == maxHandle }); ok {
				t.Fatal("a slot to nothing was found")
			}
		}
	})
}

// A reference into a frozen graph leads to its node, one to nothing leads to no node, and counts
// that fit no column are as near as they can be.
func TestEdges(t *testing.T) {
	s := &Snapshot{Tables: someTables(), Chunks: save([]object{
		{handle: 2, kind: 1000, granules: 1, count: -3, refs: true, slots: []uint32{0xA000_0005, 7, 2, 0xA000_0009}},
		{handle: 4, kind: 1000, granules: 1, count: 1 << 40},
		{handle: 0xA000_0002, granules: 5, flags: heapgraph.Immortal | heapgraph.Frozen},
	}, func(int) bool { return false })}
	g, err := s.Graph()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := g.Edges(0), []heapgraph.Node{2, heapgraph.None, 0, heapgraph.None}; !slices.Equal(got, want) {
		t.Errorf("edges %v, want %v", got, want)
	}
	if !slices.Equal(g.Counts, []uint32{0, 1<<32 - 1, 0}) {
		t.Errorf("counts %v", g.Counts)
	}
}

// A chunk ends when it is full. Objects with many slots make it longer.
func TestChunks(t *testing.T) {
	taken := 0
	w := Recorder{Buffers: func() []byte { taken++; return make([]byte, 0, BufferBytes) }}
	for i := range uint32(100_000) {
		w.Object(2*i+2, 1000, 0, 1, 1, i%10_000 == 0)
		if i%10_000 == 0 {
			for k := range uint32(100_000) {
				w.Slot(2*(k%1000) + 2)
			}
			w.End()
		}
	}
	s := &Snapshot{Tables: someTables(), Chunks: w.Chunks()}
	g, err := s.Graph()
	if err != nil || g.Len() != 100_000 || len(g.To) != 1_000_000 || taken != len(s.Chunks) || taken < 8 || taken > 20 {
		t.Errorf("%v, %d chunks with %d objects and %d edges in %d buffers", err, len(s.Chunks), g.Len(), len(g.To), taken)
	}
}

// Records that break a rule are refused.
func TestBadRecords(t *testing.T) {
	good := save([]object{{handle: 8, kind: 1000, granules: 1, count: 1, refs: true, slots: []uint32{8}}}, func(int) bool { return false })[0]
	for want, chunk := range map[string][]byte{
		"there is no object in it":          {},
		"byte 1: a record is cut short":     good[:2],
		"byte 0: a record is cut short":     {0x80},
		"byte 6: a record is cut short":     good[:len(good)-1],
		"byte 6: a number is out of range":  append(slices.Clone(good[:5]), 17, 0),                                 // 8 places before the object: handle 0
		"byte 1: a number is out of range":  {0},                                                                   // two objects at one place
		"byte 3: a number is out of range":  {8, 0, 0, 0},                                                          // no size
		"byte 7: a number is out of range":  append(slices.Clone(good[:5]), 1, 1, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1), // slots
		"object 0x8 has the unknown type 5": save([]object{{handle: 8, kind: 5, granules: 1}}, func(int) bool { return false })[0],
	} {
		s := &Snapshot{Tables: someTables(), Chunks: [][]byte{chunk}}
		if _, err := s.Graph(); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%v gives %v, want %q", chunk, err, want)
		}
	}
	s := &Snapshot{Tables: someTables(), Chunks: [][]byte{good, good}}
	if _, err := s.Graph(); err == nil || err.Error() != "two chunks have objects at 0x8" {
		t.Error(err)
	}
	s = &Snapshot{Tables: Tables{Kinds: []Kind{{1, "a"}, {1, "b"}}}}
	if _, err := s.Graph(); err == nil || err.Error() != "two types have the number 1" {
		t.Error(err)
	}
}

func file(t testing.TB) []byte {
	s := &Snapshot{Tables: someTables(), Chunks: save([]object{
		{handle: 8, kind: 1000, granules: 1, count: 1, refs: true, slots: []uint32{8, 0, 400}}, {handle: 400, kind: 2000, granules: 1000, count: 2},
	}, func(int) bool { return true })}
	var b bytes.Buffer
	if _, err := s.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Every file that ends early, has a flipped bit, or goes on after its end is refused.
func TestDamage(t *testing.T) {
	good := file(t)
	if _, err := Read(bytes.NewReader(good)); err != nil {
		t.Fatal(err)
	}
	for n := range good {
		if _, err := Read(bytes.NewReader(good[:n])); err == nil || n > len(magic) && !strings.HasPrefix(err.Error(), "cut short") {
			t.Errorf("the first %d of %d bytes: %v", n, len(good), err)
		}
		for bit := range 8 {
			bad := slices.Clone(good)
			bad[n] ^= 1 << bit
			if _, err := Read(bytes.NewReader(bad)); err == nil {
				t.Errorf("bit %d of byte %d is flipped, and nobody notices", bit, n)
			}
		}
	}
	for want, bad := range map[string][]byte{
		"there are bytes after the end":                                    append(slices.Clone(good), 0),
		"not a heap snapshot: it does not begin with ICHORHEAP":            []byte("{\"snapshot\":{}}"),
		"format version 2, this program knows version 1":                   []byte("ICHORHEAP\x02"),
		"section 0: the tables are not where they should be":               sealed([]byte("ICHORHEAP\x01"), 'C', "x"),
		"section 0: unknown kind 'X'":                                      sealed([]byte("ICHORHEAP\x01"), 'X', "x"),
		"section 1: the tables are not where they should be":               sealed(sealed([]byte("ICHORHEAP\x01"), 'T', "{}"), 'T', "{}"),
		"0 chunks, want 1":                                                 sealed(sealed([]byte("ICHORHEAP\x01"), 'T', "{}"), 'E', "\x01"),
		"the tables: invalid character 'x' looking for beginning of value": sealed([]byte("ICHORHEAP\x01"), 'T', "x"),
	} {
		if _, err := Read(bytes.NewReader(bad)); err == nil || err.Error() != want {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// sealed appends a section with the right checksum.
func sealed(b []byte, kind byte, contents string) []byte {
	section := append([]byte{kind, byte(len(contents))}, contents...)
	return binary.LittleEndian.AppendUint64(append(b, section...), xxhash.Sum64(section))
}

// A writer that fails ends the writing with its error.
func TestWriteFails(t *testing.T) {
	s, err := Read(bytes.NewReader(file(t)))
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(file(t)) - 1 {
		w := &short{left: n}
		if done, err := s.WriteTo(w); !errors.Is(err, errShort) || done != int64(n) {
			t.Fatalf("after %d bytes: %d, %v", n, done, err)
		}
	}
}

var errShort = errors.New("full")

type short struct{ left int }

func (w *short) Write(b []byte) (int, error) {
	n := min(len(b), w.left)
	if w.left -= n; n < len(b) {
		return n, errShort
	}
	return n, nil
}

// FuzzRead reads any bytes, with the right checksums around the first chunk, and asks everything
// of a graph that passes.
func FuzzRead(f *testing.F) {
	f.Add(file(f), []byte{8, 0x88, 0x7d, 1, 1, 2, 0})
	f.Add([]byte("ICHORHEAP\x01T\x02{}"), []byte{1, 0, 0, 0})
	f.Fuzz(func(t *testing.T, bytesOfFile, chunk []byte) {
		snapshots := []*Snapshot{{Tables: someTables(), Chunks: [][]byte{chunk}}}
		if s, err := Read(bytes.NewReader(bytesOfFile)); err == nil {
			snapshots = append(snapshots, s)
		}
		for _, s := range snapshots {
			g, err := s.Graph()
			if err != nil || g.Len() == 0 {
				continue
			}
			last := heapgraph.Node(g.Len() - 1)
			if len(g.Paths(last, 3)) == 0 || len(g.Tree().Dominator) != g.Len() || len(g.Sums(true)) != len(s.Kinds) {
				t.Errorf("a graph without answers: %+v", g)
			}
			for _, to := range g.Edges(0) {
				if _, ok := s.slotTo(g.Handles[0], func(h uint32) bool { return g.Find(h) == to }); !ok {
					t.Errorf("no slot leads to node %d", to)
				}
			}
		}
	})
}
