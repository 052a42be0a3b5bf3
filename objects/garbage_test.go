package objects_test

import (
	"testing"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// TestNoGarbage checks that making a string leaves nothing for Go's collector: neither a copy of
// the text, nor the caller's slice, which stays on the stack. Package objects itself would not
// notice: the compiler knows more about calls within a package.
func TestNoGarbage(t *testing.T) {
	r, err := rt.New(rt.Options{Backing: rt.SystemBacking})
	if err != nil {
		t.Skip(err) // no memory outside the Go heap
	}
	err = r.Do(func(th *rt.Thread) error {
		for name, make := range map[string]func(i int) (objects.String, error){
			"string": func(i int) (objects.String, error) {
				b := [50]byte{byte(i) & 0x7f}
				return objects.NewString(th, string(b[:11]))
			},
			"short bytes": func(i int) (objects.String, error) {
				b := [50]byte{byte(i) & 0x7f}
				return objects.NewStringBytes(th, b[:11])
			},
			"long bytes": func(i int) (objects.String, error) {
				b := [50]byte{byte(i) & 0x7f}
				return objects.NewStringBytes(th, b[:])
			},
		} {
			n := 0
			if allocs := testing.AllocsPerRun(1000, func() {
				s, err := make(n)
				if err != nil {
					t.Error(err)
				}
				th.DecRef(s)
				n++
			}); allocs != 0 {
				t.Errorf("%s: %v allocations", name, allocs)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}
