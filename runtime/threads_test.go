package runtime

import (
	"context"
	"fmt"
	"strings"
	"testing"
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

// TestReadFrozen checks what is told of frozen graphs and their readers.
func TestReadFrozen(t *testing.T) {
	aloneInModes(t, func(t *testing.T, o Options) {
		clean(t, o, func(t *testing.T, th *Thread) {
			pair := newTwin(th, 1, None, None)
			f := must(th.Freeze(pair))
			th.DecRef(pair)
			want := FrozenState{Objects: 1, Bytes: f.Bytes()}
			check := func(when string) {
				t.Helper()
				if all := th.ReadFrozen(); len(all) != 1 || all[0] != want {
					t.Errorf("%s: %+v, want %+v", when, all, want)
				}
			}
			check("frozen")
			must0(t, f.Use(th, func(Ref) error {
				want.Leases = 1
				check("in use")
				return nil
			}))
			want.Leases = 0
			f.use()
			want.Readers = 1
			check("being read")
			f.unuse()
			want.Readers = 0
			c := must(NewCurrent(f))
			want.Current = true
			check("current")
			th.Blocking(func() { must0(t, c.Close(context.Background())) })
			if all := th.ReadFrozen(); len(all) != 0 {
				t.Errorf("unloaded: %+v", all)
			}
		})
	})
}
