package overlay

import (
	"errors"
	"fmt"
	"go/ast"
	"go/build"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// loader holds the packages of one call of Rewrite.
type loader struct {
	config       *Config
	fset         *token.FileSet
	listed       map[string]*listed // by import path, variants too
	chosen       []*checked         // the targets, each once
	targets      map[string]bool    // by path
	sources      map[string]bool    // by import path: checked from source
	unused, kept []string           // as in Result
	explored     bool               // a package imports the explorer
	files        map[string]*parsed // by name
	checked      map[string]*checked
	exports      map[string]string // by path: files of export data
	gc           types.Importer
	bodies       map[string]bool       // by import path: checked with the functions' bodies
	failed       map[string]error      // targets that do not compile, by path
	twins        map[string]*twin      // by the path of the original
	replaced     map[types.Object]bool // types of the originals that twins have types of their own for
}

type parsed struct {
	syntax *ast.File
	src    []byte
	err    error
}

// checked is a package after go/types.
type checked struct {
	listed *listed
	types  *types.Package
	info   *types.Info // nil unless the functions' bodies were checked
	syntax []*ast.File
	names  []string // of the files
	err    error    // the first one
}

func newLoader(c *Config) *loader {
	return &loader{config: c, fset: token.NewFileSet(), listed: map[string]*listed{}, targets: map[string]bool{},
		sources: map[string]bool{}, files: map[string]*parsed{}, checked: map[string]*checked{},
		exports: map[string]string{}, failed: map[string]error{}, bodies: map[string]bool{}}
}

// load lists and checks the packages.
func (c *Config) load() (*loader, error) {
	l := newLoader(c)
	all, err := c.goList(append([]string{"-deps", "-test", "--"}, c.Patterns...)...)
	if err != nil {
		return nil, err
	}
	if err := l.findTargets(all); err != nil {
		return nil, err
	}
	if len(l.targets) == 0 {
		return l, nil
	}
	if err := l.findExports(all); err != nil {
		return nil, err
	}
	l.gc = importer.ForCompiler(l.fset, "gc", func(path string) (io.ReadCloser, error) {
		if name := l.exports[path]; name != "" {
			return os.Open(name)
		}
		return nil, fmt.Errorf("no export data of %s", path)
	})
	if err := l.loadTwins(); err != nil {
		return nil, err
	}
	l.choose(all)
	return l, nil
}

// findTargets says what is rewritten, and what is checked from source: the targets, what
// imports one, and the variants of packages for tests, which have no export data.
func (l *loader) findTargets(all []*listed) error {
	own := map[string]bool{}
	if len(l.config.With) > 0 {
		packages, err := l.config.goList("-deps", "--", shimPath, twinPaths["sync"], twinPaths["sync/atomic"], twinPaths["time"], twinPaths["context"])
		if err != nil {
			return err
		}
		for _, p := range packages {
			own[p.ImportPath] = true
		}
	}
	used, kept := map[string]bool{}, map[string]bool{}
	for _, p := range all {
		l.listed[p.ImportPath] = p
		if p.Standard || p.isTestMain() {
			continue
		}
		l.explored = l.explored || slices.Contains(p.Imports, Explorer)
		path := p.path()
		if p.ForTest != "" {
			path = strings.TrimSuffix(path, "_test")
		}
		with := false
		for _, pattern := range l.config.With {
			if matches(pattern, path) {
				used[pattern], with = true, true
			}
		}
		switch {
		case path == ichor, strings.HasPrefix(path, ichor+"/"): // marks its steps itself
		case own[path] && with:
			kept[path] = true
		case with, p.Module != nil && p.Module.Main, path == "command-line-arguments":
			l.targets[p.path()] = true
		}
		l.sources[p.ImportPath] = l.targets[p.path()] || p.ForTest != "" ||
			slices.ContainsFunc(p.Imports, func(i string) bool { return l.sources[i] })
	}
	for _, pattern := range l.config.With {
		if !used[pattern] {
			l.unused = append(l.unused, pattern)
		}
	}
	l.kept = slices.Sorted(maps.Keys(kept))
	return nil
}

// findExports has the go command build what the checked packages import, and the twins of
// that.
func (l *loader) findExports(all []*listed) error {
	need := map[string]bool{shimPath: true}
	for _, p := range all {
		if !l.sources[p.ImportPath] {
			continue
		}
		for _, i := range p.Imports {
			if i == "C" || i == "unsafe" || l.sources[i] {
				continue
			}
			need[i] = true
			if twin := twinPaths[i]; twin != "" && !l.targets[i] {
				need[twin] = true
			}
		}
	}
	packages, err := l.config.goList(append([]string{"-export", "--"}, slices.Sorted(maps.Keys(need))...)...)
	if err != nil {
		// The go command takes no package by name that only the tests of another module need. It builds
		// them as what the patterns depend on, at the price of building the patterns' packages as well.
		explorer := slices.DeleteFunc(slices.Sorted(maps.Keys(need)), func(path string) bool { return !strings.HasPrefix(path, Explorer+"/") })
		packages, err = l.config.goList(slices.Concat([]string{"-export", "-deps", "-test", "--"}, l.config.Patterns, explorer)...)
	}
	if err != nil {
		return err
	}
	for _, p := range packages {
		l.exports[p.ImportPath] = p.Export
		if p.Error != nil && strings.HasPrefix(p.ImportPath, Explorer+"/") {
			return &TwinError{Message: strings.TrimSuffix(firstLine(p.Error.Err), "; to add it:")}
		}
	}
	return nil
}

// A TwinError says that a package of the explorer is missing where the tests run.
type TwinError struct{ Message string }

func (e *TwinError) Error() string {
	hint := "go get " + ichor
	if strings.Contains(e.Message, "-mod=vendor") {
		hint = "explore test -mod=mod"
	}
	return e.Message + " (try: " + hint + ")"
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}

// choose checks the targets, with their internal tests where they have some. If those do not
// compile, the package is rewritten without them.
func (l *loader) choose(all []*listed) {
	variant := map[string]*listed{}
	for _, p := range all {
		if l.targets[p.path()] && (variant[p.path()] == nil || p.ForTest == p.path()) {
			variant[p.path()] = p
		}
	}
	for _, p := range variant {
		l.bodies[p.ImportPath] = true
	}
	for _, path := range slices.Sorted(maps.Keys(variant)) {
		p := variant[path]
		c := l.check(p.ImportPath)
		if c.err != nil {
			l.failed[path] = c.err
			plain := l.listed[path]
			if plain == nil || plain == p {
				continue
			}
			if c = l.checkNew(plain, true); c.err != nil {
				continue
			}
		}
		l.chosen = append(l.chosen, c)
	}
}

// parse reads a file once.
func (l *loader) parse(name string) *parsed {
	if p := l.files[name]; p != nil {
		return p
	}
	p := new(parsed)
	l.files[name] = p
	if p.src, p.err = os.ReadFile(name); p.err == nil {
		p.syntax, p.err = parser.ParseFile(l.fset, name, p.src, parser.ParseComments|parser.SkipObjectResolution)
	}
	return p
}

// check returns a package with its types. Each is checked once, so that a type of it is the
// same for everybody.
func (l *loader) check(importPath string) *checked {
	c := l.checked[importPath]
	if c == nil {
		c = l.checkNew(l.listed[importPath], l.bodies[importPath])
		l.checked[importPath] = c
	}
	return c
}

func (l *loader) checkNew(p *listed, bodies bool) *checked {
	c := &checked{listed: p}
	if p.Error != nil {
		c.err = errors.New(p.Error.Err)
	}
	for _, name := range slices.Concat(p.GoFiles, p.CgoFiles) {
		if !filepath.IsAbs(name) {
			name = filepath.Join(p.Dir, name)
		}
		file := l.parse(name)
		if file.err != nil {
			c.err = file.err
		}
		if file.syntax != nil {
			c.syntax, c.names = append(c.syntax, file.syntax), append(c.names, name)
		}
	}
	if bodies {
		c.info = &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{},
			Defs: map[*ast.Ident]types.Object{}, Implicits: map[ast.Node]types.Object{},
			FileVersions: map[*ast.File]string{}}
	}
	conf := types.Config{FakeImportC: true, IgnoreFuncBodies: !bodies, Importer: importerFor{l, p},
		Sizes: types.SizesFor("gc", build.Default.GOARCH), Error: func(err error) {
			if c.err == nil {
				c.err = err
			}
		}}
	if p.Module != nil && p.Module.GoVersion != "" {
		conf.GoVersion = "go" + p.Module.GoVersion
	}
	c.types, _ = conf.Check(p.path(), l.fset, c.syntax, c.info)
	return c
}

// importerFor finds what a package imports.
type importerFor struct {
	l *loader
	p *listed
}

func (i importerFor) Import(path string) (*types.Package, error) {
	if path == "unsafe" {
		return types.Unsafe, nil
	}
	resolved := path
	if to := i.p.ImportMap[path]; to != "" {
		resolved = to
	}
	if i.l.sources[resolved] {
		return i.l.check(resolved).types, nil
	}
	return i.l.gc.Import(resolved)
}
