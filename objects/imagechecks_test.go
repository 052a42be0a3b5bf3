package objects

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	rt "github.com/ichor-go/ichor/runtime"
)

// Types that record what the checks of images do with them. looks is the current test's
// record.
var (
	looks      func(k *rt.Check) error
	knotType   = lookType("image knot", func(o rt.Body) uint32 { return max(o.Word(0), 1) })
	holderType = lookType("image holder", nil)
)

// lookType defines a type of objects with two slots after a word.
func lookType(name string, hash func(o rt.Body) uint32) *rt.Type {
	return must(rt.DefineType(rt.Type{
		Name:  name,
		Slots: func(_ rt.Heap, o rt.Body) (rt.Body, int, int) { return o, 1, 2 },
		Freezing: &rt.Freezing{
			Layout: "word, two slots",
			Copy:   rt.CopySlots,
			Hash:   hash,
			Check:  rt.CheckSlots(3),
			CheckDeep: func(k *rt.Check) error {
				if looks == nil {
					return nil
				}
				return looks(k)
			},
		},
	}))
}

// newLook returns a new reference to an object of one of these types. It steals the
// references in the slots.
func newLook(th *rt.Thread, y *rt.Type, word uint32, a, b rt.Ref) rt.Ref {
	r, o, err := th.New(y, 12)
	if err != nil {
		panic(err)
	}
	o.SetWord(0, word)
	o.SetRef(1, a)
	o.SetRef(2, b)
	return r
}

// lookGraph returns a holder of a chain of three knots, the last of which holds a tuple,
// and of a dict with a tuple among its keys.
func lookGraph(th *rt.Thread) rt.Ref {
	key := must(NewTuple(th, rt.None))
	d := must(NewDict(th))
	must0Panic(d.Set(th, key, rt.None))
	c := newLook(th, knotType, 3, key, rt.None)
	th.IncRef(c)
	b := newLook(th, knotType, 2, c, c)
	a := newLook(th, knotType, 1, b, rt.None)
	return newLook(th, holderType, 4, a, d)
}

// TestImageCheckDeep: CheckDeep sees the objects that an object with a Hash refers to
// before that object, and objects of built-in types before all others. Its thread knows all
// types, and each type can keep values.
func TestImageCheckDeep(t *testing.T) {
	image := imageOf(t, lookGraph)
	withRuntime(t, rt.Options{AddressSpace: smallSpace}, func(r *rt.Runtime) {
		defer func() { looks = nil }()
		var seen []uint32
		var kept []any
		looks = func(k *rt.Check) error {
			seen = append(seen, k.Body().Word(0))
			y := map[bool]*rt.Type{true: holderType, false: knotType}[k.Body().Word(0) == 4]
			th, o := k.Reader(), k.Object()
			if _, ok := th.Object(o, y.ID()); !ok || th.TypeOf(o) != y || th.Kind(o) != y.ID() || k.Kind(o) != 0 {
				return fmt.Errorf("it is of type %s", th.TypeOf(o))
			}
			kept = append(kept, k.Kept(func() any { return len(seen) }))
			if y == knotType {
				return nil
			}
			d := Dict(k.Ref(2))
			for key := range d.All(th) {
				if !d.Has(th, key) {
					return errors.New("a dict without its key")
				}
			}
			return nil
		}
		accept(t, r, "a graph", image, func(*rt.Thread, rt.Ref) {})
		if want := []uint32{3, 2, 1, 4}; !slices.Equal(seen, want) {
			t.Errorf("the order is %d, want %d", seen, want)
		}
		if want := []any{1, 1, 1, 4}; !slices.Equal(kept, want) {
			t.Errorf("kept are %d, want %d", kept, want)
		}
		seen = nil
		bad := forge(image)
		for at := 0; at < len(bad.words); at += len(bad.at(forgedSelf + uint32(at/4))) {
			if o := bad.at(forgedSelf + uint32(at/4)); o[3] == uint32(rt.TypeDict) {
				o[forgedHeader+frozenFew+entryHash]++
			}
		}
		refuse(t, r, "a dict with another hash", bytes.NewReader(bad.image()), "does not have the hash of its key")
		if slices.Contains(seen, 4) {
			t.Error("the holder of a dict has been looked at, and the dict is not good")
		}
	})
}

// TestImageKnots: an object with a Hash does not lead back to itself, whatever its type.
// Others may.
func TestImageKnots(t *testing.T) {
	image := imageOf(t, lookGraph)
	withRuntime(t, rt.Options{AddressSpace: smallSpace}, func(r *rt.Runtime) {
		f := forge(image)
		knot := func(n uint32) []uint32 {
			for at := 0; ; at += len(f.at(forgedSelf + uint32(at/4))) {
				if o := f.at(forgedSelf + uint32(at/4)); o[3]&0xffff == forgedLocal && o[4] == n {
					return o
				}
			}
		}
		first, last := knot(1), knot(3)
		good := last[6]
		last[6] = forgedSelf + first[1]
		refuse(t, r, "a ring of knots", bytes.NewReader(f.image()), "it refers back to itself")
		last[6] = forgedSelf + knot(4)[1]
		accept(t, r, "a ring by a holder", f.image(), func(*rt.Thread, rt.Ref) {})
		last[6] = good
		accept(t, r, "no ring", f.image(), func(*rt.Thread, rt.Ref) {})
	})
}

// TestImageCheckPanics: a panic of a user's check reaches the caller, and nothing is left
// behind. The same holds if the check reads another object: that is not the image's fault.
func TestImageCheckPanics(t *testing.T) {
	image := imageOf(t, lookGraph)
	withRuntime(t, rt.Options{AddressSpace: smallSpace}, func(r *rt.Runtime) {
		defer func() { looks = nil }()
		gone := must(r.OpenImageAt(bytes.NewReader(image)))
		sealed, at := gone.Sealed(), gone.Root()
		must0(t, r.Unload(gone))
		panics := func(with string) {
			t.Helper()
			defer func() {
				t.Helper()
				if p := recover(); p == nil || !strings.Contains(fmt.Sprint(p), with) {
					t.Errorf("the panic is %v, want one with %s", p, with)
				}
				if m := r.Memory(); m.FrozenGraphs+m.Frozen+m.FrozenBytes != 0 || m.Committed != 0 {
					t.Errorf("left: %+v", m)
				}
			}()
			_, err := r.OpenImageAt(bytes.NewReader(image))
			t.Errorf("no panic, but %v", err)
		}
		looks = func(*rt.Check) error { panic("a fault of mine") }
		panics("a fault of mine")
		looks = func(k *rt.Check) error {
			if k.Body() == k.Reader().Body(at) {
				return errors.New("the image is mapped where the other one was")
			}
			return fmt.Errorf("there is still %d", k.Reader().Body(at).Word(0))
		}
		if sealed {
			panics("invalid memory address")
		}
	})
}

// TestImageCutWhileChecked: cutting a file while it is checked causes an error, and no
// crash.
func TestImageCutWhileChecked(t *testing.T) {
	file := filepath.Join(t.TempDir(), "image")
	large := func(th *rt.Thread) rt.Ref { // so that it is mapped, and not read
		return must(NewListSteal(th, lookGraph(th), must(NewBytes(th, make([]byte, 100_000)))))
	}
	must0(t, os.WriteFile(file, imageOf(t, large), 0o600))
	withRuntime(t, rt.Options{AddressSpace: smallSpace}, func(r *rt.Runtime) {
		defer func() { looks = nil }()
		again := must(r.OpenImage(file))
		mapped := again.Mapped()
		must0(t, r.Unload(again))
		if !mapped {
			t.Skip("files are read here, not mapped")
		}
		looks = func(k *rt.Check) error {
			must0(t, os.Truncate(file, imageData))
			return fmt.Errorf("there is still %d", k.Body().Word(0))
		}
		if _, err := r.OpenImage(file); err == nil || !strings.Contains(err.Error(), "can no longer be read") {
			t.Errorf("error %v", err)
		}
		if m := r.Memory(); m.FrozenGraphs+m.MappedBytes != 0 {
			t.Errorf("left: %+v", m)
		}
	})
}

// TestImageEnd: the end of an image is checked like its beginning.
func TestImageEnd(t *testing.T) {
	oneGoroutine(t)
	hostile(t, func(r *rt.Runtime, empty func() *forgery) {
		made := func() *forgery {
			m := empty()
			m.root = m.list()
			for i := range 40_000 { // more than the blocks in which the image is hashed
				m.int(bigBase + int64(i))
			}
			m.list(m.next() - 2)
			return m
		}
		good := made().image()
		accept(t, r, "a long image", good, func(*rt.Thread, rt.Ref) {})
		for what, c := range map[string]struct {
			want   string
			change func(w []uint32) // from the last int on
		}{
			"header":    {"not an object header", func(w []uint32) { w[1]++ }},
			"size":      {"not an object header", func(w []uint32) { w[8+2]++ }},
			"type":      {"unknown type", func(w []uint32) { w[3] = 61 }},
			"leaf":      {"its value fits in a reference", func(w []uint32) { w[4], w[5] = 0, 0 }},
			"reference": {"does not refer to an object", func(w []uint32) { w[8+5] = forgedSelf + 1 }},
		} {
			m := made()
			c.change(m.words[len(m.words)-16:])
			refuse(t, r, what, bytes.NewReader(m.image()), c.want)
		}
		for _, at := range []int{imageData, imageData + 300<<10, len(good) - 1 - typeBytesOf(good)} {
			bad := bytes.Clone(good)
			bad[at]++
			refuse(t, r, fmt.Sprintf("byte %d", at), bytes.NewReader(bad), "the objects do not match their checksum")
		}
		m := made()
		m.objects--
		refuse(t, r, "one less", bytes.NewReader(m.image()), "40002 objects, the header says 40001")
		m = made()
		m.words = m.words[:len(m.words)-4]
		refuse(t, r, "cut", bytes.NewReader(m.image()), "not an object header")
		image := m.image()
		binary.LittleEndian.PutUint64(image[24:], 8)
		copy(image[72:], sumOf(image[:72]))
		refuse(t, r, "half a granule", bytes.NewReader(image), "want a multiple of 16")
	})
}
