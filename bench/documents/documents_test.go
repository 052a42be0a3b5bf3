package documents

import (
	"bytes"
	"compress/gzip"
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/ichor-go/ichor/bench/experiment/command"
	"github.com/ichor-go/ichor/bench/internal/benchtest"
)

func gzipped(t *testing.T, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zstded(t *testing.T, data []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	return w.EncodeAll(data, nil)
}

func TestLoad(t *testing.T) {
	// The format is recognized by the bytes, not by the name.
	files := []string{
		benchtest.Write(t, "a.json", benchtest.Large), benchtest.Write(t, "a.json.gz", zstded(t, benchtest.Large)),
		benchtest.Write(t, "b.zst", gzipped(t, benchtest.Large)), benchtest.Write(t, ".json", []byte(" 1 \n")),
	}
	docs, err := Load(t.Context(), files)
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"a", "a_2", "b", ".json"} {
		if docs[i].Name != name || i < 3 && !bytes.Equal(docs[i].Data, benchtest.Large) {
			t.Errorf("document %d is %s with %d bytes", i, docs[i].Name, len(docs[i].Data))
		}
	}
}

func TestCorpus(t *testing.T) {
	docs, err := Load(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, d := range docs {
		if d.Name != corpus[i] || len(d.Data) < 100_000 {
			t.Errorf("document %d is %s with %d bytes", i, d.Name, len(d.Data))
		}
	}
	files, err := SmallFiles(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if docs, err = Load(t.Context(), files); err != nil {
		t.Fatal(err)
	}
	for i, d := range docs {
		if d.Name != smallCorpus[i] || len(d.Data) > 64<<10 {
			t.Errorf("small document %d is %s with %d bytes", i, d.Name, len(d.Data))
		}
	}
}

// usage returns the one line that a command prints about an error in its arguments.
func usage(t *testing.T, err error) string {
	t.Helper()
	var line bytes.Buffer
	if code := command.Code(t.Context(), "bench", err, &line); code != command.ExitUsage || strings.Count(line.String(), "\n") != 1 {
		t.Errorf("exit %d, %q", code, line.String())
	}
	return line.String()
}

func TestNoCorpus(t *testing.T) {
	t.Setenv("PATH", "")
	t.Setenv("GOROOT", t.TempDir())
	_, err := Load(t.Context(), nil)
	_, small := SmallFiles(t.Context())
	for _, err := range []error{err, small} {
		if line := usage(t, err); !strings.Contains(line, "-input FILE") {
			t.Error(line)
		}
	}
}

func TestBadInput(t *testing.T) {
	folder := t.TempDir()
	gz, zst := gzipped(t, benchtest.Large), zstded(t, benchtest.Large)
	broken := bytes.Clone(gz)
	broken[len(broken)/2] ^= 0xff
	for name, c := range map[string]struct{ file, want string }{
		"truncated":     {benchtest.Write(t, "x", []byte(`{"a": [1, 2`)), "byte 11: expected ',' or ']' after an array element, found end of file"},
		"binary":        {benchtest.Write(t, "x", []byte("\x00\x01garbage")), "byte 0: expected a JSON value, found 0x00"},
		"empty":         {benchtest.Write(t, "x", nil), "byte 0: expected a JSON value, found end of file"},
		"empty gz":      {benchtest.Write(t, "x", gzipped(t, nil)), "byte 0: expected a JSON value, found end of file"},
		"byte order":    {benchtest.Write(t, "x", []byte("\xef\xbb\xbf{}")), "byte 0: expected a JSON value, found a UTF-8 byte order mark"},
		"missing":       {filepath.Join(folder, "none.json"), "byte 0: expected a file, found none: "},
		"below a file":  {filepath.Join(benchtest.Write(t, "x", nil), "y"), "byte 0: expected a file, found none: "},
		"folder":        {folder, "byte 0: expected a file, found a folder"},
		"truncated gz":  {benchtest.Write(t, "x", gz[:len(gz)-10]), "expected the rest of a gzip stream, found end of file at compressed byte "},
		"gz header":     {benchtest.Write(t, "x", gz[:5]), "byte 0: expected the rest of a gzip stream, found end of file at compressed byte 5"},
		"broken gz":     {benchtest.Write(t, "x", broken), "expected the rest of a gzip stream, found a broken one before compressed byte "},
		"truncated zst": {benchtest.Write(t, "x", zst[:len(zst)-10]), "expected the rest of a zstd stream, found end of file at compressed byte "},
		"zst header":    {benchtest.Write(t, "x", zst[:4]), "byte 0: expected the rest of a zstd stream, found end of file at compressed byte 4"},
		"json in gz":    {benchtest.Write(t, "x", gzipped(t, []byte(`[1,]`))), "byte 3: expected an array element after ',', found ']'"},
		"line in name":  {filepath.Join(folder, "a\nb"), "byte 0: expected a file, found none: "},
	} {
		docs, err := Load(t.Context(), []string{c.file})
		if line := usage(t, err); docs != nil || !strings.Contains(line, ": byte ") || !strings.Contains(line, c.want) {
			t.Errorf("%s: %q, want %q", name, line, c.want)
		}
	}
}

func TestUnreadableFile(t *testing.T) {
	file := benchtest.Write(t, "x.json", []byte("1"))
	switch {
	case runtime.GOOS == "linux":
		file = "/proc/self/mem" // its byte 0 cannot be read, not even by root
	case os.Geteuid() == 0 || runtime.GOOS == "windows":
		t.Skip("SKIPPED: every file can be read here, so an unreadable one is not tried")
	default:
		if err := os.Chmod(file, 0); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Load(t.Context(), []string{file}); err == nil || !strings.Contains(err.Error(), "expected a file that can be read") {
		t.Error(err)
	}
}

func TestSizeLimitIsForAllFiles(t *testing.T) {
	file := benchtest.Write(t, "x.json.zst", zstded(t, benchtest.Large))
	if _, err := loadFiles(t.Context(), []string{file, file}, int64(2*len(benchtest.Large))); err != nil {
		t.Error(err)
	}
	_, err := loadFiles(t.Context(), []string{file, file}, int64(2*len(benchtest.Large)-1))
	if err == nil || !strings.Contains(err.Error(), "expected at most 1024 MiB of JSON in all files together, found more") {
		t.Error(err)
	}
}

func TestLoadIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if docs, err := Load(ctx, []string{benchtest.Write(t, "x.json", benchtest.Large)}); err != context.Canceled {
		t.Errorf("%d documents, %v", len(docs), err)
	}
}
