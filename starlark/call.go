package starlark

import (
	"fmt"
	"slices"
	"strings"

	rt "github.com/ichor-go/ichor/runtime"
)

// enter pushes the frame of a call of fn, whose window begins at base.
func (th *Thread) enter(fn Value, k *code, base int, dest uint8) error {
	if !k.recursion {
		for i := len(th.frames) - 1; i >= 0; i-- {
			if th.frames[i].code == k {
				// The frame is pushed, so that the traceback has it.
				th.frames = append(th.frames, frame{code: k, fn: fn, base: int32(base), its: int32(len(th.its)), dest: dest})
				return fmt.Errorf("function %s called recursively", k.name)
			}
		}
	}
	if len(th.frames) >= th.m.opts.Depth {
		return &LimitError{What: fmt.Sprintf("Starlark stack overflow: the limit is %d nested calls", th.m.opts.Depth)}
	}
	if need := base + 2*window; need > len(th.stack) {
		if err := th.growStack(need); err != nil {
			return err
		}
	}
	if n := len(th.frames); n == cap(th.frames) && n > 64 {
		if err := th.keep(frameBytes * n); err != nil {
			return err
		}
	}
	if cap(th.its) > th.keptIts {
		if err := th.keepIterators(); err != nil {
			return err
		}
	}
	th.frames = append(th.frames, frame{code: k, fn: fn, base: int32(base), its: int32(len(th.its)), dest: dest})
	return nil
}

// frameBytes is the size of a frame, twice: a slice that grows has the old items too.
const frameBytes = 2 * 56

func (th *Thread) growStack(need int) error {
	n := max(need, 2*len(th.stack))
	if err := th.keep(8 * n); err != nil {
		return err
	}
	stack := make([]Value, n)
	copy(stack, th.stack)
	th.stack = stack
	return nil
}

// keepIterators reserves the memory of the iterators that calls in progress have open.
//
//go:noinline
func (th *Thread) keepIterators() error {
	if err := th.keep(2 * iteratorSize * (cap(th.its) - th.keptIts)); err != nil {
		return err
	}
	th.keptIts = cap(th.its)
	return nil
}

// keep reserves n bytes for as long as the thread is in use.
func (th *Thread) keep(n int) error {
	if th.m.limit == 0 {
		return nil
	}
	if err := th.fits(int64(n)); err != nil {
		return err
	}
	th.m.account.held.Add(int64(n))
	th.kept += int64(n)
	return nil
}

// unwind pops the frames down to one that Go has called, and gives up what they hold.
func (th *Thread) unwind() {
	for {
		fr := th.frames[len(th.frames)-1]
		th.endIterators(int(fr.its))
		if fr.code != nil {
			regs := th.stack[fr.base : int(fr.base)+max(fr.code.regs, fr.code.params)]
			th.dropAll(regs)
			clear(regs)
		}
		th.frames = th.frames[:len(th.frames)-1]
		if fr.root {
			return
		}
	}
}

// bind prepares the window of a function: the first n registers are the positional arguments,
// extra are further ones, kw the named ones. All but the first n are borrowed.
func (th *Thread) bind(fn Value, k *code, base, n int, extra []Value, kw []Kwarg) error {
	regs := th.stack[base : base+window]
	total := n + len(extra)
	for i := n; i < max(k.locals, k.params); i++ {
		set(th, &regs[i], 0)
	}
	if k.params == 0 {
		if total+len(kw) > 0 {
			return fmt.Errorf("function %s accepts no arguments (%d given)", k.name, total+len(kw))
		}
		return nil
	}
	params := k.params
	if k.kwargs {
		params--
	}
	if k.varargs {
		params--
	}
	o := th.t.Body(fn.ref())
	defaults := int(o.Word(funcLen)) - len(k.freeNames)
	positional := params - k.kwonly
	if total > positional && !k.varargs {
		atMost, s := "", "s"
		if defaults > k.kwonly {
			atMost = "at most "
		}
		if positional == 1 {
			s = ""
		}
		return fmt.Errorf("function %s accepts %s%d positional argument%s (%d given)", k.name, atMost, positional, s, total)
	}
	arg := func(i int) Value {
		if i < n {
			return regs[i]
		}
		return extra[i-n]
	}
	var rest Value
	if k.varargs {
		rest = th.m.emptyTuple
		if total > positional {
			vs := make([]Value, 0, total-positional)
			for i := positional; i < total; i++ {
				vs = append(vs, th.dup(arg(i)))
			}
			var err error
			if rest, err = th.makeTuple(vs...); err != nil {
				th.dropAll(vs)
				return err
			}
		}
	}
	for i := n; i < min(total, positional); i++ {
		regs[i] = th.dup(extra[i-n])
	}
	for i := positional; i < n; i++ {
		set(th, &regs[i], 0)
	}
	if k.varargs {
		regs[params] = rest
	}
	var dict Value
	if k.kwargs {
		var err error
		if dict, err = th.newDict(0); err != nil {
			return err
		}
		regs[k.params-1] = dict
	}
	for _, a := range kw {
		if i := slices.Index(k.localNames[:params], a.Name); i >= 0 {
			if regs[i] != 0 {
				return fmt.Errorf("function %s got multiple values for parameter %s", k.name, quoteName(a.Name))
			}
			regs[i] = th.dup(a.Value)
			continue
		}
		if dict == 0 {
			return fmt.Errorf("function %s got an unexpected keyword argument %s", k.name, quoteName(a.Name))
		}
		name, err := th.newString(a.Name)
		if err != nil {
			return err
		}
		fresh, err := th.tableSet(dict, name, a.Value)
		th.drop(name)
		if err != nil {
			return err
		}
		if !fresh {
			return fmt.Errorf("function %s got multiple values for parameter %s", k.name, quoteName(a.Name))
		}
	}
	if total < params || k.kwonly > 0 {
		var missing []string
		first := params - defaults
		for i := min(total, positional); i < params; i++ {
			if regs[i] != 0 {
				continue
			}
			var r rt.Ref
			if i >= first {
				r = o.Ref(funcSlots + i - first)
			}
			if r.IsNil() {
				missing = append(missing, k.localNames[i])
				continue
			}
			regs[i] = th.peek(r) // the function lives longer than the frame
		}
		if missing != nil {
			s := ""
			if len(missing) > 1 {
				s = "s"
			}
			return fmt.Errorf("function %s missing %d argument%s (%s)", k.name, len(missing), s, strings.Join(missing, ", "))
		}
	}
	return nil
}

// callMethod calls a builtin with its receiver. The arguments lie on the stack from at on.
func (th *Thread) callMethod(b *builtin, recv Value, at, n int) (Value, error) {
	return th.callBuiltin(b, recv, th.stack[at:at+n:at+n], nil, at)
}

// callBuiltin calls a builtin in a frame of its own.
func (th *Thread) callBuiltin(b *builtin, recv Value, args []Value, kw []Kwarg, base int) (Value, error) {
	if err := th.step(); err != nil {
		return 0, err
	}
	th.frames = append(th.frames, frame{b: b, base: int32(base + len(args)), its: int32(len(th.its)), root: true})
	held := th.held
	c := th.newCall()
	*c = Call{b.name, recv, args, kw}
	v, err := b.fn(th, c)
	th.ncalls--
	th.release(held)
	if err != nil {
		th.drop(v)
		err = th.evalError(err)
		v = 0
	}
	fr := th.frames[len(th.frames)-1]
	if len(th.its) > int(fr.its) {
		th.endIterators(int(fr.its))
	}
	th.frames = th.frames[:len(th.frames)-1]
	return v, err
}

// newCall returns a Call for a builtin. The thread reuses it when the builtin has returned.
func (th *Thread) newCall() *Call {
	if th.ncalls == len(th.calls) {
		th.calls = append(th.calls, new(Call))
	}
	th.ncalls++
	return th.calls[th.ncalls-1]
}

// callOther calls something that is no function. The arguments lie on the stack from at on.
func (th *Thread) callOther(fn Value, at, n int, kw []Kwarg) (Value, error) {
	args := th.stack[at : at+n : at+n]
	switch th.kind(fn) {
	case kBuiltin:
		return th.callBuiltin(th.builtin(fn), 0, args, kw, at)
	case kMethod:
		recv, b := th.methodParts(fn)
		return th.callBuiltin(b, recv, args, kw, at)
	case kFunction: // in checked mode
		return th.callFunction(fn, at, n, nil, kw)
	case kHost:
		if h, ok := th.host(fn).(HostCall); ok {
			return th.callBuiltin(&builtin{name: h.Name(), fn: h.Call}, 0, args, kw, at)
		}
	}
	return 0, fmt.Errorf("invalid call of non-function (%s)", th.typeName(fn))
}

// goCallBytes is what a call of a function by a builtin takes of the goroutine's stack, twice:
// a stack that grows is copied.
const goCallBytes = 16 << 10

// callFunction runs a function whose first n arguments lie on the stack from at on.
func (th *Thread) callFunction(fn Value, at, n int, extra []Value, kw []Kwarg) (Value, error) {
	if err := th.step(); err != nil {
		return 0, err
	}
	th.tidy()
	if th.goCalls >= maxGoCalls {
		return 0, &LimitError{What: fmt.Sprintf("Starlark stack overflow: the limit is %d nested calls by builtins", maxGoCalls)}
	}
	held := th.held
	if err := th.reserve(goCallBytes); err != nil {
		return 0, err
	}
	th.goCalls++
	defer func() {
		th.goCalls--
		th.release(held)
	}()
	k := th.code(fn)
	depth := len(th.frames)
	err := th.enter(fn, k, at, 0)
	if len(th.frames) > depth {
		th.frames[depth].root = true
	}
	if err == nil {
		err = th.bind(fn, k, at, n, extra, kw)
	}
	if err != nil {
		err = th.evalError(err)
		if len(th.frames) > depth {
			th.unwind()
		}
		return 0, err
	}
	return th.run()
}

// call calls the value at stack[at] with the n arguments that follow.
func (th *Thread) call(at, n int, kw []Kwarg) (Value, error) {
	fn := th.stack[at]
	if th.kind(fn) == kFunction {
		return th.callFunction(fn, at+1, n, nil, kw)
	}
	return th.callOther(fn, at+1, n, kw)
}

// maxArgs bounds the arguments of a call with a star.
const maxArgs = 1 << 18

// callSite calls the value at stack[at] as the site says. If that is a function, it pushes its
// frame and binds the arguments; then entered is true and there is no result yet.
func (th *Thread) callSite(site *callSite, at, npos int, dest uint8) (v Value, entered bool, err error) {
	if site.shape.names != 0 {
		v, err = th.shapedStruct(site.shape, th.stack[at+1:at+1+site.operands])
		return v, false, err
	}
	fn := th.stack[at]
	var few [8]Value
	vs := append(few[:0], th.stack[at+1:at+1+site.operands]...)
	i := npos
	var extra []Value // owned
	held := th.held
	defer func() {
		th.dropAll(extra)
		th.release(held)
	}()
	n := npos
	gather := func(v Value) error {
		return th.each(v, func(x Value) error {
			if len(extra) >= maxArgs {
				return fmt.Errorf("too many arguments: the limit is %d", maxArgs)
			}
			if err := th.reserve(48); err != nil { // the slice's growth, and the arguments on the stack
				return err
			}
			extra = append(extra, th.dup(x))
			return nil
		})
	}
	if site.list {
		n = 0
		if err := gather(vs[0]); err != nil {
			return 0, false, err
		}
	}
	kw := th.kwargs // reused, unless a call that surrounds this one has it
	th.kwargs = nil
	defer func() {
		for _, a := range kw[min(len(site.names), len(kw)):] {
			th.drop(a.Value)
		}
		if clear(kw); cap(kw) <= maxKeptKwargs {
			th.kwargs = kw[:0]
		}
	}()
	for _, name := range site.names {
		kw = append(kw, Kwarg{name, vs[i].borrowed()})
		i++
	}
	if site.dict {
		if kw, err = th.kwargsOf(kw, vs[i]); err != nil {
			return 0, false, err
		}
		i++
	}
	if site.varargs {
		star := vs[i]
		i++
		if site.kwargs {
			if kw, err = th.kwargsOf(kw, vs[i]); err != nil {
				return 0, false, err
			}
		}
		if !th.iterable(star) {
			return 0, false, fmt.Errorf("argument after * must be iterable, not %s", th.typeName(star))
		}
		if err := gather(star); err != nil {
			return 0, false, err
		}
	} else if site.kwargs {
		if kw, err = th.kwargsOf(kw, vs[i]); err != nil {
			return 0, false, err
		}
	}
	// The arguments move behind the operands, which stay in place as their owners.
	to := at + 1 + site.operands
	if need := to + n + len(extra) + 2*window; need > len(th.stack) {
		if err := th.growStack(need); err != nil {
			return 0, false, err
		}
	}
	if th.kind(fn) == kFunction {
		for j := range n {
			set(th, &th.stack[to+j], vs[j].borrowed())
		}
		if n > window-2 {
			return 0, false, fmt.Errorf("too many arguments")
		}
		if err := th.step(); err != nil {
			return 0, false, err
		}
		k := th.code(fn)
		depth := len(th.frames)
		if err = th.enter(fn, k, to, dest); err == nil {
			err = th.bind(fn, k, to, n, extra, kw)
		}
		return 0, len(th.frames) > depth, err
	}
	args := th.stack[to : to+n+len(extra) : to+n+len(extra)]
	for j := range n {
		set(th, &args[j], vs[j].borrowed())
	}
	for j, x := range extra {
		set(th, &args[n+j], x.borrowed())
	}
	switch th.kind(fn) {
	case kBuiltin:
		v, err = th.callBuiltin(th.builtin(fn), 0, args, kw, to)
		return v, false, err
	case kMethod:
		recv, b := th.methodParts(fn)
		v, err = th.callBuiltin(b, recv, args, kw, to)
		return v, false, err
	case kHost:
		if h, ok := th.host(fn).(HostCall); ok {
			v, err = th.callBuiltin(&builtin{name: h.Name(), fn: h.Call}, 0, args, kw, to)
			return v, false, err
		}
	}
	return 0, false, fmt.Errorf("invalid call of non-function (%s)", th.typeName(fn))
}

// maxKeptKwargs is the capacity of the largest slice of keyword arguments that a thread keeps for
// its next call.
const maxKeptKwargs = 1 << 10

// kwargsOf appends the entries of a dict to kw, with counts of their own, which callSite gives
// up.
func (th *Thread) kwargsOf(kw []Kwarg, v Value) ([]Kwarg, error) {
	if th.kind(v) != kDict {
		return kw, fmt.Errorf("argument after ** must be a mapping, not %s", th.typeName(v))
	}
	if n := th.tableLen(v); n > cap(kw)-len(kw) {
		if err := th.reserve(48 * n); err != nil {
			return kw, err
		}
		kw = slices.Grow(kw, n) // by appending one after another it would leave more garbage than it takes
	}
	for i := 0; ; {
		k, x, next := th.tableNext(v, i)
		if k == 0 {
			return kw, nil
		}
		i = next
		name, ok := th.str(k)
		if !ok {
			return kw, fmt.Errorf("keywords must be strings, not %s", th.typeName(k))
		}
		if err := th.reserve(len(name) + 16); err != nil {
			return kw, err
		}
		th.charge(1)
		kw = append(kw, Kwarg{strings.Clone(name), th.dup(x)})
	}
}

// Call calls fn with borrowed arguments, and returns a value with a count of its own.
func (th *Thread) Call(fn Value, args []Value, kw ...Kwarg) (Value, error) {
	at := 0
	if n := len(th.frames); n > 0 {
		fr := &th.frames[n-1]
		at = int(fr.base)
		if fr.code != nil {
			at += fr.code.regs
		}
	}
	if len(args) > 200 {
		return 0, fmt.Errorf("too many arguments")
	}
	if need := at + 1 + len(args) + 2*window; need > len(th.stack) {
		if err := th.growStack(need); err != nil {
			return 0, err
		}
	}
	set(th, &th.stack[at], fn.borrowed())
	for i, v := range args {
		set(th, &th.stack[at+1+i], v.borrowed())
	}
	return th.call(at, len(args), kw)
}
