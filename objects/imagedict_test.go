package objects

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/cespare/xxhash/v2"

	rt "github.com/ichor-go/ichor/runtime"
)

// Offsets in an image of the words that this test writes.
const (
	dictImageHashes  = 64 // of the objects, and of the header before it
	dictImageObjects = 16 << 10
	dictImageSelf    = 0xC0000000 // slots that lead to an object of the image
)

// twoDicts returns a list of two dicts with the same n keys, which are strings. The keys of
// the second dict lie before it, so all of it is checked at once.
func twoDicts(th *rt.Thread, n int) rt.Ref {
	list := must(NewList(th))
	for i := range 2 {
		d := must(NewDict(th))
		for j := range n {
			key := must(NewString(th, fmt.Sprintf("key %d", j)))
			value, _ := rt.Int(int64(1000*i + j))
			if err := d.Set(th, key, value); err != nil {
				panic(err)
			}
			th.DecRef(key)
		}
		if err := list.AppendSteal(th, d); err != nil {
			panic(err)
		}
	}
	return list
}

// soundDicts fails unless all keys of the dicts are distinct, and are found.
func soundDicts(th *rt.Thread, list rt.Ref) error {
	x, ok := List(list).FrozenItems(th)
	if !ok {
		return nil // the root is another object
	}
	for i, d := range x.All() {
		entries, _ := Dict(d).FrozenEntries(th)
		for key, value := range entries.All() {
			if th.TypeOf(value) == nil {
				return fmt.Errorf("dict %d: %v is not an object", i, value)
			}
			if got, ok := Dict(d).Lookup(th, key); !ok || got != value {
				return fmt.Errorf("dict %d: a lookup of %s finds %v, and its entry has %v", i, Format(th, key), got, value)
			}
		}
		absent := must(NewString(th, "absent"))
		_, ok := Dict(d).Lookup(th, absent) // the search ends
		th.DecRef(absent)
		if ok {
			return fmt.Errorf("dict %d reports a key that it does not have", i)
		}
	}
	return nil
}

// TestImageDictForged changes each word of a dict, and swaps any two. The image is refused,
// or its dicts are as sound as any other.
func TestImageDictForged(t *testing.T) {
	sizes := []int{1, 3, linearMax + 1}
	switch {
	case racesOnly():
		sizes = sizes[:2]
	case !testing.Short():
		sizes = append(sizes, linearMax, 20)
	}
	for _, n := range sizes {
		withRuntime(t, rt.Options{AddressSpace: smallSpace}, func(r *rt.Runtime) {
			var image bytes.Buffer
			var at, size int // of the second dict, in bytes
			must0(t, r.Do(func(th *rt.Thread) error {
				root := twoDicts(th, n)
				f := must(th.Freeze(root))
				th.DecRef(root)
				must(f.WriteTo(&image))
				must0(t, soundDicts(th, f.Root()))
				x, _ := List(f.Root()).FrozenItems(th)
				at, size = int(x.At(1).Handle-f.Root().Handle)*16, 16+(4*frozenTableFor(n, 0, false, 0).size()+15)&^15
				return th.Unload(f)
			}))
			refused, opened := 0, 0
			open := func(what string, change func(b []byte)) bool {
				b := bytes.Clone(image.Bytes())
				change(b[dictImageObjects+at:][:size])
				binary.LittleEndian.PutUint64(b[dictImageHashes:], xxhash.Sum64(b[dictImageObjects:]))
				binary.LittleEndian.PutUint64(b[dictImageHashes+8:], xxhash.Sum64(b[:dictImageHashes+8]))
				f, err := r.OpenImageAt(bytes.NewReader(b))
				if err != nil {
					refused++
					return false
				}
				opened++
				must0(t, r.Do(func(th *rt.Thread) error {
					if err := soundDicts(th, f.Root()); err != nil {
						t.Errorf("%d keys, %s: %v", n, what, err)
					}
					return th.Unload(f)
				}))
				return true
			}
			if !open("nothing", func([]byte) {}) {
				t.Fatal("the image is refused as it is")
			}
			others := []uint32{0, 1, 1 << 31, ^uint32(0), uint32(rt.None.Handle), uint32(rt.EmptyString.Handle), uint32(intRef(1).Handle), dictImageSelf + 1<<27}
			for i := range (len(image.Bytes()) - dictImageObjects) / 16 {
				others = append(others, dictImageSelf+uint32(i))
			}
			for w := 0; w < size; w += 4 {
				word := func(b []byte, i int) uint32 { return binary.NativeEndian.Uint32(b[i:]) }
				for _, v := range others {
					open(fmt.Sprintf("word %d is %#x", w/4, v), func(b []byte) { binary.NativeEndian.PutUint32(b[w:], v) })
				}
				for v := 0; v < w; v += 4 {
					open(fmt.Sprintf("words %d and %d are swapped", v/4, w/4), func(b []byte) {
						x, y := word(b, v), word(b, w)
						binary.NativeEndian.PutUint32(b[v:], y)
						binary.NativeEndian.PutUint32(b[w:], x)
					})
					open(fmt.Sprintf("word %d is word %d", v/4, w/4), func(b []byte) { binary.NativeEndian.PutUint32(b[v:], word(b, w)) })
				}
			}
			f := frozenTableFor(n, 0, false, 0)
			entry := func(b []byte, i int) []byte { // with its hash, or the place of a key and its value
				if f.form == 0 {
					return b[16+4*f.few(i):][:4*entryWords]
				}
				return b[16+4*f.at(uint32(b[16+4*f.order+i])):][:4*placeWords]
			}
			for i := range n {
				for j := range n {
					if i != j && open(fmt.Sprintf("entry %d is entry %d", i, j), func(b []byte) { copy(entry(b, i), entry(b, j)) }) {
						t.Errorf("%d keys, two of them the same, %d and %d", n, i, j)
					}
				}
			}
			// Swapped values, and values that lead elsewhere, are good; little else is.
			if refused < opened {
				t.Errorf("%d keys: %d images refused, %d opened", n, refused, opened)
			}
		})
	}
}
