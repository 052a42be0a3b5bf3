// Package imagefile defines the format of image files: the header, the table of types, and
// how to read both from a file that may be hostile. It knows nothing about objects, and
// checks each field before it uses it.
package imagefile

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cespare/xxhash/v2"

	"github.com/ichor-go/ichor/internal/arena"
)

// An image file:
//
//	byte          content
//	0             header, see Header; zero up to Data
//	Data          the objects, byte for byte as they lie in memory
//	after them    user-defined types: for each its name and its Layout, both
//	              preceded by their length in 32 bits
//
// The header is little-endian on every machine. The objects are in the byte order
// of the machine that wrote them. An object is found by its distance from the first one,
// so opening an image only has to map it.
const (
	magic       = "ICHORIMG"
	Version     = 2
	Data        = 16 << 10 // a multiple of the page size of most systems; others read the file instead of mapping it
	order       = 0x01020304
	HeaderBytes = 80
)

// Header is the beginning of an image.
type Header struct {
	Layout    uint64 // hash of the layout of headers and built-in types; a program can use the image if its own is the same
	Data      uint64 // size of the objects in bytes
	Objects   uint64
	Root      uint32 // as a slot holds it
	Types     uint32 // number of user-defined types
	TypeBytes uint64
	TypeHash  uint64 // xxHash64 of the types
	DataHash  uint64 // of the objects
}

// Append appends the header's bytes. The last eight are the hash of those before.
func (h *Header) Append(b []byte) []byte {
	n := len(b)
	le := binary.LittleEndian
	b = append(b, magic...)
	b = le.AppendUint32(b, Version)
	b = binary.NativeEndian.AppendUint32(b, order)
	b = le.AppendUint64(b, h.Layout)
	b = le.AppendUint64(b, h.Data)
	b = le.AppendUint64(b, h.Objects)
	b = le.AppendUint32(b, h.Root)
	b = le.AppendUint32(b, h.Types)
	b = le.AppendUint64(b, h.TypeBytes)
	b = le.AppendUint64(b, h.TypeHash)
	b = le.AppendUint64(b, h.DataHash)
	return le.AppendUint64(b, xxhash.Sum64(b[n:]))
}

// Parse reads and checks a header. It fails unless a program with this layout, and room for that
// many types, can use the image.
func (h *Header) Parse(b []byte, layout, types uint64) error {
	le := binary.LittleEndian
	switch {
	case len(b) < len(magic) || string(b[:len(magic)]) != magic:
		return errors.New("not an image: it does not begin with " + magic)
	case len(b) < HeaderBytes:
		return fmt.Errorf("cut short: %d bytes, and the header alone takes %d", len(b), HeaderBytes)
	}
	if v := le.Uint32(b[8:]); v != Version {
		return fmt.Errorf("format version %d, this program knows version %d", v, Version)
	}
	if xxhash.Sum64(b[:HeaderBytes-8]) != le.Uint64(b[HeaderBytes-8:]) {
		return errors.New("the header does not match its checksum")
	}
	if binary.NativeEndian.Uint32(b[12:]) != order {
		return errors.New("written on a machine with the other byte order")
	}
	*h = Header{
		Layout: le.Uint64(b[16:]), Data: le.Uint64(b[24:]), Objects: le.Uint64(b[32:]),
		Root: le.Uint32(b[40:]), Types: le.Uint32(b[44:]),
		TypeBytes: le.Uint64(b[48:]), TypeHash: le.Uint64(b[56:]), DataHash: le.Uint64(b[64:]),
	}
	switch {
	case h.Layout != layout:
		return errors.New("built-in types do not have the layouts of this program")
	case h.Data > arena.MaxExtent || h.Data%arena.GranuleSize != 0:
		return fmt.Errorf("%d bytes of objects, want a multiple of %d and at most %d", h.Data, arena.GranuleSize, int64(arena.MaxExtent))
	case h.Objects > h.Data/arena.GranuleSize:
		return fmt.Errorf("%d objects in %d bytes", h.Objects, h.Data)
	case uint64(h.Types) > types || h.TypeBytes > uint64(MaxTypeBytes):
		return fmt.Errorf("%d types in %d bytes, want at most %d in %d", h.Types, h.TypeBytes, types, MaxTypeBytes)
	}
	return nil
}

// Size returns the length of the file.
func (h *Header) Size() int64 { return Data + int64(h.Data) + int64(h.TypeBytes) }
