package runtime

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/ichor-go/ichor/internal/arena"
	"github.com/ichor-go/ichor/internal/imagefile"
)

// TestIsSingleton checks which references are singletons.
func TestIsSingleton(t *testing.T) {
	for r, want := range map[Ref]bool{
		None: true, True: true, EmptyTuple: true, {none + 1}: false, {none - 2}: false, {endSingletons}: false, {endSingletons - 1}: false, Nil: false, {^Handle(0)}: false,
	} {
		if isSingleton(r) != want {
			t.Errorf("%s is a singleton: %t", r, !want)
		}
	}
}

// TestCheckSlotsLimits checks that the slots must lie where the type says.
func TestCheckSlotsLimits(t *testing.T) {
	clean(t, Options{}, func(t *testing.T, th *Thread) {
		x, o, err := th.New(leafType, 48)
		must0(t, err)
		defer func() {
			th.header(x).Birth(th.stamp, leafType.meta)
			th.DecRef(x)
		}()
		for i := range 12 {
			o.SetRef(i, None)
		}
		th.header(x).BirthFrozen(uint32(TypeTuple), uint32(x.Handle), 4)
		check := func(words, first, n int, elsewhere bool, bytes int) error {
			y := &Type{Slots: func(_ Heap, o Body) (Body, int, int) {
				if elsewhere {
					return th.Block(x), first, n
				}
				return o, first, n
			}}
			c := &checking{heap: th.Heap}
			c.builtin[TypeTuple] = y
			k := &Check{x: c, r: x, o: o, bytes: bytes}
			return CheckSlots(words)(k)
		}
		for _, c := range []struct {
			words, first, n int
			elsewhere       bool
			bytes           int
			want            string
		}{
			{1, 0, 12, false, 48, ""},
			{1, 1, 11, false, 48, ""},
			{12, 0, 12, false, 48, ""},
			{13, 0, 12, false, 48, "a body of 48 bytes, want at least 52"},
			{1, -1, 12, false, 48, "12 slots from word -1 on in a body of 48 bytes"},
			{1, -1, 13, false, 48, "13 slots from word -1 on in a body of 48 bytes"},
			{1, 13, 0, false, 48, "0 slots from word 13 on in a body of 48 bytes"},
			{1, 0, 13, false, 48, "13 slots from word 0 on in a body of 48 bytes"},
			{1, 13, -1, false, 48, "-1 slots from word 13 on in a body of 48 bytes"},
			{1, 12, -1, false, 48, "-1 slots from word 12 on in a body of 48 bytes"},
			{1, 1, 11, true, 48, "11 slots from word 1 on in a body of 48 bytes"},
			{1, 2, 11, false, 48, "a body of 52 bytes in a space of 48"},
			{1, 12, 1 << 30, false, 48, "1073741824 slots"},
			{1, 1 << 30, 1, false, 48, "1 slots from word 1073741824"},
		} {
			err := check(c.words, c.first, c.n, c.elsewhere, c.bytes)
			if c.want == "" && err != nil || c.want != "" && err == nil {
				t.Errorf("%+v: %v", c, err)
			} else if err != nil {
				wantIn(t, err.Error(), c.want)
			}
		}
	})
}

// TestCheckExactly checks that a body must have the exact length, and zeros behind it, to the
// last byte.
func TestCheckExactly(t *testing.T) {
	clean(t, Options{}, func(t *testing.T, th *Thread) {
		x, o, err := th.New(leafType, 32)
		must0(t, err)
		k := &Check{o: o, bytes: 32}
		for n := 17; n <= 32; n++ {
			for i := range 32 {
				b := o.Bytes(0, 32)
				clear(b)
				b[i] = 1
				if err := k.Exactly(n); (err == nil) != (i < n) {
					t.Errorf("%d bytes, and byte %d is not zero: %v", n, i, err)
				}
			}
		}
		most := maxBody // one more is negative where an int has 32 bits
		for _, n := range []int{-1, 16, 33, most + 1} {
			if k.Exactly(n) == nil {
				t.Errorf("%d bytes in a space of 32", n)
			}
		}
		th.DecRef(x)
	})
}

// TestImageOfFive opens an image of a type of five bytes, with something behind them.
func TestImageOfFive(t *testing.T) {
	five := must(DefineType(Type{Name: "five", Freezing: &Freezing{
		Layout: "five bytes",
		Copy:   func(c *Copy) error { o, err := c.Alloc(5); copy(o.Bytes(0, 5), "hello"); return err },
		Check:  func(k *Check) error { return k.Exactly(5) },
	}}))
	clean(t, Options{}, func(t *testing.T, th *Thread) {
		x, _, err := th.New(five, 5)
		must0(t, err)
		f, err := th.Freeze(x)
		must0(t, err)
		th.DecRef(x)
		var image bytes.Buffer
		must(f.WriteTo(&image))
		must0(t, th.Unload(f))
		for i := range arena.GranuleSize {
			b := bytes.Clone(image.Bytes())
			b[imagefile.Data+arena.GranuleSize+i] = 'x'
			f, err := th.rt.OpenImageAt(bytes.NewReader(resealed(t, b)))
			if (err == nil) != (i < 5) {
				t.Errorf("byte %d is another one: %v", i, err)
			}
			if err == nil {
				err = th.Unload(f)
			}
			var e *ImageError
			if err != nil && !errors.As(err, &e) {
				t.Error(err)
			}
		}
	})
}

// TestImageTrust checks that a trusted image is not checked.
func TestImageTrust(t *testing.T) {
	clean(t, Options{}, func(t *testing.T, th *Thread) {
		x := newOf(th, blobType)
		root := newTwin(th, 1, newTwin(th, 2, None, None), None)
		f, err := th.Freeze(root)
		must0(t, err)
		th.DecRefs([]Ref{root, x})
		var image bytes.Buffer
		must(f.WriteTo(&image))
		must0(t, th.Unload(f))
		b := image.Bytes()
		b[imagefile.Data+arena.GranuleSize]++ // the root's mark
		if _, err := th.rt.OpenImageAt(bytes.NewReader(b)); err == nil {
			t.Error("an image with a wrong checksum was opened")
		}
		if _, err := th.rt.OpenImageAt(bytes.NewReader(b), ImageOptions{}); err == nil {
			t.Error("an image with a wrong checksum was opened without TrustImage")
		}
		f, err = th.rt.OpenImageAt(bytes.NewReader(b), ImageOptions{TrustImage: true})
		must0(t, err)
		if mark := th.Body(f.Root()).Word(0); mark != 2 {
			t.Errorf("the mark is %d", mark)
		}
		must0(t, th.Unload(f))
	})
}

// TestImageLengths opens files and readers that are shorter or longer than the header says.
func TestImageLengths(t *testing.T) {
	clean(t, Options{}, func(t *testing.T, th *Thread) {
		root := newTwin(th, 1, None, None)
		f, err := th.Freeze(root)
		must0(t, err)
		th.DecRef(root)
		var image bytes.Buffer
		must(f.WriteTo(&image))
		must0(t, th.Unload(f))
		whole := image.Bytes()
		n := len(whole)
		path := filepath.Join(t.TempDir(), "image")
		for length, wants := range map[int][2]string{ // of a file, of a reader
			50:                 {"the header alone takes 80", "the header alone takes 80"},
			100:                {fmt.Sprintf("cut short: 100 bytes, the header says %d", n), fmt.Sprintf("cut short: 100 bytes, the header says %d", n)},
			imagefile.Data - 1: {fmt.Sprintf("cut short: %d bytes, the header says %d", imagefile.Data-1, n), fmt.Sprintf("cut short: %d bytes, the header says %d", imagefile.Data-1, n)},
			imagefile.Data:     {fmt.Sprintf("cut short: %d bytes, the header says %d", imagefile.Data, n), fmt.Sprintf("cut short: it ends before byte %d", n)},
			n - 1:              {fmt.Sprintf("cut short: %d bytes, the header says %d", n-1, n), fmt.Sprintf("cut short: it ends before byte %d", n)},
			n + 1:              {fmt.Sprintf("too long: %d bytes, the header says %d", n+1, n), fmt.Sprintf("too long: more bytes than the %d", n)},
		} {
			b := append(bytes.Clone(whole), 0)[:length]
			must0(t, os.WriteFile(path, b, 0o666))
			_, err := th.rt.OpenImage(path)
			_, other := th.rt.OpenImageAt(bytes.NewReader(b))
			for i, err := range []error{err, other} {
				if err == nil {
					t.Errorf("%d bytes of %d were opened", length, n)
				} else {
					wantIn(t, err.Error(), wants[i])
				}
			}
		}
	})
}

// shortWriter takes a limited number of bytes, and returns no error when there are more.
type shortWriter struct{ room int }

func (w *shortWriter) Write(b []byte) (int, error) {
	n := min(len(b), w.room)
	w.room -= n
	return n, nil
}

// TestWriteToCounts checks that WriteTo reports how much was written, and that it was too
// little.
func TestWriteToCounts(t *testing.T) {
	clean(t, Options{}, func(t *testing.T, th *Thread) {
		root := newTwin(th, 1, None, None)
		f, err := th.Freeze(root)
		must0(t, err)
		th.DecRef(root)
		var image bytes.Buffer
		whole, err := f.WriteTo(&image)
		if err != nil || whole != int64(image.Len()) || whole <= imagefile.Data {
			t.Errorf("%d bytes of %d: %v", whole, image.Len(), err)
		}
		for _, room := range []int{0, 1, imagefile.Data - 1, imagefile.Data, imagefile.Data + 1, int(whole) - 1} {
			if n, err := f.WriteTo(&shortWriter{room}); n != int64(room) || err != io.ErrShortWrite {
				t.Errorf("%d bytes where there is room for %d: %v", n, room, err)
			}
		}
		if n, err := f.WriteTo(&shortWriter{int(whole)}); n != whole || err != nil {
			t.Errorf("%d bytes where there is room for %d: %v", n, whole, err)
		}
		path := filepath.Join(t.TempDir(), "image")
		must0(t, os.WriteFile(path, image.Bytes(), 0o666))
		info, err := ReadImageInfo(path)
		order := map[bool]string{true: "little-endian", false: "big-endian"}[binary.NativeEndian.Uint16([]byte{1, 0}) == 1]
		if err != nil || info.ByteOrder != order || info.Version != imagefile.Version || info.Objects != 1 || info.Bytes != 32 || info.FileBytes != whole || info.Layout != layoutHash() ||
			len(info.Types) != 1 || info.Types[0] != (ImageType{"twin", "mark, two slots"}) || info.Hash != xxhash.Sum64(image.Bytes()[imagefile.Data:imagefile.Data+32]) {
			t.Errorf("the image is %+v: %v", info, err)
		}
		must0(t, th.Unload(f))
	})
}
