package imagefile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"github.com/cespare/xxhash/v2"
)

// MaxTypeBytes bounds the table of types, and MaxTypeText each name and each layout in it.
// Both are guesses: the longest table seen had a few kilobytes. Tests change MaxTypeBytes.
var (
	MaxTypeBytes = 64 << 20
	MaxTypeText  = 1 << 20
)

// Type is an entry of the table of types. Both texts come from the file: they can hold anything,
// and be long.
type Type struct{ Name, Layout string }

// Append appends the type to a table.
func (y Type) Append(table []byte) []byte { return appendText(appendText(table, y.Name), y.Layout) }

func appendText(b []byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint32(b, uint32(len(s))), s...)
}

// ParseTypes reads the table of types of an image with the header h.
func ParseTypes(b []byte, h *Header) ([]Type, error) {
	if xxhash.Sum64(b) != h.TypeHash {
		return nil, errors.New("the table of types does not match its checksum")
	}
	var wrong error
	take := func() string {
		switch {
		case wrong != nil:
			return ""
		case len(b) < 4 || uint64(len(b)-4) < uint64(binary.LittleEndian.Uint32(b)):
			wrong = errors.New("the table of types is cut short")
			return ""
		}
		n := int(binary.LittleEndian.Uint32(b))
		if n > MaxTypeText {
			wrong = fmt.Errorf("a type name or layout of %d bytes, want at most %d", n, MaxTypeText)
			return ""
		}
		s := string(b[4 : 4+n])
		b = b[4+n:]
		return s
	}
	var table []Type
	for range h.Types {
		table = append(table, Type{Name: take(), Layout: take()})
		if wrong != nil {
			return nil, wrong
		}
	}
	if len(b) > 0 {
		return nil, errors.New("the table of types is longer than its types")
	}
	return table, nil
}

// Quoted returns a text from a file in quotes, shortened for a message.
func Quoted(s string) string {
	const enough = 200
	if len(s) <= enough {
		return strconv.Quote(s)
	}
	return fmt.Sprintf("%q... (%d bytes)", s[:enough], len(s))
}
