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
	Auto     Backing = iota // Go memory under the race detector and where there is no mmap, else System
	System                  // anonymous memory of the operating system
	GoMemory                // Go memory: what the race detector can see
	Memfd                   // a file that lies in memory alone, so that other processes can map it; Linux
)

var backingNames = [...]string{"auto", "system", "go", "memfd"}

func (b Backing) String() string {
	if int(b) < len(backingNames) {
		return backingNames[b]
	}
	return fmt.Sprintf("Backing(%d)", uint8(b))
}

// ImmortalBit is set in a handle of the immortal half, clear in one of the
// counted half.
const ImmortalBit uint32 = 1 << 31

// FrozenBits are set in a handle of the frozen quarter, which extents lie in.
// Handles from FrozenEnd on need no memory (see runtime.Ref), but for those from
// Fixed on: they name the last span of every space, whatever its size.
const (
	FrozenBits uint32 = 0xA000_0000
	FrozenEnd  uint32 = 0xC000_0000
	Fixed      uint32 = 0xFFFF_F000
)

// Where the parts of a space lie. The largest one has every handle, and its parts
// are where handles of their kind are. A smaller one is halved, and its upper half
// again, so the mask must cut off the bits that tell the kinds apart.
const (
	minSpaceGranules   = 1 << 16 // 1 MiB
	smallSpaceGranules = 1 << 29 // 8 GiB: the largest of the smaller ones
	maxSpaceGranules   = 1 << 32 // 64 GiB: every handle
)

// ErrLimit says that the byte limit of the space is reached.
var ErrLimit = fault.New("memory limit reached")

// ErrAddressSpace says that the reserved range is used up. It is an ErrLimit.
var ErrAddressSpace error = &fault.Kind{Text: "address space of the runtime is used up", Of: ErrLimit}

// Config is what New needs to know.
type Config struct {
	Backing Backing
	Reserve int64 // bytes of address space, rounded up to a power of two, or from 8 GiB on to 64 GiB; 0 for the backing's default
	Limit   int64 // bytes in use at most; 0 for no limit

	// For finding mistakes: the first span to hand out, which spreads spaces so
	// that a handle of another one hits nothing; and whether what is not
	// committed reads as zero instead of faulting.
	Start    uint32
	Readable bool

	// Inject, if not nil, is called before each call to the system, and what it returns is
	// the error of that.
	Inject func(Call) error
}

// Space is one reserved range of addresses.
//
// A handle of 32 bits names a granule: handle&mask is its number. The mask lets
// a space be smaller than what handles can name, while the highest handles
// keep their place at its end.
type Space struct {
	base    unsafe.Pointer // first byte of the range, aligned to a page
	mask    uint32         // granules − 1
	backing Backing
	mem     memory
	central central

	immortal struct{ count, bytes aligned.Int64 } // accounts of all regions

	containers aligned.Int64 // in use on the counted half, as caches have told
}

// New reserves a space. If it is not told how large, and the system refuses what is
// usual, it makes do with little: a process may have a limit on its addresses
// (RLIMIT_AS), and so have emulators. Any goroutine.
func New(cfg Config) (*Space, error) {
	b := cfg.Backing
	if b == Auto {
		b = defaultBacking
	}
	want := uint64(cfg.Reserve) / GranuleSize
	if cfg.Reserve == 0 {
		want = defaultReserve(b)
	}
	if cfg.Reserve < 0 || want > maxSpaceGranules {
		return nil, fmt.Errorf("reserve of %d bytes: want at most %d", cfg.Reserve, int64(maxSpaceGranules)*GranuleSize)
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
	s := &Space{base: mem.base, mask: uint32(granules - 1), backing: b, mem: mem}
	if err := s.central.init(s, granules, cfg); err != nil {
		_ = mem.release(nil)
		return nil, err
	}
	return s, nil
}

// Close gives the range back, but for extents that are sealed for good. Nothing may
// use it afterwards.
func (s *Space) Close() error {
	s.central.mu.mappings.forget(s.central.mu.locked)
	return s.mem.release(s.central.mu.locked)
}

// Containers returns how many containers are in use on the counted half: each
// cache's share as of its last refill or Publish, to within tellAfter. Any goroutine.
func (s *Space) Containers() int64 { return s.containers.Load() }

// Backing returns the memory that the space lies in.
func (s *Space) Backing() Backing { return s.backing }

// Base returns the address of granule 0.
func (s *Space) Base() unsafe.Pointer { return s.base }

// Mask returns what a handle is masked with to give a granule.
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

// Fill stores the same word all over n granules. The words have the width that
// objects are accessed with: the race detector notes the first byte of an
// access only, and does not see the clear builtin at all.
func (s *Space) Fill(h, n uint32, word uint32) {
	w := unsafe.Slice((*uint32)(s.At(h)), int(n)*4)
	for i := range w {
		w[i] = word
	}
}
