package objects

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	rt "github.com/ichor-go/ichor/runtime"
)

// withImageFile calls f with a frozen graph, and an empty folder.
func withImageFile(t *testing.T, f func(image *rt.Frozen, folder string, opens func(path string))) {
	t.Helper()
	folder := must(filepath.EvalSymlinks(t.TempDir()))
	withRuntime(t, rt.Options{AddressSpace: smallSpace}, func(r *rt.Runtime) {
		image := must(r.Freeze(rt.None))
		f(image, folder, func(path string) {
			t.Helper()
			again, err := r.OpenImage(path)
			if err != nil {
				t.Error(err)
				return
			}
			must0(t, r.Unload(again))
		})
		must0(t, r.Unload(image))
	})
}

// namesIn returns the names of the files in a folder.
func namesIn(folder string) (names []string) {
	for _, e := range must(os.ReadDir(folder)) {
		names = append(names, e.Name())
	}
	return names
}

// TestWriteFileThroughLinks: a write through a link goes to the file that the link leads
// to, even if that does not exist yet, and links stay.
func TestWriteFileThroughLinks(t *testing.T) {
	if runtime.GOOS == "windows" || runtime.GOOS == "js" {
		t.Skip("links of Unix")
	}
	withImageFile(t, func(image *rt.Frozen, folder string, opens func(string)) {
		in := func(name ...string) string { return filepath.Join(append([]string{folder}, name...)...) }
		must0(t, os.MkdirAll(in("a", "b"), 0o700))
		for link, to := range map[string]string{
			in("absolute"):       in("a", "one"),
			in("relative"):       "a/two",
			in("chain"):          "a/next",
			in("a", "next"):      "b/last",
			in("a", "b", "last"): "three",
			in("ab"):             "a/b", // so ab/up leads to a/four, not to four
			in("a", "b", "up"):   "../four",
			in("loop"):           "loop",
		} {
			must0(t, os.Symlink(to, link))
		}
		for range 2 { // the first time no file exists
			for path, file := range map[string]string{
				in("absolute"):       in("a", "one"),
				in("relative"):       in("a", "two"),
				in("chain"):          in("a", "b", "three"),
				in("ab", "up"):       in("a", "four"),
				in("ab", "straight"): in("a", "b", "straight"),
			} {
				must0(t, image.WriteFile(path))
				if fi := must(os.Lstat(file)); !fi.Mode().IsRegular() {
					t.Errorf("%s, written as %s: %s", file, path, fi.Mode())
				}
				opens(path)
				must0(t, os.Chmod(file, 0o604))
			}
			for _, link := range []string{in("absolute"), in("relative"), in("chain"), in("a", "next"), in("a", "b", "last"), in("ab"), in("ab", "up")} {
				if fi := must(os.Lstat(link)); fi.Mode()&os.ModeSymlink == 0 {
					t.Errorf("%s is no longer a link: %s", link, fi.Mode())
				}
			}
		}
		for _, file := range []string{in("a", "one"), in("a", "two"), in("a", "four"), in("a", "b", "three")} {
			if fi := must(os.Stat(file)); fi.Mode() != 0o604 {
				t.Errorf("%s has the mode %s, and had 0604", file, fi.Mode())
			}
		}
		if err := image.WriteFile(in("loop")); err == nil {
			t.Error("a link to itself is written")
		}
		must0(t, os.Symlink("nowhere/x", in("lost")))
		if err := image.WriteFile(in("lost")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("a link into a folder that is not there: %v", err)
		}
		if got := strings.Join(append(namesIn(in("a")), namesIn(in("a", "b"))...), " "); got != "b four next one two last straight three up" {
			t.Errorf("the folders contain %s", got)
		}
	})
}

// TestWriteFileKeepsMode: the new file has the permissions and the owner of the old one,
// and no further permissions while it is being written. Code that has the old file open, or
// uses another name of it, does not see the new one.
func TestWriteFileKeepsMode(t *testing.T) {
	if runtime.GOOS == "windows" || runtime.GOOS == "js" {
		t.Skip("modes of Unix")
	}
	withImageFile(t, func(image *rt.Frozen, folder string, opens func(string)) {
		file, other := filepath.Join(folder, "file"), filepath.Join(folder, "other")
		for _, mode := range []os.FileMode{0o600, 0o666, 0o640, 0o444} {
			must0(t, os.WriteFile(file, []byte("old"), 0o600))
			must0(t, os.Chmod(file, mode))
			must0(t, os.Link(file, other))
			owned := os.Chown(file, 1234, 4321) == nil
			old := must(os.Open(file))
			looks := 0
			must0(t, image.WriteFileContext(looking{t.Context(), func() {
				for _, name := range namesIn(folder) {
					if fi, err := os.Stat(filepath.Join(folder, name)); err == nil && fi.Mode()&^mode != 0 {
						t.Errorf("%s has the mode %s, beside one of %s", name, fi.Mode(), mode)
					}
				}
				looks++
			}}, file))
			fi := must(os.Stat(file))
			if looks == 0 || fi.Mode() != mode {
				t.Errorf("the mode was %s, and is %s", mode, fi.Mode())
			}
			if owned && os.Chown(other, -1, -1) == nil && !sameOwner(fi, must(os.Stat(other))) {
				t.Error("the file has another owner")
			}
			opens(file)
			var b [4]byte
			if n, _ := old.Read(b[:]); string(b[:n]) != "old" || string(must(os.ReadFile(other))) != "old" {
				t.Errorf("the old file reads %q, by its other name %q", b[:n], must(os.ReadFile(other)))
			}
			must0(t, errors.Join(old.Close(), os.Remove(file), os.Remove(other)))
		}
	})
}

// looking is a context that calls look when it is asked whether it has ended.
type looking struct {
	context.Context
	look func()
}

func (c looking) Err() error {
	c.look()
	return c.Context.Err()
}

// TestWriteFileRefuses: a file that is not a regular file is not replaced.
func TestWriteFileRefuses(t *testing.T) {
	withImageFile(t, func(image *rt.Frozen, folder string, _ func(string)) {
		for _, path := range append(specialFiles(t, folder), folder) {
			was := must(os.Stat(path))
			if err := image.WriteFile(path); err == nil || !strings.Contains(err.Error(), "not a regular file") {
				t.Errorf("%s: %v", path, err)
			}
			if is := must(os.Stat(path)); is.Mode() != was.Mode() || !os.SameFile(was, is) {
				t.Errorf("%s was %s, and is %s", path, was.Mode(), is.Mode())
			}
		}
		for _, name := range namesIn(folder) {
			if strings.Contains(name, "tmp") {
				t.Errorf("left behind: %s", name)
			}
		}
	})
}
