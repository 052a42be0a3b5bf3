package runtime

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/ichor-go/ichor/internal/imagefile"
)

// openFiles returns how many files the process has open.
func openFiles(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	must0(t, err)
	return len(list)
}

// TestFilesAreClosed checks that no call leaves a file open, whether it fails or not.
func TestFilesAreClosed(t *testing.T) {
	clean(t, Options{}, func(t *testing.T, th *Thread) {
		folder := t.TempDir()
		root := newChain(th, 5000, false, None) // more than a span, so the file is mapped
		f, err := th.Freeze(root)
		must0(t, err)
		th.DecRef(root)
		good, bad := filepath.Join(folder, "good"), filepath.Join(folder, "bad")
		must0(t, os.WriteFile(bad, []byte("no image"), 0o666))
		for name, call := range map[string]func() error{
			"write":         func() error { return f.WriteFile(good) },
			"write over it": func() error { return f.WriteFile(good) },
			"open": func() error {
				must0(t, f.WriteFile(good))
				g, err := th.rt.OpenImage(good)
				if err != nil {
					return err
				}
				return th.Unload(g)
			},
			"info":          func() error { must0(t, f.WriteFile(good)); _, err := ReadImageInfo(good); return err },
			"open the bad":  func() error { _, err := th.rt.OpenImage(bad); return mustFail(err) },
			"info of it":    func() error { _, err := ReadImageInfo(bad); return mustFail(err) },
			"open a folder": func() error { _, err := th.rt.OpenImage(folder); return mustFail(err) },
		} {
			before := openFiles(t)
			for range 5 {
				must0(t, call())
			}
			if now := openFiles(t); now != before {
				t.Errorf("%s: %d files are open, and were %d before", name, now, before)
			}
		}
		must0(t, th.Unload(f))
	})
}

// mustFail returns an error if there was none.
func mustFail(err error) error {
	if err == nil {
		return errors.New("it has not failed")
	}
	return nil
}

// TestMemoryOfFrozenGraphs checks how much memory is reported as frozen, and as mapped, also in the
// heap profile.
func TestMemoryOfFrozenGraphs(t *testing.T) {
	clean(t, Options{HeapProfileRate: 1 << 40}, func(t *testing.T, th *Thread) {
		root := newChain(th, 5000, false, None)
		f, err := th.Freeze(root)
		must0(t, err)
		th.DecRef(root)
		path := filepath.Join(t.TempDir(), "image")
		must0(t, f.WriteFile(path))
		g, err := th.rt.OpenImage(path)
		must0(t, err)
		mapped := int64(0)
		if g.Mapped() {
			mapped = g.Bytes()
		} else if th.rt.Memory().Backing == SystemBacking && imagefile.Data%os.Getpagesize() == 0 {
			t.Error("the file is not mapped")
		}
		if m := th.rt.Memory(); m.FrozenGraphs != 2 || m.Frozen != f.Objects()+g.Objects() || m.FrozenBytes != f.Bytes()+g.Bytes() || m.MappedBytes != mapped {
			t.Errorf("of two graphs of %d bytes, of which %d are mapped: %+v", f.Bytes(), mapped, m)
		}
		for what, want := range map[string]int64{"frozen graph": f.Bytes() + g.Bytes() - mapped, "mapped image": mapped} {
			if got := recordOf(th.rt, what, "").InUse.Bytes; got != want {
				t.Errorf("%s: %d bytes in the profile, want %d", what, got, want)
			}
		}
		must0(t, th.Unload(f))
		must0(t, th.Unload(g))
		if m := th.rt.Memory(); m.FrozenGraphs+m.Frozen+m.FrozenBytes+m.MappedBytes != 0 {
			t.Errorf("of none: %+v", m)
		}
	})
}
