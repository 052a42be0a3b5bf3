package objects

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"

	rt "github.com/ichor-go/ichor/runtime"
)

// Offsets in the file, as in runtime/image.go.
const (
	imageHeader = 80
	imageData   = 16 << 10
)

// imagePoint is a user-defined type that images can hold.
var imagePoint = must(DefineRecord("image point", "x", "y"))

// someGraphs build graphs of all kinds of objects that can be frozen.
var someGraphs = map[string]func(th *rt.Thread) rt.Ref{
	"none":  func(*rt.Thread) rt.Ref { return rt.None },
	"int":   func(*rt.Thread) rt.Ref { return smallInt(-7) },
	"big":   func(th *rt.Thread) rt.Ref { return newBig(th, 3) },
	"float": func(th *rt.Thread) rt.Ref { return must(NewFloat(th, 2.5)) },
	"number": func(th *rt.Thread) rt.Ref {
		return must(FromJSON(th, strings.NewReader("123456789012345678901234567890")))
	},
	"string":   func(th *rt.Thread) rt.Ref { return must(NewString(th, "a text of more than sixteen bytes")) },
	"bytes":    func(th *rt.Thread) rt.Ref { return must(NewBytes(th, []byte{0, 1, 2, 255})) },
	"document": func(th *rt.Thread) rt.Ref { return must(FromJSON(th, strings.NewReader(familyJSON))) },
	"kinds":    newKinds,
	"cycle": func(th *rt.Thread) rt.Ref {
		l, d := must(NewList(th)), must(NewDict(th))
		must0Panic(l.Append(th, d))
		must0Panic(l.Append(th, l))
		must0Panic(d.Set(th, smallInt(1), l))
		must0Panic(d.Set(th, smallInt(2), d))
		th.DecRef(d)
		return l
	},
	"wide": func(th *rt.Thread) rt.Ref {
		d := must(NewDict(th))
		for i := range 300 {
			key := newBig(th, i)
			must0Panic(d.Set(th, key, smallInt(i)))
			th.DecRef(key)
		}
		return d
	},
}

const familyJSON = `{"name": "ichor", "list": [1, 2.5, -3000000000, null, true, "ichor", {"deep": [[["x"]]]}], "empty": {}, "more": [{}, [], ""]}`

func must0Panic(err error) {
	if err != nil {
		panic(err)
	}
}

// newKinds returns a list with an object of each kind, and with keys of each kind.
func newKinds(th *rt.Thread) rt.Ref {
	str, big := must(NewString(th, "key")), newBig(th, 1)
	f, b := must(NewFloat(th, 0.1)), must(NewBytes(th, []byte("raw")))
	pair := must(NewTuple(th, str, big))
	nested := must(NewTuple(th, pair, f, rt.None))
	p := must(imagePoint.New(th, pair, nested))
	d := must(NewDict(th))
	for i, key := range []rt.Ref{str, big, f, b, pair, nested, rt.None, rt.True, rt.EmptyTuple, rt.EmptyString, smallInt(5)} {
		must0Panic(d.Set(th, key, smallInt(i)))
	}
	l := must(NewList(th, str, big, f, b, pair, nested, p, d, rt.None, rt.EmptyBytes))
	must0Panic(Record(p).Set(th, 0, l))
	th.DecRefs([]rt.Ref{str, big, f, b, pair, nested, p, d})
	return l
}

// imageOf returns the image of a graph that was built in a runtime of its own.
func imageOf(t testing.TB, build func(th *rt.Thread) rt.Ref) []byte {
	t.Helper()
	var file bytes.Buffer
	r := must(rt.New(rt.Options{AddressSpace: smallSpace}))
	must0(t, r.Do(func(th *rt.Thread) error {
		root := build(th)
		f := must(th.Freeze(root))
		must(f.WriteTo(&file))
		th.DecRef(root)
		th.Collect()
		return nil
	}))
	must0(t, r.Close())
	return file.Bytes()
}

// reseal makes all checksums and lengths match the contents, so that the checks after them
// are reached. The table of types is the last typeBytes bytes.
func reseal(image []byte, typeBytes int) []byte {
	b := bytes.Clone(image)
	le := binary.LittleEndian
	if len(b) < imageData {
		return b
	}
	typeBytes = min(typeBytes, len(b)-imageData)
	data, table := b[imageData:len(b)-typeBytes], b[len(b)-typeBytes:]
	le.PutUint64(b[24:], uint64(len(data)))
	le.PutUint64(b[48:], uint64(len(table)))
	le.PutUint64(b[56:], xxhash.Sum64(table))
	le.PutUint64(b[64:], xxhash.Sum64(data))
	le.PutUint64(b[72:], xxhash.Sum64(b[:72]))
	return b
}

func typeBytesOf(image []byte) int { return int(binary.LittleEndian.Uint64(image[48:])) }

// wander visits everything that can be reached from r, by every kind of call.
func wander(th *rt.Thread, r rt.Ref, seen map[rt.Ref]bool) {
	if seen[r] {
		return
	}
	seen[r] = true
	_, _ = Hash(th, r)
	_ = Format(th, r)
	switch y := th.TypeOf(r); {
	case y == imagePoint.Type:
		for i := range imagePoint.Fields() {
			v, _ := Record(r).At(th, i)
			wander(th, v, seen)
		}
	case y.ID() == rt.TypeList:
		for _, v := range List(r).All(th) {
			wander(th, v, seen)
		}
		must0Panic(unless[*IndexError](second(List(r).Get(th, List(r).Len(th)))))
	case y.ID() == rt.TypeTuple:
		for i := range Tuple(r).Len(th) {
			v, _ := Tuple(r).At(th, i)
			wander(th, v, seen)
		}
	case y.ID() == rt.TypeDict:
		for k, v := range Dict(r).All(th) {
			wander(th, k, seen)
			wander(th, v, seen)
			if got, ok := Dict(r).Lookup(th, k); !ok || got != v {
				panic(fmt.Sprintf("a dict has %s for a key, and another look finds %s, %t", v, got, ok))
			}
		}
	case y.ID() == rt.TypeString:
		_, _ = String(r).Text(th)
	case y.ID() == rt.TypeBytes:
		v, _ := Bytes(r).View(th)
		_ = string(v)
	}
}

func second[A any](_ A, err error) error { return err }

// fewBytes accepts a limited number of bytes: the text of a graph with many shared objects
// may be endless.
type fewBytes struct{ left int }

func (w *fewBytes) Write(b []byte) (int, error) {
	if w.left -= len(b); w.left < 0 {
		return 0, errors.New("enough")
	}
	return len(b), nil
}

// openHostile opens an arbitrary image, which must be refused or be sound.
func openHostile(t testing.TB, r *rt.Runtime, image []byte) (err error) {
	t.Helper()
	f, err := r.OpenImageAt(bytes.NewReader(image))
	if err != nil {
		var e *rt.ImageError
		if !errors.As(err, &e) {
			t.Fatalf("error %v is not an *rt.ImageError", err)
		}
		return err
	}
	must0(t, r.Do(func(th *rt.Thread) error {
		wander(th, f.Root(), map[rt.Ref]bool{})
		_ = ToJSON(th, &fewBytes{1 << 20}, f.Root())
		again := must(th.Freeze(f.Root())) // the copy checks what nothing else does
		wander(th, again.Root(), map[rt.Ref]bool{})
		must0(t, th.Unload(again))
		return th.Unload(f)
	}))
	return nil
}

// compact leaves out the zeros between header and objects, and expand puts them back, so
// that the fuzzer changes the bytes that matter.
func compact(image []byte) []byte {
	return append(bytes.Clone(image[:imageHeader]), image[imageData:]...)
}

func expand(b []byte) []byte {
	n := min(len(b), imageHeader)
	image := append(bytes.Clone(b[:n]), make([]byte, imageData-n)...)
	return append(image, b[n:]...)
}

// FuzzImage opens whatever the fuzzer makes from real images, as it is and with matching
// checksums.
func FuzzImage(f *testing.F) {
	for _, build := range someGraphs {
		image := imageOf(f, build)
		for _, sealed := range []bool{false, true} {
			f.Add(compact(image), uint16(typeBytesOf(image)), sealed)
		}
	}
	r := must(rt.New(rt.Options{AddressSpace: smallSpace}))
	f.Fuzz(func(t *testing.T, b []byte, typeBytes uint16, sealed bool) {
		image := expand(b)
		if sealed {
			image = reseal(image, int(typeBytes))
		}
		_ = openHostile(t, r, image)
	})
}

// TestImageRoundTrip: every graph comes back from its image, in each mode, whichever way
// the image is opened.
func TestImageRoundTrip(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) {
		for name, build := range someGraphs {
			image := imageOf(t, build)
			file := filepath.Join(t.TempDir(), name)
			must0(t, os.WriteFile(file, image, 0o600))
			withRuntime(t, o, func(r *rt.Runtime) {
				var loaded []*rt.Frozen
				for _, trust := range []bool{false, true} {
					loaded = append(loaded, must(r.OpenImage(file, rt.ImageOptions{TrustImage: trust})),
						must(r.OpenImageAt(bytes.NewReader(image), rt.ImageOptions{TrustImage: trust})))
				}
				for _, f := range loaded {
					var again bytes.Buffer
					must(f.WriteTo(&again))
					if !bytes.Equal(again.Bytes(), image) {
						t.Errorf("%s: an image of the opened graph differs from the original", name)
					}
					must0(t, r.Do(func(th *rt.Thread) error {
						wander(th, f.Root(), map[rt.Ref]bool{})
						return th.Unload(f)
					}))
				}
			})
		}
	})
}

// TestImageDamaged: a file that is cut or has a flipped bit anywhere is refused.
func TestImageDamaged(t *testing.T) {
	oneGoroutine(t)
	image := imageOf(t, newKinds)
	r := must(rt.New(rt.Options{AddressSpace: smallSpace}))
	for n := range len(image) {
		if n > imageHeader+16 && n < imageData-16 { // zeros, all alike
			continue
		}
		if err := openHostile(t, r, image[:n]); err == nil {
			t.Errorf("cut to %d bytes it is opened", n)
		}
	}
	for i := range image {
		if i > imageHeader+16 && i < imageData-16 {
			continue
		}
		bad := bytes.Clone(image)
		bad[i] ^= 1 << (i % 8)
		if err := openHostile(t, r, bad); err == nil {
			t.Errorf("with byte %d flipped it is opened", i)
		}
	}
	if err := openHostile(t, r, append(bytes.Clone(image), 0)); err == nil || !strings.Contains(err.Error(), "too long") {
		t.Errorf("with a byte more: %v", err)
	}
	if err := openHostile(t, r, image); err != nil {
		t.Errorf("undamaged: %v", err)
	}
	must0(t, r.Close())
}

// TestImageForged: a file that was changed on purpose, checksums included, is refused, or
// is as sound as any other.
func TestImageForged(t *testing.T) {
	oneGoroutine(t)
	r := must(rt.New(rt.Options{AddressSpace: smallSpace}))
	for name, build := range someGraphs {
		image := imageOf(t, build)
		opened, refused := 0, 0
		for i := imageData; i < len(image); i++ {
			for _, bit := range []int{0, 3, 7} {
				bad := bytes.Clone(image)
				bad[i] ^= 1 << bit
				if openHostile(t, r, reseal(bad, typeBytesOf(image))) == nil {
					opened++
				} else {
					refused++
				}
			}
			if len(image) > imageData+2000 {
				i += len(image) / 500 // a sample of the larger ones
			}
			if racesOnly() {
				i += 16
			}
		}
		if len(image) > imageData && refused == 0 {
			t.Errorf("%s: none of %d forgeries is refused", name, opened)
		}
	}
	must0(t, r.Close())
}

// TestImageErrors: an error says what is wrong.
func TestImageErrors(t *testing.T) {
	le, ne := binary.LittleEndian, binary.NativeEndian // of the header and of the objects
	image := imageOf(t, newKinds)
	change := func(at int, with ...byte) []byte {
		b := bytes.Clone(image)
		copy(b[at:], with)
		le.PutUint64(b[72:], xxhash.Sum64(b[:72]))
		return b
	}
	words := func(at int, v uint32) []byte { // changes a word of the objects
		b := bytes.Clone(image)
		ne.PutUint32(b[imageData+at:], v)
		return reseal(b, typeBytesOf(image))
	}
	tuple := 0 // the offset of the first tuple
	for ne.Uint32(image[imageData+tuple+12:]) != uint32(rt.TypeTuple) {
		tuple += 16 * int(ne.Uint32(image[imageData+tuple+8:]))
	}
	types := len(image) - typeBytesOf(image)
	r := must(rt.New(rt.Options{AddressSpace: smallSpace}))
	defer func() { must0(t, r.Close()) }()
	for what, c := range map[string]struct {
		image []byte
		want  string
	}{
		"empty":               {nil, "not an image"},
		"text":                {[]byte("hello, this is a text"), "not an image"},
		"magic":               {change(0, 'X'), "not an image"},
		"version":             {change(8, 99), "format version 99, this program knows version 2"},
		"byte order":          {change(12, image[15], image[14], image[13], image[12]), "the other byte order"},
		"layout":              {change(16, 1, 2, 3), "the layouts of this program"},
		"length":              {change(24, 1), "want a multiple of 16"},
		"longer":              {change(26, 1), "cut short"},
		"too long":            {change(29, 1), "at most 4294967296"},
		"objects":             {change(32, 1), "the header says 1"},
		"root":                {change(40, 1, 0, 0, 0), "the root, 0x00000001, does not refer"},
		"root within":         {change(40, 1, 0, 0, 0xC0), "the root, 0xc0000001, does not refer"},
		"types":               {change(44, 0xFF, 0xFF, 0xFF), "types in"},
		"fewer types":         {change(44, 0), "longer than its types"},
		"table's checksum":    {change(56, 1), "the table of types does not match its checksum"},
		"objects' checksum":   {change(64, 1), "the objects do not match their checksum"},
		"zeros":               {change(imageHeader+5, 1), "are not zero"},
		"no header":           {words(0, 0), "not an object header"},
		"another type":        {words(12, 62), "unknown type 0x3e"},
		"header of too large": {words(8, 1<<20), "not an object header"},
		"reference":           {words(16+8, 0xC000_0001), "does not refer to an object of the image"},
		"reference behind":    {words(16+8, 0xCFFF_FFFF), "does not refer to an object of the image"},
		"absolute reference":  {words(16+8, 0xA000_0000), "does not refer to an object of the image"},
		"shorter list":        {words(16, 9), "its padding is not zero"},
		"longer list":         {words(16, 1000), "length 1000 in a body of"},
		"hash of a tuple":     {words(tuple+16+4*tupleHash, 12345), "its hash is wrong"},
		"another name":        {reseal(append(image[:types:types], bytes.ReplaceAll(image[types:], []byte("image point"), []byte("image joint"))...), typeBytesOf(image)), `no type "image joint" with`},
		"other fields":        {reseal(append(image[:types:types], bytes.ReplaceAll(image[types:], []byte(`"y"`), []byte(`"z"`))...), typeBytesOf(image)), `no type "image point" with the layout "record: version, `},
	} {
		f, err := r.OpenImageAt(bytes.NewReader(c.image)) // if it opens, do not look into it
		if err == nil {
			must0(t, r.Unload(f))
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", what, err, c.want)
		}
	}
}

// TestImageFiles tests paths that name no image, and runtimes that cannot hold one.
func TestImageFiles(t *testing.T) {
	folder := t.TempDir()
	r := must(rt.New(rt.Options{MemoryLimit: 1 << 20, AddressSpace: smallSpace}))
	fails := func(file, want string) {
		t.Helper()
		_, err := r.OpenImage(file)
		var e *rt.ImageError
		if !errors.As(err, &e) || e.Name != file || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", file, err, want)
		}
	}
	fails(filepath.Join(folder, "missing"), "o such file") // js says No
	fails(folder, "not a regular file")
	empty := filepath.Join(folder, "empty")
	must0(t, os.WriteFile(empty, nil, 0o600))
	fails(empty, "not an image")

	large := imageOf(t, func(th *rt.Thread) rt.Ref { return must(NewBytes(th, make([]byte, 2<<20))) })
	if _, err := r.OpenImageAt(bytes.NewReader(large)); !errors.Is(err, rt.ErrMemoryLimit) {
		t.Errorf("beyond the limit: %v", err)
	}
	file := filepath.Join(folder, "large")
	must0(t, os.WriteFile(file, large, 0o600))
	f, err := r.OpenImage(file)
	switch {
	case err == nil && !f.Mapped(), err != nil && !errors.Is(err, rt.ErrMemoryLimit):
		t.Errorf("beyond the limit, from a file: %v", err) // a mapped one takes no memory
	case err == nil:
		must0(t, r.Unload(f))
	}
	if m := r.Memory(); m.Frozen+m.FrozenBytes+m.FrozenGraphs != 0 {
		t.Errorf("left: %+v", m)
	}
	must0(t, r.Close())
	if _, err := r.OpenImageAt(bytes.NewReader(large)); !errors.Is(err, rt.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}
