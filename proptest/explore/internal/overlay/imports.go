package overlay

import (
	"go/ast"
	"go/build/constraint"
	"go/token"
	"go/types"
	"maps"
	"slices"
	"strconv"
)

// uses counts how the file uses an import.
type uses struct {
	all  int
	gone int // those that name something else in the new file
}

// dotImports returns the packages whose names the file has as its own.
func (f *file) dotImports() map[*types.Package]*types.PkgName {
	dots := map[*types.Package]*types.PkgName{}
	for _, spec := range f.syntax.Imports {
		if name := f.p.info.PkgNameOf(spec); name != nil && name.Name() == "." {
			dots[name.Imported()] = name
		}
	}
	return dots
}

// selector looks at a name of an imported package, as in p.Name.
func (f *file) selector(e *ast.SelectorExpr) {
	f.selected[e.Sel] = true
	id, ok := e.X.(*ast.Ident)
	if !ok {
		return
	}
	if name, ok := f.p.info.Uses[id].(*types.PkgName); ok {
		f.use(name, e, e.Sel.Name)
	}
}

// ident looks at a name that a dot import brings.
func (f *file) ident(id *ast.Ident) {
	object := f.p.info.Uses[id]
	if object == nil || object.Pkg() == nil || f.selected[id] || object.Parent() != object.Pkg().Scope() {
		return
	}
	if name := f.dots[object.Pkg()]; name != nil {
		f.use(name, id, id.Name)
	}
}

// randFunctions are the functions of math/rand and math/rand/v2 that draw from a source that
// all goroutines share, and that methods of their type Rand have as well.
var randFunctions = set(`ExpFloat64 Float32 Float64 Int Int31 Int31n Int63 Int63n Int32 Int32N Int64 Int64N IntN Intn
	NormFloat64 Perm Shuffle Uint Uint32 Uint32N Uint64 Uint64N UintN`)

// use counts a use of an import, and replaces it where it needs something else than the
// import will be: what the shim has, and what a twin does not declare.
func (f *file) use(name *types.PkgName, e ast.Expr, selected string) {
	u := f.usesOf(name)
	u.all++
	path := name.Imported().Path()
	t := f.twins[path]
	switch {
	case path == "runtime" && selected == "Gosched":
		f.replace(e.Pos(), e.End(), text(f.shim("Gosched")))
	case path == "hash/maphash" && selected == "MakeSeed":
		f.replace(e.Pos(), e.End(), text(f.shim("MakeSeed")))
	case path == "math/rand" && randFunctions[selected]:
		f.replace(e.Pos(), e.End(), text(f.shim("Rand"), ".", selected))
	case path == "math/rand/v2" && randFunctions[selected]:
		f.replace(e.Pos(), e.End(), text(f.shim("RandV2"), ".", selected))
	case path == "math/rand/v2" && selected == "N":
		f.replace(e.Pos(), e.End(), text(f.shim("RandN")))
	case t != nil && !t.has(selected):
		original := f.prefix + t.name
		if path == "go.uber.org/atomic" {
			original = f.prefix + "uatomic"
		}
		f.originals[original] = path
		f.replace(e.Pos(), e.End(), text(original, ".", selected))
	default:
		return
	}
	u.gone++
}

func (f *file) usesOf(name *types.PkgName) *uses {
	u := f.used[name]
	if u == nil {
		u = new(uses)
		f.used[name] = u
	}
	return u
}

// padding replaces the length of an array that fills a cache line up, as in
//
//	[64 - unsafe.Sizeof(T{})]byte
//
// by its value in the original. Twins may be larger than the originals, and the length would
// be negative.
func (f *file) padding(a *ast.ArrayType) {
	value := f.p.info.Types[a.Len].Value
	if a.Len == nil || value == nil || !f.subtractsSize(a.Len) {
		return
	}
	f.constant(a.Len, value.ExactString())
}

// constant replaces an expression by a constant.
func (f *file) constant(e ast.Expr, value string) {
	ast.Inspect(e, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			if name, ok := f.p.info.Uses[id].(*types.PkgName); ok {
				f.usesOf(name).gone++
			}
		}
		return true
	})
	f.replace(e.Pos(), e.End(), text(value))
}

// size replaces a size that a test compares or stores by its value in the original. What depends on the size
// in memory has it as a part of a larger expression.
func (f *file) size(e ast.Expr) {
	call, ok := ast.Unparen(e).(*ast.CallExpr)
	if !ok || !f.isTest() || f.p.info.Types[e].Value == nil {
		return
	}
	fun, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return
	}
	if builtin, ok := f.p.info.Uses[fun.Sel].(*types.Builtin); ok && builtin.Name() == "Sizeof" && f.hasTwin(f.typeOf(call.Args[0]), nil) {
		f.constant(call, "uintptr("+f.p.info.Types[e].Value.ExactString()+")")
	}
}

// sizes does that in the operands of a comparison.
func (f *file) sizes(b *ast.BinaryExpr) {
	switch b.Op {
	case token.EQL, token.NEQ, token.LSS, token.LEQ, token.GTR, token.GEQ:
		f.size(b.X)
		f.size(b.Y)
	}
}

// hasTwin reports whether values of a type contain one of a type that has a twin.
func (f *file) hasTwin(t types.Type, seen []types.Type) bool {
	if named, ok := types.Unalias(t).(*types.Named); ok {
		if slices.Contains(seen, t) {
			return false
		}
		seen = append(seen, t)
		if pkg := named.Obj().Pkg(); pkg != nil && twinPaths[pkg.Path()] != "" && !f.targets[pkg.Path()] {
			return true
		}
	}
	switch u := t.Underlying().(type) {
	case *types.Array:
		return f.hasTwin(u.Elem(), seen)
	case *types.Struct:
		for field := range u.Fields() {
			if f.hasTwin(field.Type(), seen) {
				return true
			}
		}
	}
	return false
}

// subtractsSize reports whether an expression subtracts something that depends on the size of
// a type.
func (f *file) subtractsSize(e ast.Expr) (found bool) {
	ast.Inspect(e, func(n ast.Node) bool {
		if b, ok := n.(*ast.BinaryExpr); ok && b.Op == token.SUB {
			ast.Inspect(b.Y, func(n ast.Node) bool {
				id, ok := n.(*ast.Ident)
				if ok {
					builtin, ok := f.p.info.Uses[id].(*types.Builtin)
					found = found || ok && builtin.Name() == "Sizeof"
				}
				return true
			})
		}
		return true
	})
	return found
}

// imports replaces the imports of packages that have a twin, and adds the shim behind the
// package clause, on the same line. An import that nothing uses any more becomes "_".
func (f *file) imports() {
	for _, spec := range f.syntax.Imports {
		name := f.p.info.PkgNameOf(spec)
		if name == nil || spec.Name != nil && spec.Name.Name == "_" {
			continue
		}
		t := f.twins[name.Imported().Path()]
		if u := f.used[name]; u != nil && u.all == u.gone {
			if spec.Name != nil {
				f.replace(spec.Name.Pos(), spec.Name.End(), text("_"))
			} else {
				f.replace(spec.Path.Pos(), spec.Path.End(), text("_ ", spec.Path.Value))
			}
		} else if t != nil && spec.Name != nil {
			f.replace(spec.Path.Pos(), spec.Path.End(), text(strconv.Quote(t.path)))
		} else if t != nil {
			f.replace(spec.Path.Pos(), spec.Path.End(), text(t.name, " ", strconv.Quote(t.path)))
		}
	}
	added := ""
	if f.shimUsed {
		added = "; import " + f.prefix + "shim " + strconv.Quote(shimPath)
	}
	for _, name := range slices.Sorted(maps.Keys(f.originals)) {
		added += "; import " + name + " " + strconv.Quote(f.originals[name])
	}
	if added != "" {
		f.replace(f.syntax.Name.Pos(), f.syntax.Name.End(), text(f.syntax.Name.Name, added))
	}
	if f.shimUsed && !f.since("go1.18") {
		f.raiseVersion()
	}
}

// raiseVersion gives a file of a module with an old version of the language the type
// parameters that calls of the shim need. Versions up to 1.21 differ in nothing that such a
// file can have.
func (f *file) raiseVersion() {
	const want = "go1.21"
	for _, group := range f.syntax.Comments {
		for _, c := range group.List {
			if c.Pos() < f.syntax.Package && constraint.IsGoBuild(c.Text) {
				expr := c.Text[len("//go:build"):]
				f.replace(c.Pos(), c.End(), text("//go:build ", want, " && (", expr, ")"))
				return
			}
		}
	}
	f.constraint = "//go:build " + want + "\n\n"
}
