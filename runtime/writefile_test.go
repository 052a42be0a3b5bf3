package runtime

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// Links in a ring have an end: an error.
func TestAfterLinks(t *testing.T) {
	a, b := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")
	if os.Symlink(a, b) != nil || os.Symlink(b, a) != nil {
		t.Skip("no links here")
	}
	if path, err := afterLinks(a); err == nil {
		t.Errorf("they lead to %s", path)
	}
}

// countdown is a context that ends when it was asked so often.
type countdown struct {
	context.Context
	left int
}

func (c *countdown) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

// TestWriteFileGivesUp: whenever the context ends, there is no file, and nothing beside it.
func TestWriteFileGivesUp(t *testing.T) {
	clean(t, Options{}, func(t *testing.T, th *Thread) {
		x := newTwin(th, 1, None, None)
		f, err := th.Freeze(x)
		must0(t, err)
		th.DecRef(x)
		folder := t.TempDir()
		path := filepath.Join(folder, "image")
		files := func() int { return len(must(os.ReadDir(folder))) }
		for n := 0; ; n++ {
			c := &countdown{context.Background(), n}
			err := f.WriteFileContext(c, path)
			if err == nil {
				if n < 4 || files() != 1 || c.left != 0 {
					t.Errorf("written after %d looks, %d of them not made, and there are %d files", n, c.left, files())
				}
				break
			}
			if !errors.Is(err, context.Canceled) || files() != 0 {
				t.Fatalf("given up at look %d: %v, and there are %d files", n, err, files())
			}
		}
		taken := fmt.Sprintf("%s.tmp-%d-0", path, os.Getpid()) // by another one that is writing
		must0(t, os.WriteFile(taken, nil, 0o666))
		must0(t, f.WriteFile(path))
		if info, err := os.Stat(taken); err != nil || info.Size() != 0 || files() != 2 {
			t.Errorf("another one's file was written: %v; and there are %d files", err, files())
		}
		must0(t, os.Remove(taken))
		broken := errors.New("broken")
		defer func() { chmod = (*os.File).Chmod }()
		chmod = func(*os.File, os.FileMode) error { return broken }
		if err := f.WriteFile(path); !errors.Is(err, broken) || files() != 1 {
			t.Errorf("written over a file whose permissions nobody can have: %v, and there are %d files", err, files())
		}
		must0(t, th.Unload(f))
	})
}
