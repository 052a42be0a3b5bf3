package arena

import (
	"errors"
	"fmt"
	"math/bits"
	"syscall"
	"unsafe"

	"github.com/ichor-go/ichor/internal/aligned"
	"github.com/ichor-go/ichor/internal/fault"
)

// Backing says what memory a space lies in.
type Backing uint8

const (
	Auto     Backing = iota // Go memory under the race detector and without mmap, else System
	System                  // anonymous memory of the operating system
	GoMemory                // Go memory, which the race detector can see
	Memfd                   // a memfd, which other processes can map; Linux
)

var backingNames = [...]string{"auto", "system", "go", "memfd"}

func (b Backing) String() string {
	if int(b) < len(backingNames) {
		return backingNames[b]
	}
	return fmt.Sprintf("Backing(%d)", uint8(b))
}

// ImmortalBit is set in the handles of the immortal half, and clear in those of the
// counted half.
const ImmortalBit uint32 = 1 << 31

// FrozenBits are set in the handles of the frozen quarter, which holds the extents.
// Handles from FrozenEnd on need no memory (see runtime.Ref), except those from Fixed
// on: they name granules of the last span of every space, whatever its size.
const (
	FrozenBits uint32 = 0xA000_0000
	FrozenEnd  uint32 = 0xC000_0000
	Fixed      uint32 = 0xFFFF_F000
)

// Sizes of a space. The largest one has a granule for every handle, and its parts lie
// where the handles of their kind are. A smaller one is halved, and its upper half is
// halved again, so its mask must cut off the bits that tell the kinds apart.
const (
	minSpaceGranules   = 1 << 16 // 1 MiB
	smallSpaceGranules = 1 << 29 // 8 GiB: the largest of the smaller ones
	maxSpaceGranules   = 1 << 32 // 64 GiB: every handle
)

// MaxReserve is the size in bytes of the largest space.
const MaxReserve int64 = maxSpaceGranules * GranuleSize

// ErrLimit says that the space has reached its limit of bytes.
var ErrLimit = fault.New("memory limit reached")

// ErrAddressSpace says that the reserved addresses are used up. It is an ErrLimit.
var ErrAddressSpace error = &fault.Kind{Text: "address space of the runtime is used up", Of: ErrLimit}

// Config configures New.
type Config struct {
	Backing Backing
	Reserve int64 // bytes of addresses, rounded up to a power of two, above 8 GiB to 64 GiB; 0 for the backing's default
	Limit   int64 // maximum of bytes in use; 0 for no limit

	// For debugging. Start is the first span to hand out: with a different one for each
	// space, a handle used in the wrong space hits nothing. Readable makes uncommitted
	// memory read as zero instead of faulting.
	Start    uint32
	Readable bool

	// Direct frees to the bitmaps at once, without magazines, so that a slot that is freed
	// twice is found at once.
	Direct bool

	// SampleEvery is how many bytes are allocated from one sampled block to the next, on
	// average, unless that is too often; 0 for no samples. Freed, if not nil, is called with the handle of each sampled
	// block before it is freed, and with those of some other blocks. See sample.go.
	SampleEvery int64
	Freed       func(h uint32)

	// Inject, if not nil, is called before each system call. If it returns an error,
	// the system call fails with it.
	Inject func(Call) error
}

// Space is one reserved range of addresses.
//
// A 32-bit handle names a granule: handle&mask is its number. The mask allows a space
// to be smaller than the range of handles, and still puts the highest handles at its
// end.
type Space struct {
	base    unsafe.Pointer // first byte of the range, aligned to a page
	mask    uint32         // granules − 1
	backing Backing
	mem     memory
	direct  bool // Config.Direct
	central central

	sampleEvery int64          // Config.SampleEvery
	freed       func(h uint32) // Config.Freed

	immortal struct{ count, bytes aligned.Int64 } // totals of all regions

	containers aligned.Int64 // containers in use in the counted half, as the caches have told
}

// New reserves a space. If cfg.Reserve is 0 and the system refuses the default size,
// New tries a small one: a process may have a limit on its addresses (RLIMIT_AS), and
// emulators have one too. Any goroutine.
func New(cfg Config) (*Space, error) {
	b := cfg.Backing
	if b == Auto {
		b = defaultBacking
	}
	want := uint64(cfg.Reserve) / GranuleSize
	if cfg.Reserve == 0 {
		want = defaultReserve(b)
	}
	if cfg.Reserve < 0 || cfg.Reserve > MaxReserve {
		return nil, fmt.Errorf("reserve of %d bytes: want at most %d", cfg.Reserve, MaxReserve)
	}
	granules := uint64(1) << bits.Len64(max(want, minSpaceGranules)-1)
	if granules > smallSpaceGranules {
		granules = maxSpaceGranules
	}
	s, err := makeSpace(b, granules, cfg)
	if cfg.Reserve == 0 && granules > littleGranules && errors.Is(err, syscall.ENOMEM) {
		return makeSpace(b, littleGranules, cfg)
	}
	return s, err
}

func makeSpace(b Backing, granules uint64, cfg Config) (*Space, error) {
	if uint64(uintptr(granules*GranuleSize)) != granules*GranuleSize {
		return nil, fmt.Errorf("reserve of %d bytes: more than this machine can address", granules*GranuleSize)
	}
	mem, err := reserve(b, uintptr(granules*GranuleSize), cfg.Readable)
	if err != nil {
		return nil, fmt.Errorf("reserve %d bytes of %s memory: %w", granules*GranuleSize, b, err)
	}
	if cfg.Inject != nil {
		mem = mem.injected(cfg.Inject)
	}
	s := &Space{base: mem.base, mask: uint32(granules - 1), backing: b, mem: mem, direct: cfg.Direct, sampleEvery: cfg.SampleEvery, freed: cfg.Freed}
	if err := s.central.init(s, granules, cfg); err != nil {
		_ = mem.release(nil)
		return nil, err
	}
	return s, nil
}

// Close gives the range back, except for extents that are sealed for good. The space
// must not be used afterwards.
func (s *Space) Close() error {
	s.central.mu.mappings.forget(s.central.mu.locked)
	return s.mem.release(s.central.mu.locked)
}

// Containers returns how many containers are in use in the counted half. Each cache
// adds its share at a refill or Publish, once it has changed by tellAfter. Any
// goroutine.
func (s *Space) Containers() int64 { return s.containers.Load() }

// Backing returns the kind of memory that the space lies in.
func (s *Space) Backing() Backing { return s.backing }

// Base returns the address of granule 0.
func (s *Space) Base() unsafe.Pointer { return s.base }

// Mask returns the mask that turns a handle into the number of a granule.
func (s *Space) Mask() uint32 { return s.mask }

// At returns the address of a handle's granule.
func (s *Space) At(h uint32) unsafe.Pointer {
	// Same as: &memory[(h & mask) * 16].
	// Safety: the mask keeps the granule inside the reserved range.
	return unsafe.Add(s.base, uintptr(h&s.mask)<<GranuleShift)
}

// Bytes returns n bytes from a handle's granule on.
func (s *Space) Bytes(h uint32, n int) []byte {
	return unsafe.Slice((*byte)(s.At(h)), n)
}

// Zero clears n granules from handle h on.
func (s *Space) Zero(h, n uint32) {
	if raceEnabled {
		s.Fill(h, n, 0)
		return
	}
	w := unsafe.Slice((*uint64)(s.At(h)), int(n)*2)
	if n <= 8 {
		for i := range w {
			w[i] = 0
		}
		return
	}
	clear(w)
}

// Clear clears the n granules behind the one at p. It is Zero for a few granules, and inlined.
func Clear(p unsafe.Pointer, n uint32) {
	// Same as: clear(granules[1 : 1+n]), where granules begin at p.
	// Safety: the caller has a slot of 1+n granules at p.
	if raceEnabled { // with stores as wide as in Fill
		for i := range 4 * n {
			*(*uint32)(unsafe.Add(p, GranuleSize+4*i)) = 0
		}
		return
	}
	for ; n > 0; n-- {
		p = unsafe.Add(p, GranuleSize)
		*(*[2]uint64)(p) = [2]uint64{}
	}
}

// Fill stores the same word throughout n granules. The stores are as wide as the
// accesses to objects, because the race detector records only the first byte of an
// access. It does not see the clear builtin at all.
func (s *Space) Fill(h, n uint32, word uint32) {
	w := unsafe.Slice((*uint32)(s.At(h)), int(n)*4)
	for i := range w {
		w[i] = word
	}
}
