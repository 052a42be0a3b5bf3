package runtime

import (
	"encoding/binary"
	"fmt"
	"strconv"
)

// ImageInfo is what the header of an image says of it, and its table of types.
type ImageInfo struct {
	Version   int    // of the format
	ByteOrder string // of the objects: "little-endian" or "big-endian", this machine's
	Layout    uint64 // hash of the layouts of headers and built-in types, this program's
	FileBytes int64
	Objects   int64
	Bytes     int64       // of objects
	Hash      uint64      // xxHash64 of the objects
	Types     []ImageType // user-defined; the program may have them or not
}

// ImageType is a user-defined type as an image names it: by its name and its
// Freezing.Layout. They may say anything, and be long.
type ImageType struct{ Name, Layout string }

// String returns both as a message can show them: quoted, and each cut after its first bytes.
func (y ImageType) String() string { return quoted(y.Name) + " with the layout " + quoted(y.Layout) }

// quoted returns what a file says as a message can show it.
func quoted(s string) string {
	const enough = 200
	if len(s) <= enough {
		return strconv.Quote(s)
	}
	return fmt.Sprintf("%q... (%d bytes)", s[:enough], len(s))
}

// ReadImageInfo reads what an image says of itself: its header and its table of types, with
// the checks that OpenImage makes with TrustImage, but for that the program has the
// types. It looks at no object. The error is an *ImageError. Any goroutine.
func ReadImageInfo(path string) (ImageInfo, error) {
	file, size, err := openRegular(path)
	if err != nil {
		return ImageInfo{}, &ImageError{path, err}
	}
	defer func() { _ = file.Close() }() // only read
	o := opener{at: file, size: size}
	err = o.readHeader()
	var table []ImageType
	if err == nil {
		table, err = o.typeTable()
	}
	if err != nil {
		return ImageInfo{}, &ImageError{path, err}
	}
	order := "big-endian"
	if binary.NativeEndian.Uint16([]byte{1, 0}) == 1 {
		order = "little-endian"
	}
	return ImageInfo{
		Version: imageVersion, ByteOrder: order, Layout: o.head.layout, FileBytes: size,
		Objects: int64(o.head.objects), Bytes: int64(o.head.data), Hash: o.head.dataHash, Types: table,
	}, nil
}
