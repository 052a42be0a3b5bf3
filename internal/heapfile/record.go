package heapfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/ichor-go/ichor/internal/heapgraph"
)

// A chunk is a row of records, one for each object, in ascending order of handles. All numbers
// are varints:
//
//	distance from the handle before, or from 0
//	type << 4 | flags
//	size in granules, with the object's block
//	references counted             unless the object is immortal
//	slots, up to slotsEnd          if the object can have references
//
// A slot is one of
//
//	slotsEnd              after the last one
//	slotsOther, number    so many slots in a row that lead to no object
//	slotsFirst + zigzag   a reference: the distance from the object's own handle
//
// An object that lies near those that it refers to takes some ten bytes. Chunks are independent
// of each other, so several goroutines write and read them at the same time.
const (
	flagRefs  = 1 << 3 // has slots; the other flags are those of heapgraph
	kindShift = 4

	slotsEnd   = 0
	slotsOther = 1
	slotsFirst = 2
)

const (
	// BufferBytes is the size of a new buffer.
	BufferBytes = 256 << 10
	// chunkRoom is the space that is left at least when an object is added, so that most need
	// no longer buffer.
	chunkRoom = 1 << 10
)

// maxHandle bounds handles: the ones from here on are no objects.
const maxHandle = 0xC000_0000

// Recorder writes records. One goroutine at a time uses it.
type Recorder struct {
	Buffers func() []byte // returns an empty buffer; nil for new ones

	chunks [][]byte
	b      []byte
	last   uint32 // handle of the last object in b
	other  uint64 // slots to no object since the last reference
}

// Object begins the record of an object. If refs is true, its slots follow, and then End. count
// is ignored for immortals.
func (w *Recorder) Object(handle, kind uint32, flags uint8, granules uint32, count int64, refs bool) {
	if w.b == nil || len(w.b) > BufferBytes-chunkRoom || handle <= w.last {
		w.cut()
	}
	step := handle - w.last
	w.last = handle
	head := uint64(kind)<<kindShift | uint64(flags)
	if refs {
		head |= flagRefs
	}
	if uint64(step)|head|uint64(granules)|uint64(count) < 0x80 && flags&heapgraph.Immortal == 0 { // as most are
		w.b = append(w.b, byte(step), byte(head), byte(granules), byte(count))
		return
	}
	b := binary.AppendUvarint(w.b, uint64(step))
	b = binary.AppendUvarint(b, head)
	b = binary.AppendUvarint(b, uint64(granules))
	if flags&heapgraph.Immortal == 0 {
		b = binary.AppendUvarint(b, uint64(min(max(count, 0), math.MaxUint32)))
	}
	w.b = b
}

// Slot adds a slot with a reference to an object.
func (w *Recorder) Slot(target uint32) {
	b := w.b
	if w.other > 0 {
		b = append(b, slotsOther)
		b = binary.AppendUvarint(b, w.other)
		w.other = 0
	}
	d := int64(target) - int64(w.last)
	w.b = binary.AppendUvarint(b, uint64(d<<1^d>>63)+slotsFirst)
}

// Other adds a slot that leads to no object.
func (w *Recorder) Other() { w.other++ }

// End ends the slots of an object.
func (w *Recorder) End() {
	w.other = 0
	w.b = append(w.b, slotsEnd)
}

func (w *Recorder) cut() {
	if len(w.b) > 0 {
		w.chunks = append(w.chunks, w.b)
	}
	w.last = 0
	if w.Buffers != nil {
		w.b = w.Buffers()
	} else {
		w.b = make([]byte, 0, BufferBytes)
	}
}

// Cut ends the chunk, so that the next object may have any other handle.
func (w *Recorder) Cut() {
	if len(w.b) > 0 {
		w.cut()
	}
}

// Chunks returns what was recorded.
func (w *Recorder) Chunks() [][]byte {
	if len(w.b) > 0 {
		w.chunks = append(w.chunks, w.b)
		w.b = nil
	}
	return w.chunks
}

// record is one record, decoded except for its slots.
type record struct {
	handle, kind, granules, count uint32
	flags                         uint8
	refs                          bool
}

var (
	errCut   = errors.New("a record is cut short")
	errRange = errors.New("a number is out of range")
)

// decoder reads a chunk, which may be hostile. After an error it is at its end.
type decoder struct {
	b    []byte
	at   int
	last uint32
	err  error
}

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = fmt.Errorf("byte %d: %w", d.at, err)
	}
	d.b, d.at = nil, 0
}

// number reads a varint up to most.
func (d *decoder) number(most uint64) uint64 {
	if d.at < len(d.b) && d.b[d.at] < 0x80 && uint64(d.b[d.at]) <= most { // as nearly all are
		d.at++
		return uint64(d.b[d.at-1])
	}
	v, n := binary.Uvarint(d.b[d.at:])
	if n <= 0 {
		d.fail(errCut)
		return 0
	}
	if v > most {
		d.fail(errRange)
		return 0
	}
	d.at += n
	return v
}

// next reads the record of the next object up to its slots. It returns false at the end.
func (d *decoder) next(r *record) bool {
	if d.at == len(d.b) {
		return false
	}
	step := d.number(maxHandle)
	handle := uint64(d.last) + step
	if step == 0 || handle >= maxHandle {
		d.fail(errRange)
		return false
	}
	head := d.number(math.MaxUint16<<kindShift | 1<<kindShift - 1)
	r.handle, r.kind, r.flags, r.refs = uint32(handle), uint32(head>>kindShift), uint8(head)&(flagRefs-1), head&flagRefs != 0
	if r.granules = uint32(d.number(math.MaxUint32)); r.granules == 0 {
		d.fail(errRange)
		return false
	}
	r.count = 0
	if r.flags&heapgraph.Immortal == 0 {
		r.count = uint32(d.number(math.MaxUint32))
	}
	d.last = r.handle
	return d.err == nil
}

// slot reads slots up to the next reference, and returns its target, and how many slots come
// before it. It returns false after the last one.
func (d *decoder) slot() (target uint32, before uint64, ok bool) {
	for {
		switch v := d.number(maxHandle*2 + slotsFirst); {
		case d.err != nil || v == slotsEnd:
			return 0, before, false
		case v == slotsOther:
			before += d.number(math.MaxUint32)
		default:
			z := v - slotsFirst
			t := int64(d.last) + (int64(z>>1) ^ -int64(z&1))
			if t <= 0 || t >= maxHandle {
				d.fail(errRange)
				return 0, before, false
			}
			return uint32(t), before, true
		}
	}
}
