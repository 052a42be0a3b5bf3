// Package lint holds tests that read the source of the whole module.
package lint

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// unsafeFiles are the only files that may import unsafe: the arena, the header, the
// payload accessors, the locks, which identify a word by its address, and the code that
// asks the system about pages.
var unsafeFiles = []string{
	"internal/arena/",
	"internal/header/",
	"internal/point/on.go", // converts addresses to numbers
	"internal/race/on.go",  // names places by addresses
	"locks/mutex.go", "locks/parking.go",
	"runtime/heap.go",  // payload accessors
	"runtime/count.go", // IncRef has the load of the owner inline
	"internal/pagemap/",
	"proptest/internal/traffic/estate.go", // pages of immortals
	"proptest/explore/",                   // tells objects apart by their addresses
}

// layers are the packages from the ground up. A package does not import one further
// down this list.
var layers = []string{
	"internal/point", "internal/race", "internal/mutant", "internal/stat", "internal/jsonpos", "internal/arena", "internal/header", "internal/heapgraph", "locks", "sched", "internal/heapfile", "runtime", "runtime/metrics", "runtime/pprof", "debug/ichor", "objects",
	"proptest/explore/internal/engine", "proptest/explore/shim", "proptest/explore/atomic", "proptest/explore/uatomic", "proptest/explore/sync",
	"proptest/explore/time", "proptest/explore/context", "proptest/explore/errgroup", "proptest/explore/semaphore", "proptest/explore",
	"proptest/internal/property", "proptest/internal/counts", "proptest/internal/modes", "proptest/internal/draw", "proptest/internal/headers", "proptest/internal/suite",
	"proptest/internal/machine", "proptest/internal/model", "proptest/internal/heap", "proptest/internal/runs", "proptest/internal/traffic",
	"proptest/internal/linear", "proptest/internal/faults", "proptest/internal/trials", "proptest",
	"bench/internal/cpu", "bench/internal/median", "bench/internal/perf", "bench/experiment",
	"bench/internal/summary", "bench/internal/format", "bench/internal/plot", "bench/internal/progress", "bench/experiment/command",
	"bench/internal/gccost", "bench/internal/interruptible", "bench/internal/process", "bench/page",
	"bench/documents", "bench/heap", "bench/image", "bench/prefork", "bench/scenarios", "bench/tax", "bench/commits", "bench/report", "bench",
}

const module = "github.com/ichor-go/ichor/"

func TestImports(t *testing.T) {
	root := filepath.Join("..", "..")
	files := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		if d.IsDir() && name != "." && strings.HasPrefix(d.Name(), ".") {
			return filepath.SkipDir
		}
		if d.IsDir() || filepath.Ext(name) != ".go" {
			return nil
		}
		files++
		return checkImports(t, path, name)
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 50 {
		t.Errorf("only %d files were read", files)
	}
}

func checkImports(t *testing.T, path, name string) error {
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
	if err != nil {
		return err
	}
	isTest := strings.HasSuffix(name, "_test.go")
	for _, spec := range f.Imports {
		what, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return err
		}
		if what == "unsafe" && !isTest && !slices.ContainsFunc(unsafeFiles, func(p string) bool { return strings.HasPrefix(name, p) }) {
			t.Errorf("%s imports unsafe: only these may: %s", name, unsafeFiles)
		}
		if what == module+"runtime" && (spec.Name == nil || spec.Name.Name != "rt") {
			t.Errorf("%s imports Ichor's package runtime under a name other than rt", name)
		}
		inside, ours := strings.CutPrefix(what, module)
		from, to := layer(filepath.ToSlash(filepath.Dir(name))), layer(inside)
		if ours && from >= 0 && to > from && !isTest {
			t.Errorf("%s imports %s, which is in a higher layer", name, what)
		}
	}
	return nil
}

func layer(pkg string) int { return slices.Index(layers, pkg) }
