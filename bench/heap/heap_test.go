package heap

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ichor-go/ichor/bench/experiment/command"
	"github.com/ichor-go/ichor/bench/internal/benchtest"
	"github.com/ichor-go/ichor/internal/heapfile"
	"github.com/ichor-go/ichor/internal/heapgraph"
	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// call runs the command and returns its exit code and what it wrote.
func call(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	var c struct {
		Heap Flags `cmd:""`
	}
	return benchtest.Call(ctx, &c, func(_ string, stdout, _ io.Writer) error { return Run(ctx, &c.Heap, stdout) }, append([]string{"heap"}, args...)...)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// snapshots writes two snapshots of one heap. In between, a list that a dict holds gets a thousand
// tuples, and a program has forgotten to give up the dict. leaked is the dict's reference, item
// that of the last tuple.
func snapshots(t *testing.T) (before, after, leaked, item string) {
	t.Helper()
	r := must(rt.New(rt.Options{Mode: rt.LockFree, Name: "tried"}))
	dir := t.TempDir()
	write := func(name string) string {
		f := must(os.Create(filepath.Join(dir, name)))
		if err := errors.Join(r.WriteHeapSnapshot(f), f.Close()); err != nil {
			t.Fatal(err)
		}
		return f.Name()
	}
	var dict rt.Ref
	var list objects.List
	err := r.Do(func(th *rt.Thread) error {
		d := must(objects.NewDict(th))
		dict = d
		return th.Scope(func(s *rt.Scope) {
			list = rt.Own(objects.NewList(th)).In(s)
			s.Check(d.Set(th, s.Own(objects.NewString(th, "list")), list))
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	before = write("before.heap")
	var last rt.Ref
	err = r.Do(func(th *rt.Thread) error {
		for i := range int64(1000) {
			v, _ := rt.Int(i)
			last = must(objects.NewTuple(th, v, v))
			if err := list.Append(th, last); err != nil {
				return err
			}
			th.DecRef(last)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	after = write("after.heap")
	err = r.Do(func(th *rt.Thread) error {
		th.DecRef(dict)
		return nil
	})
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	return before, after, fmt.Sprintf("%#08x", uint32(dict.Handle)), fmt.Sprintf("%#08x", uint32(last.Handle))
}

func TestTop(t *testing.T) {
	before, after, leaked, item := snapshots(t)
	code, stdout, stderr := call(t.Context(), "-top", "-n", "2", after)
	lines := strings.Split(stdout, "\n")
	if code != 0 || stderr != "" || len(lines) != 9 || !strings.Contains(lines[0], ": 1003 objects in ") || !strings.Contains(lines[0], `with 1002 references, of runtime "tried" (lockfree, atomic), taken 20`) ||
		strings.Join(strings.Fields(lines[2]), " ") != "bytes objects retained type" || !strings.HasPrefix(strings.Join(strings.Fields(lines[3]), " "), "32000 1000 32000 tuple") ||
		!strings.HasSuffix(lines[4], " list") || !strings.HasSuffix(lines[7], " dict "+leaked) {
		t.Errorf("exit code %d, stderr %q, stdout\n%s", code, stderr, stdout)
	}
	code, stdout, stderr = call(t.Context(), "-top", before, after)
	lines = strings.Split(stdout, "\n")
	if code != 0 || stderr != "" || len(lines) != 7 || strings.Join(strings.Fields(lines[4]), " ") != "0 32000 +32000 +1000 tuple" ||
		!strings.HasSuffix(lines[5], "+0  list") {
		t.Errorf("exit code %d, stderr %q, stdout\n%s", code, stderr, stdout)
	}
	code, stdout, stderr = call(t.Context(), "-paths", item, after)
	if code != 0 || stderr != "" || !strings.HasPrefix(stdout, "tuple "+item+": 32 bytes, retains 32, count 1\n") ||
		!strings.Contains(stdout, "\nGo code → dict "+leaked+" <1> → list 0x") || !strings.HasSuffix(stdout, " <999> → tuple "+item+"\n") {
		t.Errorf("exit code %d, stderr %q, stdout\n%s", code, stderr, stdout)
	}
}

// A snapshot comes from anywhere: nothing in it reaches the terminal as a command.
func TestStrangeNames(t *testing.T) {
	const bad = "a\x1b[2J\r\nb\u202e"
	var rec heapfile.Recorder
	rec.Object(0x1000, 7, 0, 1, 2, false)
	var b bytes.Buffer
	must((&heapfile.Snapshot{
		Tables: heapfile.Tables{
			Runtime: bad, Mode: bad, Kinds: []heapfile.Kind{{ID: 7, Name: bad}}, Notes: map[uint32]string{0x1000: bad + "\nat c"},
			Holders: []heapfile.Holder{{Kind: heapgraph.Scope, Name: bad, Handles: []uint32{0x1000}}},
		},
		Chunks: rec.Chunks(),
	}).WriteTo(&b))
	name := benchtest.Write(t, "strange.heap", b.Bytes())
	_, top, _ := call(t.Context(), "-top", name)
	_, paths, _ := call(t.Context(), "-paths", "0x1000", name)
	for _, text := range []string{top, paths} {
		if strings.ContainsAny(text, "\x1b\r\u202e") || strings.Contains(text, "\nb\u202e") {
			t.Errorf("%q", text)
		}
	}
	if !strings.Contains(paths, "Go code → a\ufffd[2J\ufffd\ufffdb\ufffd 0x00001000\na\ufffd[2J\ufffd\nb\ufffd\nat c\n") || !strings.Contains(paths, "a\ufffd[2J\ufffd\ufffdb\ufffd → ") {
		t.Errorf("paths: %q", paths)
	}
}

// A file may say that holders are of any kind.
func TestUnknownHolder(t *testing.T) {
	for _, kind := range []heapgraph.Kind{heapgraph.Code, heapgraph.Garbage, heapgraph.Garbage + 1, 255} {
		var rec heapfile.Recorder
		rec.Object(0x1000, 7, 0, 1, 2, false)
		var b bytes.Buffer
		must((&heapfile.Snapshot{
			Tables: heapfile.Tables{Kinds: []heapfile.Kind{{ID: 7, Name: "a"}}, Holders: []heapfile.Holder{{Kind: kind, Name: "b", Handles: []uint32{0x1000}}}},
			Chunks: rec.Chunks(),
		}).WriteTo(&b))
		name := benchtest.Write(t, "holder.heap", b.Bytes())
		code, _, stderr := call(t.Context(), "-export", filepath.Join(t.TempDir(), "x.heapsnapshot"), name)
		if want := fmt.Sprintf("holder.heap: holder 0 is of the unknown kind %d\n", kind); code != command.ExitUsage || !strings.HasSuffix(stderr, want) {
			t.Errorf("exit code %d, %q, want %q", code, stderr, want)
		}
	}
}

// A difference has types that are gone, too.
func TestDifference(t *testing.T) {
	list := difference(
		[]typeSum{{Type: "same", Objects: 1, Bytes: 16}, {Type: "gone", Objects: 2, Bytes: 64}, {Type: "less", Objects: 4, Bytes: 80}, {Type: "split", Objects: 1, Bytes: 32}},
		[]typeSum{{Type: "new", Objects: 1, Bytes: 16}, {Type: "same", Objects: 1, Bytes: 16}, {Type: "less", Objects: 1, Bytes: 48}, {Type: "split", Objects: 2, Bytes: 32}})
	var got []string
	for _, x := range list {
		got = append(got, fmt.Sprintf("%s %+d %+d", x.Type, x.Bytes-x.Was.Bytes, x.Objects-x.Was.Objects))
	}
	if s := strings.Join(got, ", "); s != "gone -64 -2, less -32 -3, new +16 +1, split +0 +1" {
		t.Error(s)
	}
}

func TestBadCommandLines(t *testing.T) {
	_, good, _, _ := snapshots(t)
	whole := must(os.ReadFile(good))
	cut := benchtest.Write(t, "cut.heap", whole[:len(whole)-9])
	flipped := bytes.Clone(whole)
	flipped[len(flipped)/2] ^= 1
	bad := benchtest.Write(t, "bad.heap", flipped)
	link := filepath.Join(t.TempDir(), "same.heapsnapshot")
	if err := os.Link(good, link); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{
		"/none":                                "/none: no such file or directory",
		"-top /none":                           "/none: ",
		"-top " + cut:                          "cut.heap: cut short: it ends in section 2",
		"-top " + bad:                          "bad.heap: section 1: it does not match its checksum",
		"-top heap_test.go":                    "heap_test.go: not a heap snapshot: it does not begin with ICHORHEAP",
		"-top .":                               "is a directory",
		"a b c":                                "3 heap snapshots, want one, or two to compare",
		"-top -paths 0x10 a":                   "only one of -top, -paths and -export at a time",
		"-paths 0x10 a b":                      "-paths and -export take one heap snapshot",
		"-export /none/x.heapsnapshot " + good: "-export: write to /none: ",
		"-export x a":                          `-export: "x" does not end in .heapsnapshot, which Chrome wants`,
		"-export " + link + " " + good:         "-export would replace the heap snapshot",
		"-paths x " + good:                     `"x" is not a reference such as 0x00001000`,
		"-paths 0x10 " + good:                  "no object has the reference 0x10",
		"-http :x " + good:                     "unknown port",
		"":                                     "expected \"<files> ...\"",
	} {
		code, stdout, stderr := call(t.Context(), strings.Fields(args)...)
		if code != command.ExitUsage || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q, want %q", args, code, stdout, stderr, want)
		}
		if strings.Count(stderr, "/none") > 1 {
			t.Errorf("%s: the file is named twice: %s", args, stderr)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if code, _, _ := call(ctx, "-top", good); code != command.ExitInterrupted {
		t.Errorf("interrupted: exit code %d", code)
	}
}

// The command serves the page until it is interrupted, which is no failure.
func TestServe(t *testing.T) {
	before, after, _, item := snapshots(t)
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- Run(ctx, &Flags{Files: []string{before, after}, HTTP: "127.0.0.1:0"}, w)
		_ = w.Close() // of a pipe never fails
	}()
	line := must(bufio.NewReader(r).ReadString('\n'))
	url, _, _ := strings.Cut(line, " ")
	res := must(http.Get(url + "api/object?ref=" + item))
	var o struct {
		Type  string
		Paths []path
	}
	if err := json.NewDecoder(res.Body).Decode(&o); err != nil || o.Type != "tuple" || len(o.Paths) != 1 || len(o.Paths[0].Steps) != 3 {
		t.Errorf("%v, %+v", err, o)
	}
	_ = res.Body.Close() // it was read
	for info := (struct {
		Older string
		Ready bool
	}{}); !info.Ready; { // soon
		res := must(http.Get(url + "api/info"))
		if err := json.NewDecoder(res.Body).Decode(&info); err != nil || info.Older != before {
			t.Fatalf("%v, %+v", err, info)
		}
		_ = res.Body.Close() // it was read
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Ids of all possible objects differ, have a place in 32 bits, and leave room for the root and the
// kinds of holders.
func TestExportID(t *testing.T) {
	last := map[uint64]uint64{} // by the last bit
	for _, h := range []uint32{4096, 4097, 1<<31 - 1, 1 << 31, 1<<31 + 1, 0xA000_0000, 0xBFFF_FFFF} {
		id := exportID(h)
		if id <= last[id&1] || id > math.MaxUint32 || id&1 == 1 && id < 1000 {
			t.Errorf("object %#x has id %#x", h, id)
		}
		last[id&1] = id
	}
}

// Chrome keeps numbers in 32 bits, where the ids of objects in both halves of the heap have to
// differ. A frozen graph may be larger than such a number.
func TestExportIn32Bits(t *testing.T) {
	immortal := uint8(heapgraph.Immortal)
	v := &view{g: &heapgraph.Graph{
		Names: []string{"a"}, Handles: []uint32{0x1000, 0x8000_1000, 0xA000_0000}, Kinds: []uint16{0, 0, 0}, Sizes: []uint32{1, 1, 1 << 28},
		Flags: []uint8{0, immortal, immortal | heapgraph.Frozen}, Counts: []uint32{1, 0, 0}, First: []uint32{0, 0, 0, 0},
	}}
	var b bytes.Buffer
	if err := export(&b, v); err != nil {
		t.Fatal(err)
	}
	var x struct{ Nodes, Edges []uint32 } // a number that is too large is an error
	if err := json.Unmarshal(b.Bytes(), &x); err != nil {
		t.Fatal(err)
	}
	ids := map[uint32]bool{}
	for node := range slices.Chunk(x.Nodes, nodeFields) {
		ids[node[2]] = true
	}
	if n := len(x.Nodes); len(ids)*nodeFields != n || x.Nodes[n-3] != math.MaxUint32 {
		t.Errorf("nodes %d", x.Nodes)
	}
}

// Chrome's format has rows that fit together.
func TestExport(t *testing.T) {
	_, after, leaked, _ := snapshots(t)
	out := benchtest.Write(t, "x.heapsnapshot", []byte("an older one"))
	if code, stdout, stderr := call(t.Context(), "-export", out, after); code != 0 || stdout != "" || stderr != "" {
		t.Fatalf("exit code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	var x struct {
		Snapshot struct {
			Meta struct {
				NodeFields []string `json:"node_fields"`
				EdgeFields []string `json:"edge_fields"`
			}
			NodeCount int `json:"node_count"`
			EdgeCount int `json:"edge_count"`
		}
		Nodes, Edges []int
		Strings      []string
	}
	if err := json.Unmarshal(must(os.ReadFile(out)), &x); err != nil {
		t.Fatal(err)
	}
	fields, edge := len(x.Snapshot.Meta.NodeFields), len(x.Snapshot.Meta.EdgeFields)
	if len(x.Nodes) != fields*x.Snapshot.NodeCount || len(x.Edges) != edge*x.Snapshot.EdgeCount || x.Snapshot.NodeCount != 1003+2 || x.Snapshot.EdgeCount != 1002+2 {
		t.Fatalf("%+v, %d numbers of nodes and %d of edges", x.Snapshot, len(x.Nodes), len(x.Edges))
	}
	// Walk from the root along the first edges: the kind of the holder, the dict, its key.
	name := func(node int) string { return x.Strings[x.Nodes[node+1]] }
	firstEdge := map[int]int{}
	at := 0
	for node := 0; node < len(x.Nodes); node += fields {
		firstEdge[node] = at
		at += x.Nodes[node+4] * edge
	}
	if at != len(x.Edges) {
		t.Errorf("nodes count %d numbers of edges, and there are %d", at, len(x.Edges))
	}
	for i := 2; i < len(x.Edges); i += edge {
		if to := x.Edges[i]; to < 0 || to >= len(x.Nodes) || to%fields != 0 {
			t.Fatalf("edge %d leads to %d", i/edge, to)
		}
	}
	names, node := []string{name(0)}, 0
	for range 3 {
		node = x.Edges[firstEdge[node]+2]
		names = append(names, name(node))
	}
	if got := strings.Join(names, " "); got != "(roots) (code) dict string" {
		t.Errorf("the first way from the root is %s", got)
	}
	ids := map[int]bool{}
	for node := 0; node < len(x.Nodes); node += fields {
		ids[x.Nodes[node+2]] = true
	}
	if len(ids) != x.Snapshot.NodeCount {
		t.Errorf("%d ids for %d nodes, of which one is %s", len(ids), x.Snapshot.NodeCount, leaked)
	}
}
