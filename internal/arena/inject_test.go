package arena

import (
	"errors"
	"os"
	"slices"
	"testing"
)

// TestInjected: Inject is called with the name of each call before it, and the call is
// made unless Inject fails. Unsupported calls remain unsupported.
func TestInjected(t *testing.T) {
	var log []string
	does := func(name string) func(off, n uintptr) error {
		return func(off, n uintptr) error {
			if off != 1 || n != 2 {
				t.Errorf("%s of %d bytes at %d", name, n, off)
			}
			log = append(log, name)
			return nil
		}
	}
	file := os.Stdin
	m := memory{
		commit: does("commit"), decommit: does("decommit"), bar: does("bar"), seal: does("seal"), lockUp: does("lockUp"),
		mapFile: func(off uintptr, f *os.File, at int64, n uintptr) error {
			if f != file || at != 5 {
				t.Errorf("mapFile from %d on", at)
			}
			return does("mapFile")(off, n)
		},
		copyFile: func(off uintptr, f *os.File, n uintptr, write bool) error {
			if f != file || !write {
				t.Error("copyFile for reading")
			}
			return does("copyFile")(off, n)
		},
	}
	after := m
	m.after = &after
	var fail error
	f := func(c Call) error {
		log = append(log, string(c))
		return fail
	}
	for _, m := range []memory{m.injected(f), *m.injected(f).after} {
		for _, c := range []struct {
			name Call
			does string
			call func() error
		}{
			{Commit, "commit", func() error { return m.commit(1, 2) }},
			{Map, "bar", func() error { return m.bar(1, 2) }},
			{SealCall, "seal", func() error { return m.seal(1, 2) }},
			{SealCall, "lockUp", func() error { return m.lockUp(1, 2) }},
			{Map, "mapFile", func() error { return m.mapFile(1, file, 5, 2) }},
			{Map, "copyFile", func() error { return m.copyFile(1, file, 2, true) }},
		} {
			log, fail = nil, nil
			if err := c.call(); err != nil || !slices.Equal(log, []string{string(c.name), c.does}) {
				t.Errorf("%s: %q, %v", c.does, log, err)
			}
			log, fail = nil, errors.New("broken")
			if err := c.call(); err != fail || !slices.Equal(log, []string{string(c.name)}) {
				t.Errorf("%s that fails: %q, %v", c.does, log, err)
			}
		}
		log = nil
		if err := m.decommit(1, 2); err != nil || !slices.Equal(log, []string{"decommit"}) {
			t.Errorf("decommit: %q, %v", log, err)
		}
	}
	none := memory{}.injected(f)
	if none.seal != nil || none.lockUp != nil || none.mapFile != nil || none.copyFile != nil || none.after != nil {
		t.Error("an unsupported call has become supported")
	}
}
