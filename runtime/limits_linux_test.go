package runtime

import (
	"strings"
	"testing"
)

// TestShareStates checks that Share refuses a description that OpenShared would not accept.
func TestShareStates(t *testing.T) {
	defer func(n int) { maxStates = n }(maxStates)
	maxStates = 1
	r := newRuntime(t, Options{Mode: LockFree, Backing: MemfdBacking})
	must0(t, r.Do(func(*Thread) error {
		done := make(chan error)
		go func() { done <- r.Do(func(*Thread) error { return nil }) }() // at the same time as this one
		return <-done
	}))
	if _, err := r.Share(); err == nil || !strings.Contains(err.Error(), "2 threads were attached at once, want at most 1") {
		t.Errorf("error %v", err)
	}
	must0(t, r.Close())
}
