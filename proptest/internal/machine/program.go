package machine

import (
	"fmt"

	"pgregory.net/rapid"

	"github.com/ichor-go/ichor/proptest/internal/draw"
)

// frequent lists codes that are drawn more often than the others: each occurrence adds one chance.
var frequent = []Code{
	OpLeaf, OpLeaf, OpLeaf, OpDrop, OpCopy, OpList, opDict, opTuple, opRecord,
	OpAppend, OpAppend, OpAppend, OpSet, OpSet, OpPop, OpGet, OpGet, opInsert,
	OpPut, OpPut, OpPut, OpPut, opLookup, opDelete, opDelete, OpTake,
	OpField, OpField, OpGetField, OpUse, OpUse, OpUse, OpUse,
	OpCheckpoint, OpCheckpoint,
	OpNode, OpNode, OpNode, opLink, opLink, opLink, opGetLink, OpRing, OpWeak, OpFollow, OpSend, OpReceive,
}

// codes lists all codes as often as they are to be drawn.
var codes = func() []Code {
	var all []Code
	for c := range opCount {
		all = append(all, c)
	}
	return append(all, frequent...)
}()

// spread maps small numbers, which rapid draws more often, evenly to all codes, and 0, towards
// which it shrinks, to the first.
func spread(x uint32) Code { return codes[x*2654435761>>16%uint32(len(codes))] }

// anyOp is any operation.
var anyOp = rapid.Custom(func(t *rapid.T) Op {
	return Op{
		Code: spread(rapid.Uint32().Draw(t, "code")),
		A:    rapid.Uint8().Draw(t, "a"),
		B:    rapid.Uint8().Draw(t, "b"),
		N:    rapid.Uint8().Draw(t, "n"),
	}
})

// hot lists the operations by which threads conflict in shared roots: read a slot of a
// root, count it later, and overwrite or empty the slot in between.
var hot = []Code{
	OpUse, OpUse, OpUse, OpUse, OpUse, OpLeaf, OpLeaf, OpList, OpDrop, OpDrop,
	OpAppend, OpAppend, OpAppend, OpSet, OpSet, OpPop, OpPop, OpPop, OpPut, OpPut, OpTake, opDelete, OpField, OpField,
	opPopFirst, opLoadOrStore, opLoadDelete, opSwapKey, opCASKey, opDeleteIf, opPopOldest, opSwapField, opCASField,
	OpNode, opLink, opLink, opLink, OpWeak, OpWeak, OpFollow, OpFollow, OpSend, OpSend, OpSend, OpReceive, OpReceive, OpReceive, OpLeave,
}

// hotOp is an operation on a few places. Its leaves are never small integers.
var hotOp = rapid.Custom(func(t *rapid.T) Op {
	o := Op{
		Code: rapid.SampledFrom(hot).Draw(t, "code"),
		A:    rapid.Uint8Range(0, 3).Draw(t, "a"),
		B:    rapid.Uint8Range(0, 2).Draw(t, "b"),
		N:    rapid.Uint8Range(0, 3).Draw(t, "n"),
	}
	if o.Code == OpLeaf {
		o.B += BigInt
	}
	return o
})

// tangle lists the operations that make, drop and find cycles and the objects below them.
var tangle = []Code{
	OpNode, OpNode, opLink, opLink, opLink, opGetLink, OpRing, OpWeak, OpWeak, OpFollow, OpFollow,
	OpCollect, OpRescue, OpDrop, OpDrop, OpDrop, OpList, OpAppend, OpAppend, OpSet, OpRemove, OpPut, OpField, opTuple, OpCopy, OpRender,
}

// tangleOp is an operation on a few places, most of them registers.
var tangleOp = rapid.Custom(func(t *rapid.T) Op {
	return Op{
		Code: rapid.SampledFrom(tangle).Draw(t, "code"),
		A:    rapid.Uint8Range(0, Roots+2).Draw(t, "a"),
		B:    rapid.Uint8Range(0, 3).Draw(t, "b"),
		N:    rapid.Uint8Range(0, 9).Draw(t, "n"),
	}
})

// ice lists the operations that freeze, read frozen objects, and try to write to them.
var ice = []Code{
	OpFreeze, OpFreeze, OpFreeze, OpGet, opLookup, opLookup, opItem, OpGetField, opExtend, opUpdate, opIterate, OpRender,
	OpAppend, OpSet, OpPop, opInsert, OpRemove, opClear, OpPut, OpPut, opDelete, OpTake, opEmpty, OpField, opFillDict,
	opPopFirst, opLoadOrStore, opLoadDelete, opSwapKey, opCASKey, opDeleteIf, opPopOldest, opSwapField, opCASField,
	OpList, opDict, opTuple, opRecord, OpLeaf, OpCopy, OpDrop, opImmortalize, opMistype, OpState, OpWeak, OpFollow,
}

// iceOp is an operation on a few places, most of them registers.
var iceOp = rapid.Custom(func(t *rapid.T) Op {
	return Op{
		Code: rapid.SampledFrom(ice).Draw(t, "code"),
		A:    rapid.Uint8Range(0, Roots+3).Draw(t, "a"),
		B:    rapid.Uint8Range(0, 3).Draw(t, "b"),
		N:    rapid.Uint8Range(0, 24).Draw(t, "n"),
	}
})

// barter lists the operations that hand objects from thread to thread and count them.
var barter = []Code{
	OpLeaf, OpList, OpCopy, OpCopy, OpCopy, OpDrop, OpDrop, OpDrop, OpDrop, OpSend, OpSend, OpSend, OpReceive, OpReceive, OpReceive, OpCheckpoint, OpLeave,
}

// barterOp is an operation on a few registers.
var barterOp = rapid.Custom(func(t *rapid.T) Op {
	return Op{
		Code: rapid.SampledFrom(barter).Draw(t, "code"),
		A:    rapid.Uint8Range(0, 2).Draw(t, "a"),
		B:    rapid.Uint8Range(0, 2).Draw(t, "b") + BigInt,
		N:    0,
	}
})

// Program is the program of one thread: operations on shared objects and on its own
// objects, alternately.
type Program struct{ Shared, Own []Op }

func (p Program) String() string { return fmt.Sprintf("shared%v own%v", p.Shared, p.Own) }

// DrawOps draws at most n operations of one thread.
func DrawOps(t *rapid.T, label string, n int) []Op {
	return draw.Slice(t, label, rapid.OneOf(anyOp, tangleOp, iceOp), n)
}

// DrawProgram draws a program with at most n operations in either part.
func DrawProgram(t *rapid.T, label string, n int) Program {
	return Program{
		Shared: draw.Slice(t, label+" shared", rapid.OneOf(anyOp, hotOp, tangleOp, barterOp, iceOp), n),
		Own:    DrawOps(t, label+" own", n),
	}
}

// Turn is one step of an interleaved run: an operation, and the number of the thread that runs it.
type Turn struct {
	Thread uint8
	Op     Op
}

func (s Turn) String() string   { return fmt.Sprintf("%d:%s", s.Thread, s.Op) }
func (s Turn) GoString() string { return s.String() }

// DrawTurns draws at most n turns of so many threads.
func DrawTurns(t *rapid.T, threads, n int) []Turn {
	anyTurn := rapid.Custom(func(t *rapid.T) Turn {
		return Turn{
			Thread: rapid.Uint8Range(0, uint8(threads-1)).Draw(t, "thread"),
			Op:     rapid.OneOf(hotOp, hotOp, hotOp, barterOp, tangleOp, iceOp, anyOp).Draw(t, "op"),
		}
	})
	return draw.Slice(t, "turns", anyTurn, n)
}
