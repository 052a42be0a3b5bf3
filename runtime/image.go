package runtime

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime/debug"

	"github.com/cespare/xxhash/v2"

	"github.com/ichor-go/ichor/internal/arena"
	"github.com/ichor-go/ichor/internal/fault"
	"github.com/ichor-go/ichor/internal/imagefile"
	"github.com/ichor-go/ichor/internal/newfile"
)

// imageFormat returns what this program supports in images: the layout of headers and built-in
// types, and the maximum number of user-defined types.
func imageFormat() (layout, types uint64) { return layoutHash(), maxLocal }

// ImageError says what is wrong with an image.
type ImageError struct {
	Name string // of the file, or "image"
	Err  error
}

func (e *ImageError) Error() string { return fault.Prefix + e.Name + ": " + fault.Bare(e.Err) }

// Unwrap returns the cause.
func (e *ImageError) Unwrap() error { return e.Err }

// layoutHash returns a hash that is equal for programs that agree on headers and built-in
// types.
func layoutHash() uint64 {
	s := layoutOfReferences()
	for id := range typeLocal {
		if y := types.table[id].Load(); y != nil && y.Freezing != nil {
			s += fmt.Sprintf("\n%d %s: %s", id, y.Name, y.Freezing.Layout)
		}
	}
	return xxhash.Sum64String(s)
}

// layoutOfReferences describes headers and the ranges of references. The description is part of
// the image format: it goes into a hash and nobody reads it. Each range is a text of its own,
// written as the hexadecimal digits of its bytes, and independent of Handle.String. A change of
// a single byte makes every existing image unreadable.
func layoutOfReferences() string {
	self := fmt.Sprintf("%#08x", uint32(selfBase))
	count := fmt.Sprintf("%#08x", uint32(selfCount))
	least := fmt.Sprintf("int %d", intBase.Int())
	return fmt.Sprintf("granule %d, owner local shared meta, offset size, self %#x %#x, int %#x, none %#x",
		arena.GranuleSize, self, count, least, "None")
}

// WriteFile writes the image of f to a file, which appears as a whole or not at all: WriteFile
// writes another file beside it, syncs it, and renames it. If path existed, programs that have
// it open, and its other hard links, keep the old contents. The new file has the permissions of
// the old one, and its owner if the process is allowed to set that. WriteFile follows symbolic
// links. It is an error if path is a device or anything else that is not a regular file. Any
// goroutine, while f is loaded.
func (f *Frozen) WriteFile(path string) error { return f.WriteFileContext(context.Background(), path) }

// WriteFileContext is WriteFile that fails with ctx's error when ctx ends. Then nothing is left
// behind. Any goroutine, while f is loaded.
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

// WriteTo writes the image of f. The error is w's, or names a type that cannot be in images.
// Any goroutine, while f is loaded.
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

// ImageInfo is what the header and the type table of an image say.
type ImageInfo struct {
	Version   int    // version of the format
	ByteOrder string // byte order of the objects: "little-endian" or "big-endian"; always this machine's
	Layout    uint64 // hash of the layouts of headers and built-in types; always this program's
	FileBytes int64
	Objects   int64
	Bytes     int64       // size of the objects
	Hash      uint64      // xxHash64 of the objects
	Types     []ImageType // user-defined types, which the program may have or not
}

// ImageType is a user-defined type as an image names it: by its name and its Freezing.Layout.
// Both strings come from the file: they may say anything, and be long.
type ImageType struct{ Name, Layout string }

// String returns both strings, quoted, and each cut to its first bytes.
func (y ImageType) String() string {
	return imagefile.Quoted(y.Name) + " with the layout " + imagefile.Quoted(y.Layout)
}

// ReadImageInfo reads the header and the type table of an image. It makes the checks that
// OpenImage makes with TrustImage, except that the program need not have the types. It does not
// read the objects. The error is an *ImageError. Any goroutine.
func ReadImageInfo(path string) (ImageInfo, error) {
	file, size, err := imagefile.Open(path)
	if err != nil {
		return ImageInfo{}, &ImageError{path, err}
	}
	defer func() { _ = file.Close() }() // it was only read
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

// ImageOptions configure the opening of an image. The zero value works.
type ImageOptions struct {
	// TrustImage skips the checks whose time grows with the image: the checksum of the objects,
	// and the checks of each object. A file that was tampered with can then crash the program,
	// or worse.
	TrustImage bool
}

// OpenImage maps the image in a file. All processes that open it share its memory, and pages
// are read when they are first accessed. Before any object can be reached, OpenImage checks
// everything that could be wrong with the file, by accident or by intent: the kind of file, its
// version, layouts, checksums, each object and each reference. The error is an *ImageError that
// says what is wrong. OpenImage reads the file instead of mapping it where files cannot be
// mapped (in Go memory, and with pages larger than 16 KiB), and if the objects fit 64 KiB. If
// too many images are open, the error is ErrMappings.
//
// While the image is loaded, the file must not be written or truncated in place: such a write
// changes objects that should be immutable. Replacing the file by renaming, as WriteFile does,
// is safe. Any goroutine.
func (r *Runtime) OpenImage(path string, opts ...ImageOptions) (*Frozen, error) {
	file, size, err := imagefile.Open(path)
	if err != nil {
		return nil, &ImageError{path, err}
	}
	defer func() { _ = file.Close() }() // it was only read; a mapping does not need it
	return r.openImage(path, file, size, file, opts)
}

// OpenImageAt is OpenImage for an image in a file, a database or anything else that can be read
// by offset. It copies the objects into memory, which grows as they arrive. So an image that
// claims to be larger than it is takes at most 4 MiB more memory than its actual size. If at
// panics, nothing is left behind. Any goroutine.
func (r *Runtime) OpenImageAt(at io.ReaderAt, opts ...ImageOptions) (*Frozen, error) {
	return r.openImage("image", at, -1, nil, opts)
}

// openImage opens the image in at. If file is not nil, it has the same contents and can be
// mapped. A size of -1 is unknown.
func (r *Runtime) openImage(name string, at io.ReaderAt, size int64, file *os.File, opts []ImageOptions) (f *Frozen, err error) {
	if err := r.beginOpening(); err != nil {
		return nil, err
	}
	defer r.endOpening()
	o := opener{rt: r, in: imagefile.Reader{At: at, Size: size}, file: file}
	if len(opts) > 0 {
		o.trust = opts[0].TrustImage
	}
	if f, err = o.open(); err != nil {
		return nil, &ImageError{name, err}
	}
	r.addFrozen(nil, f)
	return f, nil
}

// beginOpening keeps Close from succeeding until endOpening.
func (r *Runtime) beginOpening() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.closing {
		return ErrClosed
	}
	r.mu.opening++
	return nil
}

func (r *Runtime) endOpening() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.opening--
}

// opener is the state of opening an image.
type opener struct {
	rt    *Runtime
	in    imagefile.Reader
	file  *os.File
	trust bool

	head  imagefile.Header
	types []*Type
	ext   *arena.Extent
}

func (o *opener) open() (f *Frozen, err error) {
	defer func() { // even if the reader or a type's Check panics
		if f == nil && o.ext != nil {
			err = errors.Join(err, o.ext.Free())
		}
	}()
	if o.head, err = o.in.ReadHeader(imageFormat()); err != nil {
		return nil, err
	}
	if err := o.readTypes(); err != nil {
		return nil, err
	}
	ext, err := o.rt.space.NewExtent(max(int64(o.head.Data), 1))
	if err != nil {
		return nil, err
	}
	o.ext = ext
	mapped := errors.ErrUnsupported
	if o.file != nil {
		mapped = ext.MapFile(o.file, imagefile.Data, uintptr(o.head.Data))
	}
	if errors.Is(mapped, errors.ErrUnsupported) {
		mapped = o.read()
	}
	if mapped != nil {
		return nil, mapped
	}
	g := &Frozen{
		rt: o.rt, ext: ext, start: Handle(ext.Start()), granules: uint32(o.head.Data >> arena.GranuleShift),
		stored: refAt(o.head.Root), objects: int64(o.head.Objects), types: o.types,
	}
	if !o.trust {
		if err := o.check(g); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// readTypes finds this program's types for those of the image.
func (o *opener) readTypes() error {
	table, err := o.in.ReadTypes(&o.head)
	if err != nil {
		return err
	}
	for _, e := range table {
		y := typeOfLayout(e.Name, e.Layout)
		if y == nil {
			return fmt.Errorf("this program has no type %s", ImageType(e))
		}
		o.types = append(o.types, y)
	}
	return nil
}

// read copies the objects into memory.
func (o *opener) read() error {
	if o.head.Data > math.MaxInt {
		return arena.ErrAddressSpace
	}
	to := o.rt.Block(refAt(o.ext.Start()))
	for from, n := 0, int(o.head.Data); from < n; from += imagefile.Step {
		end := min(n, from+imagefile.Step)
		if err := o.ext.Grow(uintptr(end)); err != nil {
			return limitError(err)
		}
		if err := o.in.ReadAll(to.Bytes(from/4, end-from), imagefile.Data+int64(from)); err != nil {
			return err
		}
	}
	return o.ext.Seal(uintptr(o.head.Data), false)
}

// check fails if anything about the objects is not as Freeze makes it. If the file is truncated
// meanwhile, check returns an error in place of a crash. A fault at any other address is still
// a crash.
func (o *opener) check(f *Frozen) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			fault, ok := p.(interface {
				error
				Addr() uintptr
			})
			if !ok || fault.Addr()-f.Start() >= uintptr(f.Bytes()) {
				panic(p)
			}
			err = fmt.Errorf("can no longer be read: %w", fault)
		}
	}()
	alone := &Runtime{Heap: o.rt.Heap} // a runtime that has only f, and is all that the checks see
	alone.frozen.Store(&[]*Frozen{f})
	x := checking{
		heap: o.rt.Heap, start: f.start, granules: f.granules, types: f.types,
		reader: &Thread{Heap: o.rt.Heap, rt: alone},
	}
	if err := x.run(f.stored, o.head.DataHash); err != nil {
		return err
	}
	if x.objects != f.objects {
		return fmt.Errorf("%d objects, the header says %d", x.objects, f.objects)
	}
	return nil
}
