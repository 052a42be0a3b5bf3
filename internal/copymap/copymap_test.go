package copymap

import (
	"testing"

	"pgregory.net/rapid"
)

// TestMap compares a Map with a Go map, including handles with bits outside of the mask.
func TestMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const mask = 1<<24 - 1
		m, model := New(mask), map[uint32]uint32{}
		handle := rapid.Custom(func(t *rapid.T) uint32 {
			near := rapid.Uint32Range(0, 9).Draw(t, "near")
			return near + rapid.SampledFrom([]uint32{0, 4090, 1 << 20, mask - 9, 3 << 24}).Draw(t, "from")
		})
		for range rapid.IntRange(0, 50).Draw(t, "steps") {
			h := handle.Draw(t, "handle")
			if rapid.Bool().Draw(t, "set") {
				at := rapid.Uint32Max(1<<31).Draw(t, "at")
				m.Set(h, at)
				model[h&mask] = at
			}
			at, ok := m.Get(h)
			if want, found := model[h&mask]; ok != found || ok && at != want {
				t.Fatalf("%#x leads to %d (%t), want %d (%t)", h, at, ok, want, found)
			}
		}
	})
}
