package overlay

import (
	"go/ast"
	"go/types"
	"strings"
)

// linknames returns what the directives go:linkname of a file name, by the local name.
func linknames(syntax *ast.File) map[string]*ast.Comment {
	found := map[string]*ast.Comment{}
	for _, group := range syntax.Comments {
		for _, c := range group.List {
			if fields := strings.Fields(c.Text); len(fields) > 1 && fields[0] == "//go:linkname" {
				found[fields[1]] = c
			}
		}
	}
	return found
}

// runtimeRandom are functions of the runtime that return random numbers.
var runtimeRandom = set("runtime.fastrand runtime.fastrand64 runtime.cheaprand runtime.cheaprand64 runtime.rand runtime.rand32")

// randomFunction returns what the shim has for a function that is the runtime's source of
// random numbers, and the directive that says so.
func randomFunction(p *checked, d *ast.FuncDecl, names map[string]*ast.Comment) (call string, directive *ast.Comment) {
	c := names[d.Name.Name]
	if d.Body != nil || d.Recv != nil || c == nil {
		return "", nil
	}
	fields := strings.Fields(c.Text)
	function, ok := p.info.Defs[d.Name].(*types.Func)
	if len(fields) < 3 || !runtimeRandom[fields[2]] || !ok {
		return "", nil
	}
	s := function.Signature()
	if s.Params().Len() != 0 || s.Results().Len() != 1 {
		return "", nil
	}
	switch s.Results().At(0).Type() {
	case types.Typ[types.Uint32]:
		return "Rand32", c
	case types.Typ[types.Uint64]:
		return "Rand64", c
	}
	return "", nil
}

// randomFunctions gives a body to the functions that are the runtime's source of random
// numbers: a schedule can be run again only if they return the same again.
func (f *file) randomFunctions() {
	names := linknames(f.syntax)
	for _, d := range f.syntax.Decls {
		d, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		call, linkname := randomFunction(f.p, d, names)
		if call == "" {
			continue
		}
		f.replace(linkname.Pos(), linkname.End(), text("//"))
		if d.Doc != nil {
			for _, c := range d.Doc.List {
				if c != linkname && strings.HasPrefix(c.Text, "//go:") { // go:noescape allows no body
					f.replace(c.Pos(), c.End(), text("//"))
				}
			}
		}
		results := d.Type.Results
		kept := string(f.src[results.Pos()-f.start : results.End()-f.start])
		f.replace(results.Pos(), results.End(), text(kept, " { return ", f.shim(call), "() }"))
	}
}
