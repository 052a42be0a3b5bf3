package runtime

import (
	"errors"
	"reflect"
	"slices"
	"testing"
	"unsafe"

	"github.com/ichor-go/ichor/internal/arena"
)

// TestCloseCallsInOrder checks that Close calls callbacks in the order of their objects'
// addresses.
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
		slices.SortFunc(targets, compareRefs)
		if !slices.Equal(called, targets) {
			t.Errorf("called for %s, want %s", called, targets)
		}
	})
}

// TestCloseErrorIsBare checks that Close returns a single error as it is, not in a list of one.
func TestCloseErrorIsBare(t *testing.T) {
	r := newRuntime(t, Options{})
	must0(t, r.Do(func(th *Thread) error { newLeaf(th); return nil }))
	if err, ok := r.Close().(*LeakError); !ok || len(err.Types) != 1 {
		t.Errorf("close: %v", err)
	}
}

// arenaCount returns the arena's count of spans in use, which only tests access from outside.
func arenaCount(s *arena.Space) *int64 {
	v := reflect.ValueOf(s).Elem().FieldByName("central").FieldByName("mu").FieldByName("used")
	// Same as: &s.central.mu.used. Safety: the field has the requested kind.
	return (*int64)(unsafe.Pointer(v.Addr().Pointer()))
}

// TestArenaIsChecked checks that an audit and Close find that the arena's own count is wrong.
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

// TestCloseOfAnArenaThatFails checks that Close returns the system's error beside the others.
func TestCloseOfAnArenaThatFails(t *testing.T) {
	broken := errors.New("broken")
	for _, leaks := range []bool{false, true} {
		r := newRuntime(t, Options{})
		must0(t, r.Do(func(th *Thread) error {
			if leaks {
				newLeaf(th)
			}
			return nil
		}))
		release := reflect.ValueOf(r.space).Elem().FieldByName("mem").FieldByName("release")
		// Same as: &r.space.mem.release.
		// Safety: the value is of the field's type.
		release = reflect.NewAt(release.Type(), unsafe.Pointer(release.Addr().Pointer())).Elem()
		was := reflect.ValueOf(release.Interface())
		release.Set(reflect.MakeFunc(release.Type(), func(args []reflect.Value) []reflect.Value {
			was.Call(args)
			return []reflect.Value{reflect.ValueOf(&broken).Elem()}
		}))
		err := r.Close()
		var leak *LeakError
		if !errors.Is(err, broken) || errors.As(err, &leak) != leaks {
			t.Errorf("close: %v", err)
		}
		wantIn(t, err.Error(), "ichor: close: broken")
	}
}

// foreignType is the type of objects that belong to a Go value in the table of foreign values.
var foreignType = must(DefineType(Type{Name: "foreign to the end", Drop: func(th *Thread, r Ref, _ Body) {
	if release, ok := th.rt.foreign.LoadAndDelete(r); ok {
		th.LaterBlocking(release.(func()))
	}
}}))

// TestCloseReleases checks that Close releases the foreign values that are left.
func TestCloseReleases(t *testing.T) {
	forModes(t, func(t *testing.T, o Options) {
		r := newRuntime(t, o)
		released := 0
		must0(t, r.Do(func(th *Thread) error {
			r.foreign.Store(must(newBorn(th, foreignType)), func() { released++ })
			return nil
		}))
		if err := r.Close(); released != 1 || errors.As(err, new(*PendingError)) {
			t.Errorf("released %d times: %v", released, err)
		}
	})
}

// TestCloseCountsReleases checks that foreign values that are left after Close has given up are
// counted.
func TestCloseCountsReleases(t *testing.T) {
	defer func(n int) { closeRounds = n }(closeRounds)
	closeRounds = 0
	forModes(t, func(t *testing.T, o Options) {
		r := newRuntime(t, o)
		must0(t, r.Do(func(th *Thread) error {
			r.foreign.Store(must(newBorn(th, foreignType)), func() { t.Error("it was released") })
			return nil
		}))
		var pending *PendingError
		if err := r.Close(); !errors.As(err, &pending) || pending.Calls != 1 {
			t.Errorf("close: %v", err)
		}
	})
}
