package documents

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"

	"github.com/ichor-go/ichor/internal/jsonpos"
)

// A decompressor reads the text of a file that is plain, gzip or zstd. The first bytes of the
// file tell, not its name.
type decompressor struct {
	io.Reader
	format string // "" for plain
	raw    *countingReader
	close  func()
}

var (
	gzipMagic = []byte{0x1f, 0x8b}
	zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}
)

// zstdWindow bounds how much memory a header can make the decoder allocate. The zstd command has
// the same limit.
const zstdWindow = 128 << 20

func newDecompressor(r io.Reader) (*decompressor, error) {
	raw := &countingReader{r: r}
	buf := bufio.NewReaderSize(raw, 64<<10)
	d := &decompressor{Reader: buf, raw: raw, close: func() {}}
	start, err := buf.Peek(len(zstdMagic))
	if err != nil && err != io.EOF {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(start, gzipMagic):
		d.format = "gzip"
		d.Reader = &lazyGzip{buf: buf}
	case bytes.HasPrefix(start, zstdMagic):
		d.format = "zstd"
		// Decode on the caller's goroutine, so that an error comes with the byte that causes it.
		z, err := zstd.NewReader(buf, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(zstdWindow))
		if err != nil {
			return nil, err
		}
		d.Reader, d.close = z, z.Close
	}
	return d, nil
}

// fault describes an error of Read after done bytes of text.
func (d *decompressor) fault(done int64, err error) *jsonpos.Fault {
	if d.format == "" || d.raw.err != nil {
		return &jsonpos.Fault{Offset: done, Expected: "more of the file", Found: jsonpos.Shorten(err.Error())}
	}
	f := &jsonpos.Fault{Offset: done, Expected: "the rest of a " + d.format + " stream"}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		f.Found = fmt.Sprintf("end of file at compressed byte %d", d.raw.n)
	} else {
		f.Found = fmt.Sprintf("a broken one before compressed byte %d (%s)", d.raw.n, jsonpos.Shorten(err.Error()))
	}
	return f
}

// lazyGzip reads the header in the first Read, so that a broken header is reported like any
// other broken part.
type lazyGzip struct {
	buf *bufio.Reader
	z   *gzip.Reader
}

func (l *lazyGzip) Read(p []byte) (int, error) {
	if l.z == nil {
		z, err := gzip.NewReader(l.buf)
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return 0, err
		}
		l.z = z
	}
	return l.z.Read(p)
}

// countingReader counts the bytes that were read. It keeps an error other than io.EOF: that is
// an error of the file, not of the compression.
type countingReader struct {
	r   io.Reader
	n   int64
	err error
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	if err != nil && err != io.EOF {
		c.err = err
	}
	return n, err
}
