package runtime

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/cespare/xxhash/v2"

	"github.com/ichor-go/ichor/internal/arena"
	"github.com/ichor-go/ichor/internal/fault"
	"github.com/ichor-go/ichor/internal/imagefile"
	"github.com/ichor-go/ichor/internal/newfile"
)

// imageFormat returns what an image may have so that this program can open it: the layout of
// headers and built-in types, and how many types of users at most.
func imageFormat() (layout, types uint64) { return layoutHash(), maxLocal }

// ImageError says what is wrong with an image.
type ImageError struct {
	Name string // of the file, or "image"
	Err  error
}

func (e *ImageError) Error() string { return fault.Prefix + e.Name + ": " + fault.Bare(e.Err) }

// Unwrap returns the cause.
func (e *ImageError) Unwrap() error { return e.Err }

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
		return fault.Errorf("write image: %w", err)
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
		table = imagefile.Type{Name: y.Name, Layout: y.Freezing.Layout}.Append(table)
	}
	if len(table) > imagefile.MaxTypeBytes {
		return 0, &ImageError{"image", fmt.Errorf("%d types in %d bytes, want at most %d bytes", len(f.types), len(table), imagefile.MaxTypeBytes)}
	}
	data := f.rt.Block(Ref{f.start}).Bytes(0, int(f.Bytes()))
	h := imagefile.Header{
		Layout: layoutHash(), Data: uint64(len(data)), Objects: uint64(f.objects),
		Root: uint32(f.stored.Handle), Types: uint32(len(f.types)),
		TypeBytes: uint64(len(table)), TypeHash: xxhash.Sum64(table), DataHash: xxhash.Sum64(data),
	}
	head := append(h.Append(nil), make([]byte, imagefile.Data-imagefile.HeaderBytes)...)
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

// ImageInfo is what the header of an image says of it, and its table of types.
type ImageInfo struct {
	Version   int    // of the format
	ByteOrder string // of the objects: "little-endian" or "big-endian", this machine's
	Layout    uint64 // hash of the layouts of headers and built-in types, this program's
	FileBytes int64
	Objects   int64
	Bytes     int64       // of objects
	Hash      uint64      // xxHash64 of the objects
	Types     []ImageType // user-defined; the program may have them or not
}

// ImageType is a user-defined type as an image names it: by its name and its
// Freezing.Layout. They may say anything, and be long.
type ImageType struct{ Name, Layout string }

// String returns both as a message can show them: quoted, and each cut after its first bytes.
func (y ImageType) String() string {
	return imagefile.Quoted(y.Name) + " with the layout " + imagefile.Quoted(y.Layout)
}

// ReadImageInfo reads what an image says of itself: its header and its table of types, with
// the checks that OpenImage makes with TrustImage, but for that the program has the
// types. It looks at no object. The error is an *ImageError. Any goroutine.
func ReadImageInfo(path string) (ImageInfo, error) {
	file, size, err := imagefile.Open(path)
	if err != nil {
		return ImageInfo{}, &ImageError{path, err}
	}
	defer func() { _ = file.Close() }() // only read
	in := imagefile.Reader{At: file, Size: size}
	head, err := in.ReadHeader(imageFormat())
	var table []imagefile.Type
	if err == nil {
		table, err = in.ReadTypes(&head)
	}
	if err != nil {
		return ImageInfo{}, &ImageError{path, err}
	}
	order := "big-endian"
	if binary.NativeEndian.Uint16([]byte{1, 0}) == 1 {
		order = "little-endian"
	}
	return ImageInfo{
		Version: imagefile.Version, ByteOrder: order, Layout: head.Layout, FileBytes: size,
		Objects: int64(head.Objects), Bytes: int64(head.Data), Hash: head.DataHash, Types: imageTypes(table),
	}, nil
}

func imageTypes(table []imagefile.Type) []ImageType {
	list := make([]ImageType, len(table))
	for i, y := range table {
		list[i] = ImageType(y)
	}
	return list
}
