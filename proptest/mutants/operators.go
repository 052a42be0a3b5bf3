package main

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"strings"
)

// op is a way of breaking code.
type op string

const (
	opDel   op = "del"   // deletes a statement
	opLock  op = "lock"  // deletes a call that locks or unlocks
	opStore op = "store" // deletes a call that stores to a shared word
	opCond  op = "cond"  // makes a condition true, or false, without evaluating it
	opBound op = "bound" // moves a comparison by one, or negates it
	opRet   op = "ret"   // makes a result zero, or negates it
	opSwap  op = "swap"  // swaps two statements, of which one accesses shared memory
)

// inFull has the operators whose mutants all run, without sampling.
var inFull = map[op]bool{opDel: true, opLock: true, opStore: true}

// Mutant is one change. Its identity does not depend on code elsewhere: it consists of the
// package, the function, the operator, the text, the change, and the number of earlier mutants
// in the function with the same operator, text and change.
type Mutant struct {
	N       int    `json:"-"` // its number in the package's binaries, from 1
	Package string `json:"package"`
	Func    string `json:"func"`
	Op      op     `json:"op"`
	Text    string `json:"text"`
	To      string `json:"to"`
	Nth     int    `json:"nth"`
	File    string `json:"file"`
	Line    int    `json:"line"`

	source string // hash of the file
}

// id returns the mutant with only the fields that identify it.
func (m Mutant) id() Mutant {
	return Mutant{Package: m.Package, Func: m.Func, Op: m.Op, Text: m.Text, To: m.To, Nth: m.Nth}
}

func (m Mutant) String() string {
	return fmt.Sprintf("%s:%d: %s: %s → %s", m.File, m.Line, m.Op, m.Text, m.To)
}

// form is the instrumented code for the mutants at one place. Their numbers begin at first. If
// none of them is active, it does what the original code does.
type form struct {
	mutants []Mutant
	edits   func(first int) []edit
}

// walker finds the mutants of a file, outer ones before inner ones.
type walker struct {
	*source
	file    *file
	fn      string         // the current function
	results *ast.FieldList // results of the innermost function
	forms   []form
}

// walk returns the mutants of a file.
func walk(s *source, f *file) []form {
	w := &walker{source: s, file: f}
	for _, d := range f.tree.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Body != nil && !s.dead[d] {
				w.fn, w.results = w.title(d), d.Type.Results
				w.stmts(d.Body.List)
			}
		case *ast.GenDecl:
			if d.Tok == token.VAR {
				w.fn = "var"
				w.within(d)
			}
		}
	}
	return w.forms
}

// title returns the name of a function: f, T.f or (*T).f.
func (w *walker) title(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return d.Name.Name
	}
	recv := w.text(d.Recv.List[0].Type)
	recv, _, _ = strings.Cut(recv, "[")
	if t, ok := strings.CutPrefix(recv, "*"); ok {
		recv = "(*" + t + ")"
	}
	return recv + "." + d.Name.Name
}

func (w *walker) at(p token.Pos) int { return w.fset.Position(p).Offset }

// text returns the source text of a node.
func (w *walker) text(n ast.Node) string {
	return string(w.file.text[w.at(n.Pos()):w.at(n.End())])
}

// mutant returns a mutant of a node.
func (w *walker) mutant(o op, n ast.Node, text, to string) Mutant {
	return Mutant{
		Package: w.rel, Func: w.fn, Op: o, Text: oneLine(text), To: to,
		File: w.name(w.file), Line: w.fset.Position(n.Pos()).Line, source: w.file.hash(),
	}
}

// oneLine returns the beginning of a text, as one line.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > 72 {
		s = string(r[:71]) + "…"
	}
	return s
}

func (w *walker) add(edits func(first int) []edit, mutants ...Mutant) {
	w.forms = append(w.forms, form{mutants, edits})
}

// wrap puts a node between two texts.
func (w *walker) wrap(n ast.Node, before, after string) []edit {
	return []edit{insertBefore(w.at(n.Pos()), before), insertAfter(w.at(n.End()), after)}
}

// stmts walks consecutive statements.
func (w *walker) stmts(list []ast.Stmt) {
	for i := range len(list) - 1 {
		w.swap(list[i], list[i+1])
	}
	for _, s := range list {
		for {
			l, ok := s.(*ast.LabeledStmt)
			if !ok {
				break
			}
			s = l.Stmt
		}
		w.deletion(s)
		w.stmt(s)
	}
}

// deletion adds a mutant that deletes a statement, if it declares nothing and contains no others.
func (w *walker) deletion(s ast.Stmt) {
	o := opDel
	switch s := s.(type) {
	case *ast.ExprStmt:
		o = w.kind(s.X)
	case *ast.DeferStmt:
		o = w.kind(s.Call)
	case *ast.AssignStmt:
		if s.Tok == token.DEFINE || w.blank(s) {
			return
		}
		if len(s.Rhs) == 1 && w.kind(s.Rhs[0]) != opDel {
			o = w.kind(s.Rhs[0])
		}
	case *ast.BranchStmt:
		if s.Tok != token.BREAK && s.Tok != token.CONTINUE {
			return
		}
	case *ast.ReturnStmt:
		if len(s.Results) > 0 {
			return
		}
	case *ast.IncDecStmt, *ast.GoStmt, *ast.SendStmt:
	default:
		return
	}
	w.add(func(n int) []edit {
		return w.wrap(s, fmt.Sprintf("if !mutants_on(%d) { ", n), " }")
	}, w.mutant(o, s, w.text(s), "left out"))
}

// blank reports whether an assignment only marks a name as used.
func (w *walker) blank(s *ast.AssignStmt) bool {
	for _, x := range s.Lhs {
		if id, ok := x.(*ast.Ident); !ok || id.Name != "_" {
			return false
		}
	}
	calls := false
	for _, x := range s.Rhs {
		ast.Inspect(x, func(n ast.Node) bool {
			_, is := n.(*ast.CallExpr)
			calls = calls || is
			return true
		})
	}
	return !calls
}

// stmt walks the parts of a statement.
func (w *walker) stmt(s ast.Stmt) {
	if s == nil || w.dead[s] {
		return
	}
	switch s := s.(type) {
	case *ast.BlockStmt:
		w.stmts(s.List)
	case *ast.IfStmt:
		w.stmt(s.Init)
		w.cond(s.Cond)
		w.stmt(s.Body)
		w.stmt(s.Else)
	case *ast.ForStmt:
		w.stmt(s.Init)
		w.cond(s.Cond)
		w.stmt(s.Post)
		w.stmt(s.Body)
	case *ast.RangeStmt:
		w.within(s.X)
		w.stmt(s.Body)
	case *ast.SwitchStmt:
		w.stmt(s.Init)
		w.within(s.Tag)
		for _, c := range s.Body.List {
			c := c.(*ast.CaseClause)
			if w.dead[c] {
				continue
			}
			for _, x := range c.List {
				if s.Tag == nil {
					w.cond(x)
				} else {
					w.within(x)
				}
			}
			w.stmts(c.Body)
		}
	case *ast.TypeSwitchStmt:
		w.stmt(s.Init)
		for _, c := range s.Body.List {
			w.stmts(c.(*ast.CaseClause).Body)
		}
	case *ast.SelectStmt:
		for _, c := range s.Body.List {
			c := c.(*ast.CommClause)
			w.stmt(c.Comm)
			w.stmts(c.Body)
		}
	case *ast.LabeledStmt:
		w.stmt(s.Stmt)
	case *ast.ReturnStmt:
		w.returns(s)
		w.within(s)
	default:
		w.within(s)
	}
}

// within walks the expressions in a node.
func (w *walker) within(n ast.Node) {
	if n == nil {
		return
	}
	ast.Inspect(n, func(n ast.Node) bool {
		if w.dead[n] {
			return false
		}
		switch n := n.(type) {
		case *ast.FuncLit:
			outer := w.results
			w.results = n.Type.Results
			w.stmts(n.Body.List)
			w.results = outer
			return false
		case *ast.BinaryExpr:
			if w.info.Types[n].Value != nil {
				return false
			}
			switch n.Op {
			case token.LAND, token.LOR:
				w.operands(n)
				return false
			case token.LSS, token.LEQ, token.GTR, token.GEQ:
				w.compare(n)
			case token.EQL, token.NEQ:
				w.equal(n)
			}
		}
		return true
	})
}

// cond adds mutants that make a condition true, and false.
func (w *walker) cond(e ast.Expr) {
	if e == nil || w.dead[e] {
		return
	}
	w.force(e, true, true)
	w.within(e)
}

// force adds mutants that make an expression true or false without evaluating it.
func (w *walker) force(e ast.Expr, toTrue, toFalse bool) {
	o := opCond
	if k := w.kind(positive(e)); k != opDel {
		o = k // because the call is skipped
	}
	switch {
	case toTrue && toFalse:
		w.add(func(n int) []edit {
			return w.wrap(e, fmt.Sprintf("(mutants_on(%d) || !mutants_on(%d) && (", n, n+1), "))")
		}, w.mutant(o, e, w.text(e), "true"), w.mutant(o, e, w.text(e), "false"))
	case toTrue:
		w.add(func(n int) []edit {
			return w.wrap(e, fmt.Sprintf("(mutants_on(%d) || (", n), "))")
		}, w.mutant(o, e, w.text(e), "true"))
	default:
		w.add(func(n int) []edit {
			return w.wrap(e, fmt.Sprintf("(!mutants_on(%d) && (", n), "))")
		}, w.mutant(o, e, w.text(e), "false"))
	}
}

// positive returns an expression without its leading negations.
func positive(e ast.Expr) ast.Expr {
	for {
		switch x := e.(type) {
		case *ast.ParenExpr:
			e = x.X
		case *ast.UnaryExpr:
			if x.Op != token.NOT {
				return e
			}
			e = x.X
		default:
			return e
		}
	}
}

// operands adds mutants that make each operand of a conjunction true, and of a disjunction
// false. The opposite value would decide the whole condition, which has a mutant of its own.
func (w *walker) operands(e *ast.BinaryExpr) {
	for _, x := range []ast.Expr{e.X, e.Y} {
		_, knownX := w.fold(e.X)
		_, knownY := w.fold(e.Y)
		inner, ok := x.(*ast.BinaryExpr)
		chain := ok && inner.Op == e.Op
		if !chain && !w.dead[x] && !knownX && !knownY {
			w.force(x, e.Op == token.LAND, e.Op == token.LOR)
		}
		w.within(x)
	}
}

// compare adds mutants that move the boundary of a comparison by one, in both directions if it
// is a constant integer.
func (w *walker) compare(e *ast.BinaryExpr) {
	to := map[token.Token]string{token.LSS: "<=", token.LEQ: "<", token.GTR: ">=", token.GEQ: ">"}[e.Op]
	name := map[token.Token]string{token.LSS: "lt", token.LEQ: "le", token.GTR: "gt", token.GEQ: "ge"}[e.Op]
	mutants := []Mutant{w.mutant(opBound, e, w.text(e), to)}
	second := ""
	if constant, ok := w.constant(e); ok {
		plus := map[token.Token]bool{token.LSS: false, token.LEQ: true, token.GTR: true, token.GEQ: false}[e.Op]
		if constant == e.X {
			plus = !plus
		}
		shift := map[bool]string{true: "+1", false: "-1"}[plus]
		mutants = append(mutants, w.mutant(opBound, e, w.text(e), w.text(constant)+shift))
		name += "_const"
		second = "%d, "
	}
	w.add(func(n int) []edit {
		call := fmt.Sprintf("mutants_%s(%d, ", name, n)
		if second != "" {
			call += fmt.Sprintf(second, n+1)
		}
		return append(w.wrap(e, call, ")"), replace(w.at(e.OpPos), len(e.Op.String()), ","))
	}, mutants...)
}

// equal adds mutants that negate an equality, and that move a constant integer by one.
func (w *walker) equal(e *ast.BinaryExpr) {
	other := map[token.Token]string{token.EQL: "!=", token.NEQ: "=="}[e.Op]
	w.add(func(n int) []edit {
		return w.wrap(e, "((", fmt.Sprintf(") != mutants_on(%d))", n))
	}, w.mutant(opBound, e, w.text(e), other))
	if c, ok := w.constant(e); ok {
		not := map[token.Token]string{token.EQL: "", token.NEQ: "!"}[e.Op]
		value, variable := e.Y, e.X
		if c == e.X {
			value, variable = e.X, e.Y
		}
		if types.Identical(w.info.TypeOf(value), w.info.TypeOf(variable)) {
			w.add(func(n int) []edit {
				return append(w.wrap(e, fmt.Sprintf("%smutants_eq_const(%d, %d, ", not, n, n+1), ")"),
					replace(w.at(e.OpPos), len(e.Op.String()), ","))
			}, w.mutant(opBound, e, w.text(e), w.text(c)+"+1"), w.mutant(opBound, e, w.text(e), w.text(c)+"-1"))
		}
	}
}

// constant returns the operand of a comparison that is a constant integer.
func (w *walker) constant(e *ast.BinaryExpr) (ast.Expr, bool) {
	for _, x := range []ast.Expr{e.X, e.Y} {
		tv := w.info.Types[x]
		if tv.Value == nil {
			continue
		}
		b, ok := tv.Type.Underlying().(*types.Basic)
		return x, ok && b.Info()&types.IsInteger != 0
	}
	return nil, false
}

// returns adds mutants that make each result of a return zero, and negate a boolean constant.
func (w *walker) returns(s *ast.ReturnStmt) {
	var ts []ast.Expr // the types of all results
	if w.results != nil {
		for _, f := range w.results.List {
			for range max(len(f.Names), 1) {
				ts = append(ts, f.Type)
			}
		}
	}
	if len(s.Results) == 1 && len(ts) > 1 {
		w.returnsCall(s.Results[0], ts)
		return
	}
	for i, e := range s.Results {
		b, basic := w.info.TypeOf(ts[i]).Underlying().(*types.Basic)
		switch tv := w.info.Types[e]; {
		case w.dead[e]:
		case basic && b.Info()&types.IsBoolean != 0:
			w.add(func(n int) []edit {
				return w.wrap(e, "((", fmt.Sprintf(") != mutants_on(%d))", n))
			}, w.mutant(opRet, e, "return "+w.text(e), "its opposite"))
		case !zero(tv):
			w.add(func(n int) []edit {
				return w.wrap(e, fmt.Sprintf("mutants_zero[%s](%d, ", w.text(ts[i]), n), ")")
			}, w.mutant(opRet, e, "return "+w.text(e), "zero"))
		}
	}
}

// returnsCall adds mutants that make each result of a returned call zero.
func (w *walker) returnsCall(e ast.Expr, ts []ast.Expr) {
	if len(ts) > 4 {
		return
	}
	var names []string
	var mutants []Mutant
	for i, t := range ts {
		names = append(names, w.text(t))
		mutants = append(mutants, w.mutant(opRet, e, "return "+w.text(e), fmt.Sprintf("result %d zero", i+1)))
	}
	w.add(func(n int) []edit {
		return w.wrap(e, fmt.Sprintf("mutants_zero%d[%s](%d)(", len(ts), strings.Join(names, ", "), n), ")")
	}, mutants...)
}

// zero reports whether an expression is the zero value.
func zero(tv types.TypeAndValue) bool {
	if tv.IsNil() {
		return true
	}
	if tv.Value == nil {
		return false
	}
	switch tv.Value.Kind() {
	case constant.Int, constant.Float:
		return constant.Sign(tv.Value) == 0
	case constant.String:
		return constant.StringVal(tv.Value) == ""
	}
	return false
}
