//go:build explore

package errgroup

import (
	"fmt"

	"github.com/ichor-go/ichor/proptest/explore/context"
	"github.com/ichor-go/ichor/proptest/explore/shim"
	"github.com/ichor-go/ichor/proptest/explore/sync"
)

// Group is the original's Group under the control of an exploration. Its zero value is ready for use.
type Group struct {
	cancel func(error)
	wg     sync.WaitGroup
	slots  chan struct{}
	once   sync.Once
	err    error
}

// WithContext returns a group, and a context that is cancelled when a call of the group has failed, or
// Wait has returned.
func WithContext(ctx context.Context) (*Group, context.Context) {
	ctx, cancel := context.WithCancelCause(ctx)
	return &Group{cancel: cancel}, ctx
}

// Wait waits for all calls, and returns the first error.
func (g *Group) Wait() error {
	g.wg.Wait()
	if g.cancel != nil {
		g.cancel(g.err)
	}
	return g.err
}

// Go calls f in a new goroutine, once the limit allows it.
func (g *Group) Go(f func() error) {
	if g.slots != nil {
		shim.Send(g.slots, struct{}{})
	}
	g.start(f)
}

// TryGo calls f in a new goroutine if the limit allows it, and reports whether it does.
func (g *Group) TryGo(f func() error) bool {
	if g.slots != nil && shim.Select(true, shim.SendCase(g.slots, struct{}{})) < 0 {
		return false
	}
	g.start(f)
	return true
}

func (g *Group) start(f func() error) {
	g.wg.Add(1)
	shim.Go(func() {
		defer g.done()
		if err := f(); err != nil {
			g.once.Do(func() {
				g.err = err
				if g.cancel != nil {
					g.cancel(g.err)
				}
			})
		}
	})
}

func (g *Group) done() {
	if g.slots != nil {
		shim.Recv(g.slots)
	}
	g.wg.Done()
}

// SetLimit limits the calls at the same time to n, or lifts the limit if n is negative.
func (g *Group) SetLimit(n int) {
	if n < 0 {
		g.slots = nil
		return
	}
	if used := shim.Len(g.slots); used != 0 {
		panic(fmt.Errorf("errgroup: modify limit while %v goroutines in the group are still active", used))
	}
	g.slots = make(chan struct{}, n)
}
