package newfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// A cycle of links is an error.
func TestAfterLinks(t *testing.T) {
	a, b := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")
	if os.Symlink(a, b) != nil || os.Symlink(b, a) != nil {
		t.Skip("no links here")
	}
	if path, err := afterLinks(a); err == nil {
		t.Errorf("they lead to %s", path)
	}
}

// countdown is a context that ends after so many calls of Err.
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

// TestWriteGivesUp: whenever the context ends, Write leaves no file at path and none beside it.
func TestWriteGivesUp(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "file")
	files := func() int {
		list, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	parts := func(w io.Writer) (err error) {
		for range 3 {
			if err == nil {
				_, err = w.Write([]byte("part"))
			}
		}
		return err
	}
	for n := 0; ; n++ {
		c := &countdown{context.Background(), n}
		err := Write(c, path, parts)
		if err == nil {
			if n < 4 || files() != 1 || c.left != 0 {
				t.Errorf("it was written after %d looks, of which %d were not made, and there are %d files", n, c.left, files())
			}
			break
		}
		if !errors.Is(err, context.Canceled) || files() != 0 {
			t.Fatalf("given up at look %d: %v, and there are %d files", n, err, files())
		}
	}
	taken := fmt.Sprintf("%s.tmp-%d-0", path, os.Getpid()) // taken by another writer
	if err := errors.Join(os.WriteFile(taken, nil, 0o666), Write(context.Background(), path, parts)); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(taken); err != nil || info.Size() != 0 || files() != 2 {
		t.Errorf("another program's file was overwritten: %v; and there are %d files", err, files())
	}
	if err := os.Remove(taken); err != nil {
		t.Error(err)
	}
	broken := errors.New("broken")
	if err := Write(context.Background(), path, func(io.Writer) error { return broken }); !errors.Is(err, broken) || files() != 1 {
		t.Errorf("the writing function failed: %v, and there are %d files", err, files())
	}
	defer func() { chmod = (*os.File).Chmod }()
	chmod = func(*os.File, os.FileMode) error { return broken }
	if err := Write(context.Background(), path, parts); !errors.Is(err, broken) || files() != 1 {
		t.Errorf("it replaced a file with permissions that cannot be set: %v, and there are %d files", err, files())
	}
}
