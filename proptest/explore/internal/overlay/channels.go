package overlay

import (
	"cmp"
	"go/ast"
	"go/token"
	"go/types"
)

// pair remembers a receive whose second value is used, in v, ok = <-c or var v, ok = <-c. The
// second value of a receive is an untyped bool, which can have a type of the user's here.
func (f *file) pair(value, ok ast.Expr) {
	e, isReceive := ast.Unparen(value).(*ast.UnaryExpr)
	if !isReceive || e.Op != token.ARROW || f.communion[e] {
		return
	}
	f.pairs[e] = "Recv2"
	if f.isPlainBool(ok) {
		return
	}
	if name := f.typeText(types.Unalias(f.typeOf(ok)), e.Pos()); name != "" {
		f.pairs[e] = "Recv2As[" + name + "]"
	} else {
		f.note(e.Pos(), "the type of the second value has no name here, and the rewritten file may not compile: assign to a bool")
	}
}

// isPlainBool reports whether the value that a shim returns as bool can be assigned to e.
func (f *file) isPlainBool(e ast.Expr) bool {
	if id, ok := e.(*ast.Ident); ok && id.Name == "_" {
		return true
	}
	t := f.typeOf(e)
	if t == nil {
		return true
	}
	return types.AssignableTo(types.Typ[types.Bool], t)
}

// receive makes a call of <-c.
func (f *file) receive(e *ast.UnaryExpr) {
	if f.communion[e] {
		return
	}
	call := cmp.Or(f.pairs[e], "Recv")
	f.replace(e.OpPos, e.End(), text(f.shim(call), "("), source(e.X), text(")"))
}

// send makes a call of c <- v.
func (f *file) send(s *ast.SendStmt) {
	if f.communion[s] {
		return
	}
	pieces := append(f.sendCall("Send", s), text(")"))
	f.replace(s.Pos(), s.End(), pieces...)
}

// sendCall is the beginning of a call with the channel and the value. If the value has to be
// converted to the type of the elements, a function of that type takes it: type inference
// would look at the value's own type as well.
func (f *file) sendCall(call string, s *ast.SendStmt) []piece {
	between := ", "
	if c := f.channel(s.Chan); c == nil || !types.Identical(c.Elem(), f.typeOf(s.Value)) {
		call, between = call+"To", ")("
	}
	return []piece{text(f.shim(call), "("), source(s.Chan), text(between), source(s.Value)}
}

// builtin gives the calls of close, len and cap with a channel to the shim.
func (f *file) builtin(call *ast.CallExpr) {
	id, ok := ast.Unparen(call.Fun).(*ast.Ident)
	if !ok || len(call.Args) != 1 {
		return
	}
	if _, ok := f.p.info.Uses[id].(*types.Builtin); !ok {
		return
	}
	to := map[string]string{"close": "Close", "len": "Len", "cap": "Cap"}[id.Name]
	if to == "" {
		return
	}
	if f.channel(call.Args[0]) != nil {
		f.replace(call.Fun.Pos(), call.Fun.End(), text(f.shim(to)))
	} else if f.mayBeChannel(call.Args[0]) {
		f.note(call.Pos(), "%s of a type parameter that may be a channel or not: the explorer does not control the channel here", id.Name)
	}
}

// mayBeChannel reports whether a type parameter's type set has a channel.
func (f *file) mayBeChannel(e ast.Expr) bool {
	param, ok := types.Unalias(f.typeOf(e)).(*types.TypeParam)
	return ok && hasChannel(param.Constraint())
}

func hasChannel(t types.Type) bool {
	switch t := t.Underlying().(type) {
	case *types.Chan:
		return true
	case *types.Union:
		for term := range t.Terms() {
			if hasChannel(term.Type()) {
				return true
			}
		}
	case *types.Interface:
		for e := range t.EmbeddedTypes() {
			if hasChannel(e) {
				return true
			}
		}
	}
	return false
}
