package arena

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"go.uber.org/atomic"

	"github.com/ichor-go/ichor/internal/fault"
	"github.com/ichor-go/ichor/internal/mutant"
)

// Extent is memory of the frozen quarter: a run of addresses that is filled once, from
// its start on, and then only read. It has no span descriptors, as only its user knows
// what lies in it. So an extent of a gigabyte costs no more to make than one of a page.
//
//	open    condition: Grow has made the first bytes writable; the extent may have more
//	        addresses than it uses
//	        to sealed by Seal or MapFile; to gone by Free
//	sealed  condition: read-only, if the system can enforce that; the extent has only
//	        the addresses that it uses
//	        to gone by Free
//	gone    condition: the memory is returned to the system, and the addresses are
//	        inaccessible if the system can enforce that; they are the last to be reused
//
// One goroutine at a time uses an extent. Any goroutine may call Shared, and Start once
// the extent is sealed, because then it is constant.
type Extent struct {
	space  *Space
	at     run    // spans of addresses; guarded by the central's mu while the extent grows
	open   uint32 // spans that are usable, from the first on
	counts uint32 // how many of these count against the limit
	bytes  uintptr
	grows  bool // the final size is unknown
	mapped bool // maps a file
	locked bool // sealed for good
	kind   kind // of mapping, once sealed
	shared atomic.Bool
}

// growBy bounds the number of spans by which Grow extends an extent: 2 MiB, the size of
// a large page on many systems. Below the bound Grow doubles the extent, so small
// extents stay small.
const growBy = 32

// ErrLocked says that an extent remains mapped until the process ends.
var ErrLocked = fault.New("memory is sealed until the process ends")

// NewExtent takes addresses for an extent of the given size. If bytes is 0, the size is
// unknown: until the extent is sealed, Grow finds more addresses for it, behind its own
// or elsewhere. The error is ErrAddressSpace or ErrMappings.
func (s *Space) NewExtent(bytes int64) (*Extent, error) {
	if bytes > MaxExtent {
		return nil, ErrAddressSpace
	}
	if s.mem.seal != nil {
		if err := roomForMapping(); err != nil {
			return nil, err
		}
	}
	e := &Extent{space: s, grows: bytes == 0}
	c := &s.central
	c.mu.Lock()
	defer c.mu.Unlock()
	var ok bool
	if e.at, ok = c.mu.frozen.find(max(spansOf(uint64(bytes)), 1), c.mu.growing, e.grows); !ok {
		return nil, ErrAddressSpace
	}
	if e.grows {
		c.mu.growing = append(c.mu.growing, e)
	}
	return e, nil
}

// MaxExtent is the maximum size of an extent: 4 GiB, the range of a frozen object's
// offset.
const MaxExtent = 1 << 32

func spansOf(bytes uint64) uint32 { return uint32((bytes + SpanSize - 1) >> SpanShift) }

// Start returns the handle of the extent's first granule. Until an extent of unknown
// size is sealed, Grow may change it.
func (e *Extent) Start() uint32 { return FrozenBits | e.at.first*SpanGranules }

// Room returns how many bytes Grow has made usable.
func (e *Extent) Room() uintptr { return uintptr(e.open) << SpanShift }

// Bytes returns how many bytes are in use, as passed to Seal or MapFile.
func (e *Extent) Bytes() uintptr { return e.bytes }

// Mapped reports whether the extent maps a file.
func (e *Extent) Mapped() bool { return e.mapped }

// Shared reports whether processes share the extent's memory, as part of a shared heap.
// Any goroutine.
func (e *Extent) Shared() bool { return e.shared.Load() }

// Sealed reports whether the system prevents writes to sealed extents.
func (e *Extent) Sealed() bool { return e.space.mem.seal != nil }

func (e *Extent) offset() uintptr { return e.at.offset() }

func (r run) offset() uintptr { return uintptr(r.first) << SpanShift }
func (r run) bytes() uintptr  { return uintptr(r.n) << SpanShift }

// Grow makes at least the first bytes of the extent writable. New bytes are zero. An
// extent of unknown size may move to other addresses, with its contents. The error is
// ErrLimit, ErrAddressSpace, or one of the system. After an error the extent is
// unchanged, unless the system failed in the middle of a move: then it can only be
// freed.
func (e *Extent) Grow(bytes uintptr) error {
	need := spansOf(uint64(bytes))
	if need <= e.open {
		return nil
	}
	if uint64(bytes) > MaxExtent || need > e.at.n && !e.grows {
		return ErrAddressSpace
	}
	want := max(need, e.open+min(e.open, growBy))
	if want > growBy { // large pages begin at multiples of their size
		want += -(e.at.first + want) % growBy
	}
	want = min(want, MaxExtent>>SpanShift)
	if need > e.at.n {
		if err := e.reach(need, want); err != nil {
			return err
		}
	}
	want = min(want, e.at.n)
	err := e.openUp(want)
	if err != nil && want > need {
		err = e.openUp(need)
	}
	return err
}

// reach gives the extent addresses for at least need spans, and for up to want if they
// are free.
func (e *Extent) reach(need, want uint32) error {
	c := &e.space.central
	c.mu.Lock()
	defer c.mu.Unlock()
	a := &c.mu.frozen
	if e.at.n+a.behind(e.at.end()) < need && longest(a.fresh) < need {
		a.reuse()
	}
	if e.at.n+a.behind(e.at.end()) < need {
		to, ok := a.find(need, c.mu.growing, true)
		if !ok {
			return ErrAddressSpace
		}
		c.mu.Unlock()
		err := e.move(to)
		c.mu.Lock()
		if err != nil {
			a.give(to, false)
			return err
		}
		a.give(e.at, false) // no reference to these addresses has been published
		e.at = to
	}
	if more := min(max(want, e.at.n)-e.at.n, a.behind(e.at.end())); more > 0 {
		a.takeAt(run{e.at.end(), more})
		e.at.n += more
	}
	return nil
}

// move copies the open part of the extent to other addresses, piece by piece, and gives
// each piece back once it is copied. So it needs memory for just one more piece.
func (e *Extent) move(to run) error {
	piece := uint32(growBy)
	for done := uint32(0); done < e.open; {
		n := min(piece, e.open-done)
		from, into := run{e.at.first + done, n}, run{to.first + done, n}
		if err := e.space.openRun(into); err != nil {
			if n > 1 {
				piece = 1
				continue
			}
			e.space.closeRun(run{to.first, done}, done)
			e.counts -= done
			return err
		}
		copy(e.space.bytesOf(into), e.space.bytesOf(from))
		e.space.closeRun(from, n)
		done += n
	}
	return nil
}

// openUp makes the first n spans of the extent writable.
func (e *Extent) openUp(n uint32) error {
	if err := e.space.openRun(run{e.at.first + e.open, n - e.open}); err != nil {
		return err
	}
	e.counts += n - e.open
	e.open = n
	return nil
}

// openRun makes a run of the frozen quarter writable and zero.
func (s *Space) openRun(r run) error {
	c := &s.central
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.makeRoom(r.n); err != nil {
		return err
	}
	if err := s.mem.commit(r.offset(), r.bytes()); err != nil {
		return fmt.Errorf("commit %d bytes: %w", r.bytes(), err)
	}
	if s.mem.populate != nil && r.n > 1 { // the only span of a small extent may stay nearly empty
		s.mem.populate(r.offset(), r.bytes())
	}
	if !s.mem.zeroes {
		s.Zero(r.first*SpanGranules, r.n*SpanGranules)
	}
	c.mu.used += int64(r.n)
	c.mu.extents += int64(r.n)
	c.show(r, opened)
	return nil
}

// closeRun undoes openRun. If the system cannot make the run inaccessible, the run is
// empty, and its addresses are merely the last to be reused. counted says how many of
// its spans count against the limit.
func (s *Space) closeRun(r run, counted uint32) {
	c := &s.central
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bar(r)
	c.uncount(counted)
}

// bar returns the memory of an open run to the system and makes the run inaccessible.
// If the system cannot do that, the run reads as zero. mu held.
func (c *central) bar(r run) {
	if r.n == 0 {
		return
	}
	if err := c.space.mem.bar(r.offset(), r.bytes()); err == nil {
		c.show(r, barred)
		return
	}
	_ = c.space.mem.decommit(r.offset(), r.bytes())
}

// uncount takes n spans of extents off the account. mu held.
func (c *central) uncount(n uint32) {
	c.mu.used -= int64(n)
	c.mu.extents -= int64(n)
}

func (s *Space) bytesOf(r run) []byte { return s.Bytes(r.first*SpanGranules, int(r.bytes())) }

// Seal makes the first bytes, which Grow has opened, read-only, and gives back the
// rest. If forGood is set, the system keeps the memory mapped and read-only until the
// process ends; if it cannot, the error is errors.ErrUnsupported.
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
	c := &e.space.central
	c.mu.Lock()
	e.kind = sealedOwn
	switch {
	case forGood || e.open > growBy: // locked, or with large pages
		e.kind = c.mu.mappings.unlike()
	case e.space.mem.file != nil:
		e.kind = sealedFile
	}
	c.show(run{e.at.first, e.open}, e.kind)
	c.mu.Unlock()
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

// trim gives back everything behind the first keep spans, and ends the extent's growth.
// keep is at least one, so that no two extents begin at the same address.
func (e *Extent) trim(keep uint32) {
	c := &e.space.central
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopGrowing(e)
	if e.open > keep {
		c.bar(run{e.at.first + keep, e.open - keep})
		c.uncount(e.open - keep)
		e.counts -= e.open - keep
		e.open = keep
	}
	c.mu.frozen.give(run{e.at.first + keep, e.at.n - keep}, false)
	e.at.n = keep
}

func (c *central) stopGrowing(e *Extent) {
	c.mu.growing = slices.DeleteFunc(c.mu.growing, func(x *Extent) bool { return x == e })
}

// MapFile maps bytes of a file, from offset at on, read-only into a new extent. The
// pages belong to the file and do not count against the limit. The error is
// errors.ErrUnsupported if files cannot be mapped into this memory, or if the bytes fit
// into one span: copying so few costs the system less than separate mappings.
func (e *Extent) MapFile(f *os.File, at int64, bytes uintptr) error {
	page := uintptr(os.Getpagesize())
	if e.space.mem.mapFile == nil || at%int64(page) != 0 || bytes <= SpanSize {
		return errors.ErrUnsupported
	}
	e.trim(spansOf(uint64(bytes)))
	if err := e.space.mem.mapFile(e.offset(), f, at, bytes); err != nil {
		return fmt.Errorf("map %d bytes of %s: %w", bytes, f.Name(), err)
	}
	e.mapped, e.open, e.bytes = true, e.at.n, bytes
	m := &e.space.central.mu.mappings
	e.space.central.mu.Lock()
	defer e.space.central.mu.Unlock()
	e.kind = m.unlike()
	first := uint64(e.at.first) * SpanGranules
	m.set(first, first+uint64((bytes+page-1)/page*page)/GranuleSize, e.kind)
	return nil
}

// Free gives the memory back. The addresses are the last to be reused, and inaccessible
// until then. If cutting them out of a larger mapping would take too many mappings,
// they read as zero instead. The error is one of the system, or ErrLocked, which leaves
// the extent unchanged.
func (e *Extent) Free() error {
	if e.locked {
		return ErrLocked
	}
	c := &e.space.central
	c.mu.Lock()
	defer c.mu.Unlock()
	again := true
	if e.open > 0 {
		var err error
		if again, err = c.takeAway(e); err != nil {
			return err
		}
	}
	seen := !slices.Contains(c.mu.growing, e) // references to these addresses may exist
	c.stopGrowing(e)
	c.uncount(e.counts)
	if again {
		c.mu.frozen.give(run{e.at.first, e.open}, seen)
	}
	c.mu.frozen.give(run{e.at.first + e.open, e.at.n - e.open}, false)
	e.at, e.open, e.counts = run{}, 0, 0
	return nil
}

// takeAway returns the memory of the open part to the system, and reports whether the
// addresses can be reused. mu held.
func (c *central) takeAway(e *Extent) (again bool, err error) {
	at := run{e.at.first, e.open}
	whole := at
	if c.mu.kept {
		whole = c.mu.frozen.around(at)
	}
	if c.mayBar(whole) {
		if err = c.space.mem.bar(whole.offset(), whole.bytes()); err == nil {
			c.show(whole, barred)
			return true, nil
		}
	}
	switch {
	case e.shared.Load():
		return false, nil // the memory is that of the file, which remains
	case !e.mapped && c.space.mem.zeroes:
		c.mu.kept = true
		return true, c.space.mem.decommit(at.offset(), at.bytes())
	}
	return false, err
}
