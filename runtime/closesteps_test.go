package runtime

import (
	"reflect"
	"slices"
	"testing"
	"unsafe"

	"github.com/ichor-go/ichor/internal/arena"
)

// TestCloseCallsInOrder: the callbacks of what is left come in the order of addresses.
func TestCloseCallsInOrder(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		r := newRuntime(t, o)
		var targets, called []Ref
		must0(t, r.Do(func(th *Thread) error {
			for range 50 {
				x := newLeaf(th)
				targets = append(targets, x)
				newWatch(th, x, func(*Thread) { called = append(called, x) })
			}
			return nil
		}))
		if err := r.Close(); err == nil {
			t.Error("nothing has leaked")
		}
		slices.Sort(targets)
		if !slices.Equal(called, targets) {
			t.Errorf("called for %s, want %s", called, targets)
		}
	})
}

// TestCloseErrorIsBare: where there is one error only, Close returns that, and no list of one.
func TestCloseErrorIsBare(t *testing.T) {
	r := newRuntime(t, Options{})
	must0(t, r.Do(func(th *Thread) error { newLeaf(th); return nil }))
	if err, ok := r.Close().(*LeakError); !ok || len(err.Types) != 1 {
		t.Errorf("close: %v", err)
	}
}

// arenaCount returns the arena's count of spans in use, which nobody but a test reads or writes
// from outside.
func arenaCount(s *arena.Space) *int64 {
	v := reflect.ValueOf(s).Elem().FieldByName("central").FieldByName("mu").FieldByName("used")
	// Same as: &s.central.mu.used.
	// Safety: the field is of the kind that is asked for.
	return (*int64)(unsafe.Pointer(v.Addr().Pointer()))
}

// TestArenaIsChecked: an audit, and Close, find that the arena's own count is wrong.
func TestArenaIsChecked(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		r := newRuntime(t, o)
		must0(t, r.Do(func(th *Thread) error {
			n := arenaCount(r.space)
			*n++
			wantIn(t, panics(t, func() { _ = th.Audit() }), "spans are in use")
			*n--
			return th.Audit()
		}))
		*arenaCount(r.space)++
		wantIn(t, panics(t, func() { _ = r.Close() }), "spans are in use")
	})
}
