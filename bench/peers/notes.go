package main

import "github.com/ichor-go/ichor/bench/experiment"

// peerKey is the configuration key for the library measured.
const peerKey = "peer"

// notes say what a peer does that Ichor does not do in the same row, and the reverse.
var notes = map[string]string{
	"ichor-gil":        "Ichor under its global lock: plain counts, a test for immortality, and the object dies with its last count.",
	"ichor-biased":     "Ichor lock-free, counted by the owning thread: plain counts, a test for the owner and one for immortality.",
	"ichor-atomic":     "Ichor lock-free, atomic counts, a test for immortality, and the object dies with its last count.",
	"ichor-immortal":   "Ichor, immortal by address: one test of the reference. The object is not read.",
	"ichor-frozen":     "Ichor, a sealed copy: no lock, no count, and read-only.",
	"ichor":            "Ichor's dict, lock-free, with atomic counts; reads return borrowed references, and any object may be a key.",
	"plain":            "Adds to an int. Less: no test for zero, one thread only.",
	"atomic":           "sync/atomic on an int64. Less: no test for zero, and nothing is freed.",
	"arrow":            "arrow-go memory.Buffer, Retain and Release: atomic counts, a test for an allocator and one for zero. Less: no immortals, no checks, and Go's collector frees the rest.",
	"grpc":             "grpc-go mem.Buffer over 1 KiB, Ref and Free: atomic counts behind an interface, and a test for use after free. More: the bytes go back to a pool. Less: no immortals.",
	"go":               "Go's heap and its collector. Less: nothing is counted, and nothing is known to die at a certain moment. More: any Go value.",
	"go-structs":       "Go structs of fixed types in a Go map. Less: all entries have the same fields.",
	"sync.Map":         "sync.Map, keys and values as interfaces. Less: values live in Go's heap, and are not counted.",
	"xsync-v3":         "xsync v3 MapOf[string, int]. Less: keys and values of fixed types, not counted.",
	"xsync-v4":         "xsync v4 Map[string, int]. Less: keys and values of fixed types, not counted.",
	"haxmap":           "haxmap Map[string, int]. Less: keys and values of fixed types, not counted.",
	"rwmutex":          "Go's map with sync.RWMutex. Less: fixed types, and readers write to the lock.",
	"starlark-frozen":  "starlark-go's frozen dict: no lock, and read-only, as ours. More: it hashes the key each time. Less: in Go's heap.",
	"sync.Pool":        "sync.Pool, Get and Put. Less: Get returns memory that is not cleared, and any collection may empty the pool.",
	"ichor-arena":      "Ichor's allocator alone, a space for each goroutine. Less: slots without headers, counts or types. More: other threads may free them.",
	"modernc":          "modernc.org/memory, UintptrMalloc and UintptrFree, an allocator for each goroutine. Less: bytes, not objects; no counts, and only its own goroutine may free.",
	"freecache":        "freecache, entries as JSON: a read copies and decodes. More: it evicts. Less: no graph.",
	"fastcache":        "fastcache, entries as JSON: a read copies and decodes. More: it evicts. Less: no graph.",
	"goja":             "goja, a copy of the graph in each engine, as its objects. More: each engine may change its copy.",
	"gopher-lua":       "gopher-lua, a copy of the graph in each engine, as its tables. More: each engine may change its copy.",
	"starlark":         "starlark-go, one frozen graph in Go's heap for all threads. Less: Go's collector walks it.",
	"goja+ichor":       "goja engines that read one frozen graph of Ichor through objects of the host.",
	"gopher-lua+ichor": "gopher-lua engines that read one frozen graph of Ichor through userdata.",
}

// concludeNotes returns a note for each peer in the table.
func concludeNotes(res *experiment.Result) (lines []string) {
	seen := map[string]bool{}
	for _, row := range res.Rows {
		peer, _ := row.Config.Get(peerKey).(string)
		if !seen[peer] {
			seen[peer] = true
			lines = append(lines, peer+": "+notes[peer])
		}
	}
	return lines
}
