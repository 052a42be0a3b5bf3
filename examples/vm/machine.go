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

// machine runs one program in a runtime of its own. The Go memory that its threads share is
// written before the first of them starts. Everything else that they share is objects.
type machine struct {
	r       *rt.Runtime
	protos  []*proto
	globals map[string]rt.Ref // the cells of the globals

	ctx  context.Context
	stop context.CancelCauseFunc // with the first error of any task
	all  sync.WaitGroup          // the spawned tasks

	outMu sync.Mutex
	out   io.Writer
}

//go:embed prelude.lisp
var prelude string

// execute runs a program and returns when all of its threads have ended. The error is an
// *Error with the line, the end of ctx, or the error of Close that says what leaked.
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
	err = context.Cause(m.ctx) // the first error of any thread
	m.stop(nil)
	return errors.Join(err, r.Close())
}

// main compiles the program, and runs it on a thread.
func (m *machine) main(t *rt.Thread, file, text string) error {
	var programs []rt.Ref
	c := &compiler{t: t, globals: map[string]rt.Ref{}}
	err := t.Immortally(func() error { // if compiling fails, nothing is left
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

// threadType is the type of spawn's result: a record with the result, which the thread
// stores, and a Foreign with a channel that is closed when the thread has ended.
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

// spawn starts a thread that calls fn, and returns a new reference to its record. The
// function and the arguments are borrowed.
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
	// The new thread owns these references: counted here, given up there.
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

// thread is the body of a spawned thread. It steals its references.
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

// join waits for a thread, and returns a new reference to its result. It waits outside the
// world: the other threads run on, and can stop the world.
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

// print writes a line, outside the world, because the reader of the output may be slow.
func (k *task) print(line string) (err error) {
	k.t.Blocking(func() {
		k.outMu.Lock()
		defer k.outMu.Unlock()
		_, err = io.WriteString(k.out, line+"\n")
	})
	return err
}
