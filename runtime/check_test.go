package runtime

import (
	"bytes"
	"errors"
	"testing"

	"github.com/ichor-go/ichor/internal/arena"
)

// TestIsSingleton: which references are singletons.
func TestIsSingleton(t *testing.T) {
	for r, want := range map[Ref]bool{
		None: true, True: true, EmptyTuple: true, None + 1: false, None - 2: false, endSingletons: false, endSingletons - 1: false, Nil: false, ^Ref(0): false,
	} {
		if isSingleton(r) != want {
			t.Errorf("%s is a singleton: %t", r, !want)
		}
	}
}

// TestCheckSlotsLimits: where a type says that its slots are, they must be.
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
		th.header(x).BirthFrozen(uint32(TypeTuple), uint32(x), 4)
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
			{13, 0, 12, false, 48, "a body of 48 bytes, want 52 at least"},
			{1, -1, 12, false, 48, "12 slots from word -1 on in a body of 48 bytes"},
			{1, -1, 13, false, 48, "13 slots from word -1 on in a body of 48 bytes"},
			{1, 13, 0, false, 48, "0 slots from word 13 on in a body of 48 bytes"},
			{1, 0, 13, false, 48, "13 slots from word 0 on in a body of 48 bytes"},
			{1, 13, -1, false, 48, "-1 slots from word 13 on in a body of 48 bytes"},
			{1, 12, -1, false, 48, "-1 slots from word 12 on in a body of 48 bytes"},
			{1, 1, 11, true, 48, "11 slots from word 1 on in a body of 48 bytes"},
			{1, 2, 11, false, 48, "a body of 52 bytes in the place of 48"},
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

// TestCheckExactly: a body is as long as it is to be, and zero behind, to the last byte.
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
		for _, n := range []int{-1, 16, 33, maxBody + 1} {
			if k.Exactly(n) == nil {
				t.Errorf("%d bytes in the place of 32", n)
			}
		}
		th.DecRef(x)
	})
}

// TestImageOfFive has an image of a type of five bytes, with something behind them.
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
			b[imageData+arena.GranuleSize+i] = 'x'
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
