package overlay

import (
	"bytes"
	"cmp"
	"go/ast"
	"go/token"
	"slices"
	"strconv"
	"strings"
)

// An edit replaces the text from one position to another by its pieces.
type edit struct {
	from, to token.Pos
	pieces   []piece
}

// A piece is one of these: literal text; a range of the file, with the edits in it; or a
// position that what follows pretends to have.
type piece struct {
	text     string
	from, to token.Pos
}

func text(parts ...string) piece { return piece{text: strings.Join(parts, "")} }
func source(n ast.Node) piece    { return piece{from: n.Pos(), to: n.End()} }
func at(pos token.Pos) piece     { return piece{from: pos, to: pos} }

// replace adds an edit. The ranges of two edits are nested or do not overlap, and no piece
// is the whole range of its own edit.
func (f *file) replace(from, to token.Pos, pieces ...piece) {
	f.edits = append(f.edits, edit{from, to, pieces})
}

// render returns the file with all edits.
func (f *file) render() string {
	slices.SortStableFunc(f.edits, func(a, b edit) int {
		if c := cmp.Compare(a.from, b.from); c != 0 {
			return c
		}
		return cmp.Compare(b.to, a.to)
	})
	var b strings.Builder
	b.WriteString(f.constraint + "//line " + f.fset.File(f.start).Name() + ":1:1\n")
	from := f.start
	if bytes.HasPrefix(f.src, []byte("\ufeff")) { // it may only stand at the beginning
		from += 3
	}
	f.renderRange(&b, from, f.start+token.Pos(len(f.src)))
	return b.String()
}

// renderRange writes the text from one position to another. An edit that contains the range
// is not applied: the range is a piece of it.
func (f *file) renderRange(b *strings.Builder, from, to token.Pos) {
	next, _ := slices.BinarySearchFunc(f.edits, from, func(e edit, p token.Pos) int { return cmp.Compare(e.from, p) })
	for ; next < len(f.edits); next++ {
		e := &f.edits[next]
		if e.from >= to {
			break
		}
		if e.from < from || e.to > to {
			continue
		}
		b.Write(f.src[from-f.start : e.from-f.start])
		for _, p := range e.pieces {
			switch {
			case p.from == token.NoPos:
				b.WriteString(p.text)
			case p.from == p.to:
				f.directive(b, p.from)
			default:
				f.directive(b, p.from)
				f.renderRange(b, p.from, p.to)
			}
		}
		from = e.to
		if from < to && !(f.src[from-f.start] == '\n' && f.keepsLines(e)) {
			f.directive(b, from)
		}
	}
	if from < to {
		b.Write(f.src[from-f.start : to-f.start])
	}
}

// keepsLines reports whether an edit leaves positions as they are from the next line on.
func (f *file) keepsLines(e *edit) bool {
	return !bytes.ContainsRune(f.src[e.from-f.start:e.to-f.start], '\n') &&
		!slices.ContainsFunc(e.pieces, func(p piece) bool { return p.from != token.NoPos })
}

// directive says that what follows is at pos. The user's own directives hold.
func (f *file) directive(b *strings.Builder, pos token.Pos) {
	real, said := f.fset.PositionFor(pos, false), f.fset.PositionFor(pos, true)
	b.WriteString("/*line ")
	if said.Filename != real.Filename || said.Column == 0 {
		b.WriteString(said.Filename)
	}
	b.WriteString(":" + strconv.Itoa(said.Line))
	if said.Column > 0 {
		b.WriteString(":" + strconv.Itoa(said.Column))
	}
	b.WriteString("*/")
}
