package runtime

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"runtime/trace"
	"slices"
	"strings"
	"time"

	"github.com/ichor-go/ichor/internal/fault"
	"github.com/ichor-go/ichor/internal/traces"
	"github.com/ichor-go/ichor/locks"
)

// Wait names what a thread waits for.
type Wait uint8

const (
	WaitGIL   Wait = iota // until the holder of the GIL gives it up
	WaitLock              // until another thread unlocks a container
	WaitWorld             // until a stop of the world ends
	WaitStop              // to stop the world: until all others have reached a safe point
	WaitGrace             // for a grace period, because the thread holds back too much memory
	WaitOwner             // until another thread merges its queue, which is full
	waits
)

var waitNames = [waits]string{"GIL", "container lock", "stopped world", "stop of the world", "grace period", "merge queue"}

// String returns what is waited for. Any goroutine.
func (w Wait) String() string { return waitNames[w] }

// regions are the names in an execution trace.
var regions = [waits]string{
	"ichor wait for the GIL", "ichor wait for a container lock", "ichor wait in a stopped world",
	"ichor wait to stop the world", "ichor wait for a grace period", "ichor wait for a merge queue",
}

// watched reports whether somebody wants to know of waits.
func (r *Runtime) watched() bool { return r.contention != nil || trace.IsEnabled() }

// wait calls fn, which waits for others, and tells Threads, the contention profile and the
// execution trace of it.
func (t *Thread) wait(what Wait, fn func()) { t.profileWait(what, t.await(what, fn)) }

// profileWait tells the contention profile that the thread has waited.
func (t *Thread) profileWait(what Wait, waited time.Duration) {
	if c := t.rt.contention; c != nil {
		c.Add(t.ctx, uint8(what), waited)
	}
}

// await is wait without the profile. It returns how long fn took, or 0 if nobody watches.
func (t *Thread) await(what Wait, fn func()) time.Duration {
	t.waiting.Store(uint32(what) + 1)
	defer t.waiting.Store(0)
	if !t.rt.watched() {
		fn()
		return 0
	}
	began := time.Now()
	if trace.IsEnabled() {
		ctx := t.tracing(context.Background())
		defer trace.StartRegion(ctx, regions[what]).End()
		trace.Logf(ctx, "ichor", "%s %s", t.name(), t.awaits(what))
	}
	fn()
	return time.Since(began)
}

// awaits says what the thread waits for, and names those who keep it waiting, as far as they
// are known.
func (t *Thread) awaits(what Wait) string {
	r := t.rt
	switch what {
	case WaitGIL:
		holder, _ := r.gil.Holder().(*Thread)
		if next, _ := r.gil.Waiter().(*Thread); holder == t && next != nil {
			return "hands the GIL over to " + next.name()
		}
		return "waits for the GIL of " + holder.nameIfAny("a thread that has just released it")
	case WaitStop:
		others := slices.DeleteFunc(r.world.Members(), func(name string) bool { return name == t.member.Name() })
		if len(others) == 0 {
			return "stops the world, with no other thread in it"
		}
		return "waits for safe points of " + strings.Join(others, ", ")
	case WaitWorld:
		return "waits for the end of a stop: " + r.world.String()
	}
	return "waits: " + what.String()
}

// ThreadState says what an attached thread is doing. A plain value.
type ThreadState struct {
	ID    int32 // of the thread's state
	Name  string
	State string

	// Waited is how long the thread has waited for the GIL so far; 0 if it does not wait for it.
	Waited time.Duration

	// Stack is that of the goroutine that has the thread, from the innermost function of yours;
	// empty unless it was asked for.
	Stack string `json:",omitempty"`
}

// The states of a thread.
const (
	stateRunning = "running"
	stateWaits   = "waits for the GIL"
	stateOutside = "outside: in Blocking, Recv or Send, or about to attach or detach"
	statePaused  = "waits for the end of a stop of the world"
	stateStops   = "stops the world, or waits to do so"
	stateLock    = "waits for a container lock"
	stateGrace   = "waits for a grace period, since it holds back too much memory"
	stateOwner   = "waits for another thread to merge its queue"
)

// Threads returns the state of each attached thread, in the order of their ids. The states are
// not of the same moment. If stacks is set, all goroutines stand still while their stacks are
// read, which takes a few microseconds for each. Any goroutine.
func (r *Runtime) Threads(stacks bool) []ThreadState {
	threads := r.attachedThreads()
	var all []byte
	if stacks {
		all = traces.All()
	}
	waits := map[any]time.Duration{}
	var holder any
	if r.gil != nil {
		for _, w := range r.gil.Waiters() {
			waits[w.Who] = w.Waited
		}
		holder = r.gil.Holder()
	}
	states := make([]ThreadState, 0, len(threads))
	for _, t := range threads {
		s := ThreadState{ID: t.number, Name: t.name(), State: stateOutside}
		if waited, ok := waits[t]; ok {
			s.State, s.Waited = stateWaits, waited
		} else if t == holder {
			s.State = stateRunning
		}
		if t.member != nil {
			s.State = t.memberState()
		}
		if stacks {
			s.Stack = stackOf(t, all)
		}
		states = append(states, s)
	}
	slices.SortFunc(states, func(a, b ThreadState) int { return cmp.Compare(a.ID, b.ID) })
	return states
}

// memberState returns the state of a thread in lock-free mode. The world takes a thread that waits
// for a lock to be running, and one that waits for the other things to be outside.
func (t *Thread) memberState() string {
	switch t.waiting.Load() {
	case uint32(WaitLock) + 1:
		return stateLock
	case uint32(WaitGrace) + 1:
		return stateGrace
	case uint32(WaitOwner) + 1:
		return stateOwner
	}
	return memberStates[t.member.State()]
}

// memberStates are the other states of threads in lock-free mode, by those of the members.
var memberStates = map[string]string{"outside": stateOutside, "inside": stateRunning, "paused": statePaused, "asking": stateStops}

// Go has no cheap way to tell which goroutine has attached: recording it would cost a
// microsecond at each attach. So the goroutine of a thread is searched for when it is asked for:
// a trace of all goroutines shows the arguments of each frame, and one of these is the thread's
// address. Do and Run call the user's function in a frame that is certain to show it. After
// Attach, it depends on the arguments of the user's functions.

// address returns the thread's address as traces show it.
func (t *Thread) address() string { return fmt.Sprintf("%p", t) }

// stackOf returns the stack of the goroutine that has the thread, from the innermost function of
// the user's, among the traces of all goroutines. t may be nil.
func stackOf(t *Thread, all []byte) string {
	if t == nil {
		return "the thread has gone on in the meantime"
	}
	if trace, found := traces.Showing(all, t.address()); found {
		return fault.Trim(trace)
	}
	return "not found: no goroutine's stack shows the thread at " + t.address()
}

// ownStack returns the stack of the calling goroutine, from the innermost function of the user's.
func ownStack() string { return fault.Trim(string(traces.Own())) }

// stallWarning is the default of Options.StallAfter.
var stallWarning = time.Second

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
	stacks := traces.All() // before t is passed on: no frame of this goroutine may show its address
	r.tell(StallReport{
		What: stallsWorld, Thread: t.nameIfAny(m.Name()), Waited: waited,
		Stack: stackOf(t, stacks), Waiter: ownStack(),
	})
}

// warnOfHolder reports the thread that keeps the GIL.
func (r *Runtime) warnOfHolder(waited time.Duration) {
	t, _ := r.gil.Holder().(*Thread)
	w, _ := r.gil.Waiter().(*Thread)
	stacks := traces.All()
	r.tell(StallReport{
		What: stallsGIL, Thread: t.nameIfAny("unknown thread"), Waited: waited,
		Stack: stackOf(t, stacks), Waiter: stackOf(w, stacks),
	})
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
			stacks := traces.All()
			r.tell(StallReport{
				What: stallsQueue, Thread: t.name(), Waited: waited, Bytes: q.bytes.Load(),
				Stack: stackOf(t, stacks), Waiter: ownStack(),
			})
			return
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
//	Immortalize, Unload,
//	ReadStats, Paths,
//	HeapSnapshot,
//	WriteHeapSnapshot     of a Runtime
//
// The inspection finds Do and Run, which have a frame that names the thread: see Thread.do. A
// goroutine that has called Attach itself is found only in checked mode, if it calls Do or Run;
// otherwise the report of the stall names it.

// framesOfDo are the entry addresses of the functions whose frames name their thread.
var framesOfDo = [...]uintptr{traces.Entry((*Thread).do), traces.Entry((*Thread).work)}

// mustNotWait panics if Do or Run has attached the calling goroutine as a thread other than t,
// which may be nil.
func (r *Runtime) mustNotWait(t *Thread) {
	least := 1
	if t != nil {
		least = 2
	}
	if traces.Count(framesOfDo[:]...) < least {
		return
	}
	trace := traces.Own()
	for _, x := range r.attachedThreads() {
		if x != t && x.doneIn(trace) && x.attached { // so x belongs to this goroutine
			fault.Throw(Misuse{
				What: "the goroutine is already attached, and would wait for itself", On: x.name(), Want: wantOutside,
				History: "    called at" + fault.Here().String(),
			})
		}
	}
}

// doneIn reports whether a trace has a frame of do or work that names the thread.
func (t *Thread) doneIn(trace []byte) bool {
	at := t.address()
	return traces.HasCall(trace, "runtime.(*Thread).do", at) || traces.HasCall(trace, "runtime.(*Thread).work", at)
}
