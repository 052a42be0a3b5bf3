package runtime

import (
	"bytes"
	"fmt"
	"log/slog"
	goruntime "runtime"
	"time"

	"github.com/ichor-go/ichor/internal/fault"
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
