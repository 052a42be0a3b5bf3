package arena

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/ichor-go/ichor/internal/mutant"
)

// Extent is memory of the frozen quarter: a run of addresses that is filled once,
// from its start on, and then only read. It has no descriptors of spans: what lies
// in it is its user's to know, so that an extent of a gigabyte costs no more to
// make than one of a page.
//
//	state — condition — transition (who)
//	open   — Grow has made the first bytes writable; it holds more addresses than it
//	         uses — sealed (Seal, MapFile), gone (Free)
//	sealed — read-only where the system can do that; the addresses are as many as it
//	         uses — gone (Free)
//	gone   — inaccessible where the system can do that; the addresses come last when
//	         others are looked for
//
// One goroutine at a time uses it.
type Extent struct {
	space  *Space
	at     run    // spans of addresses
	open   uint32 // spans that can be used, from the first on
	counts uint32 // of these, spans that count against the limit
	bytes  uintptr
	mapped bool // shows a file
	shared bool // the file is a heap's, which processes share
	locked bool // for good
}

// Grow opens as many spans as there are, so that small extents stay small, but no more
// than growBy at a time: 2 MiB, which a large page has on many systems.
const growBy = 32

// ErrLocked says that an extent stays for as long as the process.
var ErrLocked = errors.New("ichor: memory is sealed until the process ends")

// NewExtent takes addresses for an extent of the given size; 0 stands for one of
// which nobody knows how large it gets: it gets half of the addresses that are free
// in a row, MaxExtent at most.
func (s *Space) NewExtent(bytes int64) (*Extent, error) {
	if bytes > MaxExtent {
		return nil, ErrAddressSpace
	}
	c := &s.central
	c.mu.Lock()
	defer c.mu.Unlock()
	r, ok := c.mu.frozen.take(spansOf(uint64(bytes)))
	if !ok {
		return nil, ErrAddressSpace
	}
	return &Extent{space: s, at: r}, nil
}

// MaxExtent bounds an extent: 4 GiB, what offsets of frozen objects can name.
const MaxExtent = 1 << 32

func spansOf(bytes uint64) uint32 { return uint32((bytes + SpanSize - 1) >> SpanShift) }

// Start returns the handle of the extent's first granule.
func (e *Extent) Start() uint32 { return FrozenBits | e.at.first*SpanGranules }

// Room returns how many bytes Grow has opened.
func (e *Extent) Room() uintptr { return uintptr(e.open) << SpanShift }

// Bytes returns how many bytes are in use: as Seal or MapFile was told.
func (e *Extent) Bytes() uintptr { return e.bytes }

// Mapped reports whether the extent shows a file.
func (e *Extent) Mapped() bool { return e.mapped }

// Shared reports whether processes share the extent's memory with the rest of a heap.
func (e *Extent) Shared() bool { return e.shared }

// Sealed reports whether the system keeps writes away.
func (e *Extent) Sealed() bool { return e.space.mem.seal != nil }

func (e *Extent) offset() uintptr { return uintptr(e.at.first) << SpanShift }

// Grow makes at least the first bytes of the extent writable. New ones are zero.
// The error is ErrLimit, ErrAddressSpace, or the system's.
func (e *Extent) Grow(bytes uintptr) error {
	want := spansOf(uint64(bytes))
	if want <= e.open {
		return nil
	}
	if want > e.at.n {
		return ErrAddressSpace
	}
	want = min(max(want, e.open+min(e.open, growBy)), e.at.n)
	c := &e.space.central
	c.mu.Lock()
	defer c.mu.Unlock()
	n := want - e.open
	if err := c.makeRoom(n); err != nil {
		return err
	}
	off := e.offset() + e.Room()
	if err := e.space.mem.commit(off, uintptr(n)<<SpanShift); err != nil {
		return fmt.Errorf("commit %d bytes: %w", uintptr(n)<<SpanShift, err)
	}
	if e.space.mem.populate != nil {
		e.space.mem.populate(off, uintptr(n)<<SpanShift)
	}
	if !e.space.mem.zeroes {
		e.space.Zero(e.Start()+e.open*SpanGranules, n*SpanGranules)
	}
	c.mu.used += int64(n)
	e.open, e.counts = want, e.counts+n
	return nil
}

// Seal keeps the first bytes, which Grow has opened, for reading only, and gives
// back the rest. forGood has the system refuse to let go of them before the process
// ends; where it cannot do that, the error is errors.ErrUnsupported.
func (e *Extent) Seal(bytes uintptr, forGood bool) error {
	e.bytes = bytes
	e.trim(spansOf(uint64(max(bytes, 1))))
	if bytes == 0 || e.space.mem.seal == nil || mutant.On && mutant.Is(mutant.Unsealed) {
		if forGood {
			return errors.ErrUnsupported
		}
		return nil
	}
	if err := e.space.mem.seal(e.offset(), e.Room()); err != nil {
		return fmt.Errorf("seal %d bytes: %w", e.Room(), err)
	}
	if forGood {
		return e.lockUp()
	}
	return nil
}

func (e *Extent) lockUp() error {
	if e.space.mem.lockUp == nil {
		return errors.ErrUnsupported
	}
	if err := e.space.mem.lockUp(e.offset(), e.Room()); err != nil {
		return err
	}
	c := &e.space.central
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.locked = append(c.mu.locked, e.at)
	e.locked = true
	return nil
}

// trim gives back what lies behind the first keep spans, of which there is at least
// one, so that no two extents begin at the same address.
func (e *Extent) trim(keep uint32) {
	c := &e.space.central
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.open > keep {
		n := e.open - keep
		// What cannot be made inaccessible is merely not used again for long.
		_ = e.space.mem.bar(e.offset()+uintptr(keep)<<SpanShift, uintptr(n)<<SpanShift)
		c.mu.used -= int64(n)
		e.open, e.counts = keep, e.counts-n
	}
	c.mu.frozen.give(run{e.at.first + keep, e.at.n - keep}, false)
	e.at.n = keep
}

// MapFile has the extent, which nothing was done with, show bytes of a file, from
// offset at on, for reading only. Its pages are the file's: they do not count
// against the limit. The error is errors.ErrUnsupported where files cannot be
// mapped into this memory.
func (e *Extent) MapFile(f *os.File, at int64, bytes uintptr) error {
	if e.space.mem.mapFile == nil || at%int64(os.Getpagesize()) != 0 {
		return errors.ErrUnsupported
	}
	e.trim(spansOf(uint64(max(bytes, 1))))
	if bytes == 0 {
		return nil
	}
	if err := e.space.mem.mapFile(e.offset(), f, at, bytes); err != nil {
		return fmt.Errorf("map %d bytes of %s: %w", bytes, f.Name(), err)
	}
	e.mapped, e.open, e.bytes = true, spansOf(uint64(bytes)), bytes
	return nil
}

// Free gives the memory back. The addresses stay inaccessible until no others are
// left. The error is ErrLocked, and the extent stays as it is, or the system's.
func (e *Extent) Free() error {
	if e.locked {
		return ErrLocked
	}
	c := &e.space.central
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.open > 0 {
		if err := e.space.mem.bar(e.offset(), e.Room()); err != nil {
			return err
		}
	}
	c.mu.used -= int64(e.counts)
	c.mu.frozen.give(run{e.at.first, e.open}, true)
	c.mu.frozen.give(run{e.at.first + e.open, e.at.n - e.open}, false)
	*e = Extent{space: e.space}
	return nil
}

// run is a run of spans.
type run struct{ first, n uint32 }

func (r run) end() uint32 { return r.first + r.n }

// runs are the addresses of the frozen quarter that nobody has. There are few, as
// extents are large things.
type runs struct {
	fresh []run // by rising address, apart from each other
	used  []run // were in use: stale references may lead there
}

// take finds a run of n spans, or half of the longest one if n is 0. It takes those that
// were in use before if no other is long enough, or as long.
func (r *runs) take(n uint32) (run, bool) {
	for range 2 {
		best := -1
		for i, x := range r.fresh {
			if n > 0 && x.n >= n {
				best = i
				break
			}
			if n == 0 && (best < 0 || x.n > r.fresh[best].n) {
				best = i
			}
		}
		if best >= 0 && (n > 0 || !slices.ContainsFunc(r.used, func(x run) bool { return x.n > r.fresh[best].n })) {
			x := &r.fresh[best]
			got := run{x.first, n}
			if n == 0 {
				got.n = min((x.n+1)/2, MaxExtent>>SpanShift)
				if got.n > 2*growBy {
					got.first = (x.first + growBy - 1) / growBy * growBy // where large pages begin
				}
			}
			before, end := got.first-x.first, x.first+x.n
			x.n = before
			if before == 0 {
				r.fresh = append(r.fresh[:best], r.fresh[best+1:]...)
			}
			r.give(run{got.first + got.n, end - got.first - got.n}, false)
			return got, true
		}
		used := r.used
		r.used = nil
		for _, x := range used {
			r.give(x, false)
		}
	}
	return run{}, false
}

// takeAt takes a run of which nothing was taken yet.
func (r *runs) takeAt(want run) bool {
	for i, x := range r.fresh {
		if want.n > 0 && x.first <= want.first && want.first-x.first < x.n && want.n <= x.end()-want.first {
			r.fresh = append(r.fresh[:i], r.fresh[i+1:]...)
			r.give(run{x.first, want.first - x.first}, false)
			r.give(run{want.end(), x.end() - want.end()}, false)
			return true
		}
	}
	return false
}

// give takes a run back.
func (r *runs) give(x run, used bool) {
	if x.n == 0 {
		return
	}
	if used {
		r.used = append(r.used, x)
		return
	}
	i := 0
	for i < len(r.fresh) && r.fresh[i].first < x.first {
		i++
	}
	if i < len(r.fresh) && x.first+x.n == r.fresh[i].first {
		r.fresh[i] = run{x.first, x.n + r.fresh[i].n}
	} else {
		r.fresh = append(r.fresh[:i], append([]run{x}, r.fresh[i:]...)...)
	}
	if i > 0 && r.fresh[i-1].first+r.fresh[i-1].n == x.first {
		r.fresh[i-1].n += r.fresh[i].n
		r.fresh = append(r.fresh[:i], r.fresh[i+1:]...)
	}
}
