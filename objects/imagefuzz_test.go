package objects

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"testing"
	"time"

	rt "github.com/ichor-go/ichor/runtime"
)

// Bounds for opening one image of a few KiB.
const (
	hashedTime   = 10 * time.Second // thousands of times the usual
	hashedMemory = 1 << 20          // all allocations in Go memory
)

// change makes the change that four bytes encode: the kind of change, the place, and the
// value.
func (m *forgery) change(op byte, where uint16, what byte) {
	var objects []int // their first words
	for at := 0; at+forgedHeader <= len(m.words); {
		objects = append(objects, at)
		o := m.at(forgedSelf + uint32(at/4))
		if o == nil {
			break
		}
		at += len(o)
	}
	if len(objects) == 0 {
		m.root = forgedNone
		m.text("x")
		return
	}
	at := objects[int(where)%len(objects)]
	o := m.words[at:]
	if x := m.at(forgedSelf + uint32(at/4)); x != nil {
		o = x
	}
	slot := func(i int) uint32 { return forgedSelf + uint32(objects[i%len(objects)]/4) }
	word := &o[int(where>>5)%len(o)] // of that object, its header included
	body := &o[min(forgedHeader+int(where>>5)%len(o), len(o)-1)]
	some := []uint32{
		0, 1, 2, 255, 1 << 16, 1 << 30, 1 << 31, ^uint32(0), forgedNone, uint32(rt.True.Handle), uint32(rt.EmptyString.Handle), uint32(rt.EmptyTuple.Handle),
		uint32(smallInt(0).Handle), uint32(smallInt(-1).Handle), forgedSelf, m.next(), m.next() - 1, uint32(len(o)), uint32(len(o)) - forgedHeader, 1<<28 - 1,
	}
	switch op % 16 {
	case 0, 1: // lead to another object, as hostile graphs do
		*body = slot(int(what))
	case 2:
		*word = some[int(what)%len(some)]
	case 3:
		*body = some[int(what)%len(some)]
	case 4:
		*word += uint32(int8(what))
	case 5:
		*word ^= 1 << (what % 32)
	case 6: // like another object, as far as there is room
		if x := m.at(slot(int(what))); len(x) > forgedHeader && len(o) > forgedHeader {
			copy(o[forgedHeader:], x[forgedHeader:])
		}
	case 7: // of another type
		o[3] = uint32(what % 64)
		if what >= 128 {
			o[3] = forgedLocal | uint32(what%4)<<16
		}
	case 8: // the same again
		if len(m.words) < 1<<12 {
			m.words = append(m.words, o...)
			m.words[len(m.words)-len(o)+1] = uint32(len(m.words)-len(o)) / 4
			m.objects++
		}
	case 9: // a tuple of two others
		if len(m.words) < 1<<12 {
			m.tuple(slot(int(where>>5)), slot(int(what)))
		}
	case 10: // a dict of others
		if len(m.words) < 1<<12 {
			var keys []uint32
			for i := range int(what) % 20 {
				keys = append(keys, slot(int(where>>5)+i))
			}
			m.dict(keys...)
		}
	case 11: // the root is another one
		m.root = slot(int(what))
		if what == 255 {
			m.root = some[int(where)%len(some)]
		}
	case 12: // cut
		m.words = m.words[:at]
		m.objects = int(where) % len(objects)
	case 13: // what the header says
		switch what % 3 {
		case 0:
			m.objects += int(int8(where))
		case 1:
			m.types += int(int8(where))
		case 2:
			m.types = int(where)
		}
	case 14:
		if n := len(m.table); n > 0 {
			m.table[int(where)%n] = what
		}
	case 15:
		if n := len(m.table); what < 128 {
			m.table = m.table[:n-min(n, int(where)%8)]
		} else {
			m.table = append(m.table, m.table[:min(n, int(where)%128)]...)
		}
	}
}

// mend repairs what a change has broken and what only a careful attacker would repair:
// hashes of texts, tuples and entries, in the order of the objects, and indexes.
func (m *forgery) mend() {
	for at := 0; at+forgedHeader <= len(m.words); {
		o := m.at(forgedSelf + uint32(at/4))
		if o == nil {
			return
		}
		b := o[forgedHeader:]
		switch {
		case len(b) == 0:
		case o[3] == uint32(rt.TypeString) && b[textLen] <= uint32(4*(len(b)-textBytes)):
			var text []byte
			for _, w := range b[textBytes:] {
				text = binary.NativeEndian.AppendUint32(text, w)
			}
			b[textHash] = fold(hashText(text[:b[textLen]]))
		case o[3] == uint32(rt.TypeTuple) && b[tupleLen] <= uint32(len(b)-tupleSlots):
			h := uint32(tupleMark)
			for _, x := range b[tupleSlots:][:b[tupleLen]] {
				if y, ok := m.hash(x); ok && h != 0 {
					h = addHash(h, y)
				} else {
					h = 0
				}
			}
			b[tupleHash] = h
		case o[3] == uint32(rt.TypeDict) && b[frozenLength] < 1<<10:
			m.replace(at / 4)
		}
		at += len(o)
	}
}

// hashedGraphs are the first inputs of FuzzImageHashed.
var hashedGraphs = sync.OnceValue(func() (list [][]byte) {
	t := panicking{}
	for _, name := range []string{"kinds", "document", "cycle", "wide", "bytes"} {
		list = append(list, imageOf(t, someGraphs[name]))
	}
	m := forge(list[0]).empty()
	var keys []uint32
	for _, v := range colliding(40) {
		keys = append(keys, m.int(v))
	}
	m.root = m.list(m.dict(keys...), m.dict(keys[:5]...), sharedTuples(m, 40), m.dict(sharedTuples(m, 3), m.text("x")))
	return append(list, m.image())
})

// panicking is a testing.TB for failures outside of a test.
type panicking struct{ testing.TB }

func (panicking) Helper()                   {}
func (panicking) Logf(f string, a ...any)   { fmt.Fprintf(os.Stderr, f+"\n", a...) }
func (panicking) Fatalf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }

// hashed is the state that the forgeries of a run share.
type hashed struct {
	r              *rt.Runtime
	refused, taken int
}

func newHashed() *hashed {
	return &hashed{r: must(rt.New(rt.Options{AddressSpace: smallSpace}))}
}

// try makes changes to an image, of four bytes each, and opens the result. If that is not
// refused, it visits everything. Both take bounded time and memory, and leave nothing
// behind.
func (h *hashed) try(t testing.TB, steps []byte) {
	if len(steps) == 0 {
		return
	}
	m := forge(hashedGraphs()[int(steps[0]>>1)%len(hashedGraphs())])
	mend := steps[0]&1 != 0
	for steps = steps[1:min(len(steps), 1+4*64)]; len(steps) >= 4; steps = steps[4:] {
		m.change(steps[0], binary.LittleEndian.Uint16(steps[1:]), steps[3])
	}
	for range 2 {
		if mend {
			m.mend()
		}
	}
	image := m.image()
	late := time.AfterFunc(hashedTime, func() {
		debug.SetTraceback("all")
		panic(fmt.Sprintf("an image of %d bytes keeps OpenImageAt for %v", len(image), hashedTime))
	})
	defer late.Stop()
	before := h.r.Memory()
	f, took, err := h.open(image)
	for again := 0; took > hashedMemory+16*uint64(len(image)); again++ { // others allocate as well
		if again == 5 {
			t.Fatalf("an image of %d bytes takes %d bytes of memory", len(image), took)
		}
		if f != nil {
			must0(t, h.r.Unload(f))
		}
		f, took, err = h.open(image)
	}
	if err != nil {
		h.refused++
		var e *rt.ImageError
		if !errors.As(err, &e) || len(err.Error()) > 1000 || bytes.Contains([]byte(err.Error()), []byte("any more")) {
			t.Fatalf("the error is %.1000v", err)
		}
	} else {
		h.taken++
		must0(t, h.r.Do(func(th *rt.Thread) error {
			wander(th, f.Root(), map[rt.Ref]bool{})
			_ = ToJSON(th, &fewBytes{1 << 16}, f.Root())
			again := must(th.Freeze(f.Root()))
			return errors.Join(th.Unload(again), th.Unload(f))
		}))
	}
	if after := h.r.Memory(); after.FrozenGraphs != 0 || after.Frozen != 0 || after.Committed != before.Committed {
		t.Fatalf("memory before: %+v\nafter: %+v", before, after)
	}
}

// open opens an image, and measures the Go memory that this takes.
func (h *hashed) open(image []byte) (f *rt.Frozen, took uint64, err error) {
	before := goAllocated()
	f, err = h.r.OpenImageAt(bytes.NewReader(image))
	return f, goAllocated() - before, err
}

var allocs = []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}

// goAllocated returns the number of bytes that were allocated in Go memory so far. One
// goroutine at a time.
func goAllocated() uint64 {
	metrics.Read(allocs)
	return allocs[0].Value.Uint64()
}

// FuzzImageHashed changes the structure of images, with matching checksums, so that
// everything is left to the checks after them.
func FuzzImageHashed(f *testing.F) {
	for i := range len(hashedGraphs()) * 2 {
		f.Add([]byte{byte(i)})
		for op := range byte(16) {
			f.Add([]byte{byte(i), op, 7, 1, 3, op, 40, 0, 200})
		}
	}
	h := newHashed()
	f.Fuzz(func(t *testing.T, steps []byte) { h.try(t, steps) })
}

// TestImageHashed does what FuzzImageHashed does, some thousand times, with fixed inputs.
func TestImageHashed(t *testing.T) {
	random := rand.New(rand.NewPCG(15, 1))
	h := newHashed()
	for range scaled(5000) {
		steps := []byte{byte(random.Uint32())}
		for range random.IntN(6) {
			steps = binary.LittleEndian.AppendUint32(steps, random.Uint32())
		}
		h.try(t, steps)
	}
	t.Logf("%d refused, %d opened", h.refused, h.taken)
	if h.refused < h.taken/10 || h.taken < h.refused/10 {
		t.Errorf("%d refused, %d opened", h.refused, h.taken)
	}
	must0(t, h.r.Close())
}
