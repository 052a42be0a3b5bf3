package arena

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/ichor-go/ichor/internal/fault"
)

// A space in a memfd can be shared with other processes, once. From then on the file
// never changes: each process, including the first, has private copies of the pages
// that it writes, and sees no other process's copies.
//
//	own      condition: made by New
//	         invariant: writes go to the file
//	         to shared by Share
//	shared   condition: Share was called
//	         invariant: the file is write-sealed, and mapped privately where it was in
//	         use; everything else is anonymous memory
//	adopted  condition: made by Adopt, in another process
//	         invariant: as shared
//
// Memory that was in use when the space was shared belongs to a cache that never
// allocates. So new objects do not lie on the pages of old ones, which would then be
// copied. Slots that are freed there return to that cache. A span that becomes empty
// gives its copied pages back, and is not used again.
//
// The span descriptors are passed on as a Layout, which lies behind the space in the
// file:
//
//	byte            what
//	0               the space, with holes where it was not in use
//	its size        the message given to Share, which includes the Layout
//	last 32 bytes   shareMagic; offset and length of the message; its xxHash64

// Layout describes the parts of a space that are in use, for another process.
type Layout struct {
	Granules uint64
	Spans    []SpanLayout
	Regions  []RegionLayout
	Extents  []ExtentLayout
	Account  Account
}

// Run is the first span of a run, and the number of its spans.
type Run [2]uint32

// SpanLayout is a span of the counted half that is in use.
type SpanLayout struct {
	Number  uint32
	Spans   uint32 // length of a large block; else 0
	Purpose Purpose
	Class   uint8
	Tracked bool
	Free    []uint64
	Hidden  []uint64
}

// RegionLayout is a region.
type RegionLayout struct {
	Runs         []Run
	Starts       [][2]startBits // objects and others of each span
	Count, Bytes int64
}

// ExtentLayout is an extent.
type ExtentLayout struct {
	At    Run
	Bytes uint64
}

// Errors of sharing.
var (
	ErrShared    = fault.New("the heap is already shared")
	ErrNoMemfd   = errors.New("the heap's memory is not in a memfd")
	errNotShared = errors.New("not a shared heap")
)

// Layout collects all frees and describes what is in use. World stopped.
func (s *Space) Layout(regions []*Region, extents []*Extent) (*Layout, error) {
	c := &s.central
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.mu.sharing != nil:
		return nil, ErrShared
	case s.mem.file == nil:
		return nil, ErrNoMemfd
	}
	l := &Layout{Granules: uint64(s.mask) + 1}
	for _, cache := range append(slices.Clip(c.mu.caches), c.common, c.apart) {
		cache.trim(true)
		for p := range Purposes {
			l.Account.Count[p] += cache.account.Count[p]
			l.Account.Bytes[p] += cache.account.Bytes[p]
		}
	}
	c.cool()
	s.eachSpan(func(sp *Span) bool {
		if sp.state == spanSmall || sp.state == spanLarge {
			l.Spans = append(l.Spans, c.layout(sp))
		}
		return true
	})
	for _, r := range regions {
		l.Regions = append(l.Regions, r.layout())
	}
	for _, e := range extents {
		l.Extents = append(l.Extents, ExtentLayout{Run{e.at.first, e.at.n}, uint64(e.bytes)})
	}
	return l, nil
}

func (c *central) layout(sp *Span) SpanLayout {
	n := sp.Number()
	l := SpanLayout{Number: n, Purpose: sp.purpose, Class: sp.class}
	if sp.purpose == Containers {
		l.Tracked = c.tracked[n/64].Load()>>(n%64)&1 != 0
	}
	if sp.state == spanLarge {
		l.Spans = sp.spans
		return l
	}
	l.Free = slices.Clone(sp.free[:sp.words])
	if sp.hidden != nil {
		l.Hidden = slices.Clone(sp.hidden[:sp.words])
	}
	return l
}

func (r *Region) layout() RegionLayout {
	r.end()
	l := RegionLayout{Count: r.count, Bytes: r.bytes}
	for _, sp := range r.runs {
		l.Runs = append(l.Runs, Run{sp.Number(), sp.spans})
	}
	for i := range r.starts {
		l.Starts = append(l.Starts, [2]startBits{r.starts[i].objects, r.starts[i].others})
	}
	return l
}

// ranges returns the parts of the two halves that were in use: one run for each half.
// It includes free spans in between, since mapping a hole costs nothing.
func (l *Layout) ranges() []run {
	var counted, immortal run
	for i := range l.Spans {
		sp := &l.Spans[i]
		counted = counted.join(run{sp.Number, max(sp.Spans, 1)})
	}
	for i := range l.Regions {
		for _, r := range l.Regions[i].Runs {
			immortal = immortal.join(run{r[0], r[1]})
		}
	}
	return slices.DeleteFunc([]run{counted, immortal}, func(r run) bool { return r.n == 0 })
}

// join returns the shortest run that contains both.
func (r run) join(x run) run {
	if r.n == 0 {
		return x
	}
	first := min(r.first, x.first)
	return run{first, max(r.end(), x.end()) - first}
}

// Share makes the file immutable as l describes it, with message behind the space, and
// returns it. The caller closes the file; processes that have mapped it do not need it
// open. extents are those of l. The world has been stopped since Layout was called.
//
// If Share fails once the file is complete, the space continues as a shared one: its
// memory has changed, and it cannot be shared again.
func (s *Space) Share(l *Layout, extents []*Extent, message []byte) (*os.File, error) {
	c := &s.central
	c.mu.Lock()
	defer c.mu.Unlock()
	file, ranges := s.mem.file, l.ranges()
	if err := s.writeBehind(file, extents, message); err != nil {
		return nil, err
	}
	s.mem = *s.mem.after
	err := s.keepApart(file, ranges, extents)
	if err == nil {
		err = sealFile(file)
	}
	c.share(ranges, Account{}) // also after an error: allocations in the old spans would hit barred memory
	if err != nil {
		s.mem.zeroes = false // mappings of the file that remain keep their contents when decommitted
		return nil, errors.Join(err, file.Close())
	}
	for _, e := range extents {
		e.shared.Store(true)
	}
	return file, nil
}

// writeBehind completes the file: it adds the contents of extents that map other files,
// the message, and the trailer.
func (s *Space) writeBehind(file *os.File, extents []*Extent, message []byte) error {
	for _, e := range extents {
		if !e.mapped {
			continue
		}
		if _, err := file.WriteAt(s.Bytes(e.Start(), int(e.bytes)), int64(e.offset())); err != nil {
			return fmt.Errorf("copy %d bytes of an image: %w", e.bytes, err)
		}
	}
	size := (int64(s.mask) + 1) << GranuleShift
	_, err := file.WriteAt(appendTrailer(message, size), size)
	return err
}

// keepApart maps the file privately where it is in use, and fresh memory over the rest,
// so that no later write reaches the file. Sealed extents are mapped so already, except
// those that map another file, whose contents writeBehind has copied.
func (s *Space) keepApart(file *os.File, ranges []run, extents []*Extent) error {
	own := append([]run{{0, 1}, {s.central.nspans - 1, 1}}, ranges...)
	kept := slices.Clone(own)
	for _, e := range extents {
		if e.bytes == 0 {
			continue
		}
		kept = append(kept, e.at)
		if e.mapped {
			if err := s.mem.copyFile(e.offset(), file, uintptr(e.at.n)<<SpanShift, false); err != nil {
				return fmt.Errorf("map %d frozen bytes: %w", e.bytes, err)
			}
		}
	}
	slices.SortFunc(kept, func(a, b run) int { return cmp.Compare(a.first, b.first) })
	from := uint32(0)
	for _, k := range append(kept, run{s.central.nspans, 0}) {
		if k.first > from {
			if err := s.mem.bar(uintptr(from)<<SpanShift, uintptr(k.first-from)<<SpanShift); err != nil {
				return fmt.Errorf("map fresh memory: %w", err)
			}
			s.central.show(run{from, k.first - from}, barred)
		}
		from = k.end()
	}
	return s.mapCopies(file, own)
}

// mapCopies maps runs of a file so that writes stay private.
func (s *Space) mapCopies(file *os.File, runs []run) error {
	for _, r := range runs {
		if err := s.mem.copyFile(uintptr(r.first)<<SpanShift, file, uintptr(r.n)<<SpanShift, true); err != nil {
			return fmt.Errorf("map %d bytes of the shared heap: %w", int64(r.n)<<SpanShift, err)
		}
	}
	return nil
}

// share turns everything in use in these ranges into shared memory. mu held.
func (c *central) share(ranges []run, account Account) {
	for _, cache := range append(slices.Clip(c.mu.caches), c.common, c.apart) {
		clear(cache.current[:])
		cache.spans = 0
	}
	c.mu.small = [cached][Classes]spanRing{}
	c.mu.sharing = c.space.newCache()
	c.mu.sharing.account = account
	c.mu.sharing.Leave()
	c.mu.caches = append(c.mu.caches, c.mu.sharing)
	p := partsOf(uint64(c.nspans) * SpanGranules)
	c.mu.counted = freshHalf(p.counted, p.counted.first) // for a half with nothing in use
	c.mu.immortal = freshHalf(p.immortal, p.immortal.first)
	for _, r := range ranges {
		for n := r.first; n < r.end(); n++ {
			sp := c.descriptor(n)
			sp.shared = true
			if sp.state != spanFree {
				c.mu.used--
			}
			if sp.state == spanSmall {
				sp.listed, sp.next, sp.prev = false, nil, nil
				sp.cache.Store(c.mu.sharing)
				c.mu.sharing.spans++
			}
		}
		h, at := &c.mu.counted, p.counted
		if r.first >= p.immortal.first {
			h, at = &c.mu.immortal, p.immortal
		}
		*h = freshHalf(at, r.first)
		h.next, h.committed = r.end(), r.end()
	}
	c.mu.ranges = ranges
}

// TrimShared collects the frees of shared memory, and gives back the copied pages of
// spans that have become empty. It also trims the common cache. Any goroutine.
func (s *Space) TrimShared() {
	c := &s.central
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trimCommon()
	if c.mu.sharing != nil {
		c.mu.sharing.trim(true)
	}
}

// SharedRanges returns the addresses of the shared parts of the two halves: of their
// first bytes, and of the bytes behind them. Any goroutine.
func (s *Space) SharedRanges() (ranges [][2]uintptr) {
	c := &s.central
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.mu.ranges {
		base := uintptr(s.base)
		ranges = append(ranges, [2]uintptr{base + uintptr(r.first)<<SpanShift, base + uintptr(r.end())<<SpanShift})
	}
	return ranges
}

// IsShared reports whether the block at handle h, which is in use, is shared.
func (s *Space) IsShared(h uint32) bool { return s.central.span(h & s.mask).shared }

// The trailer locates the message: shareMagic, the message's offset and length, and its
// hash.
const (
	shareMagic   = 0x6368_6f72_7368_6172 // unlikely at the end of any other file
	trailerBytes = 32
)

func appendTrailer(message []byte, at int64) []byte {
	le := binary.LittleEndian
	b := le.AppendUint64(slices.Clip(message), shareMagic)
	b = le.AppendUint64(b, uint64(at))
	b = le.AppendUint64(b, uint64(len(message)))
	return le.AppendUint64(b, xxhash.Sum64(message))
}

// ReadShared returns the message that was given to Share with the space in the file,
// and checks that the file cannot change any more. The file is not trusted; its objects
// will be.
func ReadShared(file *os.File) (message []byte, err error) {
	st, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if err := sealed(file); err != nil {
		return nil, err
	}
	var b [trailerBytes]byte
	end := st.Size() - trailerBytes
	if end < 0 {
		return nil, errNotShared
	}
	if _, err := file.ReadAt(b[:], end); err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	at, n := le.Uint64(b[8:]), le.Uint64(b[16:])
	if le.Uint64(b[:]) != shareMagic || n > uint64(end) || at != uint64(end)-n {
		return nil, errNotShared
	}
	message = make([]byte, n)
	if _, err := file.ReadAt(message, int64(at)); err != nil {
		return nil, err
	}
	if xxhash.Sum64(message) != le.Uint64(b[24:]) {
		return nil, fmt.Errorf("%w: its description does not match its checksum", errNotShared)
	}
	return message, nil
}
