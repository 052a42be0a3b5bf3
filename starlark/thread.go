package starlark

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	rt "github.com/ichor-go/ichor/runtime"
)

// Thread runs Starlark code on a goroutine.
type Thread struct {
	m        *Machine
	t        *rt.Thread
	parallel bool // other threads may run at the same time

	stack  []Value
	frames []frame
	its    []iterator

	fuel  int    // calls and iterations until the next checkpoint
	given int    // fuel at the last one
	steps uint64 // made before that
	limit uint64

	ctx  context.Context
	done <-chan struct{}

	profiler    *Profiler
	sampled     time.Time // when the last sample was taken
	worker      bool      // of parallel.map
	goCalls     int       // calls of Starlark functions by Go code that are in progress
	rounds      uint      // checkpoints
	allocated   int64     // bytes of large objects since the last look at the memory in use
	collected   int64     // bytes in use after the last collection by collectSoon
	untidy      bool      // earlier programs may have left cycles, see tidy
	held        int64     // Go memory that counts, see account
	told        int64     // of it, what the machine knows
	kept        int64     // Go memory that counts until the thread ends
	keptIts     int       // room for iterators that need not be added to it
	calls       []*Call   // of the builtins in progress, and for reuse
	ncalls      int
	kwargs      []Kwarg // for reuse
	scratch     []byte  // for writers, and so the next two
	path        []Value
	jsonEntries []jsonEntry
	fields      [64]fieldPlace
	words       *jsonWords // for reuse
	inRegion    bool       // objects are born immortal
}

// A frame is a call in progress.
type frame struct {
	code *code // nil for a builtin
	b    *builtin
	fn   Value // borrowed from the caller
	pc   int32
	base int32
	its  int32 // iterators that were open before
	dest uint8 // the caller's register for the result
	root bool  // the call comes from Go
}

// LimitError says that a program has reached a limit.
type LimitError struct {
	What string
	Err  error
}

// ErrSteps is the cause of the LimitError that a program has used up its steps.
var ErrSteps = errors.New("too many steps")

// Error names the limit.
func (e *LimitError) Error() string { return e.What }

// Unwrap returns the cause, if any.
func (e *LimitError) Unwrap() error { return e.Err }

const (
	checkpointEvery = 256
	maxGoCalls      = 500 // nested calls of Starlark functions by builtins
	window          = 256 // registers that an instruction can name
	firstStack      = 4 * window
)

func (m *Machine) newThread(ctx context.Context, t *rt.Thread) *Thread {
	th := &Thread{m: m, t: t, parallel: t.LockFree(), ctx: ctx, done: ctx.Done(), limit: m.opts.Steps}
	if th.limit == 0 {
		th.limit = math.MaxUint64
	}
	th.untidy, th.keptIts = m.limit > 0, keptIterators
	th.stack = make([]Value, firstStack)
	if th.profiler = m.profiler.Load(); th.profiler != nil {
		th.sampled = time.Now()
	}
	th.refuel()
	return th
}

func (th *Thread) close() {
	th.dropAll(th.stack)
	th.endIterators(0)
	th.release(0)
	th.m.account.held.Add(-th.kept)
}

// Runtime returns the thread of the runtime. It must not be detached.
func (th *Thread) Runtime() *rt.Thread { return th.t }

// Machine returns the machine.
func (th *Thread) Machine() *Machine { return th.m }

// Keep returns v with a count of its own, as the result of a builtin.
func (th *Thread) Keep(v Value) Value { return th.dup(v) }

// Drop gives up the count of v, if it owns one.
func (th *Thread) Drop(v Value) { th.drop(v) }

func (th *Thread) refuel() {
	th.given = int(min(checkpointEvery, th.limit-min(th.steps, th.limit)))
	th.fuel = th.given
}

// Steps returns the number of calls and iterations so far.
func (th *Thread) Steps() uint64 { return th.steps + uint64(th.given-th.fuel) }

// step counts a call or an iteration. It is a safe point now and then.
func (th *Thread) step() error {
	if th.fuel--; th.fuel < 0 {
		return th.checkpoint()
	}
	return nil
}

// charge counts n units of work as steps, when the next step is counted.
func (th *Thread) charge(n int) { th.fuel -= n }

// scan counts what it takes to read n bytes of a text as steps, as charge does.
func (th *Thread) scan(n int) { th.fuel -= n >> 8 }

// work counts a step of a builtin that cannot reach a safe point.
func (th *Thread) work() error {
	if th.fuel--; th.fuel < 0 {
		return th.account()
	}
	return nil
}

// checkpoint is a safe point, and looks at the limits.
func (th *Thread) checkpoint() error {
	if err := th.account(); err != nil {
		return err
	}
	if th.profiler != nil {
		th.profiler.take(th)
	}
	if th.rounds++; th.m.limit > 0 && (th.rounds&7 == 0 || th.allocated > th.m.limit/32) {
		if err := th.collectSoon(); err != nil {
			return err
		}
	}
	th.t.Checkpoint()
	return nil
}

// account looks at the limits.
func (th *Thread) account() error {
	th.steps += uint64(th.given - th.fuel)
	if th.steps > th.limit {
		th.given, th.fuel = 0, 0
		return &LimitError{What: fmt.Sprintf("too many steps: the limit is %d", th.limit), Err: ErrSteps}
	}
	th.refuel()
	select {
	case <-th.done:
		return &LimitError{What: fmt.Sprintf("Starlark computation cancelled: %v", context.Cause(th.ctx)), Err: th.ctx.Err()}
	default:
	}
	return nil
}

// limitError names the limit that an error of the runtime is about.
func (th *Thread) limitError(err error) error {
	var size *rt.SizeError
	switch {
	case isMemoryLimit(err):
		th.untidy, th.collected = th.m.limit > 0, 0
		what := "memory limit exceeded"
		if th.m.limit > 0 {
			what += fmt.Sprintf(": %d bytes", th.m.limit)
		}
		return &LimitError{what, err}
	case errors.As(err, &size):
		return &LimitError{fmt.Sprintf("%s too large: %d %s, the limit is %d", size.Of, size.Size, size.Unit, size.Most), err}
	}
	return err
}

func isMemoryLimit(err error) bool { return errors.Is(err, rt.ErrMemoryLimit) }

// set replaces the value of a register.
func set(th *Thread, p *Value, v Value) {
	old := *p
	*p = v
	if old>>48 == 1 {
		th.dropSlow(old)
	}
}

// dropSlow is not inlined, so that set is.
//
//go:noinline
func (th *Thread) dropSlow(v Value) { th.t.DecRef(v.ref()) }

// window returns the registers of a frame that begins at base.
func (th *Thread) window(base int) *[window]Value { return (*[window]Value)(th.stack[base:]) }
