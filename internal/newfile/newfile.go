// Package newfile writes a file as a whole or not at all: under another name beside it,
// synced, and renamed. What was there stays as it was for code that has it open, and under
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

// Write has write fill the file with that path, in the place of the one that was there, if
// any. The new one has its permissions, and its owner if this process may say so. Through a
// link it writes the file that the link leads to, and the link stays. What is there and no
// regular file, such as a device, is an error. When ctx ends Write gives up with its error;
// whenever it fails, nothing is left behind. Any goroutine.
func Write(ctx context.Context, path string, write func(w io.Writer) error) error {
	was, err := os.Stat(path)
	switch {
	case err == nil && !was.Mode().IsRegular():
		return fmt.Errorf("%s is there, and no regular file: %s", path, was.Mode())
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
		_ = dir.Sync() // not every system can sync a folder; the file itself is
		_ = dir.Close()
	}
	return nil
}

// afterLinks returns where the links end that path may lead to. There need not be anything.
func afterLinks(path string) (string, error) {
	for range maxLinks {
		to, err := os.Readlink(path)
		if err != nil {
			return path, nil // there is nothing, or it is no link; if it is worse, what follows fails
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

// maxLinks is how many links in a row are followed: as many as Linux does.
const maxLinks = 40

// pieceWriter looks at ctx now and then.
type pieceWriter struct {
	ctx context.Context
	w   io.Writer
}

// writePiece is some milliseconds' worth of writing: a guess.
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

// chmod is the method. Tests have it fail.
var chmod = (*os.File).Chmod

// createBeside creates a new file in the folder of path. It is as accessible as was, the one
// that it is to replace, if that is not nil: and never more so.
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
			if err = chmod(f, mode); err != nil { // the umask may have taken some
				err = errors.Join(err, f.Close(), os.Remove(name))
			}
		}
		return f, err
	}
}
