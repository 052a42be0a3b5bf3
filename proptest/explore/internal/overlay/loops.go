package overlay

import (
	"go/ast"
	"go/token"
	"go/types"
)

// rangeStmt makes a loop of receives of range over a channel. A closure that the body makes
// has the loop's variable to itself since go1.22, and shares it with the next iterations
// before.
//
//	for v := range c { body }
//
//	for x := c; ; { v, ok := shim.Recv2(x); if !ok { break }; { body } }                   since go1.22
//	for x, v := shim.Iter(c); ; { y, ok := shim.Recv2(x); if !ok { break }; v = y; { … } }  before
//
// The first form declares v in the body, because a variable of the loop itself is copied from
// iteration to iteration: a read that the user's code does not have, and that would race.
func (f *file) rangeStmt(s *ast.RangeStmt) {
	if f.channel(s.X) == nil {
		f.rangeMap(s)
		return
	}
	c, ok := f.name(), f.name()
	head := []piece{text("for ", c, " := "), source(s.X), text("; ; { ")}
	received := []piece{at(s.Pos()), text("_, ", ok, " := ", f.shim("Recv2"), "(", c, "); if !", ok, " { break }; {")}
	if id, _ := s.Key.(*ast.Ident); isVariable(s.Key) {
		switch {
		case s.Tok == token.ASSIGN:
			v := f.name()
			received = []piece{at(s.Pos()), text(v, ", ", ok, " := ", f.shim("Recv2"), "(", c, "); if !", ok, " { break }; "),
				source(s.Key), text(" = ", v, "; {")}
		case f.since("go1.22"):
			received = []piece{source(s.Key), text(", ", ok, " := "), at(s.Pos()),
				text(f.shim("Recv2"), "(", c, "); if !", ok, " { break }; {")}
		default:
			v := f.name()
			head = []piece{text("for ", c, ", "), source(s.Key), text(" := ", f.shim("Iter"), "("), source(s.X), text("); ; { ")}
			received = []piece{at(s.Pos()), text(v, ", ", ok, " := ", f.shim("Recv2"), "(", c, "); if !", ok, " { break }; ", id.Name, " = ", v, "; {")}
		}
	}
	f.replace(s.Pos(), s.Body.Lbrace+1, append(head, received...)...)
	f.replace(s.Body.Rbrace, s.Body.Rbrace+1, text("}}"))
}

// isVariable reports whether a variable of a loop is there, and not blank.
func isVariable(e ast.Expr) bool {
	id, ok := e.(*ast.Ident)
	return e != nil && !(ok && id.Name == "_")
}

// rangeMap makes a loop of range over a map, if the loop does something with the entries.
// Their order must be the same whenever a schedule is run again.
//
//	for k, v := range m { body }
//
//	for x := shim.Map(m); x.Next(); { k, v := x.Key, x.Value; { body } }          since go1.22
//	for x, k, v := shim.MapVars(m); x.Next(); { k, v = x.Key, x.Value; { body } }   before
func (f *file) rangeMap(s *ast.RangeStmt) {
	m := f.mapType(s.X)
	if m == nil || !isVariable(s.Key) && !isVariable(s.Value) {
		return
	}
	if what := withoutOrder(m.Key()); what != "" && isVariable(s.Key) {
		f.note(s.Pos(), "the keys of this map have no order that is the same in each run (%s): a schedule may not run again", what)
	}
	x := f.name()
	head := []piece{text("for ", x, " := ", f.shim("Map"), "("), source(s.X), text("); ", x, ".Next(); { ")}
	variables, values := []piece{source(s.Key)}, x+".Key; {"
	if s.Value != nil {
		variables = append(variables, text(", "), source(s.Value))
		values = x + ".Key, " + x + ".Value; {"
	}
	assign := s.Tok.String()
	if s.Tok == token.DEFINE && !f.since("go1.22") {
		assign = "="
		head = append([]piece{text("for ", x, ", ")}, variables...)
		if s.Value == nil {
			head = append(head, text(", _"))
		}
		head = append(head, text(" := ", f.shim("MapVars"), "("), source(s.X), text("); ", x, ".Next(); { "))
		variables = nil
		for i, e := range []ast.Expr{s.Key, s.Value} {
			if e == nil {
				continue
			}
			if i > 0 {
				variables = append(variables, text(", "))
			}
			variables = append(variables, text(e.(*ast.Ident).Name))
		}
	}
	pieces := append(append(head, variables...), text(" ", assign, " ", values))
	f.replace(s.Pos(), s.Body.Lbrace+1, pieces...)
	f.replace(s.Body.Rbrace, s.Body.Rbrace+1, text("}}"))
}

// mapType returns the map type of an expression, or nil. A type parameter counts if its type
// set has a single term.
func (f *file) mapType(e ast.Expr) *types.Map {
	t := f.typeOf(e)
	if t == nil {
		return nil
	}
	if param, ok := types.Unalias(t).(*types.TypeParam); ok {
		iface, ok := param.Constraint().Underlying().(*types.Interface)
		if !ok || iface.NumEmbeddeds() != 1 {
			return nil
		}
		t = iface.EmbeddedType(0)
		if union, ok := types.Unalias(t).(*types.Union); ok && union.Len() == 1 {
			t = union.Term(0).Type()
		}
	}
	m, _ := t.Underlying().(*types.Map)
	return m
}

// withoutOrder names the part of a key's type whose values have no order, or returns "".
func withoutOrder(t types.Type) string {
	switch u := t.Underlying().(type) {
	case *types.Pointer:
		return "a pointer"
	case *types.Chan:
		return "a channel"
	case *types.Basic:
		if u.Kind() == types.UnsafePointer {
			return "a pointer"
		}
	case *types.Array:
		return withoutOrder(u.Elem())
	case *types.Struct:
		for field := range u.Fields() {
			if what := withoutOrder(field.Type()); what != "" {
				return what
			}
		}
	}
	return ""
}
