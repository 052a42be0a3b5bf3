package arena

import (
	"fmt"
	"math/bits"
	"os"

	"github.com/ichor-go/ichor/internal/mutant"
)

// Adopt makes a space from one that another process has shared and l describes. What
// was in use there is in use here, at the same handles. l is not trusted: whatever it
// says, no memory of the space lies outside the file or is in use twice. Any goroutine.
func Adopt(file *os.File, l *Layout, cfg Config) (s *Space, regions []*Region, extents []*Extent, err error) {
	if err := l.check(file); err != nil {
		return nil, nil, nil, err
	}
	if s, err = makeSpace(System, l.Granules, cfg); err != nil {
		return nil, nil, nil, err
	}
	a := adoption{s: s, c: &s.central, l: l, parts: partsOf(l.Granules)}
	if err = a.run(file); err != nil {
		_ = s.Close()
		return nil, nil, nil, err
	}
	s.backing = Memfd
	return s, a.regions, a.extents, nil
}

// check validates what can be validated without a space.
func (l *Layout) check(file *os.File) error {
	g := l.Granules
	if g < minSpaceGranules || g > maxSpaceGranules || g&(g-1) != 0 || g > smallSpaceGranules && g != maxSpaceGranules {
		return fmt.Errorf("%w: a space of %d granules", errNotShared, g)
	}
	st, err := file.Stat()
	if err != nil {
		return err
	}
	if uint64(st.Size()) < g<<GranuleShift {
		return fmt.Errorf("%w: %d bytes, and the space alone takes %d", errNotShared, st.Size(), g<<GranuleShift)
	}
	return nil
}

// adoption holds the state of Adopt while it makes the descriptors.
type adoption struct {
	s       *Space
	c       *central
	l       *Layout
	parts   parts
	regions []*Region
	extents []*Extent
}

func (a *adoption) run(file *os.File) error {
	c := a.c
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range a.l.Spans {
		if err := a.span(&a.l.Spans[i]); err != nil {
			return err
		}
	}
	for i := range a.l.Regions {
		if err := a.region(&a.l.Regions[i]); err != nil {
			return err
		}
	}
	ranges := a.l.ranges()
	if err := a.s.mapCopies(file, ranges); err != nil {
		return err
	}
	for i := range a.l.Extents {
		if err := a.extent(file, &a.l.Extents[i]); err != nil {
			return err
		}
	}
	c.share(ranges, a.l.Account)
	return nil
}

// take makes the descriptors of a run that is in use, and returns the first.
func (a *adoption) take(r run, within run, state spanState) (*Span, error) {
	if r.n == 0 || r.first < within.first || r.end() < r.first || r.end() > within.end() {
		return nil, fmt.Errorf("%w: spans %d to %d are out of range", errNotShared, r.first, r.end())
	}
	for i := range r.n {
		sp := a.c.descriptor(r.first + i)
		if sp.state != spanFree {
			return nil, fmt.Errorf("%w: span %d is in use twice", errNotShared, r.first+i)
		}
		sp.state = state
		if state == spanLarge {
			state = spanTail
		}
	}
	a.c.mu.used += int64(r.n)
	sp := a.c.descriptor(r.first)
	sp.spans = r.n
	return sp, nil
}

func (a *adoption) span(l *SpanLayout) error {
	bad := func(what string) error { return fmt.Errorf("%w: span %d has %s", errNotShared, l.Number, what) }
	if l.Purpose >= Purpose(cached) {
		return bad("an unknown purpose")
	}
	if l.Spans > 0 {
		sp, err := a.take(run{l.Number, l.Spans}, a.parts.counted, spanLarge)
		if err != nil {
			return err
		}
		sp.purpose, sp.size = l.Purpose, l.Spans*SpanGranules
		a.track(sp, l)
		return nil
	}
	if int(l.Class) >= Classes || l.Purpose == Containers && classGranules[l.Class] < MinContainer {
		return bad("an unknown size class")
	}
	sp, err := a.take(run{l.Number, 1}, a.parts.counted, spanSmall)
	if err != nil {
		return err
	}
	sp.initSmall(nil, l.Purpose, int(l.Class))
	words := int(sp.words)
	if len(l.Free) != words || len(l.Hidden) != words && len(l.Hidden) != 0 {
		return bad("bitmaps of the wrong length")
	}
	last := ^uint64(0) >> (-sp.slots % 64)
	if l.Free[words-1]&^last != 0 || len(l.Hidden) > 0 && l.Hidden[words-1]&^last != 0 {
		return bad("bits for slots that it does not have")
	}
	sp.nfree = uint32(copyBits(sp.free[:], l.Free))
	if mutant.On && mutant.Is(mutant.SharedAsUsed) {
		clear(sp.free[:])
		sp.nfree = 0
	}
	if len(l.Hidden) > 0 {
		sp.hidden = new([bitmapWords]uint64)
		sp.nhidden = uint32(copyBits(sp.hidden[:], l.Hidden))
	}
	a.track(sp, l)
	return nil
}

func (a *adoption) track(sp *Span, l *SpanLayout) {
	if l.Tracked {
		a.c.track(sp)
	}
}

// copyBits copies a bitmap and returns the number of its set bits.
func copyBits(dst, src []uint64) (n int) {
	copy(dst, src)
	for _, w := range src {
		n += bits.OnesCount64(w)
	}
	return n
}

func (a *adoption) region(l *RegionLayout) error {
	r := a.s.NewRegion()
	for _, at := range l.Runs {
		sp, err := a.take(run{at[0], at[1]}, a.parts.immortal, spanRegion)
		if err != nil {
			return err
		}
		r.runs = append(r.runs, sp)
		for i := range sp.spans {
			d := a.c.descriptor(at[0] + i)
			d.purpose, d.region, d.pos = Immortal, r, uint32(len(r.starts))
			m := startMap{first: ImmortalBit | d.start}
			if n := len(r.starts); n < len(l.Starts) {
				m.objects, m.others = l.Starts[n][0], l.Starts[n][1]
			}
			r.starts = append(r.starts, m)
		}
	}
	if len(r.starts) != len(l.Starts) {
		return fmt.Errorf("%w: a region of %d spans has objects of %d", errNotShared, len(r.starts), len(l.Starts))
	}
	r.count, r.bytes = l.Count, l.Bytes
	r.Publish()
	a.regions = append(a.regions, r)
	return nil
}

func (a *adoption) extent(file *os.File, l *ExtentLayout) error {
	at := run{l.At[0], l.At[1]}
	if l.Bytes > uint64(at.n)<<SpanShift || !a.c.mu.frozen.takeAt(at) {
		return fmt.Errorf("%w: %d frozen bytes in spans %d to %d", errNotShared, l.Bytes, at.first, at.end())
	}
	e := &Extent{space: a.s, at: at, bytes: uintptr(l.Bytes), mapped: true, kind: sealedFile}
	e.shared.Store(true)
	a.extents = append(a.extents, e)
	if l.Bytes == 0 {
		return nil
	}
	e.open = at.n
	if err := a.s.mem.copyFile(e.offset(), file, e.Room(), false); err != nil {
		return fmt.Errorf("map %d frozen bytes: %w", l.Bytes, err)
	}
	a.c.show(at, sealedFile)
	return nil
}
