package heap

import (
	"bufio"
	"cmp"
	"container/heap"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"unicode"

	"github.com/ichor-go/ichor/internal/heapfile"
	"github.com/ichor-go/ichor/internal/heapgraph"
)

// view answers questions about one snapshot. Several goroutines may ask.
type view struct {
	name  string
	raw   *heapfile.Snapshot
	g     *heapgraph.Graph
	ready atomic.Bool // the tree of dominators is made
}

// open reads a snapshot. The error names the file.
func open(name string) (*view, error) {
	f, err := os.Open(name)
	if err == nil {
		defer f.Close() // it is only read
		var raw *heapfile.Snapshot
		if raw, err = heapfile.Read(bufio.NewReader(f)); err == nil {
			var g *heapgraph.Graph
			clean(raw)
			if g, err = raw.Graph(); err == nil {
				return &view{name: name, raw: raw, g: g}, nil
			}
		}
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return nil, fmt.Errorf("%s: %w", name, err)
}

// clean replaces what a terminal would take for commands in the texts of a snapshot, which may come
// from anywhere.
func clean(raw *heapfile.Snapshot) {
	line := func(s *string) { *s = strings.Map(graphic, *s) }
	line(&raw.Mode)
	for i := range raw.Kinds {
		line(&raw.Kinds[i].Name)
	}
	for i := range raw.Holders {
		line(&raw.Holders[i].Name)
	}
	for at, note := range raw.Notes {
		lines := strings.Split(note, "\n")
		for i := range lines {
			line(&lines[i])
		}
		raw.Notes[at] = strings.Join(lines, "\n")
	}
}

// graphic returns a character as it is if it can be printed.
func graphic(c rune) rune {
	if unicode.IsGraphic(c) {
		return c
	}
	return unicode.ReplacementChar
}

// prepare makes the tables behind the slow answers.
func (v *view) prepare() {
	v.g.Tree()
	v.ready.Store(true)
}

func (v *view) describe() string {
	var bytes int64
	for n := range heapgraph.Node(v.g.Len()) {
		bytes += v.g.Bytes(n)
	}
	return fmt.Sprintf("%d objects in %d bytes with %d references, of runtime %q (%s), taken %s in a stop of %v",
		v.g.Len(), bytes, len(v.g.To), v.raw.Runtime, v.raw.Mode, v.raw.Taken.Format("2006-01-02 15:04:05"), v.raw.Stopped.Round(1000))
}

// typeSum is what the objects of a type add up to.
type typeSum struct {
	Type     string `json:"type"`
	Objects  int64  `json:"objects"`
	Bytes    int64  `json:"bytes"`
	Retained int64  `json:"retained"`
	Was      *sums  `json:"was,omitempty"` // in the older snapshot
}

type sums struct {
	Objects int64 `json:"objects"`
	Bytes   int64 `json:"bytes"`
}

// types returns the types that have objects, in descending order of bytes. What they retain needs
// the tree of dominators.
func (v *view) types(tree bool) (list []typeSum) {
	for _, s := range v.g.Sums(tree) {
		if s.Nodes > 0 {
			list = append(list, typeSum{Type: s.Name, Objects: s.Nodes, Bytes: s.Bytes, Retained: s.Retained})
		}
	}
	slices.SortStableFunc(list, func(a, b typeSum) int { return cmp.Compare(b.Bytes, a.Bytes) })
	return list
}

// difference returns the types of which there are more or less in b than in a, in descending
// order of the difference in bytes.
func difference(a, b []typeSum) []typeSum {
	was := map[string]sums{}
	for _, x := range a {
		was[x.Type] = sums{x.Objects, x.Bytes}
	}
	list := slices.Clone(b)
	for i, x := range list {
		s := was[x.Type]
		list[i].Was = &s
		delete(was, x.Type)
	}
	for _, x := range a {
		if s, gone := was[x.Type]; gone {
			list = append(list, typeSum{Type: x.Type, Was: &s})
		}
	}
	list = slices.DeleteFunc(list, func(x typeSum) bool { return x.Bytes == x.Was.Bytes && x.Objects == x.Was.Objects })
	size := func(x typeSum) int64 { return max(x.Bytes-x.Was.Bytes, x.Was.Bytes-x.Bytes) }
	slices.SortStableFunc(list, func(a, b typeSum) int { return cmp.Compare(size(b), size(a)) })
	return list
}

// object is what tables show of an object.
type object struct {
	Ref      string `json:"ref"`
	Type     string `json:"type"`
	Bytes    int64  `json:"bytes"`
	Retained int64  `json:"retained"`
	Count    int64  `json:"count"`
	Held     int64  `json:"held,omitempty"` // counts that Go code owns
	History  string `json:"history,omitempty"`
}

func ref(handle uint32) string { return fmt.Sprintf("%#08x", handle) }

// object describes a node. Without a tree, it retains 0 bytes.
func (v *view) object(n heapgraph.Node) object {
	h := v.g.Handles[n]
	o := object{Ref: ref(h), Type: v.g.Name(n), Bytes: v.g.Bytes(n), Count: int64(v.g.Counts[n]), History: v.raw.Notes[h]}
	if v.ready.Load() {
		o.Retained = v.g.Tree().Retained[n]
	}
	return o
}

// heldByCode returns the objects of which Go code owns most counts.
func (v *view) heldByCode(most int) (list []object) {
	for _, e := range v.g.Excess(most) {
		o := v.object(e.Node)
		o.Held = int64(e.Count)
		list = append(list, o)
	}
	return list
}

// find returns the node with a reference.
func (v *view) find(ref string) (heapgraph.Node, error) {
	h, err := strconv.ParseUint(ref, 0, 32)
	if err != nil {
		return 0, fmt.Errorf("%q is not a reference such as 0x00001000", ref)
	}
	n := v.g.Find(uint32(h))
	if n == heapgraph.None {
		return 0, fmt.Errorf("no object has the reference %s", ref)
	}
	return n, nil
}

// search returns the objects whose type has the text in its name, or the object with that
// reference. The largest ones come first: by what they retain, once that is known.
func (v *view) search(text string, most int) (list []object) {
	if n, err := v.find(text); err == nil {
		return []object{v.object(n)}
	}
	wanted := make([]bool, len(v.g.Names))
	for i, name := range v.g.Names {
		wanted[i] = strings.Contains(strings.ToLower(name), strings.ToLower(text))
	}
	var x largest
	if x.most = most; v.ready.Load() {
		x.size = func(n heapgraph.Node) int64 { return v.g.Tree().Retained[n] }
	} else {
		x.size = v.g.Bytes
	}
	for n, k := range v.g.Kinds {
		if wanted[k] {
			x.add(heapgraph.Node(n))
		}
	}
	for _, n := range x.sorted() {
		list = append(list, v.object(n))
	}
	return list
}

// largest keeps the largest nodes that it is given: a heap with the smallest one on top.
type largest struct {
	size func(heapgraph.Node) int64
	most int
	list []heapgraph.Node
}

func (x *largest) Len() int           { return len(x.list) }
func (x *largest) Less(i, k int) bool { return x.before(x.list[k], x.list[i]) }
func (x *largest) Swap(i, k int)      { x.list[i], x.list[k] = x.list[k], x.list[i] }
func (x *largest) Push(n any)         { x.list = append(x.list, n.(heapgraph.Node)) }
func (x *largest) Pop() any {
	last := x.list[len(x.list)-1]
	x.list = x.list[:len(x.list)-1]
	return last
}

// before reports whether a comes before b: if it is larger, or as large with a lower reference.
func (x *largest) before(a, b heapgraph.Node) bool {
	return cmp.Or(cmp.Compare(x.size(b), x.size(a)), cmp.Compare(a, b)) < 0
}

func (x *largest) add(n heapgraph.Node) {
	switch {
	case len(x.list) < x.most:
		heap.Push(x, n)
	case x.most > 0 && x.before(n, x.list[0]):
		x.list[0] = n
		heap.Fix(x, 0)
	}
}

func (x *largest) sorted() []heapgraph.Node {
	slices.SortFunc(x.list, func(a, b heapgraph.Node) int {
		if x.before(a, b) {
			return -1
		}
		return 1
	})
	return x.list
}

// path is a chain of references that keeps an object alive.
type path struct {
	Holder  string `json:"holder"`
	Count   int64  `json:"count"`
	History string `json:"history,omitempty"`
	Steps   []step `json:"steps"`
}

type step struct {
	object
	Slot string `json:"slot"`
}

// String is the path in one line.
func (p path) String() string {
	return heapgraph.PathText(p.Holder, p.Count, len(p.Steps), func(i int) (slot, name, ref string) {
		return p.Steps[i].Slot, p.Steps[i].Type, p.Steps[i].Ref
	})
}

func (v *view) paths(n heapgraph.Node, most int) (list []path) {
	for _, p := range v.g.Paths(n, most) {
		x := path{Holder: p.Entry.Holder.Name, Count: int64(p.Entry.Count)}
		if p.Entry.Holder.Kind == heapgraph.Code {
			x.History = v.raw.Notes[v.g.Handles[p.Nodes[0]]]
		}
		slots := v.raw.Slots(v.g, p.Nodes)
		for i, n := range p.Nodes {
			s := step{object: v.object(n)}
			if i > 0 {
				s.Slot = fmt.Sprintf("<%d>", slots[i-1])
			}
			x.Steps = append(x.Steps, s)
		}
		list = append(list, x)
	}
	return list
}
