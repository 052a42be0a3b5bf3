package runtime

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/ichor-go/ichor/internal/arena"
	"github.com/ichor-go/ichor/internal/imagefile"
)

// resealed returns an image with correct checksums.
func resealed(t *testing.T, image []byte) []byte {
	t.Helper()
	var h imagefile.Header
	binary.LittleEndian.PutUint64(image[imagefile.HeaderBytes-8:], xxhash.Sum64(image[:imagefile.HeaderBytes-8]))
	must0(t, h.Parse(image, layoutHash(), maxLocal))
	h.DataHash = xxhash.Sum64(image[imagefile.Data : imagefile.Data+int(h.Data)])
	return append(h.Append(nil), image[imagefile.HeaderBytes:]...)
}

// TestImageIsCheckedToItsEnd damages an image that is larger than a block of the checksum: in
// its first block, in the others, at their edges, and in its last word; with the old checksum,
// and with a correct one.
func TestImageIsCheckedToItsEnd(t *testing.T) {
	const n = 40_000 // twins, of two granules each
	r := newRuntime(t, Options{})
	var image []byte
	must0(t, r.Do(func(th *Thread) error {
		root := newChain(th, n, false, None)
		defer th.DecRef(root)
		f, err := th.Freeze(root)
		if err != nil {
			return err
		}
		var b bytes.Buffer
		if _, err := f.WriteTo(&b); err != nil {
			return err
		}
		image = b.Bytes()
		return th.Unload(f)
	}))
	open := func(image []byte) error {
		f, err := r.OpenImageAt(bytes.NewReader(image))
		if err != nil {
			return err
		}
		return r.Unload(f)
	}
	must0(t, open(image))
	must0(t, open(resealed(t, slices.Clone(image))))
	if blocks := 2 * n / hashBlock; blocks < 4 {
		t.Fatalf("%d blocks", blocks)
	}
	granule := func(image []byte, at int) []byte {
		return image[imagefile.Data+at*arena.GranuleSize:][:arena.GranuleSize]
	}
	places := []int{0, 2*n - 2, 2, hashBlock - 2, hashBlock, hashBlock + 2, 2*hashBlock - 2, 3 * hashBlock}
	if racesOnly() {
		places = places[:2]
	}
	for _, at := range places {
		for what, damage := range map[string]struct {
			do   func(image []byte)
			want string
		}{
			"a header":     {func(b []byte) { granule(b, at)[4]++ }, fmt.Sprintf("byte %#x of the objects: not an object header", at*arena.GranuleSize)},
			"a type":       {func(b []byte) { binary.NativeEndian.PutUint32(granule(b, at)[12:], 61) }, fmt.Sprintf("byte %#x of the objects: unknown type 0x3d", at*arena.GranuleSize)},
			"a slot":       {func(b []byte) { binary.NativeEndian.PutUint32(granule(b, at+1)[4:], uint32(selfBase)+2*n) }, "does not refer to an object"},
			"another slot": {func(b []byte) { binary.NativeEndian.PutUint32(granule(b, at+1)[8:], uint32(selfBase)+1) }, "does not refer to an object"},
			"the padding":  {func(b []byte) { granule(b, at+1)[15] = 1 }, "its padding is not zero"},
		} {
			bad := slices.Clone(image)
			damage.do(bad)
			if err := open(bad); err == nil || !strings.Contains(err.Error(), "the objects do not match their checksum") {
				t.Errorf("%s at granule %d: %v", what, at, err)
			}
			if err := open(resealed(t, bad)); err == nil || !strings.Contains(err.Error(), damage.want) {
				t.Errorf("%s at granule %d, and a checksum that fits: %v; want %s", what, at, err, damage.want)
			}
		}
	}
	// The first object leads to the last one, which leads back. This is an error only for types
	// with a Hash.
	bad := slices.Clone(image)
	binary.NativeEndian.PutUint32(granule(bad, 2*n-1)[8:], uint32(selfBase))
	if err := open(resealed(t, bad)); err == nil || !strings.Contains(err.Error(), "it refers back to itself") {
		t.Errorf("a ring: %v", err)
	}
	must0(t, r.Close())
}

// TestImageLooksOnce checks that Check and, unless the object is settled, CheckDeep are called
// once for each object.
func TestImageLooksOnce(t *testing.T) {
	deep, settled, looked := 0, 0, 0
	make := func(name string, settles bool, hash func(Body) uint32) *Type {
		return must(DefineType(Type{
			Name:  name,
			Slots: func(_ Heap, o Body) (Body, int, int) { return o, 1, 2 },
			Freezing: &Freezing{
				Layout: "word, two slots", Copy: CopySlots, Hash: hash,
				Check: func(k *Check) error {
					if looked++; settles {
						settled++
						k.Settled()
					}
					return CheckSlots(1)(k)
				},
				CheckDeep: func(k *Check) error {
					if settles {
						return fmt.Errorf("it was settled")
					}
					deep++
					return nil
				},
			},
		}))
	}
	one := func(Body) uint32 { return 1 }
	a, b, c, d := make("unsettled", false, nil), make("settled", true, nil), make("unsettled, hashed", false, one), make("settled, hashed", true, one)
	clean(t, Options{}, func(t *testing.T, th *Thread) {
		of := func(y *Type, p, q Ref) Ref {
			r, o, err := th.New(y, 12)
			must0(t, err)
			o.SetRef(1, p)
			o.SetRef(2, q)
			return r
		}
		x := of(c, None, None)
		th.IncRefs([]Ref{x, x})
		root := of(b, of(a, of(d, x, None), of(c, x, x)), of(b, of(c, None, None), of(a, None, None)))
		f, err := th.Freeze(root)
		must0(t, err)
		th.DecRef(root)
		var image bytes.Buffer
		must(f.WriteTo(&image))
		must0(t, th.Unload(f))
		f, err = th.rt.OpenImageAt(&readerAt{image.Bytes()})
		must0(t, err)
		if f.Objects() != 8 || looked != 8 || settled != 3 || deep != 5 {
			t.Errorf("of %d objects %d were looked at, %d settled, %d looked at deep; want 8, 8, 3, 5", f.Objects(), looked, settled, deep)
		}
		must0(t, th.Unload(f))
	})
}

// readerAt is a bytes.Reader with no methods but those of io.ReaderAt.
type readerAt struct{ b []byte }

func (r *readerAt) ReadAt(p []byte, off int64) (int, error) {
	return bytes.NewReader(r.b).ReadAt(p, off)
}
