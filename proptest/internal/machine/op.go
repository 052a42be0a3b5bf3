package machine

import "fmt"

// Code is the code of an operation. Rapid shrinks towards the first one.
type Code uint8

// The operations. Their operands are places: a is mostly the one to write to, and b the one to
// read from.
const (
	OpLeaf Code = iota // register a = a leaf
	OpDrop
	OpCopy
	OpRender // read everything reachable from a register
	OpList
	opDict
	opTuple
	opRecord
	OpAppend
	OpSet
	OpPop
	opPopFirst
	OpGet
	opInsert
	OpRemove
	opClear
	opExtend
	opFill // many items at once
	OpPut  // dict
	opLookup
	opDelete
	OpTake // Dict.Pop
	opLoadOrStore
	opLoadDelete
	opSwapKey
	opCASKey
	opDeleteIf
	opPopOldest
	opEmpty
	opUpdate
	opFillDict
	OpField    // record set
	OpGetField // record get
	opSwapField
	opCASField
	opItem // tuple get
	OpUse  // count the borrowed reference, or else borrow one from a root
	OpCheckpoint
	opBlocking
	opChurn // many counts on one object at once
	opScope
	OpNode
	opLink    // node set: makes cycles
	opGetLink // node get
	OpRing    // some nodes in a cycle
	opHerd    // more of them, and a large leaf: collections may begin after it
	OpWeak
	OpFollow
	OpCollect
	OpRescue // a node that a finalizer has kept
	OpSend   // to another machine
	OpReceive
	OpLeave    // the thread ends
	opDocument // from JSON
	opBorn     // born immortal
	opMiscarry // a birth of immortals that fails
	opImmortalize
	OpFreeze // a frozen copy
	OpState  // is it immortal, are two the same
	opMistype
	opIterate
	OpAudit
	opCount // number of codes
)

var opNames = [opCount]string{
	"leaf", "drop", "copy", "render", "list", "dict", "tuple", "record",
	"append", "set", "pop", "popfirst", "get", "insert", "remove", "clear", "extend", "fill",
	"put", "lookup", "delete", "take", "loadorstore", "loaddelete", "swapkey", "caskey", "deleteif", "popoldest", "empty", "update", "filldict",
	"field", "getfield", "swapfield", "casfield", "item", "use", "checkpoint", "blocking",
	"churn", "scope", "node", "link", "getlink", "ring", "herd", "weak", "follow", "collect",
	"rescue", "send", "receive", "leave", "document", "born", "miscarry", "immortalize", "freeze", "state",
	"mistype", "iterate", "audit",
}

// Op is one operation. The machine interprets its operands: every value is valid for every code.
type Op struct {
	Code    Code
	A, B, N uint8
}

func (o Op) String() string { return fmt.Sprintf("%s(%d,%d,%d)", opNames[o.Code], o.A, o.B, o.N) }

// GoString returns the text that rapid prints.
func (o Op) GoString() string { return o.String() }
