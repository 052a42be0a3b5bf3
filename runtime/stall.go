package runtime

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"reflect"
	goruntime "runtime"
	"time"

	"github.com/ichor-go/ichor/internal/fault"
	"github.com/ichor-go/ichor/internal/point"
	"github.com/ichor-go/ichor/locks"
)

// A thread that others have to wait for is named in a warning, with the stack of
// its goroutine. Go tells nobody which goroutine has attached, but for a
// microsecond, which each attach would pay. So it is found when it is needed: a
// trace of all goroutines prints the arguments of each frame, and one of those is
// the thread's address.

// stallWarning is Options.StallAfter unless the options say otherwise.
var stallWarning = time.Second

// maxStacks bounds the trace of all goroutines. It takes a few hundred bytes for
// each frame; the world of Go stands still meanwhile. Tests have less.
var maxStacks = 16 << 20

// StallReport says that a thread keeps others waiting, and where. The stacks begin at the
// user's innermost function.
type StallReport struct {
	Runtime string        // its Name
	What    string        // how the thread keeps others waiting
	Thread  string        // which one it is
	Waited  time.Duration // until now
	Bytes   int64         // of objects that wait to be merged, if it is about that
	Stack   string        // of the goroutine that has the thread
	Waiter  string        // of a goroutine that waits
}

// String is the whole report, in several lines.
func (s StallReport) String() string {
	return fmt.Sprintf("%s%s: %s of runtime %q, for %s\n%s\nwaiting:\n%s",
		fault.Prefix, s.What, s.Thread, s.Runtime, s.Waited, s.Stack, s.Waiter)
}

// How threads keep others waiting.
const (
	stallsWorld = "a thread keeps the world waiting: it has not been at a checkpoint, or waits outside Blocking"
	stallsGIL   = "a thread keeps the GIL: it has not been at a checkpoint, waits outside Blocking, or attaches a second time"
	stallsQueue = "a thread does not merge what others have dropped of its objects: it comes to no checkpoint and allocates nothing"
)

// tell reports a stall. Whoever calls it may be in the midst of stopping the world: so code
// of the program's that panics, or ends its goroutine, does that in another one.
func (r *Runtime) tell(s StallReport) {
	s.Runtime = r.label
	told := make(chan struct{})
	go func() {
		defer close(told)
		defer func() { _ = recover() }()
		if r.opts.OnStall != nil {
			r.opts.OnStall(s)
			return
		}
		args := []any{"runtime", s.Runtime, "thread", s.Thread, "waited", s.Waited}
		if s.Bytes > 0 {
			args = append(args, "bytes", s.Bytes)
		}
		r.logger().Warn(fault.Prefix+s.What, append(args, "stack", s.Stack, "waiter", s.Waiter)...)
	}()
	<-told
}

// logger is where reports go that no function of the options takes.
func (r *Runtime) logger() *slog.Logger {
	if r.opts.Logger != nil {
		return r.opts.Logger
	}
	return slog.Default()
}

// warnOfMember is told of a thread that keeps the world from being stopped, by the goroutine
// that wants to stop it.
func (r *Runtime) warnOfMember(m *locks.Member, waited time.Duration) {
	t := r.threadOf(m)
	stacks := allStacks() // t is not passed on before: no frame of ours may show it
	r.tell(StallReport{
		What: stallsWorld, Thread: t.nameIfAny(m.Name()), Waited: waited,
		Stack: fault.Trim(stackOf(t, stacks)), Waiter: fault.Trim(string(ownTrace())),
	})
}

// warnOfHolder is told that a thread keeps the GIL.
func (r *Runtime) warnOfHolder(waited time.Duration) {
	t, _ := r.gil.Holder().(*Thread)
	w, _ := r.gil.Waiter().(*Thread)
	stacks := allStacks()
	r.tell(StallReport{
		What: stallsGIL, Thread: t.nameIfAny("none any more"), Waited: waited,
		Stack: fault.Trim(stackOf(t, stacks)), Waiter: fault.Trim(stackOf(w, stacks)),
	})
}

// nameIfAny is name, or other if t is nil.
func (t *Thread) nameIfAny(other string) string {
	if t == nil {
		return other
	}
	return t.name()
}

// warnOfOwner is told of a queue that its owner does not empty. Waiting for the
// owner was in vain, but not for long: memory is what runs out.
func (r *Runtime) warnOfOwner(q *mergeQueue) {
	now := time.Now().UnixNano()
	since := q.full.Load()
	if since == 0 {
		q.full.CompareAndSwap(0, now)
		return
	}
	waited := time.Duration(now - since)
	if r.opts.StallAfter < 0 || waited < r.opts.StallAfter || !q.full.CompareAndSwap(since, now) {
		return
	}
	for _, t := range r.attachedThreads() {
		if t.queue == q {
			stacks := allStacks()
			r.tell(StallReport{
				What: stallsQueue, Thread: t.name(), Waited: waited, Bytes: q.bytes.Load(),
				Stack: fault.Trim(stackOf(t, stacks)), Waiter: fault.Trim(string(ownTrace())),
			})
			return
		}
	}
}

// threadOf returns the attached thread that m belongs to, or nil.
func (r *Runtime) threadOf(m *locks.Member) *Thread {
	for _, t := range r.attachedThreads() {
		if t.member == m {
			return t
		}
	}
	return nil
}

// allStacks returns the traces of all goroutines, or as many as there is room for.
func allStacks() []byte {
	for size := 64 << 10; ; size *= 4 {
		buf := make([]byte, size)
		if n := goruntime.Stack(buf, true); n < size || size >= maxStacks {
			return buf[:n]
		}
	}
}

// stackOf returns the trace of the goroutine that has thread t. Do and Run call
// the user's function in a frame that is sure to show the thread; after Attach it
// is up to what the user's functions pass on. Where Go does not know that an
// argument still means something it prints a question mark behind it: such a frame
// counts if there is no better one.
func stackOf(t *Thread, stacks []byte) string {
	if t == nil {
		return "the thread went on meanwhile"
	}
	address := fmt.Appendf(nil, "%p", t)
	unsure := ""
	for _, trace := range bytes.Split(stacks, []byte("\n\n")) {
		switch sure, found := showsAddress(trace, address); {
		case sure:
			return string(trace)
		case found && unsure == "":
			unsure = string(trace)
		}
	}
	if unsure != "" {
		return unsure
	}
	return "not found: no goroutine has a frame that shows the thread at " + string(address)
}

// showsAddress reports whether an address is an argument in a goroutine's trace,
// and whether that is sure.
func showsAddress(trace, address []byte) (sure, found bool) {
	for {
		_, rest, ok := bytes.Cut(trace, address)
		if !ok {
			return false, found
		}
		switch trace = rest; {
		case len(rest) == 0:
		case rest[0] == '?':
			found = true
		case bytes.IndexByte([]byte(",)}"), rest[0]) >= 0:
			return true, true
		}
	}
}

// A goroutine that is attached and attaches again, as in Do inside Do, waits for itself: for
// the GIL, or for a stop of the world, which waits for its outer thread. Go does not say
// cheaply which goroutine runs. So the goroutine looks at its own stack, and it does so
// where that costs nothing to speak of:
//
//	Attach, Do            if they have to wait
//	Checkpoint            of the inner thread, if the world is being stopped
//	StopTheWorld          of the inner thread, if others are inside
//	Run, Close, Share,    always: they take much longer than the look
//	Collect, Freeze,
//	Immortalize, Unload   of a Runtime
//
// The look finds Do and Run, in which a frame names the thread: see Thread.do. A goroutine that
// has called Attach by itself is found by checked mode alone, if it calls Do or Run, and is
// named in the report of the stall.

// framesOfDo are where the code begins of the functions that name their thread.
var framesOfDo = [...]uintptr{reflect.ValueOf((*Thread).do).Pointer(), reflect.ValueOf((*Thread).work).Pointer()}

// maxFrames is how many frames of its stack a goroutine looks at.
const maxFrames = 256

// mustNotWait panics if the calling goroutine is attached by Do or Run as another thread
// than t, which may be nil.
func (r *Runtime) mustNotWait(t *Thread) {
	least := 1
	if t != nil {
		least = 2
	}
	if countFramesOfDo() < least {
		return
	}
	trace := ownTrace()
	for _, x := range r.attachedThreads() {
		if x != t && hasFrameOfDo(trace, x) && x.attached { // so it is the goroutine's own
			fault.Throw(Misuse{
				What: "the goroutine is attached already, and would wait for itself", On: x.name(), Want: wantOutside,
				History: "    called at" + fault.Here().String(),
			})
		}
	}
}

// countFramesOfDo returns how many frames of do and work there are on the goroutine's stack.
func countFramesOfDo() (n int) {
	var pcs [maxFrames]uintptr
	for _, pc := range pcs[:goruntime.Callers(2, pcs[:])] {
		if f := goruntime.FuncForPC(pc - 1); f != nil && (f.Entry() == framesOfDo[0] || f.Entry() == framesOfDo[1]) {
			n++
		}
	}
	return n
}

// ownTrace returns the trace of the calling goroutine, with arguments.
func ownTrace() []byte {
	for size := 16 << 10; ; size *= 4 {
		buf := make([]byte, size)
		if n := goruntime.Stack(buf, false); n < size {
			return buf[:n]
		}
	}
}

// hasFrameOfDo reports whether a trace has a frame of do or work that names thread t.
func hasFrameOfDo(trace []byte, t *Thread) bool {
	for _, name := range []string{"do", "work"} {
		frame := fmt.Appendf(nil, "runtime.(*Thread).%s(%p,", name, t)
		if bytes.Contains(trace, frame) {
			return true
		}
	}
	return false
}

// enterAtAttach is enterContext for Attach. A thread that has to wait looks whether it would
// wait for itself. If it does not come in, it is pooled again.
func (t *Thread) enterAtAttach(ctx context.Context) error {
	r, done := t.rt, false
	defer func() {
		if !done {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.remove(t)
			r.putIdle(t)
		}
	}()
	switch {
	case point.On && point.Explored(): // no goroutine of the explorer's attaches twice
	case r.gil == nil && !t.member.Stopping():
	case r.gil != nil && ctx.Err() == nil && r.gil.TryAcquireFor(t):
		done = true
		return nil
	default:
		r.mustNotWait(nil)
	}
	if t.enterContext(ctx) != nil {
		return fault.GivenUp(ctx, "attach")
	}
	done = true
	return nil
}
