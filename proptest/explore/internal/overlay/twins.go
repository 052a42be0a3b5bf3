package overlay

import (
	"fmt"
	"go/types"
)

// Explorer is the package that tests import.
const Explorer = ichor + "/proptest/explore"

const (
	ichor    = "github.com/ichor-go/ichor"
	shimPath = Explorer + "/shim"
)

// twinPaths has the twin of each package that has one.
var twinPaths = map[string]string{
	"sync":                        Explorer + "/sync",
	"sync/atomic":                 Explorer + "/atomic",
	"go.uber.org/atomic":          Explorer + "/uatomic",
	"time":                        Explorer + "/time",
	"context":                     Explorer + "/context",
	"golang.org/x/sync/errgroup":  Explorer + "/errgroup",
	"golang.org/x/sync/semaphore": Explorer + "/semaphore",
}

// twin is a package that replaces another.
type twin struct {
	path     string
	name     string // of the original: what its users call it
	original *types.Package
	types    *types.Package
}

// loadTwins reads the twins of the packages that targets import.
func (l *loader) loadTwins() error {
	l.twins, l.replaced = map[string]*twin{}, map[types.Object]bool{}
	for path, twinPath := range twinPaths {
		if l.exports[path] == "" || l.exports[twinPath] == "" {
			continue
		}
		original, err := l.gc.Import(path)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		types, err := l.gc.Import(twinPath)
		if err != nil {
			return fmt.Errorf("%s: %w", twinPath, err)
		}
		t := &twin{path: twinPath, name: original.Name(), original: original, types: types}
		l.twins[path] = t
		for _, name := range original.Scope().Names() {
			if t.hasOwn(name) {
				l.replaced[original.Scope().Lookup(name)] = true
			}
		}
	}
	return nil
}

// has reports whether the twin declares a name of the original.
func (t *twin) has(name string) bool { return t.types.Scope().Lookup(name) != nil }

// hasOwn reports whether the twin has a type of its own for a type of the original. It has
// none where its name is an alias.
func (t *twin) hasOwn(name string) bool {
	original, ok := t.original.Scope().Lookup(name).(*types.TypeName)
	if !ok {
		return false
	}
	own, ok := t.types.Scope().Lookup(name).(*types.TypeName)
	return ok && typeName(own) != typeName(original)
}

// typeName finds the name that a chain of aliases ends in. For other types it is nil.
func typeName(n *types.TypeName) *types.TypeName {
	if named, ok := types.Unalias(n.Type()).(*types.Named); ok {
		return named.Origin().Obj()
	}
	return nil
}

// replacedIn returns the name of a type within t that the twins replace, or "". It does not
// look into structs: a lock inside another package's type is that package's affair.
func (l *loader) replacedIn(t types.Type) string {
	switch t := types.Unalias(t).(type) {
	case *types.Named:
		if l.replaced[t.Origin().Obj()] {
			return t.Obj().Pkg().Name() + "." + t.Obj().Name()
		}
		for arg := range t.TypeArgs().Types() {
			if name := l.replacedIn(arg); name != "" {
				return name
			}
		}
	case *types.Pointer:
		return l.replacedIn(t.Elem())
	case *types.Slice:
		return l.replacedIn(t.Elem())
	case *types.Array:
		return l.replacedIn(t.Elem())
	case *types.Chan:
		return l.replacedIn(t.Elem())
	case *types.Map:
		if name := l.replacedIn(t.Key()); name != "" {
			return name
		}
		return l.replacedIn(t.Elem())
	case *types.Signature:
		for _, vars := range []*types.Tuple{t.Params(), t.Results()} {
			for v := range vars.Variables() {
				if name := l.replacedIn(v.Type()); name != "" {
					return name
				}
			}
		}
	}
	return ""
}
