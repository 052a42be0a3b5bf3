package proptest

import (
	"fmt"
	"slices"
	"strings"

	"pgregory.net/rapid"
)

// opcode is the code of an operation. The generator shrinks towards the first one.
type opcode uint8

const (
	opLeaf opcode = iota // register a = a leaf
	opDrop
	opCopy
	opRender // read everything reachable from a register
	opList
	opDict
	opTuple
	opRecord
	opAppend
	opSet
	opPop
	opPopFirst
	opGet
	opInsert
	opRemove
	opClear
	opExtend
	opFill // many items at once
	opPut  // dict
	opLookup
	opDelete
	opTake // Dict.Pop
	opLoadOrStore
	opLoadDelete
	opSwapKey
	opCASKey
	opDeleteIf
	opPopOldest
	opEmpty
	opUpdate
	opFillDict
	opField    // record set
	opGetField // record get
	opSwapField
	opCASField
	opItem // tuple get
	opUse  // count the borrowed reference, or else borrow one from a root
	opCheckpoint
	opBlocking
	opChurn // many counts on one object at once
	opScope
	opNode
	opLink    // node set: makes cycles
	opGetLink // node get
	opRing    // some nodes in a cycle
	opHerd    // more of them, and a large leaf: collections may begin after it
	opWeak
	opFollow
	opCollect
	opRescue // a node that a finalizer has kept
	opSend   // to another machine
	opReceive
	opLeave    // the thread ends
	opDocument // from JSON
	opBorn     // born immortal
	opMiscarry // a birth of immortals that fails
	opImmortalise
	opFreeze // a frozen copy
	opState  // is it immortal, are two the same
	opMistype
	opIterate
	opAudit
	opCount // number of opcodes
)

var opNames = [opCount]string{
	"leaf", "drop", "copy", "render", "list", "dict", "tuple", "record",
	"append", "set", "pop", "popfirst", "get", "insert", "remove", "clear", "extend", "fill",
	"put", "lookup", "delete", "take", "loadorstore", "loaddelete", "swapkey", "caskey", "deleteif", "popoldest", "empty", "update", "filldict",
	"field", "getfield", "swapfield", "casfield", "item", "use", "checkpoint", "blocking",
	"churn", "scope", "node", "link", "getlink", "ring", "herd", "weak", "follow", "collect",
	"rescue", "send", "receive", "leave", "document", "born", "miscarry", "immortalise", "freeze", "state",
	"mistype", "iterate", "audit",
}

// frequent lists opcodes that are drawn more often than the others: each occurrence adds one
// chance.
var frequent = []opcode{
	opLeaf, opLeaf, opLeaf, opDrop, opCopy, opList, opDict, opTuple, opRecord,
	opAppend, opAppend, opAppend, opSet, opSet, opPop, opGet, opGet, opInsert,
	opPut, opPut, opPut, opPut, opLookup, opDelete, opDelete, opTake,
	opField, opField, opGetField, opUse, opUse, opUse, opUse,
	opCheckpoint, opCheckpoint,
	opNode, opNode, opNode, opLink, opLink, opLink, opGetLink, opRing, opWeak, opFollow, opSend, opReceive,
}

var opcodes = func() []opcode {
	var all []opcode
	for c := range opCount {
		all = append(all, c)
	}
	return append(all, frequent...)
}()

// op is one operation. The machine interprets its operands: every value is valid for
// every opcode.
type op struct {
	code    opcode
	a, b, n uint8
}

func (o op) String() string { return fmt.Sprintf("%s(%d,%d,%d)", opNames[o.code], o.a, o.b, o.n) }

// spread maps small numbers, which rapid draws more often, evenly to all opcodes,
// and 0, towards which it shrinks, to the first.
func spread(x uint32) opcode { return opcodes[x*2654435761>>16%uint32(len(opcodes))] }

// GoString returns the text that rapid prints.
func (o op) GoString() string { return o.String() }

var anyOp = rapid.Custom(func(t *rapid.T) op {
	return op{
		code: spread(rapid.Uint32().Draw(t, "code")),
		a:    rapid.Uint8().Draw(t, "a"),
		b:    rapid.Uint8().Draw(t, "b"),
		n:    rapid.Uint8().Draw(t, "n"),
	}
})

// hot lists the operations by which threads conflict in shared roots: read a slot of a
// root, count it later, and overwrite or empty the slot in between.
var hot = []opcode{
	opUse, opUse, opUse, opUse, opUse, opLeaf, opLeaf, opList, opDrop, opDrop,
	opAppend, opAppend, opAppend, opSet, opSet, opPop, opPop, opPop, opPut, opPut, opTake, opDelete, opField, opField,
	opPopFirst, opLoadOrStore, opLoadDelete, opSwapKey, opCASKey, opDeleteIf, opPopOldest, opSwapField, opCASField,
	opNode, opLink, opLink, opLink, opWeak, opWeak, opFollow, opFollow, opSend, opSend, opSend, opReceive, opReceive, opReceive, opLeave,
}

// hotOp is an operation on a few places. Its leaves are never small integers.
var hotOp = rapid.Custom(func(t *rapid.T) op {
	o := op{
		code: rapid.SampledFrom(hot).Draw(t, "code"),
		a:    rapid.Uint8Range(0, 3).Draw(t, "a"),
		b:    rapid.Uint8Range(0, 2).Draw(t, "b"),
		n:    rapid.Uint8Range(0, 3).Draw(t, "n"),
	}
	if o.code == opLeaf {
		o.b += bigInt
	}
	return o
})

// tangle lists the operations that make, drop and find cycles and the objects below them.
var tangle = []opcode{
	opNode, opNode, opLink, opLink, opLink, opGetLink, opRing, opWeak, opWeak, opFollow, opFollow,
	opCollect, opRescue, opDrop, opDrop, opDrop, opList, opAppend, opAppend, opSet, opRemove, opPut, opField, opTuple, opCopy, opRender,
}

// tangleOp is an operation on a few places, most of them registers.
var tangleOp = rapid.Custom(func(t *rapid.T) op {
	return op{
		code: rapid.SampledFrom(tangle).Draw(t, "code"),
		a:    rapid.Uint8Range(0, roots+2).Draw(t, "a"),
		b:    rapid.Uint8Range(0, 3).Draw(t, "b"),
		n:    rapid.Uint8Range(0, 9).Draw(t, "n"),
	}
})

// ice lists the operations that freeze, read frozen objects, and try to write to them.
var ice = []opcode{
	opFreeze, opFreeze, opFreeze, opGet, opLookup, opLookup, opItem, opGetField, opExtend, opUpdate, opIterate, opRender,
	opAppend, opSet, opPop, opInsert, opRemove, opClear, opPut, opPut, opDelete, opTake, opEmpty, opField, opFillDict,
	opPopFirst, opLoadOrStore, opLoadDelete, opSwapKey, opCASKey, opDeleteIf, opPopOldest, opSwapField, opCASField,
	opList, opDict, opTuple, opRecord, opLeaf, opCopy, opDrop, opImmortalise, opMistype, opState, opWeak, opFollow,
}

// iceOp is an operation on a few places, most of them registers.
var iceOp = rapid.Custom(func(t *rapid.T) op {
	return op{
		code: rapid.SampledFrom(ice).Draw(t, "code"),
		a:    rapid.Uint8Range(0, roots+3).Draw(t, "a"),
		b:    rapid.Uint8Range(0, 3).Draw(t, "b"),
		n:    rapid.Uint8Range(0, 24).Draw(t, "n"),
	}
})

// barter lists the operations that hand objects from thread to thread and count them.
var barter = []opcode{
	opLeaf, opList, opCopy, opCopy, opCopy, opDrop, opDrop, opDrop, opDrop, opSend, opSend, opSend, opReceive, opReceive, opReceive, opCheckpoint, opLeave,
}

// barterOp is an operation on a few registers.
var barterOp = rapid.Custom(func(t *rapid.T) op {
	return op{
		code: rapid.SampledFrom(barter).Draw(t, "code"),
		a:    rapid.Uint8Range(0, 2).Draw(t, "a"),
		b:    rapid.Uint8Range(0, 2).Draw(t, "b") + bigInt,
		n:    0,
	}
})

// program is the program of one thread: operations on shared objects and on its own
// objects, alternately.
type program struct{ shared, own []op }

func (p program) String() string { return fmt.Sprintf("shared%v own%v", p.shared, p.own) }

// drawSlice draws at most n elements, often nearly as many. A plain rapid slice would
// have five elements on average, and a minimum length would prevent shrinking. Groups of
// groups of elements avoid both.
func drawSlice[E any](t *rapid.T, label string, g *rapid.Generator[E], n int) []E {
	groups := rapid.SliceOfN(rapid.SliceOfN(rapid.SliceOfN(g, 0, 10), 0, 10), 0, max(n/10, 1))
	flat := rapid.Custom(func(t *rapid.T) []E {
		all := slices.Concat(slices.Concat(groups.Draw(t, "groups")...)...)
		return all[:min(n, len(all))]
	})
	return flat.Draw(t, label)
}

func drawOps(t *rapid.T, label string, n int) []op {
	return drawSlice(t, label, rapid.OneOf(anyOp, tangleOp, iceOp), n)
}

// drawProgram draws a program with at most n operations of either kind.
func drawProgram(t *rapid.T, label string, n int) program {
	return program{
		shared: drawSlice(t, label+" shared", rapid.OneOf(anyOp, hotOp, tangleOp, barterOp, iceOp), n),
		own:    drawOps(t, label+" own", n),
	}
}

// turn is one step of an interleaved run: an operation, and the thread that runs it.
type turn struct {
	thread uint8
	op     op
}

func (s turn) String() string   { return fmt.Sprintf("%d:%s", s.thread, s.op) }
func (s turn) GoString() string { return s.String() }

func drawTurns(t *rapid.T, threads, n int) []turn {
	anyTurn := rapid.Custom(func(t *rapid.T) turn {
		return turn{
			thread: rapid.Uint8Range(0, uint8(threads-1)).Draw(t, "thread"),
			op:     rapid.OneOf(hotOp, hotOp, hotOp, barterOp, tangleOp, iceOp, anyOp).Draw(t, "op"),
		}
	})
	return drawSlice(t, "turns", anyTurn, n)
}

// history holds the observations of a machine, one line for each operation.
type history []string

// diff returns the first line in which two histories differ, or "".
func (h history) diff(other history, prog []op) string {
	for i := range max(len(h), len(other)) {
		a, b := "(nothing)", "(nothing)"
		if i < len(h) {
			a = h[i]
		}
		if i < len(other) {
			b = other[i]
		}
		if a != b {
			var before []string
			for _, o := range prog[:min(i+1, len(prog))] {
				before = append(before, o.String())
			}
			return fmt.Sprintf("after %s:\n  %s\n  %s", strings.Join(before, " "), a, b)
		}
	}
	return ""
}
