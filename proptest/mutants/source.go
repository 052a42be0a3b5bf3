package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/constant"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// source is a package whose code is mutated, without its tests.
type source struct {
	rel     string // folder, relative to the module's
	dir     string
	path    string // import path
	fset    *token.FileSet
	files   []*file
	pkg     *types.Package
	info    *types.Info
	imports types.Importer
	dead    map[ast.Node]bool
}

// file is a file of the package.
type file struct {
	path string
	text []byte
	tree *ast.File
}

// name returns the file's name relative to the module's folder, with slashes.
func (s *source) name(f *file) string { return s.rel + "/" + filepath.Base(f.path) }

// hash returns a hash of the file's text.
func (f *file) hash() string { return hash(f.text) }

func hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// listed is the output of go list for a package.
type listed struct {
	ImportPath, Name, Dir, Export string
	GoFiles, CgoFiles             []string
	DepOnly                       bool
	Error                         *struct{ Err string }
}

// load reads and type-checks packages, given by their folders relative to root. It takes their
// imports from the compiler's export data.
func load(ctx context.Context, root string, rels []string) ([]*source, error) {
	args := []string{"list", "-e", "-export", "-deps", "-json=ImportPath,Name,Dir,Export,GoFiles,CgoFiles,DepOnly,Error"}
	for _, rel := range rels {
		args = append(args, "./"+rel)
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = root
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("list packages: %w\n%s", err, stderr.String())
	}
	export := map[string]string{}
	var found []listed
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var l listed
		if err := d.Decode(&l); err != nil {
			return nil, fmt.Errorf("list packages: %w", err)
		}
		if l.Error != nil {
			return nil, fmt.Errorf("load %s: %s", l.ImportPath, l.Error.Err)
		}
		export[l.ImportPath] = l.Export
		if !l.DepOnly {
			found = append(found, l)
		}
	}
	fset := token.NewFileSet()
	imports := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) {
		if export[path] == "" {
			return nil, fmt.Errorf("package %q is not among what is imported", path)
		}
		return os.Open(export[path])
	})
	var sources []*source
	for _, l := range found {
		s := &source{dir: l.Dir, fset: fset, imports: imports, path: l.ImportPath}
		rel, err := filepath.Rel(root, l.Dir)
		if err != nil {
			return nil, err
		}
		s.rel = filepath.ToSlash(rel)
		var trees []*ast.File
		for _, name := range l.GoFiles {
			f := &file{path: filepath.Join(l.Dir, name)}
			if f.text, err = os.ReadFile(f.path); err != nil {
				return nil, err
			}
			if f.tree, err = parser.ParseFile(fset, f.path, f.text, parser.SkipObjectResolution); err != nil {
				return nil, err
			}
			s.files, trees = append(s.files, f), append(trees, f.tree)
		}
		s.info = &types.Info{
			Types: map[ast.Expr]types.TypeAndValue{}, Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{},
		}
		pkg, errs := s.check(fset, trees, s.info)
		if len(errs) > 0 {
			return nil, fmt.Errorf("load %s: %w", s.rel, errs[0])
		}
		s.pkg = pkg
		s.dead = s.findDead()
		sources = append(sources, s)
	}
	slices.SortFunc(sources, func(a, b *source) int {
		return slices.Index(rels, a.rel) - slices.Index(rels, b.rel)
	})
	return sources, nil
}

// check type-checks files, which may differ from the package's, and returns all errors.
func (s *source) check(fset *token.FileSet, trees []*ast.File, info *types.Info) (*types.Package, []types.Error) {
	var found []types.Error
	config := types.Config{
		Importer: s.imports,
		Sizes:    types.SizesFor("gc", runtime.GOARCH),
		Error: func(err error) {
			if e := (types.Error{}); errors.As(err, &e) && !e.Soft {
				found = append(found, e)
			}
		},
	}
	pkg, _ := config.Check(s.path, fset, trees, info) // Error has received the errors
	return pkg, found
}

// fold returns the value of a condition, if constants determine it.
func (s *source) fold(e ast.Expr) (value, known bool) {
	if v := s.info.Types[e].Value; v != nil && v.Kind() == constant.Bool {
		return constant.BoolVal(v), true
	}
	switch e := e.(type) {
	case *ast.ParenExpr:
		return s.fold(e.X)
	case *ast.UnaryExpr:
		if e.Op == token.NOT {
			value, known = s.fold(e.X)
			return !value, known
		}
	case *ast.BinaryExpr:
		if e.Op != token.LAND && e.Op != token.LOR {
			break
		}
		decides := e.Op == token.LOR // the value of one operand that decides the whole
		x, knownX := s.fold(e.X)
		y, knownY := s.fold(e.Y)
		switch {
		case knownX && x == decides, knownY && y == decides:
			return decides, true
		case knownX && knownY:
			return !decides, true
		}
	}
	return false, false
}

// findDead returns the roots of the code that never runs in this build: code behind a constant
// condition, the condition itself, and functions that only such code calls.
func (s *source) findDead() map[ast.Node]bool {
	dead := map[ast.Node]bool{}
	for _, f := range s.files {
		ast.Inspect(f.tree, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.IfStmt:
				if v, known := s.fold(n.Cond); known {
					dead[n.Cond] = true
					if !v {
						dead[n.Body] = true
					} else if n.Else != nil {
						dead[n.Else] = true
					}
				}
			case *ast.BinaryExpr:
				if n.Op == token.LAND || n.Op == token.LOR {
					for _, x := range []ast.Expr{n, n.X, n.Y} {
						if _, known := s.fold(x); known {
							dead[x] = true
						}
					}
				}
			case *ast.CaseClause:
				never := len(n.List) > 0
				for _, x := range n.List {
					v, known := s.fold(x)
					never = never && known && !v
				}
				if never {
					dead[n] = true
				}
			}
			return true
		})
	}
	for again := true; again; {
		again = false
		all, living := s.uses(nil), s.uses(dead)
		for _, f := range s.files {
			for _, d := range f.tree.Decls {
				fn, ok := d.(*ast.FuncDecl)
				if !ok || dead[fn] {
					continue
				}
				obj := s.info.Defs[fn.Name]
				if !fn.Name.IsExported() && all[obj] > 0 && living[obj] == 0 {
					dead[fn], again = true, true
				}
			}
		}
	}
	return dead
}

// uses counts the uses of functions outside of the given parts.
func (s *source) uses(without map[ast.Node]bool) map[types.Object]int {
	count := map[types.Object]int{}
	for _, f := range s.files {
		ast.Inspect(f.tree, func(n ast.Node) bool {
			if without[n] {
				return false
			}
			if id, ok := n.(*ast.Ident); ok {
				if fn, ok := s.info.Uses[id].(*types.Func); ok {
					count[fn.Origin()]++
				}
			}
			return true
		})
	}
	return count
}
