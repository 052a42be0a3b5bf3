package parts

import (
	"fmt"

	"pgregory.net/rapid"
)

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

// spread maps small numbers, which rapid draws more often, evenly to all opcodes,
// and 0, towards which it shrinks, to the first.
func spread(x uint32) opcode { return opcodes[x*2654435761>>16%uint32(len(opcodes))] }

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
