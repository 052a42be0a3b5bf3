package imagefile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

// Open opens a file for reading and returns its size. It calls Stat before it opens the
// file, because opening a pipe would wait for a writer.
func Open(path string) (file *os.File, size int64, err error) {
	st, err := os.Stat(path)
	if err == nil && st.Mode().IsRegular() {
		if file, err = openFile(path); err != nil {
			return nil, 0, bare(err)
		}
		st, err = file.Stat()
	}
	if err == nil && !st.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	if err != nil {
		if file != nil {
			_ = file.Close() // nothing was written
		}
		return nil, 0, bare(err)
	}
	return file, st.Size(), nil
}

// openFile is os.Open. Tests replace it to open something that has taken the file's place.
var openFile = os.Open

// bare removes the path from an error, because *ImageError names it.
func bare(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// Reader reads an image. It trusts neither the image nor the results of the reader
// below it.
type Reader struct {
	At   io.ReaderAt
	Size int64 // -1 if unknown
}

// ReadHeader reads the header, checks it with Header.Parse, and checks that the image has the
// length that the header gives.
func (r Reader) ReadHeader(layout, types uint64) (h Header, err error) {
	b := make([]byte, Data)
	n, err := r.readSome(b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return h, err
	}
	if err := h.Parse(b[:n], layout, types); err != nil {
		return h, err
	}
	want := h.Size()
	switch {
	case n < Data || r.Size >= 0 && r.Size < want:
		return h, fmt.Errorf("cut short: %d bytes, the header says %d", max(int64(n), r.Size), want)
	case r.Size > want:
		return h, fmt.Errorf("too long: %d bytes, the header says %d", r.Size, want)
	case len(bytes.Trim(b[HeaderBytes:], "\x00")) > 0:
		return h, errors.New("bytes between header and objects are not zero")
	}
	if r.Size < 0 { // a byte at the end and none after it prove the length
		if err := r.ReadAll(b[:1], want-1); err != nil {
			return h, err
		}
		if n, _ := r.readSome(b[:1], want); n > 0 {
			return h, fmt.Errorf("too long: more bytes than the %d that the header says", want)
		}
	}
	return h, nil
}

// ReadTypes reads the table of types of an image with the header h.
func (r Reader) ReadTypes(h *Header) ([]Type, error) {
	at, end := Data+int64(h.Data), h.Size()
	var b []byte
	for at+int64(len(b)) < end { // piece by piece: memory grows only with bytes that exist
		from := len(b)
		b = append(b, make([]byte, min(Step, end-at-int64(from)))...)
		if err := r.ReadAll(b[from:], at+int64(from)); err != nil {
			return nil, err
		}
	}
	return ParseTypes(b, h)
}

// Step is the number of bytes to read before more memory is allocated.
const Step = 1 << 20

// ReadAll fills b with the bytes at offset at.
func (r Reader) ReadAll(b []byte, at int64) error {
	n, err := r.readSome(b, at)
	switch {
	case n == len(b):
		return nil
	case errors.Is(err, io.EOF):
		return fmt.Errorf("cut short: it ends before byte %d", at+int64(len(b)))
	}
	return err
}

// readSome is ReadAt for a reader that may break the contract of io.ReaderAt.
func (r Reader) readSome(b []byte, at int64) (int, error) {
	n, err := r.At.ReadAt(b, at)
	if n < 0 || n > len(b) || n < len(b) && err == nil {
		return 0, fmt.Errorf("the reader returned %d for a read of %d bytes, and no error", n, len(b))
	}
	return n, err
}
