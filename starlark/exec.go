// The machine's loop. run is longer than a function should be: its state (frame, code,
// instruction, window) stays in registers of the processor, and an instruction in a function of
// its own would have to pass it to and fro. What is not needed for each instruction is elsewhere.

package starlark

import (
	"fmt"

	rt "github.com/ichor-go/ichor/runtime"
	"go.starlark.net/syntax"
)

// run executes the innermost frame until it returns, and the frames that it calls.
func (th *Thread) run() (result Value, err error) {
	var (
		fr   = &th.frames[len(th.frames)-1]
		k    = fr.code
		base = int(fr.base)
		regs = th.window(base)
		ins  = k.ins
		pc   = 0
	)
	for {
		w := ins[pc]
		pc++
		a, b, c := uint8(w>>8), uint8(w>>16), uint8(w>>24)
		switch op := opcode(w); op {
		case opMove:
			set(th, &regs[a], th.dup(regs[b]))
		case opSteal:
			v := regs[b]
			regs[b] = 0
			set(th, &regs[a], v)
		case opBorrow:
			v := regs[b]
			if v>>48 == 1 {
				v &^= owned
			}
			set(th, &regs[a], v)
		case opConst:
			set(th, &regs[a], k.consts[w>>16])
		case opConstW:
			set(th, &regs[a], k.consts[ins[pc]])
			pc++
		case opGlobal:
			r := th.t.Body(k.module.globals.ref()).LoadRef(globalsSlots + int(w>>16))
			if r.Handle >= rt.Limit && !r.IsInt() {
				if id := th.t.QuickKind(r); id == functionType.ID() || id == builtinType.ID() {
					set(th, &regs[a], Value(r.Handle))
					continue
				}
			}
			if r.IsNil() {
				if r, err = th.global(k.module, int(w>>16)); err != nil {
					goto fail
				}
			}
			if r.IsNil() {
				err = fmt.Errorf("global variable %s referenced before assignment", k.module.nameAt(th, int(w>>16)))
				goto fail
			}
			set(th, &regs[a], th.load(r))
		case opSetGlobal:
			if err = th.setSlot(k.module.globals, globalsSlots+int(w>>16), &regs[a]); err != nil {
				goto fail
			}
		case opCellGet:
			r := th.t.Body(regs[b].ref()).LoadRef(cellSlot)
			if r.IsNil() {
				err = fmt.Errorf("local variable %s referenced before assignment", k.localNames[b])
				goto fail
			}
			set(th, &regs[a], th.load(r))
		case opCellSet:
			if err = th.setSlot(regs[a], cellSlot, &regs[b]); err != nil {
				goto fail
			}
		case opFreeGet:
			r := th.t.Body(th.freeCell(fr.fn, k, int(b))).LoadRef(cellSlot)
			if r.IsNil() {
				err = fmt.Errorf("local variable %s referenced before assignment", k.freeNames[b])
				goto fail
			}
			set(th, &regs[a], th.load(r))
		case opFree:
			set(th, &regs[a], Value(th.freeCell(fr.fn, k, int(b)).Handle))
		case opMakeCell:
			v := regs[a]
			regs[a] = 0
			if regs[a], err = th.newCell(v); err != nil {
				th.drop(v)
				goto fail
			}
		case opSpill:
			var v Value
			if v, err = th.newGlobals(int(ins[pc])); err != nil {
				goto fail
			}
			pc++
			set(th, &regs[a], v)
		case opSpillGet:
			r := th.t.Body(regs[b].ref()).LoadRef(globalsSlots + int(ins[pc]))
			if r.IsNil() {
				err = fmt.Errorf("local variable %s referenced before assignment", k.spillNames[ins[pc]])
				goto fail
			}
			pc++
			set(th, &regs[a], th.load(r))
		case opSpillSet:
			if err = th.setSlot(regs[a], globalsSlots+int(ins[pc]), &regs[b]); err != nil {
				goto fail
			}
			pc++
		case opCheck:
			if regs[a] == 0 {
				err = fmt.Errorf("local variable %s referenced before assignment", k.localNames[a])
				goto fail
			}

		case opAdd:
			x, y := regs[b], regs[c]
			if x&y >= intBase {
				if s := x.int() + y.int(); s == s<<16>>16 {
					set(th, &regs[a], mkInt(int64(s)))
					continue
				}
			} else if x.isFloat() && y.isFloat() {
				set(th, &regs[a], mkFloat(x.float()+y.float()))
				continue
			}
			goto arith
		case opSub:
			x, y := regs[b], regs[c]
			if x&y >= intBase {
				if s := x.int() - y.int(); s == s<<16>>16 {
					set(th, &regs[a], mkInt(int64(s)))
					continue
				}
			} else if x.isFloat() && y.isFloat() {
				set(th, &regs[a], mkFloat(x.float()-y.float()))
				continue
			}
			goto arith
		case opMul:
			x, y := regs[b], regs[c]
			if x&y >= intBase {
				p, q := x.int(), y.int()
				if p == int64(int32(p)) && q == int64(int32(q)) {
					if s := p * q; s == s<<16>>16 {
						set(th, &regs[a], mkInt(int64(s)))
						continue
					}
				}
			} else if x.isFloat() && y.isFloat() {
				set(th, &regs[a], mkFloat(x.float()*y.float()))
				continue
			}
			goto arith
		case opDiv:
			x, y := regs[b], regs[c]
			if x.isFloat() && y.isFloat() && y.float() != 0 {
				set(th, &regs[a], mkFloat(x.float()/y.float()))
				continue
			}
			goto arith
		case opFloorDiv:
			x, y := regs[b], regs[c]
			if x&y >= intBase && y.int() > 0 {
				p, q := x.int(), y.int()
				s := p / q
				if p < 0 && s*q != p {
					s--
				}
				set(th, &regs[a], mkInt(int64(s)))
				continue
			}
			goto arith
		case opMod:
			x, y := regs[b], regs[c]
			if x&y >= intBase && y.int() > 0 {
				s := x.int() % y.int()
				if s < 0 {
					s += y.int()
				}
				set(th, &regs[a], mkInt(int64(s)))
				continue
			}
			goto arith
		case opAnd:
			if x, y := regs[b], regs[c]; x&y >= intBase {
				set(th, &regs[a], x&y)
				continue
			}
			goto arith
		case opOr:
			if x, y := regs[b], regs[c]; x&y >= intBase {
				set(th, &regs[a], x|y)
				continue
			}
			goto arith
		case opXor:
			if x, y := regs[b], regs[c]; x&y >= intBase {
				set(th, &regs[a], (x^y)|intBase)
				continue
			}
			goto arith
		case opShl:
			x, y := regs[b], regs[c]
			if x&y >= intBase && uint64(y.int()) < 48 {
				n := x.int()
				if s := n << y.int(); s>>y.int() == n && s == s<<16>>16 {
					set(th, &regs[a], mkInt(int64(s)))
					continue
				}
			}
			goto arith
		case opShr:
			x, y := regs[b], regs[c]
			if x&y >= intBase && uint64(y.int()) < 64 {
				set(th, &regs[a], mkInt(int64(x.int()>>y.int())))
				continue
			}
			goto arith
		case opIn, opNotIn:
			goto arith
		case opAddI, opSubI:
			x, n := regs[b], int64(int8(c))
			if op == opSubI {
				n = -n
			}
			if x.isInt() {
				if s := x.int() + n; s == s<<16>>16 {
					set(th, &regs[a], mkInt(int64(s)))
					continue
				}
			} else if x.isFloat() {
				set(th, &regs[a], mkFloat(x.float()+float64(n)))
				continue
			}
			fr.pc = int32(pc)
			var v Value
			if v, err = th.binary(tokens[(op-opAddI)&1], x, mkInt(int64(int8(c)))); err != nil {
				goto fail
			}
			regs = th.window(base)
			set(th, &regs[a], v)
		case opInplaceAdd:
			x, y := regs[b], regs[c]
			if x&y >= intBase {
				if s := x.int() + y.int(); s == s<<16>>16 {
					set(th, &regs[a], mkInt(int64(s)))
					continue
				}
			} else if x.isFloat() && y.isFloat() {
				set(th, &regs[a], mkFloat(x.float()+y.float()))
				continue
			}
			fr.pc = int32(pc)
			var v Value
			if v, err = th.inplaceAdd(x, y); err != nil {
				goto fail
			}
			regs = th.window(base)
			set(th, &regs[a], v)
		case opInplaceOr:
			fr.pc = int32(pc)
			var v Value
			if v, err = th.inplaceOr(regs[b], regs[c]); err != nil {
				goto fail
			}
			regs = th.window(base)
			set(th, &regs[a], v)
		case opEq, opNe, opLt, opLe, opGt, opGe:
			x, y := regs[b], regs[c]
			var ok bool
			if x&y >= intBase {
				ok = intOrder(op-opEq, x.int(), y.int())
			} else {
				fr.pc = int32(pc)
				if ok, err = th.compare(comparisons[op-opEq], x, y); err != nil {
					goto fail
				}
				regs = th.window(base)
			}
			set(th, &regs[a], mkBool(ok))
		case opNot:
			set(th, &regs[a], mkBool(!th.truth(regs[b])))
		case opNeg, opPos, opInv:
			var v Value
			if v, err = th.unary([...]syntax.Token{syntax.MINUS, syntax.PLUS, syntax.TILDE}[op-opNeg], regs[b]); err != nil {
				goto fail
			}
			set(th, &regs[a], v)

		case opJump:
			pc = int(w >> 8)
		case opLoop:
			if th.fuel--; th.fuel < 0 {
				if err = th.checkpoint(); err != nil {
					goto fail
				}
			}
			pc = int(w >> 8)
		case opJTrue:
			v := regs[a]
			pc++
			if v == True || v != False && th.truth(v) {
				pc = int(ins[pc-1])
			}
		case opJFalse:
			v := regs[a]
			pc++
			if v == False || v != True && !th.truth(v) {
				pc = int(ins[pc-1])
			}
		case opJEq, opJNe, opJLt, opJLe, opJGt, opJGe:
			x, y := regs[b], regs[c]
			var ok bool
			if x&y >= intBase {
				ok = intOrder(op-opJEq, x.int(), y.int())
			} else {
				fr.pc = int32(pc)
				if ok, err = th.compare(comparisons[op-opJEq], x, y); err != nil {
					goto fail
				}
				regs = th.window(base)
			}
			pc++
			if ok == (a != 0) {
				pc = int(ins[pc-1])
			}
		case opJEqI, opJNeI, opJLtI, opJLeI, opJGtI, opJGeI:
			x := regs[b]
			var ok bool
			if x.isInt() {
				ok = intOrder(op-opJEqI, x.int(), int64(int8(c)))
			} else {
				fr.pc = int32(pc)
				if ok, err = th.compare(comparisons[op-opJEqI], x, mkInt(int64(int8(c)))); err != nil {
					goto fail
				}
				regs = th.window(base)
			}
			pc++
			if ok == (a != 0) {
				pc = int(ins[pc-1])
			}

		case opIndex, opIndexI:
			var y Value
			if op == opIndexI {
				y = mkInt(int64(int8(c)))
			} else {
				y = regs[c]
			}
			if y >= intBase {
				if v := th.quickIndex(regs[b], y.int()); v != 0 {
					set(th, &regs[a], v)
					continue
				}
			}
			fr.pc = int32(pc)
			var v Value
			if v, err = th.index(regs[b], y); err != nil {
				goto fail
			}
			regs = th.window(base)
			set(th, &regs[a], v)
		case opIndex2:
			fr.pc = int32(pc)
			var v Value
			var inner bool
			if v, inner, err = th.index2(regs[b], regs[c], regs[uint8(ins[pc])]); err != nil {
				if !inner {
					pc++ // the position of the outer one
				}
				goto fail
			}
			pc++
			regs = th.window(base)
			set(th, &regs[a], v)
		case opSetIndex, opSetIndexI:
			y := mkInt(int64(int8(b)))
			if op == opSetIndex {
				y = regs[b]
			}
			v := regs[c]
			if int(c) >= k.locals {
				regs[c] = 0
			} else {
				v = v.borrowed()
			}
			fr.pc = int32(pc)
			if err = th.setIndex(regs[a], y, v); err != nil {
				th.drop(v)
				goto fail
			}
			regs = th.window(base)
		case opAttr:
			fr.pc = int32(pc)
			var v Value
			if v, err = th.attr(regs[b], &k.names[ins[pc]]); err != nil {
				goto fail
			}
			pc++
			regs = th.window(base)
			set(th, &regs[a], v)
		case opSetField:
			fr.pc = int32(pc)
			if err = th.setField(regs[a], k.names[ins[pc]].name, regs[b].borrowed()); err != nil {
				goto fail
			}
			pc++
			regs = th.window(base)
		case opSlice:
			var v Value
			if v, err = th.slice(regs[b], regs[b+1], regs[b+2], regs[b+3]); err != nil {
				goto fail
			}
			set(th, &regs[a], v)
		case opList, opTuple:
			vs := regs[b : int(b)+int(c)]
			var v Value
			if op == opList {
				v, err = th.makeList(vs...)
			} else {
				v, err = th.makeTuple(vs...)
			}
			if err != nil {
				goto fail
			}
			clear(vs)
			set(th, &regs[a], v)
		case opListTuple:
			var v Value
			if v, err = th.tupleOf(regs[b]); err != nil {
				goto fail
			}
			set(th, &regs[a], v)
		case opAppend, opAppendT:
			v := regs[b]
			if op == opAppendT {
				regs[b] = 0
			} else {
				v = v.borrowed()
			}
			if err = th.listAppend(regs[a], v); err != nil {
				th.drop(v)
				goto fail
			}
		case opDict:
			var v Value
			if v, err = th.newDict(int(w >> 16)); err != nil {
				goto fail
			}
			set(th, &regs[a], v)
		case opDictSet, opDictNew:
			v := regs[c]
			if int(c) >= k.locals {
				regs[c] = 0
			} else {
				v = v.borrowed()
			}
			var fresh bool
			if fresh, err = th.tableStore(regs[a], regs[b].borrowed(), v); err != nil {
				th.drop(v)
				goto fail
			}
			if !fresh && op == opDictNew {
				err = fmt.Errorf("duplicate key: %s", th.short(regs[b]))
				goto fail
			}
		case opUnpack:
			fr.pc = int32(pc)
			if err = th.unpack(base+int(a), base+int(b), int(c)); err != nil {
				goto fail
			}
			regs = th.window(base)
		case opIter:
			fr.pc = int32(pc)
			if !th.iterate(regs[a]) {
				err = fmt.Errorf("%s value is not iterable", th.typeName(regs[a]))
				goto fail
			}
			regs = th.window(base)
			if b != 0 {
				set(th, &regs[a], 0)
			}
		case opRange:
			if !th.rangeLoop(regs[a : int(a)+int(b)]) {
				fr.pc = int32(pc)
				var v Value
				if v, err = th.call(base+int(a)-1, int(b), nil); err != nil {
					goto fail
				}
				th.iterate(v)
				th.drop(v)
				regs = th.window(base)
			}
		case opNext, opNextLoop:
			some, none := pc+1, int(ins[pc])
			if op == opNextLoop {
				some, none = none, some
				if th.fuel--; th.fuel < 0 {
					if err = th.checkpoint(); err != nil {
						goto fail
					}
				}
			}
			it := &th.its[len(th.its)-1]
			if it.kind == kRange && it.i == it.i<<16>>16 {
				if it.n == 0 {
					pc = none
					continue
				}
				it.n--
				v := mkInt(it.i)
				it.i += it.step
				pc = some
				set(th, &regs[a], v)
				continue
			}
			fr.pc = int32(pc)
			var v Value
			if v, err = th.next(len(th.its) - 1); err != nil {
				goto fail
			}
			regs = th.window(base)
			if v == 0 {
				pc = none
				continue
			}
			pc = some
			set(th, &regs[a], v)
		case opEndIter:
			th.endIterators(len(th.its) - 1)

		case opFunc:
			vs := regs[b : int(b)+int(c)]
			var v Value
			if v, err = th.newFunction(k.funcs[ins[pc]].number, vs); err != nil {
				goto fail
			}
			pc++
			clear(vs)
			set(th, &regs[a], v)
		case opCall, opCallMethod:
			fn, at, n := regs[a], int(a)+1, int(b)
			if op == opCallMethod {
				at++
				name := &k.names[ins[pc]]
				pc++
				if recv := regs[a+1]; recv != 0 {
					fr = &th.frames[len(th.frames)-1]
					fr.pc = int32(pc)
					var v Value
					if v, err = th.callMethod(name.methods[th.kind(recv)], recv, base+at, n); err != nil {
						goto fail
					}
					fr = &th.frames[len(th.frames)-1]
					regs = th.window(base)
					set(th, &regs[c], v)
					continue
				}
			}
			fr = &th.frames[len(th.frames)-1]
			fr.pc = int32(pc)
			if fn < floatBase && th.t.QuickKind(fn.ref()) == functionType.ID() {
				if th.fuel--; th.fuel < 0 {
					if err = th.checkpoint(); err != nil {
						goto fail
					}
				}
				callee := th.m.codeList()[th.t.Body(fn.ref()).Word(funcCode)]
				if err = th.enter(fn, callee, base+at, c); err != nil {
					goto failCall
				}
				regs = th.window(base + at)
				if n == callee.params && callee.simple {
					for i := n; i < callee.locals; i++ {
						set(th, &regs[uint8(i)], 0)
					}
				} else if err = th.bind(fn, callee, base+at, n, nil, nil); err != nil {
					goto failCall
				}
				fr = &th.frames[len(th.frames)-1]
				k, ins, pc, base = callee, callee.ins, 0, base+at
				continue
			}
			var v Value
			if v, err = th.callOther(fn, base+at, n, nil); err != nil {
				goto fail
			}
			fr = &th.frames[len(th.frames)-1]
			regs = th.window(base)
			set(th, &regs[c], v)
		case opMethod:
			recv := regs[b].borrowed()
			name := &k.names[ins[pc]]
			pc++
			if m := name.methods[th.kind(recv)]; m != nil {
				if a+1 != b {
					set(th, &regs[a+1], recv)
				}
				continue
			}
			fr.pc = int32(pc)
			var v Value
			if v, err = th.attr(recv, name); err != nil {
				goto fail
			}
			regs = th.window(base)
			set(th, &regs[a], v)
			set(th, &regs[a+1], 0)
		case opCallX:
			fr = &th.frames[len(th.frames)-1]
			fr.pc = int32(pc + 1)
			site := &k.sites[ins[pc]]
			pc++
			var v Value
			var entered bool
			if v, entered, err = th.callSite(site, base+int(a), int(b), c); err != nil {
				if entered {
					goto failCall
				}
				goto fail
			}
			fr = &th.frames[len(th.frames)-1]
			if entered {
				k, ins, pc, base = fr.code, fr.code.ins, 0, int(fr.base)
				regs = th.window(base)
				continue
			}
			regs = th.window(base)
			set(th, &regs[c], v)
		case opLoad:
			fr = &th.frames[len(th.frames)-1]
			fr.pc = int32(pc + 1)
			site := &k.loads[ins[pc]]
			pc++
			if err = th.loadNames(site, base+int(a)); err != nil {
				goto fail
			}
			fr = &th.frames[len(th.frames)-1]
			regs = th.window(base)

		case opReturn, opReturnNone:
			v := None
			if op == opReturn {
				v = regs[a]
				if v>>48 == 1 {
					regs[a] = 0
				} else {
					v = th.dup(v)
				}
			}
			if len(th.its) > int(fr.its) {
				th.endIterators(int(fr.its))
			}
			for i, x := range regs[:k.regs] {
				if x>>48 == 1 {
					th.t.DecRef(x.ref())
				}
				regs[i] = 0
			}
			root, dest := fr.root, fr.dest
			th.frames = th.frames[:len(th.frames)-1]
			if root {
				return v, nil
			}
			fr = &th.frames[len(th.frames)-1]
			k, ins, pc, base = fr.code, fr.code.ins, int(fr.pc), int(fr.base)
			regs = th.window(base)
			set(th, &regs[dest], v)
		default:
			err = fmt.Errorf("unknown instruction %d", op)
			goto fail
		}
		continue

	arith:
		{
			fr.pc = int32(pc)
			var v Value
			v, err = th.binary(tokens[opcode(w)-opAdd], regs[b], regs[c])
			if err != nil && th.freed(err) {
				regs = th.window(base)
				v, err = th.binary(tokens[opcode(w)-opAdd], regs[b], regs[c])
			}
			if err != nil {
				goto fail
			}
			regs = th.window(base)
			set(th, &regs[a], v)
			continue
		}

	fail:
		th.frames[len(th.frames)-1].pc = int32(pc)
	failCall: // the innermost frame is that of a call that has not begun
		err = th.evalError(err)
		th.unwind()
		return 0, err
	}
}
