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

// A report of a stall names the thread that others wait for, and shows the stack of its
// goroutine. Go has no cheap way to tell which goroutine has attached: recording it would cost
// a microsecond at each attach. So the goroutine is searched for when a report is made. A trace
// of all goroutines prints the arguments of each frame, and one of these is the thread's
// address.

// stallWarning is the default of Options.StallAfter.
var stallWarning = time.Second

// maxStacks bounds the trace of all goroutines, in bytes. A trace takes a few hundred bytes for
// each frame, and stops all goroutines meanwhile. Tests set a smaller bound.
var maxStacks = 16 << 20

// StallReport describes a thread that keeps others waiting. The stacks begin at the user's
// innermost function.
type StallReport struct {
	Runtime string        // its Name
	What    string        // how the thread keeps others waiting
	Thread  string        // the name of the thread
	Waited  time.Duration // so far
	Bytes   int64         // of objects that wait to be merged, if this is the reason
	Stack   string        // of the goroutine that the thread belongs to
	Waiter  string        // of a waiting goroutine
}

// String returns the whole report, in several lines.
func (s StallReport) String() string {
	return fmt.Sprintf("%s%s: %s of runtime %q, for %s\n%s\nwaiting:\n%s",
		fault.Prefix, s.What, s.Thread, s.Runtime, s.Waited, s.Stack, s.Waiter)
}

// The ways in which threads keep others waiting.
const (
	stallsWorld = "a thread keeps the world waiting: it reaches no checkpoint, or it waits outside Blocking"
	stallsGIL   = "a thread keeps the GIL: it reaches no checkpoint, it waits outside Blocking, or it attaches a second time"
	stallsQueue = "a thread does not merge objects that other threads have released: it reaches no checkpoint and allocates nothing"
)

// tell reports a stall. Its caller may be in the middle of stopping the world. So user code
// runs in another goroutine, where it may panic or end the goroutine.
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

// logger returns the logger for reports that no function of the options takes.
func (r *Runtime) logger() *slog.Logger {
	if r.opts.Logger != nil {
		return r.opts.Logger
	}
	return slog.Default()
}

// warnOfMember reports a thread that keeps the world from being stopped. The goroutine that
// wants to stop it makes the call.
func (r *Runtime) warnOfMember(m *locks.Member, waited time.Duration) {
	t := r.threadOf(m)
	stacks := allStacks() // before t is passed on: no frame of this goroutine may show its address
	r.tell(StallReport{
		What: stallsWorld, Thread: t.nameIfAny(m.Name()), Waited: waited,
		Stack: fault.Trim(stackOf(t, stacks)), Waiter: fault.Trim(string(ownTrace())),
	})
}

// warnOfHolder reports the thread that keeps the GIL.
func (r *Runtime) warnOfHolder(waited time.Duration) {
	t, _ := r.gil.Holder().(*Thread)
	w, _ := r.gil.Waiter().(*Thread)
	stacks := allStacks()
	r.tell(StallReport{
		What: stallsGIL, Thread: t.nameIfAny("unknown thread"), Waited: waited,
		Stack: fault.Trim(stackOf(t, stacks)), Waiter: fault.Trim(stackOf(w, stacks)),
	})
}

// nameIfAny returns t's name, or other if t is nil.
func (t *Thread) nameIfAny(other string) string {
	if t == nil {
		return other
	}
	return t.name()
}

// warnOfOwner reports a merge queue that its owner does not empty. This thread has waited for
// the owner, but not long, since memory is running out.
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

// allStacks returns the traces of all goroutines, up to maxStacks bytes.
func allStacks() []byte {
	for size := 64 << 10; ; size *= 4 {
		buf := make([]byte, size)
		if n := goruntime.Stack(buf, true); n < size || size >= maxStacks {
			return buf[:n]
		}
	}
}

// stackOf returns the trace of the goroutine that has thread t. Do and Run call the user's
// function in a frame that is certain to show the thread's address. After Attach, it depends on
// the arguments of the user's functions. If an argument may be stale, Go prints a question mark
// behind it: such a frame counts only if there is no better one.
func stackOf(t *Thread, stacks []byte) string {
	if t == nil {
		return "the thread has gone on in the meantime"
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
	return "not found: no goroutine's stack shows the thread at " + string(address)
}

// showsAddress reports whether address is an argument in a goroutine's trace (found), and
// whether that argument is certain to be live (sure).
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
// the GIL, or for a stop of the world, which waits for its outer thread. Go has no cheap way to
// tell which goroutine is running. So the goroutine inspects its own stack, where the cost does
// not matter:
//
//	Attach, Do            if they have to wait
//	Checkpoint            of the inner thread, if the world is being stopped
//	StopTheWorld          of the inner thread, if others are inside
//	Run, Close, Share,    always: they take much longer than the inspection
//	Collect, Freeze,
//	Immortalize, Unload   of a Runtime
//
// The inspection finds Do and Run, which have a frame that names the thread: see Thread.do. A
// goroutine that has called Attach itself is found only in checked mode, if it calls Do or Run;
// otherwise the report of the stall names it.

// framesOfDo are the entry addresses of the functions whose frames name their thread.
var framesOfDo = [...]uintptr{reflect.ValueOf((*Thread).do).Pointer(), reflect.ValueOf((*Thread).work).Pointer()}

// maxFrames is how many frames of its stack a goroutine inspects.
const maxFrames = 256

// mustNotWait panics if Do or Run has attached the calling goroutine as a thread other than t,
// which may be nil.
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
		if x != t && hasFrameOfDo(trace, x) && x.attached { // so x belongs to this goroutine
			fault.Throw(Misuse{
				What: "the goroutine is already attached, and would wait for itself", On: x.name(), Want: wantOutside,
				History: "    called at" + fault.Here().String(),
			})
		}
	}
}

// countFramesOfDo returns the number of frames of do and work on the goroutine's stack.
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

// enterAtAttach is enterContext for Attach. A thread that has to wait checks whether it would
// wait for itself. If it does not enter the world, it returns to the pool.
func (t *Thread) enterAtAttach(ctx context.Context) error {
	r, done := t.rt, false
	defer func() {
		if !done {
			t.labels = nil
			r.mu.Lock()
			defer r.mu.Unlock()
			r.remove(t)
			r.putIdle(t)
		}
	}()
	switch {
	case point.On && point.Explored(): // no goroutine of the explorer attaches twice
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
