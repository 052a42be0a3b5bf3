package heapfile

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/ichor-go/ichor/internal/heapgraph"
)

const (
	magic   = "ICHORHEAP"
	version = 1

	tables = 'T'
	chunk  = 'C'
	end    = 'E'
)

// Tables is everything in a snapshot but the objects.
type Tables struct {
	Runtime string        // name of the runtime
	Mode    string        // and of its mode
	Taken   time.Time     // when the world had been stopped
	Stopped time.Duration // for how long
	Kinds   []Kind
	Holders []Holder
	Notes   map[uint32]string // about objects, by handle: where counts were taken
}

// Kind is the name of a type, by the number that records have.
type Kind struct {
	ID   uint16
	Name string
}

// Holder holds one count of each of the objects with these handles.
type Holder struct {
	Kind    heapgraph.Kind
	Name    string
	Handles []uint32
}

// Snapshot is a snapshot in memory. Nothing in it changes once it is complete.
type Snapshot struct {
	Tables
	Chunks [][]byte
}

// WriteTo writes the file.
func (s *Snapshot) WriteTo(to io.Writer) (n int64, err error) {
	b := append([]byte(magic), version)
	put := func(kind byte, contents []byte) {
		if err != nil {
			return
		}
		var sum xxhash.Digest
		sum.Reset()
		head := binary.AppendUvarint([]byte{kind}, uint64(len(contents)))
		for _, part := range [][]byte{head, contents} {
			_, _ = sum.Write(part) // never fails
		}
		b = append(b, head...)
		for _, part := range [][]byte{b, contents, binary.LittleEndian.AppendUint64(nil, sum.Sum64())} {
			if err == nil {
				var done int
				done, err = to.Write(part)
				n += int64(done)
			}
		}
		b = b[:0]
	}
	text, err := json.Marshal(&s.Tables)
	put(tables, text)
	for _, c := range s.Chunks {
		put(chunk, c)
	}
	put(end, binary.AppendUvarint(nil, uint64(len(s.Chunks))))
	return n, err
}

// step is the size of the buffer for reading.
const step = 64 << 10

// Read reads a file to its end.
func Read(from io.Reader) (*Snapshot, error) {
	r := bufio.NewReaderSize(from, step)
	b := make([]byte, len(magic)+1)
	if _, err := io.ReadFull(r, b); err != nil && !ended(err) {
		return nil, err
	}
	switch {
	case string(b[:len(magic)]) != magic:
		return nil, errors.New("not a heap snapshot: it does not begin with " + magic)
	case b[len(magic)] != version:
		return nil, fmt.Errorf("format version %d, this program knows version %d", b[len(magic)], version)
	}
	s := &Snapshot{}
	for i := 0; ; i++ {
		kind, contents, err := section(r)
		switch {
		case ended(err):
			return nil, fmt.Errorf("cut short: it ends in section %d", i)
		case err != nil:
			return nil, fmt.Errorf("section %d: %w", i, err)
		case (kind == tables) != (i == 0):
			return nil, fmt.Errorf("section %d: the tables are not where they should be", i)
		case kind == tables:
			if err := json.Unmarshal(contents, &s.Tables); err != nil {
				return nil, fmt.Errorf("the tables: %w", err)
			}
		case kind == chunk:
			s.Chunks = append(s.Chunks, contents)
		default:
			if n, _ := binary.Uvarint(contents); n != uint64(len(s.Chunks)) {
				return nil, fmt.Errorf("%d chunks, want %d", len(s.Chunks), n)
			}
			if _, err := r.ReadByte(); !ended(err) {
				return nil, errors.New("there are bytes after the end")
			}
			return s, nil
		}
	}
}

func ended(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }

// section reads a section and checks its hash.
func section(r *bufio.Reader) (kind byte, contents []byte, err error) {
	var sum xxhash.Digest
	sum.Reset()
	if kind, err = r.ReadByte(); err != nil {
		return 0, nil, err
	}
	size, err := binary.ReadUvarint(r)
	if err != nil {
		return 0, nil, err
	}
	var b bytes.Buffer // grows with the bytes that there are
	if _, err := io.CopyN(&b, r, int64(min(size, 1<<62))); err != nil {
		return 0, nil, err
	}
	var want [8]byte
	if _, err := io.ReadFull(r, want[:]); err != nil {
		return 0, nil, err
	}
	_, _ = sum.Write(binary.AppendUvarint([]byte{kind}, size)) // never fails
	_, _ = sum.Write(b.Bytes())
	switch {
	case sum.Sum64() != binary.LittleEndian.Uint64(want[:]):
		return 0, nil, errors.New("it does not match its checksum")
	case kind != tables && kind != chunk && kind != end:
		return 0, nil, fmt.Errorf("unknown kind %q", kind)
	}
	return kind, b.Bytes(), nil
}
