package runtime

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestThreads checks the states of threads that work, wait for the GIL or for the end of a
// stop, and are outside, with the stacks that lead to the user's functions.
func TestThreads(t *testing.T) {
	needsThreads(t)
	for _, o := range []Options{{Mode: GIL}, {Mode: LockFree}} {
		r := newRuntime(t, o)
		if all := r.Threads(true); len(all) != 0 {
			t.Errorf("%v without a thread", all)
		}
		states := func(stacks bool) string {
			text := ""
			for _, s := range r.Threads(stacks) {
				text += fmt.Sprintf("%s: %s;", s.Name, s.State)
				if (s.Waited > 0) != (s.State == stateWaits) {
					t.Errorf("waits for %s: %+v", s.Waited, s)
				}
				if strings.Contains(s.Stack, "TestThreads") != stacks {
					t.Errorf("stack of %s:\n%s", s.Name, s.Stack)
				}
			}
			return text
		}
		must0(t, r.Do(func(th *Thread) error {
			th.SetName("first")
			name := fmt.Sprintf("thread %d %q: ", th.number, "first")
			if got := states(true); got != name+stateRunning+";" {
				t.Errorf("running: %s", got)
			}
			th.Blocking(func() {
				if got := states(false); got != name+stateOutside+";" {
					t.Errorf("in Blocking: %s", got)
				}
			})
			ended := make(chan error)
			wait := func(state, first string) {
				go func() { ended <- r.Do(func(*Thread) error { return nil }) }()
				for got := ""; !strings.Contains(got, state); {
					if got = states(false); got != "" && !strings.HasPrefix(got, name+first) {
						t.Fatalf("while another thread attaches: %s", got)
					}
				}
			}
			if r.gil != nil {
				wait(stateWaits, stateRunning)
			} else {
				th.StopTheWorld(func() { wait(statePaused, stateStops) })
			}
			th.Blocking(func() { must0(t, <-ended) })
			return nil
		}))
		must0(t, r.Close())
	}
}

// TestThreadsThatWait checks the states of threads that wait for a lock, for a grace period, and for
// the owner of a merge queue.
func TestThreadsThatWait(t *testing.T) {
	needsThreads(t)
	was := stallLimit
	stallLimit = time.Hour
	defer func() { stallLimit = was }()
	r := newRuntime(t, Options{Counting: Biased, DeferredBytes: 1})
	owner := must(r.Attach())
	leaf := newLeaf(owner)
	locked, _, err := owner.New(leafType, 8) // word 0 is a lock
	must0(t, err)
	owner.Lock(owner.Body(locked), 0)
	for _, x := range []struct {
		state string
		wait  func(*Thread)
		end   func()
	}{
		{stateLock, func(th *Thread) {
			th.Lock(th.Body(locked), 0)
			th.Unlock(th.Body(locked), 0)
		}, func() { owner.Unlock(owner.Body(locked), 0) }},
		{stateGrace, func(th *Thread) {
			th.Retire(newLeaf(th))
			th.Checkpoint()
		}, owner.Checkpoint},
		{stateOwner, func(th *Thread) {
			th.DecRef(leaf) // this thread has counted none, so the owner has to merge
			th.Checkpoint()
		}, owner.Checkpoint},
	} {
		ended := make(chan error)
		go func() {
			ended <- r.Do(func(th *Thread) error {
				th.SetName("waits")
				x.wait(th)
				for _, s := range r.Threads(false) {
					if s.ID == th.number && s.State != stateRunning {
						t.Errorf("after it: %s", s.State)
					}
				}
				return nil
			})
		}()
		for state := ""; state != x.state; {
			for _, s := range r.Threads(false) {
				if strings.Contains(s.Name, "waits") {
					state = s.State
				}
			}
		}
		x.end()
		must0(t, <-ended)
	}
	owner.DecRef(locked)
	owner.Detach()
	must0(t, r.Close())
}

// TestThreadsInOrder checks that threads come in the order of their ids, whatever order they were
// attached in.
func TestThreadsInOrder(t *testing.T) {
	r := newRuntime(t, Options{})
	first, second := must(r.Attach()), must(r.Attach())
	first.Detach()
	third := must(r.Attach()) // has the first one's id
	var ids []int32
	for _, s := range r.Threads(false) {
		if ids = append(ids, s.ID); s.Stack != "" {
			t.Errorf("a stack that nobody has asked for: %s", s.Stack)
		}
	}
	if !slices.Equal(ids, []int32{third.number, second.number}) || third.number > second.number {
		t.Errorf("ids %d; the threads have %d and %d", ids, second.number, third.number)
	}
	second.Detach()
	third.Detach()
	must0(t, r.Close())
}
