package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// machine runs one program in a runtime of its own. What its threads share in Go memory is
// written before the first of them starts; the rest they share as objects.
type machine struct {
	r       *rt.Runtime
	protos  []*proto
	globals map[string]rt.Ref // their cells

	ctx  context.Context
	stop context.CancelCauseFunc // with the first error of any task
	all  sync.WaitGroup          // tasks that were spawned

	outMu sync.Mutex
	out   io.Writer
}

//go:embed prelude.lisp
var prelude string

// execute runs a program and returns when all of its threads have ended. An error is an *Error
// with the line, the end of ctx, or says what leaked.
func execute(ctx context.Context, opts rt.Options, out io.Writer, file, text string) error {
	r, err := rt.New(opts)
	if err != nil {
		return err
	}
	m := &machine{r: r, out: out}
	m.ctx, m.stop = context.WithCancelCause(ctx)
	if err := r.Do(func(t *rt.Thread) error { return m.main(t, file, text) }); err != nil {
		m.stop(err)
	}
	m.all.Wait()
	err = context.Cause(m.ctx) // what went wrong first, on whatever thread
	m.stop(nil)
	return errors.Join(err, r.Close())
}

// main compiles the program, and runs it on a thread.
func (m *machine) main(t *rt.Thread, file, text string) error {
	var programs []rt.Ref
	c := &compiler{t: t, globals: map[string]rt.Ref{}}
	err := t.Immortally(func() error { // if the program does not compile, nothing is left
		for _, src := range [][2]string{{"prelude.lisp", prelude}, {file, text}} {
			c.file = src[0]
			forms, err := read(src[0], src[1])
			if err != nil {
				return err
			}
			number, err := c.compile(forms)
			if err != nil {
				return err
			}
			program, err := newFn(t, number, nil)
			if err != nil {
				return err
			}
			programs = append(programs, program)
		}
		return nil
	})
	if err != nil {
		return err
	}
	m.protos, m.globals = c.protos, c.globals
	k := &task{machine: m, t: t}
	for _, program := range programs {
		if _, err := k.call(program); err != nil { // the result is nil
			return err
		}
	}
	return nil
}

// threadType is what spawn returns: a record with the result, which the thread stores, and a
// Go value that tells when.
var threadType = func() *objects.RecordType {
	y, err := objects.DefineRecord("thread", "result", "done")
	if err != nil {
		panic(err)
	}
	return y
}()

const (
	threadResult = 0
	threadDone   = 1
)

// spawn starts a thread that calls fn, and returns a new reference to its record. It borrows
// the function and the arguments.
func (k *task) spawn(fn rt.Ref, args []rt.Ref) (handle rt.Ref, err error) {
	if _, err := k.code(fn, len(args)); err != nil {
		return rt.Nil, err
	}
	done := make(chan struct{})
	err = k.t.Scope(func(s *rt.Scope) {
		handle = s.Keep(s.Own(threadType.New(k.t, rt.None, s.Own(objects.NewForeign(k.t, done, nil)))))
	})
	if err != nil {
		return rt.Nil, err
	}
	// The new thread owns what it is given: counted here, given up there.
	owned := append([]rt.Ref{handle, fn}, args...)
	k.t.IncRefs(owned)
	k.all.Go(func() {
		defer close(done)
		if err := k.r.Do(func(t *rt.Thread) error { return k.thread(t, owned) }); err != nil {
			k.machine.stop(err)
		}
	})
	return handle, nil
}

// thread is the life of a spawned thread. It steals the references that it is given.
func (m *machine) thread(t *rt.Thread, owned []rt.Ref) error {
	handle := owned[0]
	defer t.DecRef(handle)
	k := &task{machine: m, t: t}
	r, err := k.call(owned[1], owned[2:]...)
	if err != nil {
		return err
	}
	defer t.DecRef(r)
	return objects.Record(handle).Set(t, threadResult, r)
}

// join waits for a thread, and returns a new reference to its result. Waiting is done outside
// the world: the others run on, and can stop it.
func (k *task) join(handle rt.Ref) (rt.Ref, error) {
	if !threadType.Is(k.t, handle) {
		return rt.Nil, fmt.Errorf("want thread, got %s", kindName(k.t, handle))
	}
	f, _ := objects.Record(handle).At(k.t, threadDone)
	v, _ := objects.Foreign(f).Value(k.t)
	done := v.(chan struct{})
	k.t.Blocking(func() {
		select {
		case <-done:
		case <-k.ctx.Done():
		}
	})
	if err := k.ctx.Err(); err != nil {
		return rt.Nil, err
	}
	return objects.Record(handle).Get(k.t, threadResult)
}

// print writes a line, outside the world: who reads it may be slow.
func (k *task) print(line string) (err error) {
	k.t.Blocking(func() {
		k.outMu.Lock()
		defer k.outMu.Unlock()
		_, err = io.WriteString(k.out, line+"\n")
	})
	return err
}
