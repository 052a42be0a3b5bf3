package arena

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"
)

// filled is an extent that a test fills with its own numbers.
type filled struct {
	*Extent
	seed uint64
	n    uintptr // bytes so far
}

func (f *filled) more(bytes uintptr) error {
	if err := f.Grow(f.n + bytes); err != nil {
		return err
	}
	b := f.space.Bytes(f.Start(), int(f.n+bytes))
	for ; bytes > 0; bytes -= 1024 {
		if got := binary.NativeEndian.Uint64(b[f.n:]); got != 0 {
			return fmt.Errorf("new memory is not zero: %#x", got)
		}
		binary.NativeEndian.PutUint64(b[f.n:], f.seed+uint64(f.n))
		f.n += 1024
	}
	return nil
}

func (f *filled) check() error {
	b := f.space.Bytes(f.Start(), int(f.n))
	for i := uintptr(0); i < f.n; i += 1024 {
		if got := binary.NativeEndian.Uint64(b[i:]); got != f.seed+uint64(i) {
			return fmt.Errorf("byte %d of extent %#x: %#x", i, f.seed, got)
		}
	}
	return nil
}

// TestExtentsGrowBesideEachOther lets extents grow in turns, in a space that just holds
// them. They move, and keep their contents. It repeats this, because freed addresses
// are reused.
func TestExtentsGrowBesideEachOther(t *testing.T) {
	for _, b := range haveBackings() {
		t.Run(b.String(), func(t *testing.T) {
			s, err := New(Config{Backing: b, Reserve: 32 << 20}) // 127 spans for extents
			if err != nil {
				t.Fatal(err)
			}
			moves := 0
			for round := range 40 {
				var all []*filled
				for i := range 8 {
					e, err := s.NewExtent(0)
					if err != nil {
						t.Fatal(err)
					}
					all = append(all, &filled{Extent: e, seed: uint64(round*8+i+1) << 40})
				}
				for step := range 10 {
					for i, f := range all {
						start := f.Start()
						if step > 2+i { // different sizes, 52 spans in all
							continue
						}
						if err := f.more(SpanSize); err != nil {
							t.Fatalf("round %d, extent %d, step %d: %v", round, i, step, err)
						}
						if f.Start() != start {
							moves++
						}
					}
					s.Check()
				}
				for _, f := range all {
					if err := errors.Join(f.Seal(f.n, false), f.check()); err != nil {
						t.Error(err)
					}
				}
				s.Check()
				for _, f := range all {
					if err := f.Free(); err != nil {
						t.Error(err)
					}
				}
			}
			if moves == 0 {
				t.Error("no extent has moved")
			}
			if got := s.Usage().Committed; got != 0 {
				t.Errorf("%d bytes are committed for nothing", got)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestExtentMovesAtTheLimit moves an extent with memory for just one more span.
func TestExtentMovesAtTheLimit(t *testing.T) {
	for _, b := range haveBackings() {
		s, err := New(Config{Backing: b, Reserve: 32 << 20, Limit: 33 * SpanSize})
		if err != nil {
			t.Fatal(err)
		}
		e, err := s.NewExtent(0)
		if err != nil {
			t.Fatal(err)
		}
		f := &filled{Extent: e, seed: 1 << 40}
		if err := f.more(growBy * SpanSize); err != nil {
			t.Fatal(err)
		}
		if !s.central.mu.frozen.takeAt(run{e.at.end(), 3}) {
			t.Fatal("the addresses behind it are not free")
		}
		start := e.Start()
		if err := f.more(SpanSize); err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		if e.Start() == start {
			t.Errorf("%s: it has not moved", b)
		}
		s.Check()
		if err := errors.Join(f.check(), e.Free(), s.Close()); err != nil {
			t.Errorf("%s: %v", b, err)
		}
	}
}

// TestExtentMoveFails makes system calls fail while an extent moves: one call; or that
// and all later ones; or these and also the first, so that the extent moves span by
// span. Its memory can still be freed, and nothing is lost or counted twice.
func TestExtentMoveFails(t *testing.T) {
	for _, b := range haveBackings() {
		testExtentMoveFails(t, b, func(call, fail int) bool { return call == fail })
		testExtentMoveFails(t, b, func(call, fail int) bool { return call >= fail })
		testExtentMoveFails(t, b, func(call, fail int) bool { return call == 1 || call >= fail })
	}
}

func testExtentMoveFails(t *testing.T, b Backing, fails func(call, fail int) bool) {
	broken := errors.New("broken")
	for fail, calls := 1, 1; calls >= fail; fail++ {
		on := false
		s, err := New(Config{Backing: b, Reserve: 32 << 20, Inject: func(Call) error {
			if calls++; on && fails(calls, fail) {
				return broken
			}
			return nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		e, err := s.NewExtent(0)
		if err != nil {
			t.Fatal(err)
		}
		f := &filled{Extent: e, seed: 1 << 40}
		if err := f.more(growBy * SpanSize); err != nil {
			t.Fatal(err)
		}
		if !s.central.mu.frozen.takeAt(run{e.at.end(), 3}) {
			t.Fatal("the addresses behind it are not free")
		}
		if bar := s.mem.bar; bar != nil {
			s.mem.bar = func(off, n uintptr) error {
				if n == 0 {
					t.Errorf("%s, call %d: memory was barred", b, fail)
				}
				return bar(off, n)
			}
		}
		on, calls = true, 0
		err = f.more(SpanSize)
		on = false
		s.Check()
		switch {
		case err == nil:
			err = f.check()
		case errors.Is(err, broken):
			err = nil
		}
		if err = errors.Join(err, e.Free()); err != nil {
			t.Fatalf("%s, call %d: %v", b, fail, err)
		}
		s.Check()
		if got := s.Usage().Committed; got != 0 {
			t.Errorf("%s, call %d: %d bytes are committed for nothing", b, fail, got)
		}
		if n := len(s.central.mu.growing); n != 0 {
			t.Errorf("%s, call %d: %d extents grow, want 0", b, fail, n)
		}
		free := uint32(3)
		for _, x := range slices.Concat(s.central.mu.frozen.fresh, s.central.mu.frozen.used) {
			free += x.n
		}
		if want := partsOf(uint64(s.mask) + 1).frozen.n; free != want {
			t.Errorf("%s, call %d: %d spans are free, want %d", b, fail, free, want)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestExtentTakesWhatItNeeds lets extents grow where no more memory or addresses are
// left than they need.
func TestExtentTakesWhatItNeeds(t *testing.T) {
	for _, b := range haveBackings() {
		s, err := New(Config{Backing: b, Reserve: 32 << 20, Limit: 11 * SpanSize})
		if err != nil {
			t.Fatal(err)
		}
		e, err := s.NewExtent(0)
		if err != nil {
			t.Fatal(err)
		}
		for n := range uintptr(11) {
			if err := e.Grow((n + 1) * SpanSize); err != nil {
				t.Errorf("%s: span %d of 11: %v", b, n+1, err)
			}
		}
		if err := e.Grow(12 * SpanSize); !errors.Is(err, ErrLimit) {
			t.Errorf("%s: beyond the limit: %v", b, err)
		}
		if err := errors.Join(e.Free(), s.Close()); err != nil {
			t.Error(err)
		}
		if s, err = New(Config{Backing: b, Reserve: 4 << 20}); err != nil { // 15 spans for extents
			t.Fatal(err)
		}
		for range 40 { // all 15 again, wherever the previous extent began
			small, err := s.NewExtent(SpanSize)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(small.Grow(1), small.Free()); err != nil {
				t.Fatal(err)
			}
			if e, err = s.NewExtent(0); err != nil {
				t.Fatal(err)
			}
			for n := range uintptr(15) {
				if err := e.Grow((n + 1) * SpanSize); err != nil && n < 8 {
					t.Errorf("%s: span %d of 15, of which none is in use: %v", b, n+1, err)
				}
			}
			if err := e.Free(); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestExtentGrowsIntoWhatWasInUse: the only addresses behind the extent were in use
// before.
func TestExtentGrowsIntoWhatWasInUse(t *testing.T) {
	s, err := New(Config{Backing: GoMemory, Reserve: 32 << 20}) // 127 spans for extents
	if err != nil {
		t.Fatal(err)
	}
	e, err := s.NewExtent(0)
	if err != nil {
		t.Fatal(err)
	}
	f := &filled{Extent: e, seed: 1 << 40}
	if err := f.more(50 * SpanSize); err != nil {
		t.Fatal(err)
	}
	n := int64(s.central.mu.frozen.behind(e.at.end()))
	behind, err := s.NewExtent(n * SpanSize)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(behind.Grow(uintptr(n)*SpanSize), behind.Seal(uintptr(n)*SpanSize, false), behind.Free()); err != nil {
		t.Fatal(err)
	}
	start := e.Start()
	if err := f.more(70 * SpanSize); err != nil || e.Start() != start {
		t.Errorf("it has grown to %d bytes at %#x, and began at %#x: %v", f.n, e.Start(), start, err)
	}
	if err := errors.Join(f.check(), e.Free(), s.Close()); err != nil {
		t.Error(err)
	}
}
