package arena

const (
	GranuleShift = 4
	GranuleSize  = 1 << GranuleShift

	// SpanShift makes a span 64 KiB: small enough that memory is returned early, and
	// large enough that one system call serves hundreds of objects.
	SpanShift    = 16
	SpanSize     = 1 << SpanShift
	SpanGranules = SpanSize / GranuleSize

	// A span of the smallest class has one slot for each granule: a header without a
	// body, or a block of 16 bytes.
	maxSlots    = SpanGranules
	bitmapWords = maxSlots / 64

	// MinContainer is the minimum size of a container in granules: the cycle collector
	// has one word for every second granule.
	MinContainer = 2
)

// classGranules are the slot sizes. They rise in steps of a quarter to an eighth, which
// bounds internal fragmentation. The last ones divide a span into 4, 3 and 2 slots.
var classGranules = [...]uint32{
	1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128,
	160, 192, 224, 256, 315, 372, 455, 512, 585, 682, 819, 1024, 1365, 2048,
}

// Classes is the number of size classes.
const Classes = len(classGranules)

// MaxSmall is the size in granules of the largest block that is a slot of a class.
const MaxSmall = 2048

// classOf maps a size of at most 128 granules to its class.
var classOf [129]uint8

// A line is a line of the processor's cache, in granules. Two threads that write to one slow each other down.
const line = 64 / GranuleSize

// linesOf maps a class to the least one whose slots hold as much and have no line in common. Slots of more
// than linesUpTo granules stay as they are: only the ends of two of them can meet in a line.
var linesOf [Classes]uint8

const linesUpTo = 256

func init() {
	c := 0
	for n := range classOf {
		if uint32(n) > classGranules[c] {
			c++
		}
		classOf[n] = uint8(c)
	}
	for class := range linesOf {
		to := class
		for classGranules[to]%line != 0 && classGranules[to] <= linesUpTo {
			to++
		}
		linesOf[class] = uint8(to)
	}
}

// ClassOf returns the class whose slots hold n granules. n is at most MaxSmall.
func ClassOf(n uint32) int {
	if n < uint32(len(classOf)) {
		return int(classOf[n])
	}
	c := int(classOf[128])
	for classGranules[c] < n {
		c++
	}
	return c
}

// Granules returns how many granules n bytes take.
func Granules(n uintptr) uint32 { return uint32((n + GranuleSize - 1) >> GranuleShift) }

// slotMagic returns m such that off*m>>32 is off/n for every offset off in a span. For
// n = 1, m has more than 32 bits.
func slotMagic(n uint32) uint64 { return 1<<32/uint64(n) + 1 }

// Rounded returns the least size in granules of the block that Alloc returns for n granules.
func Rounded(n uint32) uint32 {
	if n > MaxSmall {
		return (n + SpanGranules - 1) / SpanGranules * SpanGranules
	}
	return classGranules[ClassOf(n)]
}
