package arena

import (
	"cmp"
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"go.uber.org/atomic"

	"github.com/ichor-go/ichor/internal/fault"
)

// Linux bounds the number of mappings of a process (vm.max_map_count). Beyond that,
// every request for another mapping fails, including those of the Go runtime, which
// then dies. Most mappings are made by extents. So each space accounts for those of its
// extents, and no extent is made if the extents of the process would then have more
// than half of the mappings that the system allows. The other half is for everything
// else.
//
//	mappings of all spaces ≤ MaxMappings, except in the middle of a call
//
// The account is a list of the places in the frozen quarter where mappings begin. The
// system joins neighbours of one kind into one mapping.

// kind tells which neighbours are one mapping. A number from apart on is used once:
// such a mapping is like no other.
type kind uint32

const (
	barred     kind = iota // inaccessible
	opened                 // being filled: writable
	sealedOwn              // anonymous memory, read-only
	sealedFile             // read-only: the space's memfd, or the file that it was adopted from, at the same offset
	apart
)

// seam is the granule at which a mapping begins, and the mapping's kind.
type seam struct {
	at   uint64
	kind kind
}

// mappings are those of a space's frozen quarter, except the first, which exists in any
// case.
type mappings struct {
	seams []seam
	last  kind // the last kind given to a mapping that is like no other
}

// mapped is the number of mappings of all spaces.
var mapped atomic.Int64

// MaxMappings is how many mappings all extents together may have. Tests change it.
var MaxMappings = atomic.NewInt64(maxMappings() / 2)

// ErrMappings says that the process has too many memory mappings.
var ErrMappings = fault.New("too many memory mappings")

const (
	mapCountFile    = "/proc/sys/vm/max_map_count"
	defaultMapCount = 65530
)

// maxMappings returns how many mappings the system allows.
func maxMappings() int64 {
	if runtime.GOOS != "linux" {
		return math.MaxInt64
	}
	b, err := os.ReadFile(mapCountFile)
	if n, bad := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64); err == nil && bad == nil {
		return n
	}
	return defaultMapCount
}

// mostForOne is how many mappings one more extent can cost until it is sealed: its own,
// the rest of the mapping that it splits, and one for the end of a file within a span.
const mostForOne = 3

// roomForMapping fails if the mappings of one more extent would be too many.
func roomForMapping() error {
	if n, most := mapped.Load(), MaxMappings.Load(); n+mostForOne > most {
		return fmt.Errorf("%w: frozen graphs and images use %d, and the limit is half of vm.max_map_count, %d", ErrMappings, n, most)
	}
	return nil
}

// unlike returns a kind that no other mapping has.
func (m *mappings) unlike() kind {
	m.last = max(m.last+1, apart)
	return m.last
}

// set records that the granules from first up to end are mappings of kind k.
func (m *mappings) set(first, end uint64, k kind) {
	i, j, with := m.plan(first, end, k)
	mapped.Add(int64(len(with) - (j - i)))
	m.seams = slices.Replace(m.seams, i, j, with...)
}

// plan returns what set changes: with replaces the seams from i up to j.
func (m *mappings) plan(first, end uint64, k kind) (i, j int, with []seam) {
	find := func(at uint64) int {
		i, _ := slices.BinarySearchFunc(m.seams, at, func(s seam, at uint64) int { return cmp.Compare(s.at, at) })
		return i
	}
	before := func(i int) kind {
		if i == 0 {
			return barred
		}
		return m.seams[i-1].kind
	}
	i, j = find(first), find(end+1)
	if before(i) != k {
		with = append(with, seam{first, k})
	}
	if behind := before(j); behind != k { // the kind at end
		with = append(with, seam{end, behind})
	}
	return i, j, with
}

// granules returns the first granule of a run and the one behind it.
func (r run) granules() (first, end uint64) {
	return uint64(r.first) * SpanGranules, uint64(r.end()) * SpanGranules
}

// show records the kind of mapping that a run of spans has from now on. Go memory has
// no mappings of its own. mu held.
func (c *central) show(r run, k kind) {
	if c.space.mem.seal != nil {
		first, end := r.granules()
		c.mu.mappings.set(first, end, k)
	}
}

// mayBar reports whether a run may be made inaccessible. It may not if that splits a
// mapping and makes one mapping too many. mu held.
func (c *central) mayBar(r run) bool {
	first, end := r.granules()
	i, j, with := c.mu.mappings.plan(first, end, barred)
	more := len(with) - (j - i)
	return more <= 0 || mapped.Load()+int64(more) <= MaxMappings.Load()
}

// forget takes the space off the account, except for the extents that remain mapped.
func (m *mappings) forget(kept []run) {
	mapped.Sub(int64(len(m.seams) - 2*len(kept)))
}
