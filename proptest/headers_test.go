package proptest

import (
	"errors"
	"slices"
	"testing"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// TestHeaders takes samples of three runtimes with the same Headers. To it, an immortal of the
// first has changed in the second, and is gone in the third.
func TestHeaders(t *testing.T) {
	var h Headers
	var first rt.Ref
	for _, x := range []struct {
		make          func(th *rt.Thread) (rt.Ref, error)
		changed, gone int
	}{
		{func(th *rt.Thread) (rt.Ref, error) { return objects.NewString(th, "ab") }, 0, 0},
		{func(th *rt.Thread) (rt.Ref, error) { return objects.NewBytes(th, []byte("ab")) }, 1, 0},
		{func(*rt.Thread) (rt.Ref, error) { return rt.None, nil }, 0, 1},
	} {
		r, err := rt.New(rt.Options{AddressSpace: 4 << 20})
		if err != nil {
			t.Fatal(err)
		}
		err = r.Do(func(th *rt.Thread) error {
			v, err := x.make(th)
			if err != nil {
				return err
			}
			if err := th.Immortalize(v); err != nil {
				return err
			}
			if first == rt.Nil {
				first = v
			}
			var e *HeaderError
			err = h.Sample(th)
			if wrong := errors.As(err, &e); wrong != (x.changed+x.gone > 0) {
				t.Errorf("got %v, want %d changed and %d gone", err, x.changed, x.gone)
			} else if wrong && (!slices.Equal(e.Changed, []rt.Ref{first}[:x.changed]) || !slices.Equal(e.Gone, []rt.Ref{first}[:x.gone])) {
				t.Errorf("got %v, want %d changed and %d gone, which are %v", e, x.changed, x.gone, first)
			}
			return nil
		})
		if err := errors.Join(err, r.Close()); err != nil {
			t.Error(err)
		}
	}
}
