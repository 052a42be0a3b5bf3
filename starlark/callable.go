package starlark

// Words of a function: the number of its code, and slots: the values of the parameters'
// defaults, Nil for a parameter that is mandatory, and then the cells of its free variables.
// Immutable.
const (
	funcCode  = 0
	funcLen   = 1
	funcSlots = 2
)

// Words of a builtin. Immutable.
const builtinNumber = 0

// Words of a method that is bound to its receiver. Immutable.
const (
	methodBuiltin = 0
	methodRecv    = 1
)

// Words of a cell, which holds a captured variable: Nil until it is assigned.
const cellSlot = 0

// Words of the global variables of a module.
const (
	globalsLen   = 0
	globalsSlots = 1
)

// A Kwarg is a keyword argument.
type Kwarg struct {
	Name  string
	Value Value
}

// A Func is the Go code of a builtin function. All values that it gets are borrowed. It returns
// a value with a count of its own: one that was made for the call, or the result of Thread.Keep.
type Func func(th *Thread, c *Call) (Value, error)

// Call is what a builtin function is called with. It is good until the function returns.
type Call struct {
	Name   string
	Recv   Value // of a method
	Args   []Value
	Kwargs []Kwarg
}

type builtin struct {
	name   string
	fn     Func
	number int // in Machine.builtins
}

func (th *Thread) builtin(v Value) *builtin {
	return th.m.builtinList()[th.t.Body(v.ref()).Word(builtinNumber)]
}

func (th *Thread) code(v Value) *code {
	return th.m.codeList()[th.t.Body(v.ref()).Word(funcCode)]
}

// newFunction returns a function. slots are stolen, unless it fails.
func (th *Thread) newFunction(number int, slots []Value) (Value, error) {
	r, o, err := th.t.New(functionType, 4*(funcSlots+len(slots)))
	if err != nil {
		return 0, err
	}
	o.SetWord(funcCode, uint32(number))
	o.SetWord(funcLen, uint32(len(slots)))
	for i, v := range slots {
		if v == 0 {
			continue // mandatory
		}
		s, err := th.box(v)
		if err != nil {
			th.t.DecRef(r)
			for j := range i {
				slots[j] = 0
			}
			return 0, err
		}
		o.SetRef(funcSlots+i, s)
	}
	return counted(r), nil
}

func (th *Thread) newBuiltinValue(number int) (Value, error) {
	r, o, err := th.t.New(builtinType, 4)
	if err != nil {
		return 0, err
	}
	o.SetWord(builtinNumber, uint32(number))
	return counted(r), nil
}

func (th *Thread) newMethod(b *builtin, recv Value) (Value, error) {
	r, o, err := th.t.New(methodType, 8)
	if err != nil {
		return 0, err
	}
	o.SetWord(methodBuiltin, uint32(b.number))
	x, err := th.box(recv.borrowed())
	if err != nil {
		th.t.DecRef(r)
		return 0, err
	}
	o.SetRef(methodRecv, x)
	return counted(r), nil
}

func (th *Thread) methodParts(v Value) (recv Value, b *builtin) {
	o := th.t.Body(v.ref())
	return th.peek(o.Ref(methodRecv)), th.m.builtinList()[o.Word(methodBuiltin)]
}

func (th *Thread) newCell(v Value) (Value, error) {
	x, err := th.box(v)
	if err != nil {
		return 0, err
	}
	r, o, err := th.t.New(cellType, 4)
	if err != nil {
		th.unbox1(v, x)
		return 0, err
	}
	o.SetRef(cellSlot, x)
	return counted(r), nil
}
