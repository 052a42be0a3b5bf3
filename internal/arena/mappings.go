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

// Linux bounds how many mappings a process has (vm.max_map_count), and beyond that fails
// whatever asks for another one: also Go, which dies of it. Extents are what makes many, so
// a space keeps account of what its extents cost, and none is made that would have those of
// the process use more than half of what there are. The rest is for everything else.
//
//	mappings of all spaces ≤ MaxMappings, but for what a call in progress has for a moment
//
// The account is a list of where mappings begin in the frozen quarter. Neighbours of one
// kind are one mapping for the system.

// kind tells which neighbours are one mapping. From apart on each number is used once: the
// mapping is like no other.
type kind uint32

const (
	barred     kind = iota // inaccessible
	opened                 // being filled
	sealedOwn              // anonymous memory, read-only
	sealedFile             // the space's file, or the one that it was adopted from, at the same offset
	apart
)

// seam is where a mapping begins, in granules.
type seam struct {
	at   uint64
	kind kind
}

// mappings are those of a space's frozen quarter, less the first one, which is there in
// any case.
type mappings struct {
	seams []seam
	last  kind // that was given to a mapping like no other
}

// mapped adds up all spaces.
var mapped atomic.Int64

// MaxMappings is how many mappings extents may have, all in all. Tests change it.
var MaxMappings = atomic.NewInt64(maxMappings() / 2)

// ErrMappings says that there are too many mappings of memory in the process.
var ErrMappings = fault.New("too many memory mappings")

const (
	mapCountFile    = "/proc/sys/vm/max_map_count"
	defaultMapCount = 65530
)

// maxMappings is what the system allows.
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

// mostForOne is how many mappings one more extent can cost until it is sealed: its own, and
// what is left of the one that it lies in; and one for the end of a file within a span.
const mostForOne = 3

// roomForMapping fails if there may be no more mappings for one more extent.
func roomForMapping() error {
	if n, most := mapped.Load(), MaxMappings.Load(); n+mostForOne > most {
		return fmt.Errorf("%w: frozen graphs and images have %d, and may have half of vm.max_map_count, %d", ErrMappings, n, most)
	}
	return nil
}

// unlike returns a kind that no other mapping has.
func (m *mappings) unlike() kind {
	m.last = max(m.last+1, apart)
	return m.last
}

// set notes what the granules from first on up to end are shown as.
func (m *mappings) set(first, end uint64, k kind) {
	i, j, with := m.plan(first, end, k)
	mapped.Add(int64(len(with) - (j - i)))
	m.seams = slices.Replace(m.seams, i, j, with...)
}

// plan returns what set does: the seams from i up to j give way to others.
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
	if behind := before(j); behind != k { // at end
		with = append(with, seam{end, behind})
	}
	return i, j, with
}

// granules returns where a run begins and ends.
func (r run) granules() (first, end uint64) {
	return uint64(r.first) * SpanGranules, uint64(r.end()) * SpanGranules
}

// show notes what a run of spans is shown as from now on. Go memory is no mapping of its own.
// mu held.
func (c *central) show(r run, k kind) {
	if c.space.mem.seal != nil {
		first, end := r.granules()
		c.mu.mappings.set(first, end, k)
	}
}

// mayBar reports whether a run can be made inaccessible: not if that takes it out of the
// midst of a mapping, and is one mapping too many. mu held.
func (c *central) mayBar(r run) bool {
	first, end := r.granules()
	i, j, with := c.mu.mappings.plan(first, end, barred)
	more := len(with) - (j - i)
	return more <= 0 || mapped.Load()+int64(more) <= MaxMappings.Load()
}

// forget takes the space out of the account, but for what stays.
func (m *mappings) forget(kept []run) {
	mapped.Sub(int64(len(m.seams) - 2*len(kept)))
}
