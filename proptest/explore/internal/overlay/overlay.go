package overlay

import (
	"cmp"
	"encoding/json"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// Config says what to rewrite. Its zero value rewrites the package of the working directory.
type Config struct {
	// Dir is where the go command runs. Empty means the working directory.
	Dir string
	// Flags are flags of go list: those that go build has as well.
	Flags []string
	// Tags are the build tags.
	Tags []string
	// Patterns name the packages whose tests will run.
	Patterns []string
	// With has patterns of packages outside of the main module that are rewritten, too.
	With []string
}

// Result is what Rewrite found.
type Result struct {
	// Files has the new text of each rewritten file, by the path of the original.
	Files map[string]string
	// Packages are the targets, by import path.
	Packages []string
	// Broken has the first error of each target that does not compile, by import path. Such
	// a target is not rewritten. If only its internal tests do not compile, these are not.
	Broken map[string]error
	// Unused are the patterns of With that match no package that the tests import.
	Unused []string
	// Kept are the packages that With names, but the explorer itself imports: they cannot be
	// rewritten.
	Kept []string
	// Explored reports whether a package or a test in it imports the explorer.
	Explored bool
	// Notes are in the order of their positions.
	Notes []Note

	config Config
	copies []*moduleCopy
}

// A Note says what is not rewritten.
type Note struct {
	Position token.Position
	Package  string
	Text     string
}

func (n Note) String() string { return n.Position.String() + ": " + n.Text }

// Rewrite lists and checks the packages, and rewrites the targets in memory. An error is a
// *GoError, or says that the twins cannot be loaded. Packages that do not compile are no
// error: the go command has better words for them.
func Rewrite(c Config) (*Result, error) {
	l, err := c.load()
	if err != nil {
		return nil, err
	}
	r := &Result{Files: map[string]string{}, Unused: l.unused, Kept: l.kept, Explored: l.explored, Broken: l.failed, config: c}
	for _, p := range l.chosen {
		r.Packages = append(r.Packages, p.listed.path())
		r.Notes = append(r.Notes, l.rewritePackage(p, r.Files)...)
	}
	slices.SortStableFunc(r.Notes, func(a, b Note) int {
		return cmp.Or(cmp.Compare(a.Position.Filename, b.Position.Filename), cmp.Compare(a.Position.Offset, b.Position.Offset))
	})
	r.Notes = slices.Compact(r.Notes)
	r.copies, err = l.copies(r.Files)
	return r, err
}

// Write puts the new files into dir, and returns the flags and the environment with which the
// go command takes them for the originals.
func (r *Result) Write(dir string) (flags, env []string, err error) {
	if flags, env, err = r.writeCopies(dir); err != nil {
		return nil, nil, err
	}
	replace := map[string]string{}
	for i, path := range slices.Sorted(maps.Keys(r.Files)) {
		if r.isCopied(path) {
			continue
		}
		to := filepath.Join(dir, strconv.Itoa(i), filepath.Base(path)) // go tool cover takes the name from it
		if err := os.Mkdir(filepath.Dir(to), 0o700); err != nil {
			return nil, nil, err
		}
		if err := os.WriteFile(to, []byte(r.Files[path]), 0o600); err != nil {
			return nil, nil, err
		}
		replace[path] = to
	}
	text, err := json.MarshalIndent(map[string]any{"Replace": replace}, "", "\t")
	if err != nil {
		return nil, nil, err
	}
	overlay := filepath.Join(dir, "overlay.json")
	return append(flags, "-overlay="+overlay), env, os.WriteFile(overlay, text, 0o600)
}
