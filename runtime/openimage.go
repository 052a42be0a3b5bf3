package runtime

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime/debug"

	"github.com/cespare/xxhash/v2"

	"github.com/ichor-go/ichor/internal/arena"
)

// ImageOptions are how an image is opened. The zero value works.
type ImageOptions struct {
	// TrustImage leaves out what takes longer with larger images: the checksum of the
	// objects, and the checks of each of them. A file that was tampered with can then
	// crash the program, or worse.
	TrustImage bool
}

// OpenImage maps the image in a file, so that all processes which open it share its
// memory, and nothing is read before it is looked at. Before any object can be reached
// it checks all that a file could get wrong, by accident or by intent: what kind of file
// it is and which version, layouts, checksums, each object and each reference. The
// error is an *ImageError that says what is wrong. Where files cannot be mapped (in Go
// memory, with pages larger than 16 KiB), and where the objects fit 64 KiB, it reads the file. Beside
// many others that are open it is ErrMappings.
//
// As long as it is loaded the file must not be changed or cut in place: what is written
// there shows in objects that are immutable. Replacing it by renaming, as WriteFile
// does, is fine. Any goroutine.
func (r *Runtime) OpenImage(path string, opts ...ImageOptions) (*Frozen, error) {
	file, size, err := openRegular(path)
	if err != nil {
		return nil, &ImageError{path, err}
	}
	defer func() { _ = file.Close() }() // only read; a mapping does not need it
	return r.openImage(path, file, size, file, opts)
}

// openRegular opens a file for reading and returns its size. It looks before it opens,
// so as not to wait for the writer of a pipe.
func openRegular(path string) (file *os.File, size int64, err error) {
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
			_ = file.Close() // only read
		}
		return nil, 0, bare(err)
	}
	return file, st.Size(), nil
}

// openFile is os.Open. Tests have it open what has taken the file's place.
var openFile = os.Open

// bare takes the path off an error, which *ImageError names.
func bare(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// OpenImageAt is OpenImage for an image that lies in a file, a database or anything
// else that can be read by offset. It copies the objects into memory, which grows as they
// come in: an image that claims to be larger than it is takes the memory of what it has, and
// no more than 4 MiB beyond that. If at panics, nothing is left behind. Any goroutine.
func (r *Runtime) OpenImageAt(at io.ReaderAt, opts ...ImageOptions) (*Frozen, error) {
	return r.openImage("image", at, -1, nil, opts)
}

// openImage opens the image in at, of which file, if not nil, can be mapped. A size of
// -1 is not known.
func (r *Runtime) openImage(name string, at io.ReaderAt, size int64, file *os.File, opts []ImageOptions) (f *Frozen, err error) {
	if err := r.beginOpening(); err != nil {
		return nil, err
	}
	defer r.endOpening()
	o := opener{rt: r, at: at, size: size, file: file}
	if len(opts) > 0 {
		o.trust = opts[0].TrustImage
	}
	if f, err = o.open(); err != nil {
		return nil, &ImageError{name, err}
	}
	r.addFrozen(f)
	return f, nil
}

// beginOpening keeps Close away until endOpening.
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

// opener is the opening of an image.
type opener struct {
	rt    *Runtime
	at    io.ReaderAt
	size  int64
	file  *os.File
	trust bool

	head  imageHeader
	types []*Type
	ext   *arena.Extent
}

func (o *opener) open() (f *Frozen, err error) {
	defer func() { // also if the reader panics, or a type's Check
		if f == nil && o.ext != nil {
			err = errors.Join(err, o.ext.Free())
		}
	}()
	if err := o.readHeader(); err != nil {
		return nil, err
	}
	if err := o.readTypes(); err != nil {
		return nil, err
	}
	ext, err := o.rt.space.NewExtent(max(int64(o.head.data), 1))
	if err != nil {
		return nil, err
	}
	o.ext = ext
	mapped := errors.ErrUnsupported
	if o.file != nil {
		mapped = ext.MapFile(o.file, imageData, uintptr(o.head.data))
	}
	if errors.Is(mapped, errors.ErrUnsupported) {
		mapped = o.read()
	}
	if mapped != nil {
		return nil, mapped
	}
	g := &Frozen{
		rt: o.rt, ext: ext, start: Ref(ext.Start()), granules: uint32(o.head.data >> arena.GranuleShift),
		stored: Ref(o.head.root), objects: int64(o.head.objects), types: o.types,
	}
	if !o.trust {
		if err := o.check(g); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// readHeader reads the header and what is behind it up to the objects, and sees to it that
// the image is as long as it says.
func (o *opener) readHeader() error {
	b := make([]byte, imageData)
	n, err := o.readSome(b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if err := o.head.parse(b[:n]); err != nil {
		return err
	}
	want := o.head.size()
	switch {
	case n < imageData || o.size >= 0 && o.size < want:
		return fmt.Errorf("cut short: %d bytes, the header says %d", max(int64(n), o.size), want)
	case o.size > want:
		return fmt.Errorf("too long: %d bytes, the header says %d", o.size, want)
	case len(bytes.Trim(b[headerBytes:], "\x00")) > 0:
		return errors.New("bytes between header and objects are not zero")
	}
	if o.size < 0 { // what a reader has at the end says how long it is, if it does not lie
		if err := o.readAt(b[:1], want-1); err != nil {
			return err
		}
		if n, _ := o.readSome(b[:1], want); n > 0 {
			return fmt.Errorf("too long: more bytes than the %d that the header says", want)
		}
	}
	return nil
}

// readTypes finds this program's types for those of the image.
func (o *opener) readTypes() error {
	table, err := o.typeTable()
	if err != nil {
		return err
	}
	for _, e := range table {
		y := typeOfLayout(e.Name, e.Layout)
		if y == nil {
			return fmt.Errorf("this program has no type %s", e)
		}
		o.types = append(o.types, y)
	}
	return nil
}

// typeTable reads the table of types.
func (o *opener) typeTable() ([]ImageType, error) {
	at, end := imageData+int64(o.head.data), o.head.size()
	var b []byte
	for at+int64(len(b)) < end { // piece by piece: memory grows with what there is
		from := len(b)
		b = append(b, make([]byte, min(readStep, end-at-int64(from)))...)
		if err := o.readAt(b[from:], at+int64(from)); err != nil {
			return nil, err
		}
	}
	if xxhash.Sum64(b) != o.head.typeHash {
		return nil, errors.New("the table of types does not have its checksum")
	}
	var fault error
	take := func() string {
		switch {
		case fault != nil:
			return ""
		case len(b) < 4 || uint64(len(b)-4) < uint64(binary.LittleEndian.Uint32(b)):
			fault = errors.New("the table of types is cut short")
			return ""
		}
		n := int(binary.LittleEndian.Uint32(b))
		if n > maxTypeText {
			fault = fmt.Errorf("a type with a name or a layout of %d bytes, want at most %d", n, maxTypeText)
			return ""
		}
		s := string(b[4 : 4+n])
		b = b[4+n:]
		return s
	}
	var table []ImageType
	for range o.head.types {
		table = append(table, ImageType{Name: take(), Layout: take()})
		if fault != nil {
			return nil, fault
		}
	}
	if len(b) > 0 {
		return nil, errors.New("the table of types is longer than its types")
	}
	return table, nil
}

// readStep is how much is read before memory is taken for more.
const readStep = 1 << 20

// readAt reads all of b.
func (o *opener) readAt(b []byte, at int64) error {
	n, err := o.readSome(b, at)
	switch {
	case n == len(b):
		return nil
	case errors.Is(err, io.EOF):
		return fmt.Errorf("cut short: it ends before byte %d", at+int64(len(b)))
	}
	return err
}

// readSome is ReadAt of a reader that may not keep to what io.ReaderAt promises.
func (o *opener) readSome(b []byte, at int64) (int, error) {
	n, err := o.at.ReadAt(b, at)
	if n < 0 || n > len(b) || n < len(b) && err == nil {
		return 0, fmt.Errorf("the reader says that it has read %d of %d bytes, and no error", n, len(b))
	}
	return n, err
}

// read copies the objects into memory.
func (o *opener) read() error {
	if o.head.data > math.MaxInt {
		return arena.ErrAddressSpace
	}
	to := o.rt.Block(Ref(o.ext.Start()))
	for from, n := 0, int(o.head.data); from < n; from += readStep {
		end := min(n, from+readStep)
		if err := o.ext.Grow(uintptr(end)); err != nil {
			return freezeAllocError(err)
		}
		if err := o.readAt(to.Bytes(from/4, end-from), imageData+int64(from)); err != nil {
			return err
		}
	}
	return o.ext.Seal(uintptr(o.head.data), false)
}

// check fails if anything about the objects is not as Freeze makes it. If the file is
// cut meanwhile, that is an error and no crash; a fault anywhere else is a crash.
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
			err = fmt.Errorf("cannot be read any more: %w", fault)
		}
	}()
	alone := &Runtime{Heap: o.rt.Heap} // which has nothing but f, and is all that the checks see
	alone.frozen.Store(&[]*Frozen{f})
	x := checking{
		heap: o.rt.Heap, start: f.start, granules: f.granules, types: f.types,
		reader: &Thread{Heap: o.rt.Heap, rt: alone},
	}
	if err := x.run(f.stored, o.head.dataHash); err != nil {
		return err
	}
	if x.objects != f.objects {
		return fmt.Errorf("%d objects, the header says %d", x.objects, f.objects)
	}
	return nil
}
