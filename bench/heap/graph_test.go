package heap

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ichor-go/ichor/internal/heapfile"
	"github.com/ichor-go/ichor/internal/heapgraph"
	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// heapOf returns a view of a graph whose nodes have these edges.
func heapOf(edges ...[]heapgraph.Node) *view {
	g := &heapgraph.Graph{Names: []string{"Even", "odd"}, First: []uint32{0}, Holders: []heapgraph.Holder{{Kind: heapgraph.Scope, Name: "a scope"}, {Kind: heapgraph.Queued, Name: "a queue"}}}
	for i, to := range edges {
		g.Handles = append(g.Handles, uint32(0x100+8*i))
		g.Kinds = append(g.Kinds, uint16(i%2))
		g.Sizes = append(g.Sizes, uint32(1+i%7))
		g.Counts = append(g.Counts, 0)
		g.Flags = append(g.Flags, 0)
		g.To = append(g.To, to...)
		g.First = append(g.First, uint32(len(g.To)))
	}
	return &view{name: "made", raw: &heapfile.Snapshot{}, g: g}
}

// randomHeap returns a view of a graph with edges that lead to no node, and with holders of all
// kinds.
func randomHeap(rnd *rand.Rand) *view {
	n := 1 + rnd.IntN(12)
	edges := make([][]heapgraph.Node, n)
	for i := range edges {
		for range rnd.IntN(4) {
			to := heapgraph.Node(rnd.IntN(n))
			if rnd.IntN(3) == 0 {
				to = heapgraph.None
			}
			edges[i] = append(edges[i], to)
		}
	}
	v := heapOf(edges...)
	for i := range n {
		v.g.Counts[i] = uint32(rnd.IntN(8))
		v.g.Flags[i] = []uint8{0, 0, 0, heapgraph.Immortal, heapgraph.Immortal | heapgraph.Frozen, heapgraph.Sticky}[rnd.IntN(6)]
	}
	for range rnd.IntN(4) {
		v.g.Roots = append(v.g.Roots, heapgraph.Root{Holder: rnd.IntN(2), Node: heapgraph.Node(rnd.IntN(n))})
	}
	return v
}

// A file for Chrome has the root, a node for each kind of holder, and all objects, with their sizes
// and the numbers of their slots.
func TestExportIsTheGraph(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	for range 100 {
		v := randomHeap(rnd)
		var file bytes.Buffer
		if err := export(&file, v); err != nil {
			t.Fatal(err)
		}
		var x struct {
			Snapshot struct {
				Meta struct {
					NodeTypes []any `json:"node_types"`
					EdgeTypes []any `json:"edge_types"`
				}
			}
			Nodes, Edges []int
			Strings      []string
		}
		if err := json.Unmarshal(file.Bytes(), &x); err != nil {
			t.Fatal(err)
		}
		label := func(node int) string {
			id := x.Nodes[node+2]
			for _, h := range v.g.Handles {
				if exportID(h) == uint64(id) {
					return fmt.Sprintf("%s %#x", x.Strings[x.Nodes[node+1]], h)
				}
			}
			return x.Strings[x.Nodes[node+1]]
		}
		var got, want []string
		edges := x.Edges
		for node := 0; node < len(x.Nodes); node += nodeFields {
			kind := x.Snapshot.Meta.NodeTypes[0].([]any)[x.Nodes[node]]
			got = append(got, fmt.Sprintf("%s is a %s of %d bytes", label(node), kind, x.Nodes[node+3]))
			for range x.Nodes[node+4] {
				kind, name := x.Snapshot.Meta.EdgeTypes[0].([]any)[edges[0]], fmt.Sprint(edges[1])
				if kind == "internal" {
					name = x.Strings[edges[1]]
				}
				got = append(got, fmt.Sprintf("%s has the %s %s: %s", label(node), kind, name, label(edges[2])))
				edges = edges[3:]
			}
		}
		object := func(n heapgraph.Node) string { return fmt.Sprintf("%s %#x", v.g.Name(n), v.g.Handles[n]) }
		want = append(want, "(roots) is a synthetic of 0 bytes")
		entries := map[string]int{}
		for _, e := range v.g.Entries() {
			k := "(" + e.Holder.Kind.String() + ")"
			if entries[k] == 0 {
				want = append(want, "(roots) has the internal "+k+": "+k, k+" is a synthetic of 0 bytes")
			}
			want = append(want, fmt.Sprintf("%s has the element %d: %s", k, entries[k], object(e.Node)))
			entries[k]++
		}
		for n := range heapgraph.Node(v.g.Len()) {
			want = append(want, fmt.Sprintf("%s is a object of %d bytes", object(n), v.g.Bytes(n)))
			for i, to := range v.g.Edges(n) {
				if to != heapgraph.None {
					want = append(want, fmt.Sprintf("%s has the element %d: %s", object(n), i, object(to)))
				}
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) || len(edges) != 0 {
			t.Fatalf("%d numbers are left; got\n%s\nwant\n%s", len(edges), strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// A list keeps the largest nodes, however many it is asked for. Of those of one size it keeps the
// first.
func TestLargest(t *testing.T) {
	rnd := rand.New(rand.NewPCG(2, 2))
	for range 500 {
		sizes := make([]int64, rnd.IntN(12))
		all := make([]heapgraph.Node, len(sizes))
		for i := range sizes {
			sizes[i], all[i] = rnd.Int64N(6), heapgraph.Node(i)
		}
		x := largest{most: rnd.IntN(8), size: func(n heapgraph.Node) int64 { return sizes[n] }}
		for _, i := range rnd.Perm(len(sizes)) {
			x.add(all[i])
		}
		slices.SortStableFunc(all, func(a, b heapgraph.Node) int { return int(sizes[b] - sizes[a]) })
		if got, want := x.sorted(), all[:min(x.most, len(all))]; !slices.Equal(got, want) {
			t.Fatalf("the %d largest of %d are %d, want %d", x.most, sizes, got, want)
		}
	}
}

// A search takes no notice of the case, and finds the largest objects first: by their own bytes, and
// by what they retain when that is known.
func TestSearch(t *testing.T) {
	v := heapOf([]heapgraph.Node{5}, nil, nil, nil, nil, nil) // in granules: 1, 2, 3, 4, 5, 6
	for _, known := range []bool{false, true} {
		want := "0x00000120 0x00000110 0x00000100"
		if known {
			v.prepare()
			want = "0x00000100 0x00000120 0x00000110"
		}
		for _, text := range []string{"even", "EVEN", "ve"} {
			var refs []string
			for _, o := range v.search(text, 9) {
				refs = append(refs, o.Ref)
			}
			if got := strings.Join(refs, " "); got != want {
				t.Errorf("%s, known: %t: %s, want %s", text, known, got, want)
			}
		}
	}
}

// An answer has no more objects around one than fit on the page, and says how many there are.
func TestManyNeighbours(t *testing.T) {
	const n = 3 * neighbours
	edges := make([][]heapgraph.Node, n)
	for i := range n - 1 {
		edges[i] = append(edges[i], heapgraph.Node(i+1), heapgraph.None) // a chain
		edges[n-1] = append(edges[n-1], n-2)
		edges[0] = append(edges[0], heapgraph.Node(i+1))
	}
	v := heapOf(edges...)
	v.g.Counts[0] = 1
	s := &server{v: v}
	v.prepare()
	h := s.handler(&net.TCPAddr{})
	var o struct {
		Refers, Holders           []object
		RefersTotal, HoldersTotal int
	}
	ask := func(path string, into any) {
		t.Helper()
		code, body := get(t, h, "x", path)
		if err := json.Unmarshal([]byte(body), into); err != nil || code != 200 {
			t.Fatalf("%s: %d, %v", path, code, err)
		}
	}
	ask("/api/object?ref=0x100", &o)
	if len(o.Refers) != neighbours || o.RefersTotal != n+1 {
		t.Errorf("it refers to %d, and %d are shown", o.RefersTotal, len(o.Refers))
	}
	ask("/api/object?ref="+ref(v.g.Handles[n-2]), &o)
	if len(o.Holders) != neighbours || o.HoldersTotal != n+1 || len(o.Refers) != 1 || o.RefersTotal != 2 {
		t.Errorf("%d refer to it, and %d are shown; it refers to %d of %d", o.HoldersTotal, len(o.Holders), len(o.Refers), o.RefersTotal)
	}
	edges[0] = edges[0][:2] // now each is dominated by the one before it
	edges[n-1] = nil
	v = heapOf(edges...)
	v.g.Counts[0] = 1
	s.v = v
	v.prepare()
	for at, want := range map[int]int{0: 1, neighbours - 2: neighbours - 1, neighbours - 1: neighbours, neighbours: neighbours, n - 1: neighbours} {
		var x struct{ Around []object }
		ask("/api/treemap?w=1&h=10000&ref="+ref(v.g.Handles[at]), &x)
		if len(x.Around) != want || x.Around[0].Ref != ref(v.g.Handles[at]) || want > 1 && x.Around[1].Ref != ref(v.g.Handles[at-1]) {
			t.Errorf("%d objects around number %d, want %d: %+v", len(x.Around), at, want, x.Around)
		}
	}
	if code, _ := get(t, h, "x", "/api/treemap?w=10001&h=1"); code != 400 {
		t.Errorf("a side that is too long: status %d", code)
	}
}

// A treemap has at most so many tiles, for objects and for the rest of each type.
func TestManyTiles(t *testing.T) {
	v := heapOf(make([][]heapgraph.Node, objectTiles+2*typeTiles)...)
	v.g.Names = nil
	for i := range v.g.Kinds {
		v.g.Kinds[i] = uint16(i)
		v.g.Names = append(v.g.Names, fmt.Sprint("type ", i))
		v.g.Counts[i] = 1
	}
	tiles := v.treemap(heapgraph.None, 100, 100)
	if len(tiles) != objectTiles+typeTiles || tiles[0].Bytes != 7*heapgraph.Granule || !slices.IsSortedFunc(tiles, func(a, b tile) int { return int(b.Bytes - a.Bytes) }) {
		t.Errorf("%d tiles, the first %+v", len(tiles), tiles[0])
	}
	for i, x := range tiles[:objectTiles] {
		if x.Ref == "" && x.Bytes != tiles[objectTiles].Bytes {
			t.Errorf("tile %d is for the rest of a type, and larger than some for an object: %+v", i, x)
		}
	}
}

// fullAfter is a writer that fails once, after so many bytes.
type fullAfter struct{ room int }

var errFull = errors.New("full")

func (w *fullAfter) Write(b []byte) (int, error) {
	if w.room -= len(b); w.room < 0 {
		w.room = 1 << 30
		return 0, errFull
	}
	return len(b), nil
}

// What cannot be printed is an error, wherever the output breaks off. A table has no more lines than
// asked for.
func TestOutputThatBreaksOff(t *testing.T) {
	v := heapOf([]heapgraph.Node{1}, nil, []heapgraph.Node{1})
	v.g.Counts[0], v.g.Counts[1], v.g.Counts[2] = 2, 3, 5
	v.g.Roots = []heapgraph.Root{{Holder: 0, Node: 1}}
	v.raw.Notes = map[uint32]string{0x100: "taken there", 0x108: "no count of Go code", 0x110: "taken elsewhere"}
	for name, print := range map[string]func(w io.Writer, most int) error{
		"top":        func(w io.Writer, most int) error { return printTop(w, v, most) },
		"paths":      func(w io.Writer, most int) error { return printPaths(w, v, "0x108", most) },
		"difference": func(w io.Writer, most int) error { return printDifference(w, []*view{heapOf(nil), v}, most) },
		"export":     func(w io.Writer, _ int) error { return export(w, v) },
	} {
		var all strings.Builder
		if err := print(&all, 9); err != nil {
			t.Fatal(err)
		}
		for room := range all.Len() {
			if err := print(&fullAfter{room}, 9); err != errFull {
				t.Errorf("%s: after %d of %d bytes: %v", name, room, all.Len(), err)
				break
			}
		}
		var few strings.Builder
		if err := print(&few, 1); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(all.String(), v.raw.Notes[0x108]) {
			t.Errorf("%s: the history of a count that a scope owns: %s", name, all.String())
		}
		lines := map[string][2]int{"top": {9, 7}, "paths": {6, 2}, "difference": {6, 5}, "export": {}}[name]
		if got := [2]int{strings.Count(all.String(), "\n"), strings.Count(few.String(), "\n")}; got != lines && name != "export" {
			t.Errorf("%s: %d lines, want %d, in\n%s\n%s", name, got, lines, all.String(), few.String())
		}
	}
}

// In checked mode, paths and counts that code holds have a history.
func TestHistories(t *testing.T) {
	r := must(rt.New(rt.Options{Mode: rt.LockFree, Checked: true}))
	var leaked rt.Ref
	var file bytes.Buffer
	err := r.Do(func(th *rt.Thread) error {
		inner := must(objects.NewTuple(th, rt.None))
		leaked = must(objects.NewTuple(th, inner))
		th.DecRef(inner)
		return th.WriteHeapSnapshot(&file)
	})
	if err == nil {
		err = r.Do(func(th *rt.Thread) error {
			th.DecRef(leaked)
			return nil
		})
	}
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	name := t.TempDir() + "/heap"
	if err := os.WriteFile(name, file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	v := must(open(name))
	if held := v.heldByCode(9); len(held) != 1 || !strings.Contains(held[0].History, "TestHistories") {
		t.Errorf("%+v", held)
	}
	inner := v.g.Edges(must(v.find(ref(uint32(leaked.Handle)))))[0]
	paths := v.paths(inner, 9)
	var out strings.Builder
	if err := printPaths(&out, v, ref(v.g.Handles[inner]), 9); err != nil || len(paths) != 1 || paths[0].History != v.heldByCode(9)[0].History || !strings.Contains(out.String(), "\n"+paths[0].History+"\n") {
		t.Errorf("%v; paths %+v, printed\n%s", err, paths, out.String())
	}
}

// Only what is there is printed: types with objects, and counts that code holds.
func TestNothingHeld(t *testing.T) {
	v := heapOf(nil)
	var out strings.Builder
	if err := printTop(&out, v, 9); err != nil || strings.Contains(out.String(), "held by Go code") || strings.Contains(out.String(), "odd") {
		t.Errorf("%v, %s", err, out.String())
	}
	if !strings.HasPrefix(out.String(), "made: 1 objects in 16 bytes with 0 references, ") || !strings.HasSuffix(out.String(), "16        1        16  Even\n") {
		t.Errorf("%q", out.String())
	}
}
