package aligned

import (
	"testing"
	"unsafe"
)

// TestAligned places the types where a 32-bit machine would align them to 4 bytes only:
// after a word, in arrays, and in embedded structs.
func TestAligned(t *testing.T) {
	type inner struct {
		_ uint32
		v Int64
	}
	var x struct {
		_ uint32
		i Int64
		_ uint32
		u Uint64
		_ uint32
		n inner
		_ uint32
		a [3]Uint64
	}
	for name, p := range map[string]unsafe.Pointer{
		"field": unsafe.Pointer(&x.i), "second field": unsafe.Pointer(&x.u),
		"field of a field": unsafe.Pointer(&x.n.v), "array": unsafe.Pointer(&x.a[1]),
	} {
		if uintptr(p)%8 != 0 {
			t.Errorf("%s: at %p, want a multiple of 8", name, p)
		}
	}
	if n := unsafe.Sizeof(x.i) + unsafe.Sizeof(x.u); n != 16 {
		t.Errorf("%d bytes, want 16", n)
	}
	x.i.Store(-3)
	if got := x.i.Add(1<<40) + x.n.v.Inc() + int64(x.u.Inc()+x.a[2].Add(2)); got != 1<<40+1 {
		t.Errorf("sum %d, want %d", got, int64(1<<40+1))
	}
}
