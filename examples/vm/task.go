package main

import (
	"errors"
	"fmt"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// A task is a thread of the program: an attached thread of the runtime, and a stack. Each
// slot of the stack owns a reference, so however a task ends, it gives up exactly the
// references that it holds.

type task struct {
	*machine
	t      *rt.Thread
	stack  []rt.Ref
	frames []frame // the callers, without the function that runs
}

// frame is a function that runs, or waits for a function that it has called.
type frame struct {
	*proto
	pc, base int
}

// maxCalls bounds how deep calls nest.
const maxCalls = 10_000

// push steals r.
func (k *task) push(r rt.Ref) { k.stack = append(k.stack, r) }

// pop removes the top of the stack, and hands its reference to the caller.
func (k *task) pop() rt.Ref {
	top := len(k.stack) - 1
	r := k.stack[top]
	k.stack = k.stack[:top]
	return r
}

// drop gives up the references of the stack from a height on.
func (k *task) drop(height int) {
	k.t.DecRefs(k.stack[height:])
	k.stack = k.stack[:height]
}

// call runs a function and returns a new reference to its result. It steals the arguments
// and fn. The error is an *Error. Nothing is left on the stack, even after a panic of a
// primitive.
func (k *task) call(fn rt.Ref, args ...rt.Ref) (rt.Ref, error) {
	defer func() {
		k.drop(0)
		k.frames = k.frames[:0]
	}()
	k.push(fn)
	k.stack = append(k.stack, args...)
	f, err := k.enter(len(args))
	if err == nil {
		err = k.run(&f)
	}
	if err != nil {
		var at *Error
		if f.proto != nil && !errors.As(err, &at) {
			err = &Error{File: f.file, Line: f.lines[f.pc-1], In: f.name, Err: err}
		}
		return rt.Nil, err
	}
	return k.pop(), nil
}

// enter returns a frame for the function that lies below its arguments.
func (k *task) enter(args int) (frame, error) {
	base := len(k.stack) - args
	p, err := k.code(k.stack[base-1], args)
	return frame{proto: p, base: base}, err
}

// code returns the code of the function fn. It fails if fn does not take that number of
// arguments.
func (k *task) code(fn rt.Ref, args int) (*proto, error) {
	number, ok := fnCode(k.t, fn)
	if !ok {
		return nil, fmt.Errorf("%s is called, and is not a function", kindName(k.t, fn))
	}
	p := k.protos[number]
	if args != p.args {
		return nil, fmt.Errorf("%s takes %d arguments, got %d", p.name, p.args, args)
	}
	return p, nil
}

// safePoint is the point at which the runtime can pass on the lock, stop the world, and
// give memory back. It is called at each call and at each turn of a loop, so that no
// program can keep the other threads waiting. References that were borrowed before it are
// not used after it.
func (k *task) safePoint() error {
	k.t.Checkpoint()
	return k.ctx.Err()
}

// run runs the function of a frame until it returns, and leaves the result in the
// function's place.
func (k *task) run(f *frame) error {
	t, bottom := k.t, len(k.frames)
	for {
		in := f.code[f.pc]
		f.pc++
		switch in.op {
		case opConst:
			k.push(f.consts[in.a]) // immortal: nothing to count
		case opLocal:
			r := k.stack[f.base+int(in.a)]
			t.IncRef(r)
			k.push(r)
		case opSet:
			at := f.base + int(in.a)
			old := k.stack[at]
			k.stack[at] = k.pop()
			t.DecRef(old) // only this thread reads its stack: no need to retire
		case opFree:
			r := fnCaptured(t, k.stack[f.base-1], int(in.a))
			t.IncRef(r)
			k.push(r)
		case opGlobal:
			r, _ := objects.Cell(f.consts[in.a]).At(t) // borrowed until the next safe point
			if r == undefined {
				return k.undefined(f.consts[in.a])
			}
			t.IncRef(r)
			k.push(r)
		case opDefine:
			if err := objects.Cell(f.consts[in.a]).StoreSteal(t, k.stack[len(k.stack)-1]); err != nil {
				return err
			}
			k.stack = k.stack[:len(k.stack)-1]
		case opMake:
			from := len(k.stack) - int(in.n)
			r, err := k.patiently(func() (rt.Ref, error) { return newFn(t, int(in.a), k.stack[from:]) })
			if err != nil {
				return err
			}
			k.stack = append(k.stack[:from], r)
		case opPop:
			t.DecRef(k.pop())
		case opSlide:
			r := k.pop()
			k.drop(len(k.stack) - int(in.n))
			k.push(r)
		case opJump:
			f.pc = int(in.a)
		case opUnless:
			r := k.pop()
			if !truth(r) {
				f.pc = int(in.a)
			}
			t.DecRef(r)
		case opLoop:
			if err := k.safePoint(); err != nil {
				return err
			}
			f.pc = int(in.a)
		case opCall:
			if len(k.frames) == maxCalls {
				return fmt.Errorf("calls nest deeper than %d", maxCalls)
			}
			next, err := k.enter(int(in.n))
			if err == nil {
				err = k.safePoint()
			}
			if err != nil {
				return err
			}
			k.frames = append(k.frames, *f)
			*f = next
		case opPrim:
			p, from := &prims[in.a], len(k.stack)-int(in.n)
			r, err := k.patiently(func() (rt.Ref, error) { return p.call(k, k.stack[from:]) })
			if err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			k.drop(from)
			k.push(r)
		case opReturn:
			r := k.pop()
			k.drop(f.base - 1)
			k.push(r)
			if len(k.frames) == bottom {
				return nil
			}
			*f = k.frames[len(k.frames)-1]
			k.frames = k.frames[:len(k.frames)-1]
		}
	}
}

// undefined returns the error for a global that has no value yet.
func (k *task) undefined(cell rt.Ref) error {
	for name, c := range k.globals {
		if c == cell {
			return fmt.Errorf("%s is used before its def has run", name)
		}
	}
	panic("no such global")
}

// patiently calls a function that makes an object. If there is no memory, it collects
// cycles and calls the function once more. The inputs lie on the stack, so this may reach a
// safe point.
func (k *task) patiently(birth func() (rt.Ref, error)) (rt.Ref, error) {
	r, err := birth()
	if errors.Is(err, rt.ErrMemoryLimit) {
		k.t.Collect()
		r, err = birth()
	}
	return r, err
}

// truth reports whether a value is neither false nor nil.
func truth(r rt.Ref) bool { return r != rt.False && r != rt.None }
