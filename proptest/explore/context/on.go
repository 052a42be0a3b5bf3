//go:build explore

package context

import (
	original "context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ichor-go/ichor/proptest/explore/internal/engine"
	"github.com/ichor-go/ichor/proptest/explore/shim"
	twin "github.com/ichor-go/ichor/proptest/explore/time"
)

// The contexts of an exploration are a tree of their own: the channel of Done is closed as the
// exploration closes channels, and deadlines are timers of virtual time. Contexts from outside can be
// their parents.

// parentKey is the key under which a context finds the nearest one of this package.
type parentKey struct{}

// node is a context that can be cancelled.
type node struct {
	original.Context // the parent
	done             chan struct{}
	mu               sync.Mutex // the original's: it is never held at a point
	err, cause       error
	children         []*node
	calls            []*call
	deadline         time.Time
	timer            *twin.Timer
	without          bool // it is cut off from its parent
}

// call is a function of AfterFunc.
type call struct {
	f    func()
	gone bool
}

func (n *node) Done() <-chan struct{} { return n.done }

// Err is a point: a program may ask again and again.
func (n *node) Err() error {
	n.sees("Err")
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.err
}

// sees is a point before a look at what cancel changes.
func (n *node) sees(what string) {
	if n.done != nil {
		shim.Sees(n.done, what)
	}
}

func (n *node) Deadline() (time.Time, bool) {
	if n.without {
		return time.Time{}, false
	}
	if !n.deadline.IsZero() {
		return n.deadline, true
	}
	return n.Context.Deadline()
}

func (n *node) Value(key any) any {
	if key == (parentKey{}) {
		return n
	}
	return n.Context.Value(key)
}

// String returns what fmt prints for a context.
func (n *node) String() string {
	what := "WithCancel"
	if n.without {
		what = "WithoutCancel"
	} else if !n.deadline.IsZero() {
		what = "WithDeadline"
	}
	return fmt.Sprintf("%v.%s", n.Context, what)
}

// newNode returns a context that is cancelled with its parent.
func newNode(parent original.Context) *node {
	if parent == nil {
		panic("cannot create context from nil parent")
	}
	n := &node{Context: parent, done: make(chan struct{})}
	if up, ok := parent.Value(parentKey{}).(*node); ok && up.Done() == parent.Done() {
		if up.without {
			return n
		}
		up.sees("With")
		up.mu.Lock()
		err, cause := up.err, up.cause
		if err == nil {
			up.children = append(up.children, n)
		}
		up.mu.Unlock()
		if err != nil {
			n.cancel(err, cause)
		}
		return n
	}
	// The parent is from outside, or the program's own.
	if d := parent.Done(); d != nil {
		select {
		case <-d:
			n.cancel(parent.Err(), original.Cause(parent))
		default:
			shim.Go(func() {
				if shim.Select(false, shim.RecvCase(d), shim.RecvCase(n.Done())) == 0 {
					n.cancel(parent.Err(), original.Cause(parent))
				}
			})
		}
	}
	return n
}

// cancel cancels the context and those below it.
func (n *node) cancel(err, cause error) {
	if cause == nil {
		cause = err
	}
	var (
		children []*node
		calls    []*call
		timer    *twin.Timer
	)
	shim.CloseIf(n.done, func() bool {
		n.mu.Lock()
		defer n.mu.Unlock()
		if n.err != nil {
			return false
		}
		n.err, n.cause = err, cause
		for _, c := range n.calls {
			if !c.gone {
				c.gone = true
				calls = append(calls, c)
			}
		}
		children, timer = n.children, n.timer
		n.children, n.calls = nil, nil
		return true
	})
	for _, c := range children {
		c.cancel(err, cause)
	}
	for _, c := range calls {
		shim.Go(c.f)
	}
	if timer != nil {
		timer.Stop()
	}
}

// Cause returns why a context was cancelled.
func Cause(c original.Context) error {
	n, ok := c.Value(parentKey{}).(*node)
	if !ok {
		return original.Cause(c)
	}
	n.sees("Cause")
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.cause
}

// WithCancel is [original.WithCancel].
func WithCancel(parent original.Context) (original.Context, original.CancelFunc) {
	if engine.Me() == nil {
		return original.WithCancel(parent)
	}
	n := newNode(parent)
	return n, func() { n.cancel(original.Canceled, nil) }
}

// WithCancelCause is [original.WithCancelCause].
func WithCancelCause(parent original.Context) (original.Context, original.CancelCauseFunc) {
	if engine.Me() == nil {
		return original.WithCancelCause(parent)
	}
	n := newNode(parent)
	return n, func(cause error) { n.cancel(original.Canceled, cause) }
}

// WithDeadline is [original.WithDeadline].
func WithDeadline(parent original.Context, d time.Time) (original.Context, original.CancelFunc) {
	return WithDeadlineCause(parent, d, nil)
}

// WithDeadlineCause is [original.WithDeadlineCause].
func WithDeadlineCause(parent original.Context, d time.Time, cause error) (original.Context, original.CancelFunc) {
	if engine.Me() == nil {
		return original.WithDeadlineCause(parent, d, cause)
	}
	n := newNode(parent)
	if up, ok := parent.Deadline(); !ok || d.Before(up) {
		n.deadline = d
		if left := twin.Until(d); left <= 0 {
			n.cancel(original.DeadlineExceeded, cause)
		} else {
			n.expire(left, cause)
		}
	}
	return n, func() { n.cancel(original.Canceled, nil) }
}

// expire has the context cancelled after some time, if it is not yet.
func (n *node) expire(left time.Duration, cause error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.err == nil {
		n.timer = twin.AfterFunc(left, func() { n.cancel(original.DeadlineExceeded, cause) })
	}
}

// WithTimeout is [original.WithTimeout].
func WithTimeout(parent original.Context, timeout time.Duration) (original.Context, original.CancelFunc) {
	return WithDeadlineCause(parent, twin.Now().Add(timeout), nil)
}

// WithTimeoutCause is [original.WithTimeoutCause].
func WithTimeoutCause(parent original.Context, timeout time.Duration, cause error) (original.Context, original.CancelFunc) {
	return WithDeadlineCause(parent, twin.Now().Add(timeout), cause)
}

// WithValue is [original.WithValue].
func WithValue(parent original.Context, key, val any) original.Context {
	return original.WithValue(parent, key, val)
}

// WithoutCancel is [original.WithoutCancel].
func WithoutCancel(parent original.Context) original.Context {
	if engine.Me() == nil {
		return original.WithoutCancel(parent)
	}
	if parent == nil {
		panic("cannot create context from nil parent")
	}
	return &node{Context: parent, without: true}
}

var errStopped = errors.New("context: the call was stopped")

// AfterFunc is [original.AfterFunc].
func AfterFunc(ctx original.Context, f func()) (stop func() bool) {
	if engine.Me() == nil {
		return original.AfterFunc(ctx, f)
	}
	n := newNode(ctx)
	c := &call{f: f}
	n.mu.Lock()
	done := n.err != nil
	if !done {
		n.calls = append(n.calls, c)
	}
	n.mu.Unlock()
	if done {
		c.gone = true
		shim.Go(f)
	}
	return func() bool {
		shim.Changes(n.done, "stop")
		n.mu.Lock()
		stopped := !c.gone && n.err == nil
		c.gone = true
		n.mu.Unlock()
		if stopped {
			n.cancel(errStopped, nil)
		}
		return stopped
	}
}
