package runtime

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/cespare/xxhash/v2"

	"github.com/ichor-go/ichor/internal/arena"
	"github.com/ichor-go/ichor/internal/fault"
	"github.com/ichor-go/ichor/internal/newfile"
)

// An image is a Frozen as a file:
//
//	byte          what
//	0             header, see imageHeader; zero up to imageData
//	imageData     the objects, byte for byte as they lie in memory
//	behind them   user-defined types: for each its name and its Layout, each with its
//	              length before it, 32 bits
//
// The header is in little-endian order on every machine, the objects are in the order
// of the machine that wrote them. They are found by their distance from the first one,
// so mapping them is all that opening takes.
const (
	imageMagic   = "ICHORIMG"
	imageVersion = 1
	imageData    = 16 << 10 // a multiple of the page size of most systems: others read instead of mapping
	imageOrder   = 0x01020304
	headerBytes  = 80
)

// imageHeader is the beginning of an image.
type imageHeader struct {
	layout    uint64 // of headers and built-in types: see layoutHash
	data      uint64 // bytes of objects
	objects   uint64
	root      uint32 // as a slot would hold it
	types     uint32 // user-defined
	typeBytes uint64
	typeHash  uint64 // xxHash64 of the types
	dataHash  uint64 // of the objects
}

// append appends the header's bytes. The last eight are the hash of those before.
func (h *imageHeader) append(b []byte) []byte {
	n := len(b)
	le := binary.LittleEndian
	b = append(b, imageMagic...)
	b = le.AppendUint32(b, imageVersion)
	b = binary.NativeEndian.AppendUint32(b, imageOrder)
	b = le.AppendUint64(b, h.layout)
	b = le.AppendUint64(b, h.data)
	b = le.AppendUint64(b, h.objects)
	b = le.AppendUint32(b, h.root)
	b = le.AppendUint32(b, h.types)
	b = le.AppendUint64(b, h.typeBytes)
	b = le.AppendUint64(b, h.typeHash)
	b = le.AppendUint64(b, h.dataHash)
	return le.AppendUint64(b, xxhash.Sum64(b[n:]))
}

// ImageError says what is wrong with an image.
type ImageError struct {
	Name string // of the file, or "image"
	Err  error
}

func (e *ImageError) Error() string { return fault.Prefix + e.Name + ": " + fault.Bare(e.Err) }

// Unwrap returns the cause.
func (e *ImageError) Unwrap() error { return e.Err }

// parse reads a header, and fails if it is not one that this program can use.
func (h *imageHeader) parse(b []byte) error {
	le := binary.LittleEndian
	switch {
	case len(b) < len(imageMagic) || string(b[:len(imageMagic)]) != imageMagic:
		return errors.New("not an image: it does not begin with " + imageMagic)
	case len(b) < headerBytes:
		return fmt.Errorf("cut short: %d bytes, and the header alone has %d", len(b), headerBytes)
	}
	if v := le.Uint32(b[8:]); v != imageVersion {
		return fmt.Errorf("format version %d, this program knows version %d", v, imageVersion)
	}
	if xxhash.Sum64(b[:headerBytes-8]) != le.Uint64(b[headerBytes-8:]) {
		return errors.New("the header does not have its checksum")
	}
	if binary.NativeEndian.Uint32(b[12:]) != imageOrder {
		return errors.New("written on a machine with another order of bytes")
	}
	*h = imageHeader{
		layout: le.Uint64(b[16:]), data: le.Uint64(b[24:]), objects: le.Uint64(b[32:]),
		root: le.Uint32(b[40:]), types: le.Uint32(b[44:]),
		typeBytes: le.Uint64(b[48:]), typeHash: le.Uint64(b[56:]), dataHash: le.Uint64(b[64:]),
	}
	switch {
	case h.layout != layoutHash():
		return errors.New("built-in types have another layout than in this program")
	case h.data > arena.MaxExtent || h.data%arena.GranuleSize != 0:
		return fmt.Errorf("%d bytes of objects, want a multiple of %d and at most %d", h.data, arena.GranuleSize, int64(arena.MaxExtent))
	case h.objects > h.data/arena.GranuleSize:
		return fmt.Errorf("%d objects in %d bytes", h.objects, h.data)
	case h.types > maxLocal || h.typeBytes > uint64(maxTypeBytes):
		return fmt.Errorf("%d types in %d bytes, want at most %d in %d", h.types, h.typeBytes, maxLocal, maxTypeBytes)
	}
	return nil
}

// maxTypeBytes bounds the table of types, and maxTypeText each name and each layout in it.
// Guesses: the longest table seen had some kilobytes.
var (
	maxTypeBytes = 64 << 20
	maxTypeText  = 1 << 20
)

// size is how long the file is.
func (h *imageHeader) size() int64 { return imageData + int64(h.data) + int64(h.typeBytes) }

// layoutHash tells whether two programs agree on headers and built-in types.
func layoutHash() uint64 {
	s := fmt.Sprintf("granule %d, owner local shared meta, offset size, self %#x %#x, int %#x, none %#x",
		arena.GranuleSize, selfBase, selfCount, intBase, None)
	for id := range typeLocal {
		if y := types.table[id].Load(); y != nil && y.Freezing != nil {
			s += fmt.Sprintf("\n%d %s: %s", id, y.Name, y.Freezing.Layout)
		}
	}
	return xxhash.Sum64String(s)
}

// WriteFile writes the image of f to a file, which appears as a whole or not at all: it
// is written under another name beside it, synced, and renamed. A file that was there
// stays as it was for code that has opened it, and under its other names; the new one has
// its permissions, and its owner if this process may say so. Through a link it writes the
// file that the link leads to, and the link stays. If a device or anything else that is no
// regular file is there, that is an error. Any goroutine, while f is loaded.
func (f *Frozen) WriteFile(path string) error { return f.WriteFileContext(context.Background(), path) }

// WriteFileContext is WriteFile, and gives up with ctx's error when ctx ends: then
// nothing is left behind. Any goroutine, while f is loaded.
func (f *Frozen) WriteFileContext(ctx context.Context, path string) error {
	err := newfile.Write(ctx, path, func(w io.Writer) error {
		_, err := f.WriteTo(w)
		return err
	})
	if err != nil {
		return fmt.Errorf("ichor: write image: %w", err)
	}
	return nil
}

// WriteTo writes the image of f. The error is w's, or names a type that images do not
// take. Any goroutine, while f is loaded.
func (f *Frozen) WriteTo(w io.Writer) (int64, error) {
	if !f.use() {
		return 0, ErrUnloaded
	}
	defer f.unuse()
	var table []byte
	for _, y := range f.types {
		if y.Freezing.Layout == "" {
			return 0, &ImageError{"image", fmt.Errorf("objects of type %s: its Freezing has no Layout", y)}
		}
		table = appendText(appendText(table, y.Name), y.Freezing.Layout)
	}
	if len(table) > maxTypeBytes {
		return 0, &ImageError{"image", fmt.Errorf("%d types in %d bytes, want at most %d bytes", len(f.types), len(table), maxTypeBytes)}
	}
	data := f.rt.Block(Ref{f.start}).Bytes(0, int(f.Bytes()))
	h := imageHeader{
		layout: layoutHash(), data: uint64(len(data)), objects: uint64(f.objects),
		root: uint32(f.stored.Handle), types: uint32(len(f.types)),
		typeBytes: uint64(len(table)), typeHash: xxhash.Sum64(table), dataHash: xxhash.Sum64(data),
	}
	head := append(h.append(nil), make([]byte, imageData-headerBytes)...)
	var total int64
	for _, part := range [][]byte{head, data, table} {
		n, err := w.Write(part)
		total += int64(n)
		if err == nil && n < len(part) {
			err = io.ErrShortWrite
		}
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

func appendText(b []byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint32(b, uint32(len(s))), s...)
}
