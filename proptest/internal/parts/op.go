package parts

import "fmt"

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

// op is one operation. The machine interprets its operands: every value is valid for
// every opcode.
type op struct {
	code    opcode
	a, b, n uint8
}

func (o op) String() string { return fmt.Sprintf("%s(%d,%d,%d)", opNames[o.code], o.a, o.b, o.n) }

// GoString returns the text that rapid prints.
func (o op) GoString() string { return o.String() }
