package starlark

import rt "github.com/ichor-go/ichor/runtime"

// The types of the objects. The words of each body are named in the kind's own file.
var (
	stringType   = define(kString, rt.Type{Name: "starlark.string"})
	bytesType    = define(kBytes, rt.Type{Name: "starlark.bytes"})
	bigType      = define(kInt, rt.Type{Name: "starlark.int"})
	rangeType    = define(kRange, rt.Type{Name: "starlark.range"})
	builtinType  = define(kBuiltin, rt.Type{Name: "starlark.builtin"})
	tupleType    = define(kTuple, rt.Type{Name: "starlark.tuple", Slots: slotsAfter(tupleLen, tupleSlots)})
	functionType = define(kFunction, rt.Type{Name: "starlark.function", Slots: slotsAfter(funcLen, funcSlots)})
	structType   = define(kStruct, rt.Type{Name: "starlark.struct", Slots: slotsAfter(structLen, structSlots)})
	moduleType   = define(kModule, rt.Type{Name: "starlark.module", Slots: slotsAfter(structLen, structSlots)})
	globalsType  = define(kGlobals, rt.Type{Name: "starlark.globals", Slots: slotsAfter(globalsLen, globalsSlots), Mutable: true})
	methodType   = define(kMethod, rt.Type{Name: "starlark.method", Slots: slotsAt(methodRecv, 1)})
	elemsType    = define(kElems, rt.Type{Name: "starlark.elems", Slots: slotsAt(elemsText, 1)})
	cellType     = define(kCell, rt.Type{Name: "starlark.cell", Slots: slotsAt(cellSlot, 1), Mutable: true})
	durationType = define(kHost, rt.Type{Name: "starlark.duration"})
	timeType     = define(kHost, rt.Type{Name: "starlark.time", Slots: timeSlots})
	listType     = define(kList, rt.Type{Name: "starlark.list", Mutable: true,
		Block: func(o rt.Body) rt.Ref { return o.LoadRef(listBlock) },
		Slots: func(h rt.Heap, o rt.Body) (rt.Body, int, int) {
			b := o.LoadRef(listBlock)
			if b.IsNil() {
				return rt.Body{}, 0, 0
			}
			block := h.Block(b)
			return block, blockSlots, int(block.Word(blockCap))
		}})
	dictType = define(kDict, tableType("starlark.dict"))
	setType  = define(kSet, tableType("starlark.set"))
)

func tableType(name string) rt.Type {
	return rt.Type{Name: name, Mutable: true,
		Block: func(o rt.Body) rt.Ref { return o.LoadRef(tableBlock) },
		Slots: func(h rt.Heap, o rt.Body) (rt.Body, int, int) {
			b := o.LoadRef(tableBlock)
			if b.IsNil() {
				return rt.Body{}, 0, 0
			}
			block := h.Block(b)
			return block, entrySlots, 2 * int(block.Word(entryCap))
		}}
}

// slotsAfter returns the Slots of a type with the number of its slots in one word, and the
// slots from another word on.
func slotsAfter(count, first int) func(rt.Heap, rt.Body) (rt.Body, int, int) {
	return func(_ rt.Heap, o rt.Body) (rt.Body, int, int) { return o, first, int(o.Word(count)) }
}

func slotsAt(first, n int) func(rt.Heap, rt.Body) (rt.Body, int, int) {
	return func(_ rt.Heap, o rt.Body) (rt.Body, int, int) { return o, first, n }
}

func define(k kind, y rt.Type) *rt.Type {
	t, err := rt.DefineType(y)
	if err != nil {
		panic(err)
	}
	kindOfType[t.ID()] = k
	return t
}

func init() {
	kindOfType[rt.TypeNone] = kNone
	for id, k := range map[rt.TypeID]kind{
		rt.TypeBool: kBool, rt.TypeInt: kInt, rt.TypeFloat: kFloat, rt.TypeString: kString,
		rt.TypeForeign: kHost,
	} {
		kindOfType[id] = k
	}
}
