package runtime

import (
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
