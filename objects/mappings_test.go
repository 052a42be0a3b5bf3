package objects

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ichor-go/ichor/internal/arena"
	rt "github.com/ichor-go/ichor/runtime"
)

// mappings returns how many mappings the process has; false if the system does not tell.
func mappings() (int, bool) {
	b, err := os.ReadFile("/proc/self/maps")
	return bytes.Count(b, []byte("\n")), err == nil
}

// TestMappingsOfManyGraphs: any number of small graphs and images takes a few mappings. For
// large images there is a limit, with an error that names the system's setting. Unload
// always works.
func TestMappingsOfManyGraphs(t *testing.T) {
	defer arena.MaxMappings.Store(arena.MaxMappings.Load())
	graphs := 1000
	if racesOnly() {
		graphs = 200
	}
	for _, backing := range []rt.Backing{rt.SystemBacking, rt.MemfdBacking} {
		r, err := rt.New(rt.Options{Backing: backing, AddressSpace: 1 << 30})
		if err != nil {
			t.Logf("SKIPPED: no %s memory: %v", backing, err)
			continue
		}
		dir := t.TempDir()
		small, large := filepath.Join(dir, "small"), filepath.Join(dir, "large")
		var src rt.Ref
		must0(t, r.Do(func(th *rt.Thread) error {
			src = must(NewList(th, smallInt(1)))
			f := must(th.Freeze(src))
			must0(t, errors.Join(f.WriteFile(small), th.Unload(f)))
			b := must(NewBytes(th, make([]byte, 100_000)))
			f = must(th.Freeze(b))
			th.DecRef(b)
			return errors.Join(f.WriteFile(large), th.Unload(f))
		}))
		before, tells := mappings()
		var all []*rt.Frozen
		for range graphs {
			all = append(all, must(r.OpenImage(small)), must(r.Freeze(src)))
		}
		if after, _ := mappings(); tells && after > before+100 {
			t.Errorf("%s: twice %d small graphs cost %d mappings", backing, graphs, after-before)
		}
		if all[0].Mapped() {
			t.Error("a small image was mapped")
		}
		arena.MaxMappings.Store(200)
		for err == nil && len(all) < 2*graphs+1000 {
			var f *rt.Frozen
			if f, err = r.OpenImage(large); err == nil {
				all = append(all, f)
			}
		}
		if n := len(all); !errors.Is(err, rt.ErrMappings) || !strings.Contains(err.Error(), "vm.max_map_count") || n < 2*graphs+80 || n > 2*graphs+200 {
			t.Errorf("%s: after %d graphs: %v", backing, n, err)
		}
		if _, err := r.Freeze(src); !errors.Is(err, rt.ErrMappings) {
			t.Errorf("%s: freeze: %v", backing, err)
		}
		for first := range 2 {
			for i := first; i < len(all); i += 2 {
				must0(t, r.Unload(all[i]))
			}
		}
		if after, _ := mappings(); tells && after > before+100 {
			t.Errorf("%s: %d mappings are left", backing, after-before)
		}
		arena.MaxMappings.Store(arena.MaxMappings.Load() + 100)
		must0(t, r.Unload(must(r.OpenImage(large))))
		must0(t, r.Do(func(th *rt.Thread) error { th.DecRef(src); return nil }))
		must0(t, r.Close())
	}
}
