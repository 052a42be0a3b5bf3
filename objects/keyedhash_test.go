package objects

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"testing"

	"github.com/dchest/siphash"

	rt "github.com/ichor-go/ichor/runtime"
)

// plainHash is the seeded hash of a key, straight from its definition.
func plainHash(th *rt.Thread, k0, k1 uint64, key rt.Ref) uint64 {
	le := binary.LittleEndian
	kind := th.Kind(key)
	var b []byte
	switch kind {
	case rt.TypeInt:
		v, _ := Int(key).Value(th)
		b = le.AppendUint64(nil, uint64(v))
	case rt.TypeFloat:
		v, _ := Float(key).Value(th)
		if v == 0 {
			v = 0
		}
		b = le.AppendUint64(nil, math.Float64bits(v))
	case rt.TypeString:
		s, _ := String(key).View(th)
		b = []byte(s)
	case rt.TypeBytes:
		b, _ = Bytes(key).View(th)
	case rt.TypeNumber:
		s, _ := Number(key).View(th)
		b = []byte(s)
	default:
		b = le.AppendUint64(nil, uint64(key.Handle))
		if kind == rt.TypeTuple && key != rt.EmptyTuple {
			b = nil
			for _, x := range Tuple(key).Items(th) {
				b = le.AppendUint64(b, plainHash(th, k0, k1, x))
			}
		}
	}
	return siphash.Hash(k0, k1^uint64(kind), b)
}

// TestSeededHash: images store seeded hashes, so the function is fixed. It gives the same
// for frozen keys, and whether or not it remembers parts of other keys.
func TestSeededHash(t *testing.T) {
	clean(t, rt.Options{}, func(th *rt.Thread) {
		const k0, k1 = 0x0123456789abcdef, 0xfedcba9876543210
		var keys []rt.Ref
		for n := range 240 {
			k, _ := anyKey(th, n)
			keys = append(keys, k)
		}
		a := must(NewTuple(th, smallInt(1), keys[2], keys[3]))
		b := must(NewTuple(th, a, rt.EmptyTuple, a, keys[5]))
		c := must(NewTuple(th, b, a, must(NewTuple(th, a, b)), smallInt(2))) // the new one is the only reference
		x, _ := c.At(th, 2)
		th.DecRef(x)
		keys = append(keys, a, b, c, twins(th, 8))
		seen := map[uint64]rt.Ref{}
		once, known := seeded{t: th, k0: k0, k1: k1}, seeded{t: th, k0: k0, k1: k1}.remembering()
		for _, key := range keys {
			want := plainHash(th, k0, k1, key)
			if once.hash(key) != want || known.hash(key) != want || known.hash(key) != want {
				t.Errorf("%s has hash %#x, and %#x when parts are known, want %#x", Format(th, key), once.hash(key), known.hash(key), want)
			}
			if other, found := seen[want]; found && !sameKey(th, key, other) {
				t.Errorf("%s has the hash of %s", Format(th, key), Format(th, other))
			}
			seen[want] = key
			k0, k1 := core.HashSeed(th.Runtime())
			if keyedHash(th, key) != fold(plainHash(th, k0, k1, key)) {
				t.Errorf("%s does not have its hash in the runtime", Format(th, key))
			}
			f := must(th.Freeze(key))
			if got := known.hash(f.Root()); got != want {
				t.Errorf("%s has hash %#x when frozen, want %#x", Format(th, key), got, want)
			}
			clear(known.known) // references in the map may come to name other objects
			must0(t, th.Unload(f))
		}
		if once.known != nil || known.known == nil {
			t.Error("it remembers, or does not")
		}
		known.hash(c)
		if len(known.known) != 4 {
			t.Errorf("%d tuples are known, want 4", len(known.known))
		}

		for _, n := range []int{0, 1, len(keys)} {
			sum, all := newFrozenSeed(th, n), binary.LittleEndian.AppendUint64(nil, uint64(n))
			if sum.plain.known == nil {
				t.Error("it does not remember")
			}
			for _, key := range keys[:n] {
				sum.add(key)
				all = binary.LittleEndian.AppendUint64(all, plainHash(th, 0, 0, key))
			}
			want, got := sha256.Sum256(all), sum.sum()
			if got.k0 != binary.LittleEndian.Uint64(want[:]) || got.k1 != binary.LittleEndian.Uint64(want[8:]) || got.t != th {
				t.Errorf("%d keys: the seed is %#x, %#x", n, got.k0, got.k1)
			}
		}
		th.DecRefs(keys)
	})
}

// TestKeyedSharedParts: parts that many keys share are hashed once for all of them, when a
// graph is frozen and when an image is opened.
func TestKeyedSharedParts(t *testing.T) {
	const n, depth = 600, 300
	withRuntime(t, rt.Options{AddressSpace: smallSpace}, func(r *rt.Runtime) {
		var image bytes.Buffer
		must0(t, r.Do(func(th *rt.Thread) error {
			part := must(NewTuple(th, rt.None))
			for range depth {
				x := must(NewTuple(th, part))
				th.DecRef(part)
				part = x
			}
			d := must(NewDict(th))
			for _, v := range colliding(n) {
				k := must(NewInt(th, v))
				key := must(NewTuple(th, part, k))
				ok(d.Set(th, key, rt.None))
				th.DecRefs([]rt.Ref{k, key})
			}
			before := goAllocated()
			f := must(th.Freeze(d))
			if took := goAllocated() - before; took > 1<<20 {
				t.Errorf("%d bytes of memory to freeze it", took)
			}
			if !frozenTableIn(th.Body(f.Root())).keyed() {
				t.Error("it is not keyed")
			}
			must(f.WriteTo(&image))
			th.DecRefs([]rt.Ref{d, part})
			return th.Unload(f)
		}))
		before := goAllocated()
		f := must(r.OpenImageAt(bytes.NewReader(image.Bytes())))
		if took := goAllocated() - before; took > 1<<20 {
			t.Errorf("%d bytes of memory to open it", took)
		}
		must0(t, r.Unload(f))
	})
}
