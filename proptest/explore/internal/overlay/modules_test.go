package overlay

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// corpus are packages of others, with what they have many of.
var corpus = []string{
	"github.com/puzpuzpuz/xsync/v3",      // atomics, linkname, type parameters
	"golang.org/x/sync/errgroup",         // goroutines, contexts
	"golang.org/x/sync/semaphore",        // select, lists of channels
	"golang.org/x/sync/singleflight",     // goroutines in panics
	"go.uber.org/atomic",                 // generated files
	"github.com/anishathalye/porcupine",  // files that it embeds
	"github.com/klauspost/compress/zstd", // channels, assembly, internal packages
	"github.com/schollz/progressbar/v3",  // timers
	"pgregory.net/rapid",                 // type parameters
}

// ownCache gives the test a cache for copies, and leaves the build cache where it is.
func ownCache(t *testing.T) string {
	t.Helper()
	t.Setenv("GOCACHE", strings.TrimSpace(goRun(t, ".", "env", "GOCACHE")))
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	return cache
}

// TestCorpus rewrites packages of the module cache with their tests, and has the go command
// compile the result.
func TestCorpus(t *testing.T) {
	if os.Getenv("ICHOR_FULL") == "" {
		t.Skip("builds large packages: set ICHOR_FULL to run it")
	}
	ownCache(t)
	text := "package corpus\n\n"
	for _, path := range corpus {
		text += "import _ \"" + path + "\"\n"
	}
	dir := newModule(t, "corpus", map[string]string{"corpus.go": text})
	r, flags := overlayOf(t, Config{Dir: dir, Patterns: append([]string{"."}, corpus[:4]...), With: []string{"..."}})
	if len(r.Unused) > 0 || len(r.copies) < len(corpus)-3 {
		t.Errorf("unused %v; %d modules are copied", r.Unused, len(r.copies))
	}
	for _, path := range corpus {
		if !slices.Contains(r.Packages, path) && !slices.Contains(r.Kept, path) {
			t.Errorf("%s is not rewritten", path)
		}
	}
	tests := append([]string{"."}, corpus[:4]...)
	goRun(t, dir, slices.Concat([]string{"list", "-export", "-test", "-f="}, flags, tests)...) // compiles, and links nothing
}

// TestCopies runs the tests of a rewritten package of the module cache, twice.
func TestCopies(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a package's tests")
	}
	cache := ownCache(t)
	dir := newModule(t, "copies", map[string]string{"copies.go": "package copies\n\nimport _ \"golang.org/x/sync/singleflight\"\n"})
	t.Setenv("GOWORK", "off")
	const path = "golang.org/x/sync/singleflight"
	old, month := filepath.Join(cache, "ichor-explore", "old"), time.Now().Add(-31*24*time.Hour)
	if err := os.MkdirAll(old, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(old, month, month); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		r, flags := overlayOf(t, Config{Dir: dir, Patterns: []string{path}, With: []string{"golang.org/x/sync/..."}})
		for name, text := range r.Files {
			if strings.HasSuffix(name, "singleflight.go") && !strings.Contains(text, "explore_shim.Go(") {
				t.Errorf("%s is not rewritten:\n%s", name, text)
			}
		}
		if out := goRun(t, dir, append(append([]string{"test", "-run=TestDo"}, flags...), path)...); !strings.HasPrefix(out, "ok ") {
			t.Errorf("its tests: %s", out)
		}
	}
	entries, err := os.ReadDir(filepath.Join(cache, "ichor-explore"))
	if err != nil || len(entries) != 1 {
		t.Errorf("%d copies, want 1; %v", len(entries), err)
	}
}

// TestWorkspace has two main modules and a replacement by a relative path, besides a package
// of the module cache.
func TestWorkspace(t *testing.T) {
	ownCache(t)
	dir := newModule(t, "space", map[string]string{
		"space.go": "package main\n\nimport \"lib\"\nimport \"other\"\nimport _ \"golang.org/x/sync/singleflight\"\n\n" +
			"func main() { c := make(chan int, 1); c <- lib.F() + other.F(); println(<-c) }\n",
		"go.mod":         "\nrequire other v0.0.0\n",
		"lib/go.mod":     "module lib\n\ngo 1.26\n",
		"lib/lib.go":     "package lib\n\nfunc F() int { c := make(chan int, 1); c <- 1; return <-c }\n",
		"other/go.mod":   "module other\n\ngo 1.26\n",
		"other/other.go": "package other\n\nfunc F() int { c := make(chan int, 1); c <- 2; return <-c }\n",
		"go.work":        "go 1.26.0\n\nuse .\nuse ./lib\n\nreplace other => ./other\n",
	})
	r, flags := overlayOf(t, Config{Dir: dir, With: []string{"golang.org/x/sync/..."}})
	names := slices.Sorted(maps.Keys(r.Files))
	for _, want := range []string{filepath.Join(dir, "lib/lib.go"), filepath.Join(dir, "space.go")} {
		if !slices.Contains(names, want) {
			t.Errorf("%s is not rewritten, but %v", want, names)
		}
	}
	if slices.Contains(names, filepath.Join(dir, "other/other.go")) {
		t.Error("other is rewritten, although it is no main module")
	}
	if out := goRun(t, dir, append(append([]string{"run"}, flags...), ".")...); out != "3\n" {
		t.Errorf("the program prints %q", out)
	}
}

// TestBroken has a package that does not compile, one whose tests do not, and one that
// imports the first.
func TestBroken(t *testing.T) {
	const good = "func F() int { c := make(chan int, 1); c <- 1; return <-c }\n"
	dir := newModule(t, "broken", map[string]string{
		"a/a.go":      "package a\n\nfunc F() { return 1 }\n",
		"b/b.go":      "package b\n\n" + good,
		"b/b_test.go": "package b\n\nvar _ int = \"\"\n",
		"c/c.go":      "package c\n\nimport \"broken/a\"\n\nvar _ = a.G\n\n" + good,
		"d/d.go":      "package d\n\nfunc {\n",
		"e/e.go":      "package e\n\nimport _ \"no/such/package\"\n",
		"f/f.go":      "package f\n\nimport \"broken/b\"\n\nvar _ = b.F\n\n" + good,
		"f/x_test.go": "package f_test\n\nimport \"broken/f\"\n\nfunc _() { f.F(); go f.F() }\n",
	})
	r, err := Rewrite(Config{Dir: dir, Tags: []string{"explore"}, Patterns: []string{"./..."}})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(slices.Sorted(maps.Keys(r.Broken)), " "); got != "broken/a broken/b broken/c broken/d broken/e" {
		t.Errorf("broken: %s", got)
	}
	var names []string
	for name := range r.Files {
		names = append(names, filepath.Base(name))
	}
	slices.Sort(names)
	if got := strings.Join(names, " "); got != "b.go f.go x_test.go" {
		t.Errorf("rewritten: %s", got)
	}
}

// TestMatches has the go command's patterns.
func TestMatches(t *testing.T) {
	for _, c := range []struct {
		pattern, path string
		want          bool
	}{
		{"a/b", "a/b", true}, {"a/b", "a/b/c", false}, {"a/...", "a", true}, {"a/...", "a/b", true}, {"a/...", "ab", false},
		{"a...", "ab", true}, {"...", "x", true}, {".../c", "a/b/c", true}, {"a/.../c", "a/b/c", true}, {"a/.../c", "a/b/d", false},
		{"a/.../b/.../c", "a/x/b/y/c", true}, {"a/.../b/.../c", "a/x/y/c", false},
	} {
		if got := matches(c.pattern, c.path); got != c.want {
			t.Errorf("%s %s: %t", c.pattern, c.path, got)
		}
	}
}

// TestTwinError has what to do if a package of the explorer is missing.
func TestTwinError(t *testing.T) {
	for message, want := range map[string]string{
		"cannot find module: import lookup disabled by -mod=vendor": "explore test -mod=mod",
		"no required module provides package x":                     "go get github.com/ichor-go/ichor",
	} {
		e := &TwinError{Message: message}
		if got := e.Error(); got != message+" (try: "+want+")" {
			t.Error(got)
		}
	}
	if got := (&GoError{Command: "list", Err: os.ErrClosed}).Error(); got != "go list: file already closed" {
		t.Error(got)
	}
}
