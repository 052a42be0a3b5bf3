package runtime

import (
	"context"
	"sync"

	"github.com/ichor-go/ichor/internal/aligned"
	"github.com/ichor-go/ichor/internal/arena"
	"github.com/ichor-go/ichor/sched"
)

// team is the goroutines that trace together. In each pass they take spans from a
// counter until there is none left. What marking finds is its finder's to look
// into, however much it is; so who has a long stack gives half of it to those who
// have run out of spans.
type team struct {
	all    []*tracer
	spans  []*arena.Span
	next   aligned.Int64 // number of the first span that nobody has taken
	hungry aligned.Int64 // tracers that wait for a gift

	mu    sync.Mutex
	wake  *sync.Cond
	gifts [][]Ref
	done  bool // all are waiting, and there is no gift
}

// donateFrom is the length of a stack that is worth dividing. A guess.
const donateFrom = 256

func newTeam(x *trial, n int) *team {
	m := &team{spans: x.spans}
	m.wake = sync.NewCond(&m.mu)
	for range n {
		m.all = append(m.all, newTracer(x, m, n > 1))
	}
	return m
}

// run has every span passed to pass by one of the tracers.
func (m *team) run(pass func(*tracer, *arena.Span)) {
	if len(m.all) == 1 {
		for _, sp := range m.spans {
			pass(m.all[0], sp)
		}
		return
	}
	m.next.Store(0)
	m.hungry.Store(0)
	m.done = false
	_ = sched.Run(context.Background(), len(m.all), // no tracer returns an error
		func(i int) (*tracer, error) { return m.all[i], nil },
		func(*tracer) {},
		func(_ context.Context, w *tracer, _ int) error {
			over := false
			defer func() {
				if !over {
					m.abandon() // a Traverse has panicked
				}
			}()
			for i := m.next.Inc() - 1; i < int64(len(m.spans)); i = m.next.Inc() - 1 {
				pass(w, m.spans[i])
			}
			for m.receive(w) {
				w.drain()
			}
			over = true
			return nil
		})
}

// abandon has nobody wait any more.
func (m *team) abandon() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done, m.gifts = true, nil
	m.wake.Broadcast()
}

// donate gives away the older half of the stack, which leads to more.
func (w *tracer) donate() {
	half := len(w.stack) / 2
	gift := append([]Ref(nil), w.stack[:half]...)
	w.stack = append(w.stack[:0], w.stack[half:]...)
	m := w.team
	m.mu.Lock()
	defer m.mu.Unlock()
	m.gifts = append(m.gifts, gift)
	m.wake.Signal()
}

// receive waits for a gift, which becomes the stack, or until nobody can give one.
func (m *team) receive(w *tracer) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.hungry.Inc() == int64(len(m.all)) {
		m.done = len(m.gifts) == 0
	}
	for len(m.gifts) == 0 && !m.done {
		m.wake.Wait()
	}
	if len(m.gifts) == 0 {
		m.wake.Broadcast()
		return false
	}
	n := len(m.gifts) - 1
	w.stack = append(w.stack[:0], m.gifts[n]...)
	m.gifts = m.gifts[:n]
	m.hungry.Dec()
	return true
}
