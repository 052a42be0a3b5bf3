package heap

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/ichor-go/ichor/internal/heapgraph"
	rt "github.com/ichor-go/ichor/runtime"
)

// exportSuffix is the end of the names of files that Chrome's developer tools load.
const exportSuffix = ".heapsnapshot"

// The fields of nodes and edges, of which V8's format has a row of numbers for each:
//
//	type, name, id, self_size, edge_count, detachedness    of a node
//	type, name_or_index, to_node                           of an edge; to_node is the index of the
//	                                                       target's first number
//
// (V8: src/profiler/heap-snapshot-generator.cc.) The first node is the root. Below it is a node
// for each kind of holder, which refers to the objects with such an entry. Chrome keeps all
// numbers in 32 bits.
const (
	nodeFields = 6

	nodeObject    = 3 // in node_types
	nodeSynthetic = 9

	edgeElement  = 1 // in edge_types
	edgeInternal = 3
)

const exportMeta = `{"node_fields":["type","name","id","self_size","edge_count","detachedness"],` +
	`"node_types":[["hidden","array","string","object","code","closure","regexp","number","native","synthetic","concatenated string","sliced string","symbol","bigint","object shape"],` +
	`"string","number","number","number","number"],` +
	`"edge_fields":["type","name_or_index","to_node"],` +
	`"edge_types":[["context","element","property","internal","hidden","shortcut","weak"],"string_or_number","node"],` +
	`"trace_function_info_fields":[],"trace_node_fields":[],"sample_fields":[],"location_fields":[]}`

// export writes a snapshot in V8's format.
func export(to io.Writer, v *view) error {
	w := &exporter{w: bufio.NewWriterSize(to, 1<<20), g: v.g}
	w.nodes()
	return w.w.Flush() // which returns the first error of all writes
}

type exporter struct {
	w       *bufio.Writer
	g       *heapgraph.Graph
	entries [heapgraph.Kinds][]heapgraph.Node
	used    []heapgraph.Kind // kinds with entries
	scratch []byte
	comma   bool
}

// row writes numbers, after a comma except at the start of a list.
func (w *exporter) row(numbers ...uint64) {
	b := w.scratch[:0]
	for _, n := range numbers {
		if w.comma {
			b = append(b, ',')
		}
		b = strconv.AppendUint(b, n, 10)
		w.comma = true
	}
	_, _ = w.w.Write(append(b, '\n')) // Flush returns the error
	w.scratch = b
}

func (w *exporter) text(s string) { _, _ = w.w.WriteString(s) } // Flush returns the error

// exportID returns the id of an object, the same in all snapshots of a process, since Chrome
// compares snapshots by ids. The ids are odd for objects on the counted heap, as V8's are for
// objects on its heap, and even for what is immortal by address. Those of the root and the kinds
// of holders are odd and below all others: the first span of a heap has no objects.
func exportID(handle uint32) uint64 {
	if h := rt.Handle(handle); h >= rt.Limit {
		return uint64(h-rt.Limit+1) << 1
	}
	return uint64(handle)<<1 | 1
}

// index is the index of the first number of the i-th row.
func (w *exporter) index(i int) uint64 { return uint64(i) * nodeFields }

func (w *exporter) nodes() {
	g := w.g
	for _, e := range g.Entries() {
		k := e.Holder.Kind
		if len(w.entries[k]) == 0 {
			w.used = append(w.used, k)
		}
		w.entries[k] = append(w.entries[k], e.Node)
	}
	first := 1 + len(w.used) // row of the first object
	edges := len(w.used)
	for _, k := range w.used {
		edges += len(w.entries[k])
	}
	degree := make([]uint64, g.Len())
	for n := range degree {
		for _, to := range g.Edges(heapgraph.Node(n)) {
			if to != heapgraph.None {
				degree[n]++
				edges++
			}
		}
	}
	w.text(fmt.Sprintf(`{"snapshot":{"meta":%s,"node_count":%d,"edge_count":%d,"trace_function_count":0},`+"\n\"nodes\":[", exportMeta, first+g.Len(), edges))
	names := len(g.Names) // strings: the types, the root, the kinds
	w.row(nodeSynthetic, uint64(names), 1, 0, uint64(len(w.used)), 0)
	for i, k := range w.used {
		w.row(nodeSynthetic, uint64(names+1+i), uint64(3+2*i), 0, uint64(len(w.entries[k])), 0)
	}
	for n := range heapgraph.Node(g.Len()) {
		w.row(nodeObject, uint64(g.Kinds[n]), exportID(g.Handles[n]), uint64(min(g.Bytes(n), math.MaxUint32)), degree[n], 0)
	}
	w.text("],\n\"edges\":[")
	w.comma = false
	for i := range w.used {
		w.row(edgeInternal, uint64(names+1+i), w.index(1+i))
	}
	for _, k := range w.used {
		for i, n := range w.entries[k] {
			w.row(edgeElement, uint64(i), w.index(first+int(n)))
		}
	}
	for n := range heapgraph.Node(g.Len()) {
		for i, to := range g.Edges(n) {
			if to != heapgraph.None {
				w.row(edgeElement, uint64(i), w.index(first+int(to)))
			}
		}
	}
	w.text("],\n\"trace_function_infos\":[],\"trace_tree\":[],\"samples\":[],\"locations\":[],\n\"strings\":")
	strings := append([]string{}, g.Names...)
	strings = append(strings, "(roots)")
	for _, k := range w.used {
		strings = append(strings, "("+k.String()+")")
	}
	b, _ := json.Marshal(strings) // strings always become JSON
	w.text(string(b) + "}\n")
}
