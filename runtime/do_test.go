package runtime

import (
	"context"
	"errors"
	"testing"
)

// TestDoValue checks that DoValue returns the function's value, with its error.
func TestDoValue(t *testing.T) {
	r := must(New(Options{}))
	broken := errors.New("broken")
	n, err := DoValue(r, func(th *Thread) (int, error) { return r.Memory().Attached, broken })
	if n != 1 || err != broken {
		t.Errorf("got %d and %v, want 1 and %v", n, err, broken)
	}
	must0(t, r.Close())
	if n, err = DoValue(r, func(*Thread) (int, error) { return 1, nil }); n != 0 || err != ErrClosed {
		t.Errorf("got %d and %v of a closed runtime", n, err)
	}
}

// TestRecvEndsWithRun checks that Recv and Send wait no longer than the Run that the thread works
// for, and that what is there is received and sent as by their Context forms.
func TestRecvEndsWithRun(t *testing.T) {
	needsThreads(t)
	forModes(t, func(t *testing.T, o Options) {
		r := newRuntime(t, o)
		broken := errors.New("broken")
		begun, ended := make(chan bool, 2), make(chan string, 2)
		err := r.Run(t.Context(), 3, func(_ context.Context, th *Thread, worker int) error {
			if worker < 2 {
				begun <- true
			}
			switch worker {
			case 0:
				if _, ok := Recv(th, make(chan int)); !ok {
					ended <- "Recv"
				}
			case 1:
				if !Send(th, make(chan int), 1) {
					ended <- "Send"
				}
			default:
				th.Blocking(func() { <-begun; <-begun })
				return broken
			}
			return nil
		})
		if !errors.Is(err, broken) || len(ended) != 2 {
			t.Errorf("Run returned %v, and %d calls ended by it", err, len(ended))
		}
		must0(t, r.Do(func(th *Thread) error { // of the same states, after Run
			ch := make(chan int, 1)
			if !Send(th, ch, 7) {
				t.Error("nothing was sent")
			}
			if v, ok := Recv(th, ch); v != 7 || !ok {
				t.Errorf("received %d, %t", v, ok)
			}
			close(ch)
			if v, ok := Recv(th, ch); v != 0 || ok {
				t.Errorf("received %d, %t of a closed channel", v, ok)
			}
			return nil
		}))
		must0(t, r.Close())
	})
}
