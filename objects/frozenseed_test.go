package objects

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"

	rt "github.com/ichor-go/ichor/runtime"
)

// hostileDict makes a dict of keys whose hashes collide in a frozen table, except those of
// the last ones.
func hostileDict(th *rt.Thread, collide, others int) Dict {
	d := must(NewDict(th))
	for i := range collide + others {
		k, _ := nearHashKey(th, i)
		if i >= collide {
			th.DecRef(k)
			k = smallInt(i)
		}
		ok(d.Set(th, k, smallInt(i)))
		th.DecRef(k)
	}
	return d
}

// TestFrozenHostileKeys: a frozen dict of colliding keys is KEYED and has short runs, and
// its bytes depend only on its contents.
func TestFrozenHostileKeys(t *testing.T) {
	many := 3000
	if racesOnly() {
		many = 300
	}
	for _, n := range []int{100, runMax + 1, many} {
		var images [][]byte
		for _, o := range []rt.Options{{Mode: rt.GIL}, {Mode: rt.LockFree}} {
			withRuntime(t, o, func(r *rt.Runtime) {
				must0(t, r.Do(func(th *rt.Thread) error {
					d := hostileDict(th, n, 50)
					f := must(th.Freeze(d))
					th.DecRef(d)
					form := frozenTableIn(th.Body(f.Root()))
					if !form.keyed() {
						t.Errorf("%d keys that collide: not keyed", n)
					}
					again := must(th.Freeze(f.Root())) // a copy of the frozen one
					var image, second bytes.Buffer
					must(f.WriteTo(&image))
					must(again.WriteTo(&second))
					if !bytes.Equal(image.Bytes(), second.Bytes()) {
						t.Error("frozen again it is another image")
					}
					images = append(images, image.Bytes())
					opened := must(r.OpenImageAt(bytes.NewReader(image.Bytes())))
					back := must(NewDict(th))
					must0(t, back.Update(th, Dict(opened.Root())))
					for _, x := range []Dict{Dict(f.Root()), Dict(opened.Root()), back} {
						if x.Len(th) != n+50 {
							t.Errorf("%d entries", x.Len(th))
						}
						for i := range n + 60 {
							k, _ := nearHashKey(th, i)
							if i >= n {
								th.DecRef(k)
								k = smallInt(i)
							}
							if v, found := x.Lookup(th, k); found != (i < n+50) || found && v != smallInt(i) {
								t.Fatalf("key %d of %d: %v, %s", i, n, found, Format(th, v))
							}
							th.DecRef(k)
						}
					}
					th.DecRef(back)
					must0(t, th.Unload(f))
					must0(t, th.Unload(again))
					return th.Unload(opened)
				}))
			})
		}
		if !bytes.Equal(images[0], images[1]) {
			t.Errorf("%d keys: two runtimes, two images", n)
		}
	}
}

// TestFrozenSeed: the seed is the beginning of SHA-256 over the number of keys and the hash of each
// without a seed.
func TestFrozenSeed(t *testing.T) {
	clean(t, rt.Options{}, func(th *rt.Thread) {
		keys := []rt.Ref{intRef(1), rt.True, intRef(-5)}
		s, text := newFrozenSeed(th, len(keys)), binary.LittleEndian.AppendUint64(nil, uint64(len(keys)))
		for _, k := range keys {
			s.add(k)
			text = binary.LittleEndian.AppendUint64(text, seeded{t: th}.hash(k))
		}
		sum := sha256.Sum256(text)
		if got := s.sum(); got.k0 != binary.LittleEndian.Uint64(sum[:]) || got.k1 != binary.LittleEndian.Uint64(sum[8:]) {
			t.Errorf("seed %#x, %#x, want the beginning of %x", got.k0, got.k1, sum)
		}
	})
}

// TestFreezeGivesUp: if there is no table with a seed either, freezing fails.
func TestFreezeGivesUp(t *testing.T) {
	defer func(n int) { bucketMost = n }(bucketMost)
	clean(t, rt.Options{}, func(th *rt.Thread) {
		d := hostileDict(th, 0, 1000)
		bucketMost = 1
		if _, err := th.Freeze(d); !errors.Is(err, errCollide) {
			t.Errorf("frozen with the error %v", err)
		}
		th.DecRef(d)
	})
}

// TestFrozenHostileImages: an image is refused if its dict has a long run, or a seed that
// its keys do not give.
func TestFrozenHostileImages(t *testing.T) {
	withRuntime(t, rt.Options{}, func(r *rt.Runtime) {
		must0(t, r.Do(func(th *rt.Thread) error {
			d := hostileDict(th, 400, 0)
			f := must(th.Freeze(d))
			th.DecRef(d)
			var image bytes.Buffer
			must(f.WriteTo(&image))
			const at = dictImageObjects
			must0(t, th.Unload(f))
			const otherSeed = "its seed does not follow from its keys"
			for _, c := range []struct {
				what   string
				change func(x keyedTable, k0, k1 uint64)
			}{
				{otherSeed, func(x keyedTable, _, _ uint64) { x.reseed(th, 12345, 0) }},
				{otherSeed, func(x keyedTable, _, k1 uint64) { x.reseed(th, 12345, k1) }},
				{otherSeed, func(x keyedTable, k0, _ uint64) { x.reseed(th, k0, 12345) }},
				{"an index of form", func(x keyedTable, _, _ uint64) { x.b[4] |= 4 }},
				{"is not at the place of its hash", func(x keyedTable, _, _ uint64) {
					for i := x.table().pilots; i < x.table().order; i++ {
						x.setWord(i, ^x.word(i))
					}
				}},
			} {
				what := c.what
				b := bytes.Clone(image.Bytes())
				x := keyedTable{b[at+16:]}
				c.change(x, x.seed(0), x.seed(2))
				binary.LittleEndian.PutUint64(b[dictImageHashes:], xxhash.Sum64(b[dictImageObjects:]))
				binary.LittleEndian.PutUint64(b[dictImageHashes+8:], xxhash.Sum64(b[:dictImageHashes+8]))
				_, err := r.OpenImageAt(bytes.NewReader(b))
				if err == nil || !strings.Contains(err.Error(), what) {
					t.Errorf("got %v, want %s", err, what)
				}
			}
			return nil
		}))
	})
}

// keyedTable is the body of a table in an image. The table is KEYED, and its keys are ints.
type keyedTable struct{ b []byte }

func (x keyedTable) word(i int) uint32       { return binary.LittleEndian.Uint32(x.b[4*i:]) }
func (x keyedTable) setWord(i int, v uint32) { binary.LittleEndian.PutUint32(x.b[4*i:], v) }

func (x keyedTable) seed(i int) uint64 {
	return uint64(x.word(frozenSeedAt+i)) | uint64(x.word(frozenSeedAt+i+1))<<32
}

// reseed makes the table what it would be with another seed.
func (x keyedTable) reseed(th *rt.Thread, k0, k1 uint64) {
	w := &placing{frozenTable: x.table()}
	var pairs [][2]uint32
	for i := range w.n {
		k, _ := nearHashKey(th, i)
		w.hashes = append(w.hashes, fold(seeded{t: th, k0: k0, k1: k1}.hash(k)))
		th.DecRef(k)
		at := w.at(x.narrow(w.order, i, w.wide()))
		pairs = append(pairs, [2]uint32{x.word(at), x.word(at + 1)})
	}
	was := w.size()
	if !w.arrange(true) || w.size() != was || len(w.twins) != 0 {
		panic("another seed, another size")
	}
	body := make([]uint32, was)
	w.write(body)
	for i, k := range []uint64{k0, k1} {
		body[frozenSeedAt+2*i], body[frozenSeedAt+2*i+1] = uint32(k), uint32(k>>32)
	}
	for i, pair := range pairs {
		copy(body[w.at(w.placed[i]):], pair[:])
	}
	for i, v := range body {
		x.setWord(i, v)
	}
}

// table returns the layout of a table that has not grown and has no twins.
func (x keyedTable) table() frozenTable {
	return frozenTableFor(int(x.word(frozenLength)), 0, true, 0)
}

func (x keyedTable) narrow(first, i int, wide uint32) uint32 {
	return x.word(first+i<<wide/4) >> (i << wide % 4 * 8) & (^uint32(0) >> (32 - 8<<wide))
}
