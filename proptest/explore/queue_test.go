package explore_test

import (
	"testing"

	"github.com/ichor-go/ichor/proptest/explore"
	"github.com/ichor-go/ichor/proptest/explore/sync"
)

// Queue is a bounded queue.
type Queue struct {
	mu      sync.Mutex
	changed sync.Cond
	items   []int
	room    int
}

func New(room int) *Queue {
	q := &Queue{room: room}
	q.changed.L = &q.mu
	return q
}

func (q *Queue) Push(v int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.items) == q.room {
		q.changed.Wait()
	}
	q.items = append(q.items, v)
	q.changed.Broadcast()
}

func (q *Queue) Pop() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.items) == 0 {
		q.changed.Wait()
	}
	v := q.items[0]
	q.items = q.items[1:]
	q.changed.Broadcast()
	return v
}

func (q *Queue) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.items)
}

func TestQueue(t *testing.T) {
	explore.Test(t, func(e *explore.E) {
		q := New(2)
		e.Go("producer", func() { q.Push(1); q.Push(2) })
		e.Go("consumer", func() { q.Pop() })
		e.Wait()
		if q.Len() != 1 {
			e.Fatalf("len %d, want 1", q.Len())
		}
	})
}
