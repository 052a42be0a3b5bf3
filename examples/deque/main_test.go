package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/ichor-go/ichor/objects"
	"github.com/ichor-go/ichor/proptest"
	rt "github.com/ichor-go/ichor/runtime"
)

func TestRun(t *testing.T) {
	for _, opts := range []rt.Options{{Mode: rt.GIL}, {Mode: rt.LockFree}, {Counting: rt.Biased}, {Checked: true}} {
		var out strings.Builder
		if err := run(&out, opts); err != nil {
			t.Errorf("%s: %v", opts, err)
		}
		if !strings.HasPrefix(out.String(), "1000 items, frozen: ") || !strings.Contains(out.String(), "\n1000 items in the image, from \"249\" to \"249\"\n") {
			t.Errorf("%s: got %q", opts, out.String())
		}
	}
}

// TestNoRoom has memory run out wherever it can. Nothing leaks.
func TestNoRoom(t *testing.T) {
	for limit := int64(64 << 10); ; limit += 64 << 10 {
		err := run(io.Discard, rt.Options{MemoryLimit: limit})
		if err == nil {
			return
		}
		if !errors.Is(err, rt.ErrMemoryLimit) || strings.Contains(err.Error(), "leaked") {
			t.Fatalf("with %d bytes: got %v, want %v", limit, err, rt.ErrMemoryLimit)
		}
	}
}

// TestDeque has random programs run on deques and on Go slices.
func TestDeque(t *testing.T) {
	proptest.Conformance(t, proptest.Config{}, proptest.Subject[[]int]{
		New:     func(t *rt.Thread) (rt.Ref, error) { return NewDeque(t) },
		Freezes: true,
		Ops: []proptest.Op[[]int]{
			{Name: "push front", Do: pushed(Deque.PushFront), Writes: true, Linearizable: true,
				Model: func(m []int, n int) ([]int, any) { return slices.Insert(slices.Clone(m), 0, n), nil }},
			{Name: "push back", Do: pushed(Deque.PushBack), Writes: true, Linearizable: true,
				Model: func(m []int, n int) ([]int, any) { return append(slices.Clone(m), n), nil }},
			{Name: "pop front", Do: popped(Deque.PopFront), Writes: true, Linearizable: true,
				Model: func(m []int, _ int) ([]int, any) {
					if len(m) == 0 {
						return m, none
					}
					return m[1:], m[0]
				}},
			{Name: "pop back", Do: popped(Deque.PopBack), Writes: true, Linearizable: true,
				Model: func(m []int, _ int) ([]int, any) {
					if len(m) == 0 {
						return m, none
					}
					return m[:len(m)-1], m[len(m)-1]
				}},
			{Name: "at", Linearizable: true,
				Do: func(t *rt.Thread, r rt.Ref, n int) (any, error) {
					v, ok := Deque(r).At(t, n)
					if !ok {
						return none, nil
					}
					return number(t, v), nil
				},
				Model: func(m []int, n int) ([]int, any) {
					if n >= len(m) {
						return m, none
					}
					return m, m[n]
				}},
			{Name: "len", Linearizable: true,
				Do:    func(t *rt.Thread, r rt.Ref, _ int) (any, error) { return Deque(r).Len(t), nil },
				Model: func(m []int, _ int) ([]int, any) { return m, len(m) }},
		},
	})
}

// none stands for a missing item.
const none = -1

// boxed is beyond the small integers, so that items are counted.
const boxed = 1 << 40

// number returns the number that r stands for. r is borrowed.
func number(t *rt.Thread, r rt.Ref) int {
	n, _ := objects.Int(r).Value(t)
	return int(n - boxed)
}

func pushed(push func(d Deque, t *rt.Thread, r rt.Ref) error) func(*rt.Thread, rt.Ref, int) (any, error) {
	return func(t *rt.Thread, d rt.Ref, n int) (any, error) {
		v, err := objects.NewInt(t, boxed+int64(n))
		if err != nil {
			return nil, err
		}
		defer t.DecRef(v)
		return nil, push(d, t, v)
	}
}

func popped(pop func(d Deque, t *rt.Thread) (rt.Ref, error)) func(*rt.Thread, rt.Ref, int) (any, error) {
	return func(t *rt.Thread, d rt.Ref, _ int) (any, error) {
		v, err := pop(d, t)
		if err != nil {
			if errors.Is(err, ErrEmpty) {
				err = nil
			}
			return none, err
		}
		defer t.DecRef(v)
		return number(t, v), nil
	}
}

// inside calls f with a deque of the ints from 0 to n-1.
func inside(t *testing.T, n int, f func(th *rt.Thread, d Deque)) {
	t.Helper()
	r, err := rt.New(rt.Options{Checked: true})
	if err != nil {
		t.Fatal(err)
	}
	err = r.Do(func(th *rt.Thread) error {
		d, err := NewDeque(th)
		if err != nil {
			return err
		}
		defer th.DecRef(d)
		for i := range n {
			err = errors.Join(err, d.PushBack(th, small(i)))
		}
		if err == nil {
			f(th, d)
		}
		return err
	})
	if err = errors.Join(err, r.Close()); err != nil {
		t.Error(err)
	}
}

func small(i int) rt.Ref {
	r, _ := rt.Int(int64(i))
	return r
}

// TestGrowth pops and pushes so that the items wrap around the block's end, and then makes
// the deque grow.
func TestGrowth(t *testing.T) {
	inside(t, leastRoom, func(th *rt.Thread, d Deque) {
		for range 3 {
			r, err := d.PopFront(th)
			if err = errors.Join(err, d.PushBack(th, r)); err != nil {
				t.Fatal(err)
			}
		}
		v := look(th, th.Body(d))
		if v.n != v.room || v.head != 3 {
			t.Fatalf("%d items from slot %d on in %d slots", v.n, v.head, v.room)
		}
		if err := d.PushFront(th, small(9)); err != nil {
			t.Fatal(err)
		}
		for i, want := range []int{9, 3, 4, 0, 1, 2} {
			if r, ok := d.At(th, i); !ok || r != small(want) {
				t.Errorf("item %d is %v, %t, want %d", i, r, ok, want)
			}
		}
		if now := look(th, th.Body(d)); now.room < 2*v.room {
			t.Errorf("room for %d, want twice as much as %d", now.room, v.room)
		}
	})
}

// TestReadersTakeNoLock reads a deque that the thread itself has locked.
func TestReadersTakeNoLock(t *testing.T) {
	inside(t, 2, func(th *rt.Thread, d Deque) {
		o := th.Body(d)
		th.Lock(o, wordLock)
		defer th.Unlock(o, wordLock)
		if r, ok := d.At(th, 1); !ok || r != small(1) || d.Len(th) != 2 {
			t.Errorf("item 1 is %v, %t, of %d", r, ok, d.Len(th))
		}
	})
}

// TestViewsOfThePast takes a view of a deque, changes the deque, and then reads through the
// view.
func TestViewsOfThePast(t *testing.T) {
	pop := func(th *rt.Thread, d Deque) error { _, err := d.PopFront(th); return err }
	push := func(th *rt.Thread, d Deque) error { return d.PushFront(th, small(9)) }
	for what, changes := range map[string][]func(*rt.Thread, Deque) error{
		"another state": {pop},
		"the same":      {pop, pop, push, push}, // but another item
	} {
		inside(t, 4, func(th *rt.Thread, d Deque) {
			o := th.Body(d)
			v := look(th, o)
			if r, ok := v.item(o, 1); !ok || r != small(1) {
				t.Errorf("%s: item 1 is %v, %t, before any change", what, r, ok)
			}
			for _, f := range changes {
				if err := f(th, d); err != nil {
					t.Fatal(err)
				}
			}
			if _, ok := v.item(o, 1); ok {
				t.Errorf("%s: a view of the past passes for the present", what)
			}
		})
	}
	inside(t, 1, func(th *rt.Thread, d Deque) {
		o := th.Body(d)
		r, err := d.PopBack(th)
		if err != nil || r != small(0) {
			t.Fatal(r, err)
		}
		v := look(th, o)
		if _, ok := v.item(o, 0); ok {
			t.Error("an empty slot passes for an item")
		}
	})
}

// TestReadersBesideWriters has one thread read, step by step, items that another one
// removes.
func TestReadersBesideWriters(t *testing.T) {
	r, err := rt.New(rt.Options{Checked: true})
	if err != nil {
		t.Fatal(err)
	}
	reader, err := r.Attach()
	if err != nil {
		t.Fatal(err)
	}
	writer, err := r.Attach()
	if err != nil {
		t.Fatal(err)
	}
	d, err := NewDeque(writer)
	if err != nil {
		t.Fatal(err)
	}
	for n := range leastRoom { // the block is full
		if _, err := pushed(Deque.PushBack)(writer, d, n); err != nil {
			t.Fatal(err)
		}
	}
	v := look(reader, reader.Body(d))
	item, _ := v.item(reader.Body(d), 0)
	_, err = popped(Deque.PopFront)(writer, d, 0) // the last reference but the slot's own
	for n := range 2 {                            // and another block
		_, err2 := pushed(Deque.PushBack)(writer, d, n)
		err = errors.Join(err, err2)
	}
	if err != nil {
		t.Fatal(err)
	}
	if n := number(reader, item); n != 0 {
		t.Errorf("the item that was read is %d", n)
	}
	if last := v.block.LoadRef(v.slot(1)); number(reader, last) != 1 {
		t.Errorf("the block that was read has %v in it", last)
	}
	reader.Detach()
	writer.DecRef(d)
	writer.Detach()
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

// TestRefused makes calls that fail, and change nothing.
func TestRefused(t *testing.T) {
	inside(t, 0, func(th *rt.Thread, d Deque) {
		if err := d.PushBack(th, rt.Nil); !errors.Is(err, rt.ErrNilRef) {
			t.Errorf("push of Nil: %v", err)
		}
		if _, err := d.PopBack(th); !errors.Is(err, ErrEmpty) {
			t.Errorf("pop of an empty deque: %v", err)
		}
		if _, ok := d.At(th, -1); ok {
			t.Error("there is an item -1")
		}
		var other Deque = rt.None
		var wrong *rt.TypeError
		if err := other.PushBack(th, rt.None); !errors.As(err, &wrong) || wrong.Want != "deque" {
			t.Errorf("push to None: %v", err)
		}
		if _, ok := other.At(th, 0); ok || other.Len(th) != 0 {
			t.Error("None has items")
		}
	})
}

// TestLabel: Freeze names the item that it cannot freeze, in a deque that wraps around the
// block's end.
func TestLabel(t *testing.T) {
	inside(t, 3, func(th *rt.Thread, d Deque) {
		cell, err := objects.NewCell(th, rt.None)
		if err != nil {
			t.Fatal(err)
		}
		defer th.DecRef(cell)
		if err := errors.Join(d.PushFront(th, cell), d.PushFront(th, rt.None)); err != nil {
			t.Fatal(err)
		}
		_, err = th.Freeze(d)
		var e *rt.FreezeError
		if !errors.As(err, &e) || e.Path != "root[1]" {
			t.Errorf("freeze: %v, want one of root[1]", err)
		}
	})
}

// TestHostileImages changes images word by word, with matching hashes. Opening one either
// fails, or yields a deque that can be read.
func TestHostileImages(t *testing.T) {
	var image bytes.Buffer
	inside(t, 3, func(th *rt.Thread, d Deque) {
		f, err := th.Freeze(d)
		if err == nil {
			_, err = f.WriteTo(&image)
		}
		if err != nil {
			t.Fatal(err)
		}
	})
	const objectsAt, header = 16 << 10, 16 // docs/images.md
	for _, c := range []struct {
		word uint32 // of the body
		v    uint32
		want string // of the error; none if it opens
	}{
		{frozenLen, 3, ""},
		{frozenLen, 4, "length 4 in a body of 16 bytes"},
		{frozenLen, 1<<32 - 1, "length 4294967295 in a body of 16 bytes"},
		{frozenLen, 2, "its padding is not zero"},
		{frozenSlots + 1, 0xC000_0000, ""}, // the deque itself
		{frozenSlots + 1, 0xC000_0001, "word 2, 0xc0000001, does not refer"},
		{frozenSlots + 2, 0, "word 3, 0x00000000, does not refer"},
	} {
		b := bytes.Clone(image.Bytes())
		binary.NativeEndian.PutUint32(b[objectsAt+header+4*c.word:], c.v)
		end := objectsAt + binary.LittleEndian.Uint64(b[24:])
		binary.LittleEndian.PutUint64(b[64:], xxhash.Sum64(b[objectsAt:end]))
		binary.LittleEndian.PutUint64(b[72:], xxhash.Sum64(b[:72]))
		r, err := rt.New(rt.Options{})
		if err != nil {
			t.Fatal(err)
		}
		f, err := r.OpenImageAt(bytes.NewReader(b))
		switch {
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("word %d is %#x: got %v, want %s", c.word, c.v, err, c.want)
		case c.want == "" && err != nil:
			t.Errorf("word %d is %#x: %v", c.word, c.v, err)
		case err == nil:
			err = r.Do(func(th *rt.Thread) error {
				var d Deque = f.Root()
				for i := range d.Len(th) {
					if v, ok := d.At(th, i); !ok || v.IsNil() {
						t.Errorf("word %d is %#x: item %d is %v, %t", c.word, c.v, i, v, ok)
					}
				}
				return nil
			})
		}
		if err := errors.Join(err, r.Close()); err != nil && c.want == "" {
			t.Error(err)
		}
	}
}
