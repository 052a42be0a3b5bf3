package runtime

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	goruntime "runtime"

	"github.com/ichor-go/ichor/internal/fault"
	"github.com/ichor-go/ichor/internal/point"
)

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
