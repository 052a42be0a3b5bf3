package overlay

import (
	"go/ast"
	"go/token"
	"strconv"
	"strings"
)

// selectStmt makes a switch of a select: break, labels and goto mean the same in both.
//
//	select {                  switch a, b := shim.RecvCase(c), shim.SendCase(d, f()); shim.Select(false, a, b) {
//	case v := <-c: A          case 0: v := a.Value; A
//	case d <- f(): B          default: B
//	}                         }
//
// The channels and the values to send stand in the order of the source, and are evaluated
// once. A select without default always ends in one of its cases, which the compiler knows
// ("missing return"). So the switch says default in place of its last case.
func (f *file) selectStmt(s *ast.SelectStmt) {
	if len(s.Body.List) == 0 {
		f.replace(s.Pos(), s.End(), text("for { ", f.shim("Select"), "(", f.shim("False"), ") }"))
		return
	}
	var clauses []*ast.CommClause
	hasDefault := "False"
	for _, c := range s.Body.List {
		if c := c.(*ast.CommClause); c.Comm != nil {
			clauses = append(clauses, c)
		} else {
			hasDefault = "True"
		}
	}
	var names []string
	var operands []piece
	for i, c := range clauses {
		name := f.name()
		names = append(names, name)
		operands = append(operands, at(c.Comm.Pos()))
		operands = append(append(operands, f.operand(c.Comm)...), text("), "))
		head := "case " + strconv.Itoa(i) + ":"
		if hasDefault == "False" && i == len(clauses)-1 {
			head = "default:"
		}
		f.replace(c.Case, c.Colon+1, append([]piece{text(head)}, f.assignment(c.Comm, name)...)...)
	}
	pieces := []piece{text("switch ")}
	if len(names) > 0 {
		operands[len(operands)-1] = text("); ")
		pieces = append(append(pieces, text(strings.Join(names, ", "), " := ")), operands...)
	}
	arguments := strings.Join(append([]string{f.shim(hasDefault)}, names...), ", ")
	f.replace(s.Pos(), s.Body.Lbrace, append(pieces, at(s.Pos()), text(f.shim("Select"), "(", arguments, ") "))...)
}

// operand is the call that makes a case, without its closing parenthesis.
func (f *file) operand(comm ast.Stmt) []piece {
	if send, ok := comm.(*ast.SendStmt); ok {
		f.communion[send] = true
		return f.sendCall("SendCase", send)
	}
	e := received(comm)
	f.communion[e] = true
	return []piece{text(f.shim("RecvCase"), "("), source(e.X)}
}

// received finds the receive of a case.
func received(comm ast.Stmt) *ast.UnaryExpr {
	var e ast.Expr
	switch comm := comm.(type) {
	case *ast.ExprStmt:
		e = comm.X
	case *ast.AssignStmt:
		e = comm.Rhs[0]
	}
	return ast.Unparen(e).(*ast.UnaryExpr)
}

// assignment is what a case does with what it received, where the clause begins.
func (f *file) assignment(comm ast.Stmt, name string) []piece {
	s, ok := comm.(*ast.AssignStmt)
	if !ok {
		return nil
	}
	pieces := []piece{text(" "), source(s.Lhs[0])}
	if len(s.Lhs) == 1 {
		return append(pieces, text(" ", s.Tok.String(), " ", name, ".Value;"))
	}
	second := name + ".OK"
	if s.Tok == token.ASSIGN && !f.isPlainBool(s.Lhs[1]) {
		second += " != " + f.shim("False") // a comparison has any boolean type
	}
	return append(pieces, text(", "), source(s.Lhs[1]), text(" ", s.Tok.String(), " ", name, ".Value, ", second, ";"))
}
