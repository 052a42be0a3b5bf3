package arena

import (
	"testing"
	"unsafe"
)

// TestClear: Clear clears the granules behind the first one, all of them and no others.
func TestClear(t *testing.T) {
	for n := range uint32(4) {
		var mem [6][2]uint64
		for i := range mem {
			mem[i] = [2]uint64{1, 2}
		}
		Clear(unsafe.Pointer(&mem), n)
		for i, g := range mem {
			want := [2]uint64{1, 2}
			if i > 0 && i <= int(n) {
				want = [2]uint64{}
			}
			if g != want {
				t.Errorf("after a clear of %d granules, granule %d is %v", n, i, g)
			}
		}
	}
}
