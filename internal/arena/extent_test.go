package arena

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// haveBackings returns the backings that this machine supports.
func haveBackings() (all []Backing) {
	for _, b := range []Backing{GoMemory, System, Memfd} {
		if s, err := New(Config{Backing: b, Reserve: 16 << 20}); err == nil {
			_ = s.Close()
			all = append(all, b)
		}
	}
	return all
}

// An extent counts what it has opened, and gives back what it does not need.
func TestExtentAccounts(t *testing.T) {
	for _, b := range haveBackings() {
		t.Run(b.String(), func(t *testing.T) {
			s, err := New(Config{Backing: b, Reserve: 32 << 20, Limit: 1 << 20})
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}()
			spans := func(want int64) {
				t.Helper()
				if got := s.Usage().Committed / SpanSize; got != want {
					t.Fatalf("%d spans are committed, want %d", got, want)
				}
			}
			for range 3 { // reuses the same addresses in the end
				e, err := s.NewExtent(0)
				if err != nil {
					t.Fatal(err)
				}
				if err := e.Grow(5*SpanSize - 1); err != nil {
					t.Fatal(err)
				}
				spans(5)
				all := s.Bytes(e.Start(), int(e.Room()))
				if !bytes.Equal(all, make([]byte, len(all))) {
					t.Fatal("new memory is not zero")
				}
				all[0], all[len(all)-1] = 1, 1
				if err := e.Grow(17 * SpanSize); !errors.Is(err, ErrLimit) {
					t.Fatalf("beyond the limit: %v", err)
				}
				spans(5)
				if err := e.Seal(2*SpanSize+1, false); err != nil {
					t.Fatal(err)
				}
				spans(3)
				if e.Bytes() != 2*SpanSize+1 || e.Mapped() || s.Bytes(e.Start(), 1)[0] != 1 {
					t.Fatalf("sealed: %d bytes", e.Bytes())
				}
				if err := e.Free(); err != nil {
					t.Fatal(err)
				}
				spans(0)
			}
			if _, err := s.NewExtent(MaxExtent + 1); !errors.Is(err, ErrAddressSpace) {
				t.Errorf("an extent too large: %v", err)
			}
			e, err := s.NewExtent(3 * SpanSize)
			if err != nil {
				t.Fatal(err)
			}
			if err := e.Grow(4 * SpanSize); !errors.Is(err, ErrAddressSpace) {
				t.Errorf("beyond its addresses: %v", err)
			}
			if err := e.Seal(0, true); !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("an empty extent, sealed for good: %v", err)
			}
			if err := e.Free(); err != nil {
				t.Error(err)
			}
		})
	}
}

// An extent that maps a file takes no memory: the pages are the file's.
func TestExtentMapFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	page := os.Getpagesize()
	text := bytes.Repeat([]byte("0123456789abcdef"), 10_000)
	if err := os.WriteFile(name, append(make([]byte, page), text...), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, b := range haveBackings() {
		s, err := New(Config{Backing: b, Reserve: 32 << 20})
		if err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		e, err := s.NewExtent(int64(len(text)) + 5*SpanSize)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.MapFile(f, 1, uintptr(len(text))); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: from within a page: %v", b, err)
		}
		if err := e.MapFile(f, int64(page), SpanSize); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: a file that fits into one span: %v", b, err)
		}
		err = e.MapFile(f, int64(page), uintptr(len(text)))
		_ = f.Close()
		switch {
		case b == GoMemory:
			if !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("%s: %v", b, err)
			}
		case err != nil:
			t.Errorf("%s: %v", b, err)
		case !bytes.Equal(s.Bytes(e.Start(), len(text)), text) || !e.Mapped() || s.Usage().Committed != 0:
			t.Errorf("%s: the contents are not those of the file, or they count against the limit", b)
		case e.at.n != 3 || e.Room() != 3*SpanSize || e.Bytes() != uintptr(len(text)) || e.counts != 0:
			t.Errorf("%s: %d bytes in %d spans of %d, want 3: the rest is given back", b, e.Bytes(), e.open, e.at.n)
		}
		if err := errors.Join(e.Free(), s.Close()); err != nil {
			t.Errorf("%s: %v", b, err)
		}
	}
}
