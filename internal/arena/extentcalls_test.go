package arena

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// called records the system calls of a space, as "commit 3+2" for two spans from the
// third span of the frozen quarter on. fail returns the error for a call.
func (s *Space) called(calls *[]string, fail func(call string) error) {
	first := partsOf(uint64(s.mask) + 1).frozen.offset()
	note := func(name string, off, n uintptr, call func() error) error {
		text := fmt.Sprintf("%s %d+%d", name, (off-first)>>SpanShift, n>>SpanShift)
		*calls = append(*calls, text)
		if fail != nil {
			if err := fail(text); err != nil {
				return err
			}
		}
		return call()
	}
	wrap := func(name string, call func(off, n uintptr) error) func(off, n uintptr) error {
		if call == nil {
			return nil
		}
		return func(off, n uintptr) error { return note(name, off, n, func() error { return call(off, n) }) }
	}
	m := s.mem
	s.mem.commit, s.mem.decommit, s.mem.bar = wrap("commit", m.commit), wrap("decommit", m.decommit), wrap("bar", m.bar)
	s.mem.seal = wrap("seal", m.seal)
	if m.populate != nil {
		s.mem.populate = func(off, n uintptr) { _ = note("populate", off, n, func() error { m.populate(off, n); return nil }) }
	}
}

func wantCalls(t *testing.T, when string, calls *[]string, want ...string) {
	t.Helper()
	if !slices.Equal(*calls, want) {
		t.Errorf("%s: calls %q, want %q", when, *calls, want)
	}
	*calls = nil
}

// TestExtentCalls follows an extent through its life, and checks the system calls and
// the accounts.
func TestExtentCalls(t *testing.T) {
	if raceEnabled || !haveSystem {
		t.Skip("SKIPPED: needs memory of the system")
	}
	s := newSpace(t, Config{Backing: System, Reserve: 32 << 20})
	defer s.Close()
	var calls []string
	s.called(&calls, nil)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	e, err := s.NewExtent(0)
	must(err)
	state := func(when string, start, open, n uint32, growing int) {
		t.Helper()
		if got := e.Start()/SpanGranules - partsOf(uint64(s.mask)+1).frozen.first&(FrozenBits/SpanGranules-1); e.at.n != n || e.open != open || e.counts != open || e.Room() != uintptr(open)<<SpanShift || len(s.central.mu.growing) != growing {
			t.Errorf("%s: begins at %d with %d spans of %d, %d counted, %d grow", when, got, e.open, e.at.n, e.counts, len(s.central.mu.growing))
		}
		s.wantCommitted(t, when, int64(open))
		s.Check()
	}
	state("new", 0, 0, 1, 1)
	must(e.Grow(0))
	wantCalls(t, "nothing", &calls)
	must(e.Grow(1))
	wantCalls(t, "a byte", &calls, "commit 0+1")
	must(e.Grow(SpanSize))
	wantCalls(t, "a span", &calls)
	must(e.Grow(SpanSize + 1))
	wantCalls(t, "two", &calls, "commit 1+1")
	must(e.Grow(3 * SpanSize))
	wantCalls(t, "three", &calls, "commit 2+2", "populate 2+2")
	must(e.Grow(9 * SpanSize))
	wantCalls(t, "nine", &calls, "commit 4+5", "populate 4+5")
	state("nine", 0, 9, 9, 1)
	must(e.Grow(10 * SpanSize))
	state("ten", 0, 18, 18, 1)
	must(e.Grow(19 * SpanSize))
	calls = nil
	first := e.at.first
	for want := e.open; want < 80; {
		need := e.open + 1
		want = max(need, e.open+min(e.open, growBy))
		for want > growBy && (first+want)%growBy != 0 {
			want++
		}
		must(e.Grow(uintptr(need) * SpanSize))
		if e.open != want {
			t.Errorf("%d spans are open, want %d", e.open, want)
		}
	}
	state("many", 0, e.open, e.open, 1)
	calls = nil
	n := e.open
	must(e.Seal(3*SpanSize+5, false))
	wantCalls(t, "seal", &calls, fmt.Sprintf("bar 4+%d", n-4), "seal 0+4")
	state("sealed", 0, 4, 4, 0)
	if m := s.central.mu.mappings.seams; len(m) != 2 || m[1].kind != barred || m[1].at-m[0].at != 4*SpanGranules {
		t.Errorf("sealed: mappings %v, want one of four spans", m)
	}
	if e.Bytes() != 3*SpanSize+5 || !e.Sealed() || e.kind != sealedOwn {
		t.Errorf("sealed: %d bytes, kind %d", e.Bytes(), e.kind)
	}
	must(e.Free())
	wantCalls(t, "free", &calls, "bar 0+4")
	state("free", 0, 0, 0, 0)
	must(e.Free()) // a second time
	wantCalls(t, "free again", &calls)

	// An extent of known size, only partly opened.
	e, err = s.NewExtent(5*SpanSize + 1)
	must(err)
	state("of a known size", 0, 0, 6, 0)
	must(e.Grow(6 * SpanSize))
	if err := e.Grow(6*SpanSize + 1); !errors.Is(err, ErrAddressSpace) {
		t.Errorf("more than it has: %v", err)
	}
	must(e.Seal(0, false))
	state("empty", 0, 1, 1, 0)
	must(e.Free())
	if got, want := longest(s.central.mu.frozen.fresh), partsOf(uint64(s.mask)+1).frozen.n-4; got > want {
		t.Errorf("%d spans were never in use, want at most %d", got, want)
	}
	all := uint32(0)
	for _, x := range slices.Concat(s.central.mu.frozen.fresh, s.central.mu.frozen.used) {
		all += x.n
	}
	if all != partsOf(uint64(s.mask)+1).frozen.n {
		t.Errorf("%d spans are free of %d", all, partsOf(uint64(s.mask)+1).frozen.n)
	}
}

// TestExtentPopulateOne: the first span is not populated.
func TestExtentWithoutBar(t *testing.T) {
	if raceEnabled || !haveSystem {
		t.Skip("SKIPPED: needs memory of the system")
	}
	s := newSpace(t, Config{Backing: System, Reserve: 32 << 20})
	defer s.Close()
	var calls []string
	broken := errors.New("broken")
	failing := ""
	s.called(&calls, func(call string) error {
		if failing != "" && strings.HasPrefix(call, failing) {
			return broken
		}
		return nil
	})
	e, err := s.NewExtent(0)
	if err := errors.Join(err, e.Grow(8*SpanSize)); err != nil {
		t.Fatal(err)
	}
	s.Fill(e.Start(), 8*SpanGranules, 7)
	failing, calls = "bar", nil
	if err := e.Seal(2*SpanSize, false); err != nil {
		t.Fatal(err)
	}
	wantCalls(t, "what cannot be barred is emptied", &calls, "bar 2+6", "decommit 2+6", "seal 0+2")
	s.wantCommitted(t, "sealed", 2)
	if err := e.Free(); err != nil {
		t.Fatal(err)
	}
	wantCalls(t, "likewise", &calls, "bar 0+2", "decommit 0+2")
	if !s.central.mu.kept {
		t.Error("kept is not set although free addresses are not barred")
	}
	failing = ""
	e, err = s.NewExtent(4 * SpanSize)
	if err := errors.Join(err, e.Grow(4*SpanSize)); err != nil {
		t.Fatal(err)
	}
	for i, b := range s.Bytes(e.Start(), 4*SpanSize) {
		if b != 0 {
			t.Fatalf("byte %d is %d", i, b)
		}
	}
	calls = nil
	before := mapped.Load()
	if err := e.Free(); err != nil {
		t.Fatal(err)
	}
	wantCalls(t, "with the free addresses around it", &calls, fmt.Sprintf("bar 0+%d", partsOf(uint64(s.mask)+1).frozen.n))
	if got := before - mapped.Load(); got <= 0 || len(s.central.mu.mappings.seams) != 0 {
		t.Errorf("%d mappings were removed from the account, %d are left", got, len(s.central.mu.mappings.seams))
	}
	failing = "decommit"
	f, err := s.NewExtent(0)
	if err := errors.Join(err, f.Grow(1)); err != nil {
		t.Fatal(err)
	}
	failing = "bar"
	if err := f.Free(); err != nil {
		t.Errorf("an extent that can be emptied: %v", err)
	}
	s.Check()
}

// TestExtentSealFails: the error is the system's.
func TestExtentSealFails(t *testing.T) {
	for _, b := range haveBackings() {
		broken := errors.New("broken")
		armed := false
		s := newSpace(t, Config{Backing: b, Reserve: 32 << 20, Inject: func(c Call) error {
			if armed && (c == SealCall || c == Map) {
				return broken
			}
			return nil
		}})
		e, err := s.NewExtent(0)
		if err := errors.Join(err, e.Grow(1)); err != nil {
			t.Fatal(err)
		}
		armed = true
		err = e.Seal(1, false)
		if want := s.mem.seal != nil; errors.Is(err, broken) != want {
			t.Errorf("%s: sealing: %v", b, err)
		}
		x := anImageIf(t, s, b)
		if x != nil {
			if err := x(); !errors.Is(err, broken) {
				t.Errorf("%s: mapping a file: %v", b, err)
			}
		}
		armed = false
		if err := errors.Join(e.Free(), s.Close()); err != nil {
			t.Error(err)
		}
	}
}

// anImageIf returns a function that maps a file, if the backing supports that.
func anImageIf(t *testing.T, s *Space, b Backing) func() error {
	if b == GoMemory {
		return nil
	}
	name := t.TempDir() + "/file"
	if err := os.WriteFile(name, make([]byte, 200_000), 0o600); err != nil {
		t.Fatal(err)
	}
	return func() error {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		e, err := s.NewExtent(200_000)
		if err != nil {
			return err
		}
		return errors.Join(e.MapFile(f, 0, 200_000), e.Free())
	}
}

// TestExtentForGood seals for good, with a stand-in for the system call: nothing is
// unmapped, not even when the space is closed.
func TestExtentForGood(t *testing.T) {
	for _, b := range haveBackings() {
		s := newSpace(t, Config{Backing: b, Reserve: 32 << 20})
		make1 := func(spans uintptr) *Extent {
			e, err := s.NewExtent(0)
			if err := errors.Join(err, e.Grow(spans*SpanSize)); err != nil {
				t.Fatal(err)
			}
			return e
		}
		s.mem.lockUp = nil
		e := make1(1)
		if err := e.Seal(1, true); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: sealing for good where that is not supported: %v", b, err)
		}
		if e.locked || len(s.central.mu.locked) != 0 {
			t.Errorf("%s: it is locked", b)
		}
		broken, locks := errors.New("broken"), 0
		s.mem.lockUp = func(off, n uintptr) error {
			if locks++; locks == 1 {
				return broken
			}
			return nil
		}
		if b == GoMemory {
			if err := e.Free(); err != nil {
				t.Error(err)
			}
			_ = s.Close()
			continue
		}
		f := make1(1)
		if err := f.Seal(1, true); !errors.Is(err, broken) || f.locked {
			t.Errorf("%s: where the system fails: %v", b, err)
		}
		g, h := make1(1), make1(2)
		if err := errors.Join(g.Seal(1, true), h.Seal(2*SpanSize, true)); err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		if g.kind < apart || h.kind < apart || g.kind == h.kind {
			t.Errorf("%s: kinds %d and %d, want two of their own", b, g.kind, h.kind)
		}
		s.Check()
		if err := g.Free(); err != ErrLocked || g.Bytes() != 1 {
			t.Errorf("%s: freeing it: %v", b, err)
		}
		if err := errors.Join(e.Free(), f.Free()); err != nil {
			t.Error(err)
		}
		if !slices.Equal(s.central.mu.locked, []run{g.at, h.at}) {
			t.Errorf("%s: locked are %v", b, s.central.mu.locked)
		}
		before, seams := mapped.Load(), int64(len(s.central.mu.mappings.seams))
		var kept []run
		release := s.mem.release
		s.mem.release = func(k []run) error { kept = k; return release(nil) }
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if len(kept) != 2 {
			t.Errorf("%s: %v are kept", b, kept)
		}
		if got := before - mapped.Load(); got != seams-2*2 {
			t.Errorf("%s: %d mappings were removed from the account, want all of %d except two for each extent", b, got, seams)
		}
		mapped.Sub(2 * 2)
	}
}

// TestExtentKinds: extents sealed in the same way join into one mapping with their
// neighbours, except those that may have large pages.
func TestExtentKinds(t *testing.T) {
	for _, b := range haveBackings() {
		s := newSpace(t, Config{Backing: b, Reserve: 64 << 20})
		want := map[Backing]kind{System: sealedOwn, Memfd: sealedFile}[b]
		for _, c := range []struct {
			spans uintptr
			own   bool
		}{{1, false}, {growBy, false}, {growBy + 1, true}, {2, false}} {
			e, err := s.NewExtent(int64(c.spans) * SpanSize)
			if err := errors.Join(err, e.Grow(c.spans*SpanSize), e.Seal(c.spans*SpanSize, false)); err != nil {
				t.Fatal(err)
			}
			if b != GoMemory && (e.kind >= apart) != c.own || !c.own && e.kind != want {
				t.Errorf("%s: kind %d for %d spans", b, e.kind, c.spans)
			}
			if e.Sealed() != (b != GoMemory) {
				t.Errorf("%s: sealed is %t", b, e.Sealed())
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestExtentTooLarge: an extent is limited to what offsets can name. The memory is not
// touched.
func TestExtentTooLarge(t *testing.T) {
	if raceEnabled || !haveSystem || uint64(^uintptr(0)) < 1<<40 {
		t.Skip("SKIPPED: needs large address spaces of the system")
	}
	s := newSpace(t, Config{Backing: System})
	defer s.Close()
	s.mem.populate = nil
	s.mem.commit = func(off, n uintptr) error { return nil }
	s.mem.bar = s.mem.commit
	if _, err := s.NewExtent(1); err != nil {
		t.Fatal(err)
	}
	e, err := s.NewExtent(0) // begins one span after a large page begins
	if err != nil {
		t.Fatal(err)
	}
	most := uint64(MaxExtent)
	if err := e.Grow(uintptr(most - SpanSize)); err != nil {
		t.Fatal(err)
	}
	if uint64(e.Room()) != most-SpanSize {
		t.Errorf("%d bytes are open, want a span less than %d", e.Room(), most)
	}
	if err := e.Grow(uintptr(most)); err != nil || uint64(e.Room()) != most {
		t.Errorf("%d bytes are open, want %d", e.Room(), most)
	}
	if err := e.Grow(uintptr(most)); err != nil {
		t.Error(err)
	}
	if err := e.Grow(uintptr(most + 1)); !errors.Is(err, ErrAddressSpace) {
		t.Errorf("one byte too many: %v", err)
	}
	if _, err := s.NewExtent(MaxExtent + 1); !errors.Is(err, ErrAddressSpace) {
		t.Errorf("a known size, too large: %v", err)
	}
	if err := e.Free(); err != nil {
		t.Error(err)
	}
	if f, err := s.NewExtent(MaxExtent); err != nil || f.at.n != MaxExtent>>SpanShift {
		t.Errorf("the largest: %v", err)
	}
}
