package imagefile

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"
	"pgregory.net/rapid"
)

// TestRoundTrip writes headers and tables and reads them again, both with and without a known
// size.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var table []byte
		var want []Type
		for range rapid.IntRange(0, 4).Draw(t, "types") {
			y := Type{rapid.String().Draw(t, "name"), rapid.String().Draw(t, "layout")}
			table = y.Append(table)
			want = append(want, y)
		}
		data := bytes.Repeat([]byte{7}, 16*rapid.IntRange(0, 9).Draw(t, "granules"))
		h := Header{
			Layout: 5, Data: uint64(len(data)), Objects: uint64(len(data) / 16), Root: rapid.Uint32().Draw(t, "root"), Types: uint32(len(want)),
			TypeBytes: uint64(len(table)), TypeHash: xxhash.Sum64(table), DataHash: xxhash.Sum64(data),
		}
		file := append(h.Append(nil), make([]byte, Data-HeaderBytes)...)
		file = append(append(file, data...), table...)
		if int64(len(file)) != h.Size() {
			t.Fatalf("%d bytes, the header says %d", len(file), h.Size())
		}
		for _, size := range []int64{h.Size(), -1} {
			r := Reader{bytes.NewReader(file), size}
			got, err := r.ReadHeader(5, 4)
			if err != nil || got != h {
				t.Fatalf("read %+v and %v, want %+v", got, err, h)
			}
			types, err := r.ReadTypes(&got)
			if err != nil || len(types) != len(want) {
				t.Fatalf("read %v and %v, want %v", types, err, want)
			}
			for i := range want {
				if types[i] != want[i] {
					t.Errorf("type %d is %v, want %v", i, types[i], want[i])
				}
			}
		}
		if len(file) > Data { // a missing or an extra byte is found, with or without a known size
			for _, bad := range [][]byte{file[:len(file)-1], append(file[:len(file):len(file)], 0)} {
				for _, size := range []int64{int64(len(bad)), -1} {
					if _, err := (Reader{bytes.NewReader(bad), size}).ReadHeader(5, 4); err == nil {
						t.Errorf("%d bytes were read as an image of %d, size %d", len(bad), h.Size(), size)
					}
				}
			}
		}
	})
}

// TestBadHeader: each field is checked before it is used.
func TestBadHeader(t *testing.T) {
	good := Header{Layout: 5, Data: 32, Objects: 2, Types: 1, TypeBytes: 8}
	for want, change := range map[string]func(h *Header){
		"the layouts of this program":   func(h *Header) { h.Layout++ },
		"33 bytes of objects":           func(h *Header) { h.Data++ },
		"want a multiple of 16":         func(h *Header) { h.Data = 1 << 40 },
		"3 objects in 32 bytes":         func(h *Header) { h.Objects++ },
		"2 types in 8 bytes, want at m": func(h *Header) { h.Types++ },
		"1 types in 67108865 bytes":     func(h *Header) { h.TypeBytes = uint64(MaxTypeBytes) + 1 },
	} {
		h := good
		change(&h)
		var got Header
		if err := got.Parse(h.Append(nil), 5, 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	b := good.Append(nil)
	for want, change := range map[string]func(b []byte) []byte{
		"not an image":            func(b []byte) []byte { b[0]++; return b },
		"cut short: 79 bytes":     func(b []byte) []byte { return b[:79] },
		"format version 3":        func(b []byte) []byte { b[8]++; return b },
		"not match its checksum":  func(b []byte) []byte { b[20]++; return b },
		"the other byte order":    func(b []byte) []byte { b[12], b[15] = b[15], b[12]; return resealed(b) },
		"does not begin with ICH": func([]byte) []byte { return nil },
	} {
		var got Header
		if err := got.Parse(change(bytes.Clone(b)), 5, 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// resealed returns the header with a correct hash at its end.
func resealed(b []byte) []byte {
	sum := xxhash.Sum64(b[:HeaderBytes-8])
	for i := range 8 {
		b[HeaderBytes-8+i] = byte(sum >> (8 * i))
	}
	return b
}

// TestBadTypes: a table that is cut, too long, or claims more than it has.
func TestBadTypes(t *testing.T) {
	table := Type{"name", "layout"}.Append(nil)
	parse := func(b []byte, n uint32) error {
		_, err := ParseTypes(b, &Header{Types: n, TypeHash: xxhash.Sum64(b)})
		return err
	}
	if err := parse(table, 1); err != nil {
		t.Error(err)
	}
	long := Type{strings.Repeat("x", MaxTypeText+1), ""}.Append(nil)
	for want, err := range map[string]error{
		"cut short":             parse(table[:len(table)-1], 1),
		"table of types is cut": parse(table, 2),
		"longer than its types": parse(append(table, 0), 1),
		"1048577 bytes":         parse(long, 1),
		"its checksum":          func() error { _, err := ParseTypes(table, &Header{Types: 1}); return err }(),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// liar is a reader that breaks the contract of io.ReaderAt.
type liar struct {
	n   int
	err error
}

func (l liar) ReadAt([]byte, int64) (int, error) { return l.n, l.err }

// TestLiars: the results of the underlying reader are not trusted.
func TestLiars(t *testing.T) {
	broken := errors.New("broken")
	for _, c := range []struct {
		r    liar
		want string
	}{
		{liar{-1, nil}, "returned -1 for a read of 8 bytes"},
		{liar{9, nil}, "returned 9 for a read of 8 bytes"},
		{liar{7, nil}, "returned 7 for a read of 8 bytes"},
		{liar{7, io.EOF}, "cut short: it ends before byte 108"},
		{liar{7, broken}, "broken"},
	} {
		if err := (Reader{c.r, -1}).ReadAll(make([]byte, 8), 100); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: got %v, want %s", c.r, err, c.want)
		}
	}
	if err := (Reader{liar{8, io.EOF}, -1}).ReadAll(make([]byte, 8), 100); err != nil {
		t.Errorf("all was read, and the error is %v", err)
	}
}

// TestQuoted: a text from a file is shortened for a message.
func TestQuoted(t *testing.T) {
	if got := Quoted("a\n"); got != `"a\n"` {
		t.Errorf("got %s", got)
	}
	if got := Quoted(strings.Repeat("x", 201)); !strings.HasSuffix(got, `x"... (201 bytes)`) || len(got) > 230 {
		t.Errorf("got %s", got)
	}
}

// TestTypeTables: a table of types ends with its last type.
func TestTypeTables(t *testing.T) {
	for _, c := range []struct {
		types uint32
		table string
		want  string
	}{
		{0, "", ""},
		{1, "\x00\x00\x00\x00\x00\x00\x00\x00", ""},
		{1, "\x01\x00\x00\x00x\x01\x00\x00\x00y", ""},
		{1, "\x00\x00\x00", "cut short"},
		{1, "\x00\x00\x00\x00", "cut short"},
		{1, "\x00\x00\x00\x00\x00\x00\x00", "cut short"},
		{1, "\x01\x00\x00\x00x\x02\x00\x00\x00y", "cut short"},
		{1, "\x00\x00\x00\x00\x00\x00\x00\x00\x00", "longer than its types"},
		{0, "\x00", "longer than its types"},
		{2, "\x00\x00\x00\x00\x00\x00\x00\x00", "cut short"},
		{1, "\x00\x00\x00\x00\xff\xff\xff\xff", "cut short"},
	} {
		r := Reader{bytes.NewReader(append(make([]byte, Data), c.table...)), -1}
		h := Header{Types: c.types, TypeBytes: uint64(len(c.table)), TypeHash: xxhash.Sum64String(c.table)}
		table, err := r.ReadTypes(&h)
		if c.want == "" && (err != nil || len(table) != int(c.types)) || c.want != "" && err == nil {
			t.Errorf("%d types in %q: %v, %v", c.types, c.table, table, err)
		} else if err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%d types in %q: %v, want %s", c.types, c.table, err, c.want)
		}
		h.TypeHash++
		if _, err := r.ReadTypes(&h); err == nil {
			t.Errorf("%q without its checksum", c.table)
		}
	}
}

// TestOpenRegular: Open refuses anything but a regular file, even if it has just taken the place
// of one, and leaves no file open.
func TestOpenRegular(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "file")
	if err := os.WriteFile(file, []byte("12345"), 0o666); err != nil {
		t.Fatal(err)
	}
	f, size, err := Open(file)
	if err != nil || size != 5 {
		t.Fatalf("%d bytes and %v, want 5", size, err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if _, _, err := Open(folder); err == nil || err.Error() != "not a regular file" {
		t.Errorf("a folder: %v", err)
	}
	if _, _, err := Open(filepath.Join(folder, "none")); !errors.Is(err, os.ErrNotExist) || strings.Contains(err.Error(), folder) {
		t.Errorf("no file: %v", err)
	}
	defer func() { openFile = os.Open }()
	var other *os.File
	openFile = func(string) (f *os.File, err error) { other, err = os.Open(folder); return other, err }
	if _, _, err := Open(file); err == nil || err.Error() != "not a regular file" {
		t.Errorf("a folder in the file's place: %v", err)
	}
	if err := other.Close(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("it stays open: %v", err)
	}
}
