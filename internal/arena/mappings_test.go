package arena

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestMappingsModel compares the account with a model that knows the kind of each
// granule.
func TestMappingsModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var m mappings
		var model [50]kind
		before := mapped.Load()
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			first := rapid.Uint64Range(1, 48).Draw(t, "first")
			end := rapid.Uint64Range(first+1, 49).Draw(t, "end")
			k := kind(rapid.Uint32Range(0, uint32(apart)).Draw(t, "kind"))
			if k == apart {
				k = m.unlike()
			}
			m.set(first, end, k)
			for i := first; i < end; i++ {
				model[i] = k
			}
			want := []seam(nil)
			for i := 1; i < len(model); i++ {
				if model[i] != model[i-1] {
					want = append(want, seam{uint64(i), model[i]})
				}
			}
			if fmt.Sprint(m.seams) != fmt.Sprint(want) || mapped.Load()-before != int64(len(want)) {
				t.Fatalf("after %d to %d as %d: %v, want %v, and %d in all", first, end, k, m.seams, want, mapped.Load()-before)
			}
		}
		m.forget(nil)
		if n := mapped.Load(); n != before {
			t.Fatalf("%d mappings are left", n-before)
		}
	})
}

// mappingsOf returns how many mappings the system has in the frozen quarter of s. ok is
// false if the system does not tell.
func mappingsOf(s *Space) (n int, ok bool) {
	b, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return 0, false
	}
	p := partsOf(uint64(s.mask) + 1)
	base := uint64(uintptr(s.base))
	first, end := base+uint64(p.frozen.offset()), base+uint64(p.frozen.offset()+p.frozen.bytes())
	for line := range strings.Lines(string(b)) {
		var from, to uint64
		if _, err := fmt.Sscanf(line, "%x-%x", &from, &to); err == nil && from < end && first < to {
			n++
		}
	}
	return n, true
}

// TestMappingsAreCounted makes and frees extents of all kinds. Now and then it checks
// that the system has no more mappings than the account says. Large pages would be an
// exception, but small extents have none.
func TestMappingsAreCounted(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	for _, b := range haveBackings() {
		if b == GoMemory {
			continue
		}
		s, err := New(Config{Backing: b, Reserve: 256 << 20})
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := mappingsOf(s); !ok {
			t.Skip("SKIPPED: needs a system that tells its mappings")
		}
		random := rand.New(rand.NewPCG(1, 2))
		var all []*Extent
		most := 0
		for step := range 600 {
			switch {
			case len(all) > 100 || len(all) > 0 && random.IntN(3) == 0:
				i := random.IntN(len(all))
				if err := all[i].Free(); err != nil {
					t.Fatal(err)
				}
				all[i] = all[len(all)-1]
				all = all[:len(all)-1]
			case random.IntN(4) == 0:
				bytes := SpanSize + 1 + random.IntN(3*SpanSize)
				e, err := s.NewExtent(int64(bytes))
				if err != nil {
					t.Fatal(err)
				}
				if err := e.MapFile(file, 0, uintptr(bytes)); err != nil {
					t.Fatal(err)
				}
				all = append(all, e)
			default:
				e, err := s.NewExtent(0)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, e)
				n := uintptr(random.IntN(4 * SpanSize))
				if err := e.Grow(n + 1); err != nil {
					t.Fatal(err)
				}
				clear(s.Bytes(e.Start(), int(n)+1))
				if random.IntN(8) > 0 { // the others stay open
					if err := e.Seal(n+1, false); err != nil {
						t.Fatal(err)
					}
				}
			}
			if step%10 == 0 {
				said := len(s.central.mu.mappings.seams) + 1
				if n, _ := mappingsOf(s); n > said+2 { // the quarter's beginning and end
					t.Fatalf("%s, step %d: %d mappings, and the account says %d", b, step, n, said)
				}
				most = max(most, said)
			}
		}
		t.Logf("%s: up to %d mappings", b, most)
		before := mapped.Load()
		n := int64(len(s.central.mu.mappings.seams))
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if got := before - mapped.Load(); got != n {
			t.Errorf("%s: closing the space removed %d mappings, want %d", b, got, n)
		}
	}
}

// TestMappingsAreBounded fills the quarter with extents, and frees every other one
// while no more mappings are allowed. Free addresses are reused, and are zero.
func TestMappingsAreBounded(t *testing.T) {
	defer MaxMappings.Store(MaxMappings.Load())
	for _, b := range haveBackings() {
		if b == GoMemory {
			continue
		}
		s, err := New(Config{Backing: b, Reserve: 32 << 20})
		if err != nil {
			t.Fatal(err)
		}
		MaxMappings.Store(mapped.Load() + 20)
		make1 := func() (*Extent, error) {
			e, err := s.NewExtent(0)
			if err != nil {
				return nil, err
			}
			if err := e.Grow(SpanSize); err != nil {
				t.Fatal(err)
			}
			for i, x := range s.Bytes(e.Start(), SpanSize) {
				if x != 0 {
					t.Fatalf("%s: byte %d of a new extent is %d", b, i, x)
				}
			}
			s.Bytes(e.Start(), SpanSize)[5] = 7
			return e, e.Seal(SpanSize, false)
		}
		for range 3 {
			var all []*Extent
			for {
				e, err := make1()
				if errors.Is(err, ErrAddressSpace) {
					break
				}
				if err != nil {
					t.Fatalf("%s: %d extents side by side: %v", b, len(all), err)
				}
				all = append(all, e)
			}
			for i := 0; i < len(all); i += 2 {
				if err := all[i].Free(); err != nil {
					t.Fatal(err)
				}
			}
			if n := len(s.central.mu.mappings.seams); n > 20 {
				t.Errorf("%s: %d mappings, want at most 20", b, n)
			}
			for i := 1; i < len(all); i += 2 {
				if got := s.Bytes(all[i].Start(), 6)[5]; got != 7 {
					t.Errorf("%s: an extent beside one that was freed holds %d", b, got)
				}
			}
			// No mapping is left for an extent that would need its own.
			if _, err := s.NewExtent(0); !errors.Is(err, ErrMappings) || !strings.Contains(err.Error(), "vm.max_map_count") {
				t.Errorf("%s: at the bound: %v", b, err)
			}
			for i := 1; i < len(all); i += 2 {
				if err := all[i].Free(); err != nil {
					t.Fatal(err)
				}
			}
			if got := s.Usage().Committed; got != 0 {
				t.Errorf("%s: %d bytes are committed for nothing", b, got)
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestMappingBounds: an extent is made unless it could cost too many mappings, and is
// barred unless that would.
func TestMappingBounds(t *testing.T) {
	defer MaxMappings.Store(MaxMappings.Load())
	for _, b := range haveBackings() {
		s, err := New(Config{Backing: b, Reserve: 32 << 20})
		if err != nil {
			t.Fatal(err)
		}
		counted := b != GoMemory
		MaxMappings.Store(mapped.Load() + mostForOne - 1)
		if _, err := s.NewExtent(SpanSize); errors.Is(err, ErrMappings) != counted {
			t.Errorf("%s: an extent that may be one mapping too many: %v", b, err)
		}
		var all []*Extent
		for i := range 3 {
			MaxMappings.Store(mapped.Load() + mostForOne)
			e, err := s.NewExtent(SpanSize)
			if err := errors.Join(err, e.Grow(1), e.Seal(1, false)); err != nil {
				t.Fatalf("%s, extent %d: %v", b, i, err)
			}
			all = append(all, e)
		}
		if !counted {
			_ = s.Close()
			continue
		}
		for _, c := range []struct {
			e    *Extent
			more int64
			want bool
		}{{all[1], 2, true}, {all[1], 1, false}, {all[0], 0, true}, {all[2], -5, true}} {
			MaxMappings.Store(mapped.Load() + c.more)
			if got := s.central.mayBar(c.e.at); got != c.want {
				t.Errorf("%s: with %d more mappings allowed, mayBar of span %d is %t", b, c.more, c.e.at.first, got)
			}
		}
		MaxMappings.Store(mapped.Load() + 1)
		seams := len(s.central.mu.mappings.seams)
		if err := all[1].Free(); err != nil || len(s.central.mu.mappings.seams) != seams || !s.central.mu.kept {
			t.Errorf("%s: one in the middle was barred: %v", b, err)
		}
		if err := all[0].Free(); err != nil || len(s.central.mu.mappings.seams) != seams || s.central.mu.mappings.seams[0].at != uint64(all[2].at.first)*SpanGranules {
			t.Errorf("%s: the first one was not barred, with the one behind it: %v, %v", b, err, s.central.mu.mappings.seams)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if n := maxMappings(); n <= 0 {
		t.Errorf("%d mappings are allowed", n)
	} else if b, err := os.ReadFile(mapCountFile); err == nil && strings.TrimSpace(string(b)) != fmt.Sprint(n) {
		t.Errorf("%d mappings are allowed, and the system says %s", n, b)
	}
}
