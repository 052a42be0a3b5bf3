// Package newfile writes a file completely or not at all: under a temporary name in the same
// folder, synced, and renamed. The old file stays unchanged for code that has it open, and under
// its other names.
package newfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Write creates or replaces the file at path; the callback write fills it. The new file takes the
// permissions of the one that it replaces, and its owner if this process has the right. If path
// is a symbolic link, Write replaces the file that the link leads to, and the link stays. If there
// is anything but a regular file, such as a device, Write returns an error. When ctx ends,
// Write gives up with its error. If Write fails, it leaves nothing behind. Any goroutine.
func Write(ctx context.Context, path string, write func(w io.Writer) error) error {
	was, err := os.Stat(path)
	switch {
	case err == nil && !was.Mode().IsRegular():
		return fmt.Errorf("%s is not a regular file: %s", path, was.Mode())
	case err != nil && !errors.Is(err, os.ErrNotExist):
		return err
	}
	if path, err = afterLinks(path); err != nil {
		return err
	}
	tmp, err := createBeside(path, was)
	if err != nil {
		return err
	}
	err = write(pieceWriter{ctx, tmp})
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	if dir, err := os.Open(filepath.Dir(path)); err == nil {
		_ = dir.Sync() // not every system can sync a folder; the file itself is synced
		_ = dir.Close()
	}
	return nil
}

// afterLinks follows the links at path and returns where they end. Nothing needs to exist there.
func afterLinks(path string) (string, error) {
	for range maxLinks {
		to, err := os.Readlink(path)
		if err != nil {
			return path, nil // nothing there, or no link; after any other error the next steps fail
		}
		if !filepath.IsAbs(to) {
			folder, err := filepath.EvalSymlinks(filepath.Dir(path))
			if err != nil {
				return "", err
			}
			to = filepath.Join(folder, to)
		}
		path = to
	}
	return "", fmt.Errorf("%s: too many links", path)
}

// maxLinks bounds the links followed in a row. It is Linux's limit.
const maxLinks = 40

// pieceWriter writes in pieces, and checks ctx before each.
type pieceWriter struct {
	ctx context.Context
	w   io.Writer
}

// writePiece is the size of a piece: some milliseconds of writing. A guess.
const writePiece = 16 << 20

func (p pieceWriter) Write(b []byte) (done int, err error) {
	for err == nil && done < len(b) {
		if err = p.ctx.Err(); err == nil {
			var n int
			n, err = p.w.Write(b[done:min(len(b), done+writePiece)])
			done += n
		}
	}
	return done, err
}

// chmod is a variable so that tests can make it fail.
var chmod = (*os.File).Chmod

// createBeside creates a new file in the folder of path. If was, the file to be replaced, is not
// nil, the new file gets the same permissions, and never more.
func createBeside(path string, was os.FileInfo) (*os.File, error) {
	mode := os.FileMode(0o666)
	if was != nil {
		mode = was.Mode().Perm()
	}
	for i := 0; ; i++ {
		name := fmt.Sprintf("%s.tmp-%d-%d", path, os.Getpid(), i)
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
		if errors.Is(err, os.ErrExist) && i < 1000 {
			continue
		}
		if err == nil && was != nil {
			keepOwner(f, was)
			if err = chmod(f, mode); err != nil { // the umask may have removed some
				err = errors.Join(err, f.Close(), os.Remove(name))
			}
		}
		return f, err
	}
}
