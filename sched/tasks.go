package sched

import (
	"context"
	"runtime/trace"
	"sync"

	"go.uber.org/atomic"
)

// tasks are the grace periods in an execution trace, as far as a Deferred has begun them: each is
// a task, which ends when a poll finds that it is over. Tasks that began before the trace, or end after
// it, are not in it.
type tasks struct {
	some atomic.Bool // there are tasks; read without the lock
	mu   sync.Mutex
	open map[uint64]*trace.Task // by goal
}

func (x *tasks) begin(goal uint64) {
	_, task := trace.NewTask(context.Background(), "ichor grace period")
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.open == nil {
		x.open = map[uint64]*trace.Task{}
	}
	x.open[goal] = task
	x.some.Store(true)
}

// end ends the tasks of all goals up to passed.
func (x *tasks) end(passed uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for goal, task := range x.open {
		if goal <= passed {
			task.End()
			delete(x.open, goal)
		}
	}
	x.some.Store(len(x.open) > 0)
}
