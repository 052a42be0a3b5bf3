package runtime

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime/debug"

	"github.com/ichor-go/ichor/internal/arena"
	"github.com/ichor-go/ichor/internal/imagefile"
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
	file, size, err := imagefile.Open(path)
	if err != nil {
		return nil, &ImageError{path, err}
	}
	defer func() { _ = file.Close() }() // only read; a mapping does not need it
	return r.openImage(path, file, size, file, opts)
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
	o := opener{rt: r, in: imagefile.Reader{At: at, Size: size}, file: file}
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
	in    imagefile.Reader
	file  *os.File
	trust bool

	head  imagefile.Header
	types []*Type
	ext   *arena.Extent
}

func (o *opener) open() (f *Frozen, err error) {
	defer func() { // also if the reader panics, or a type's Check
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
	if err := x.run(f.stored, o.head.DataHash); err != nil {
		return err
	}
	if x.objects != f.objects {
		return fmt.Errorf("%d objects, the header says %d", x.objects, f.objects)
	}
	return nil
}
