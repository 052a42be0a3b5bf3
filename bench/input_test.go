package main

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
)

// sample is a document that compresses into more than one block of a few bytes.
var sample = []byte(`{"list":[` + strings.Repeat(`{"name":"value","n":1.5e3},`, 20000) + `null]}`)

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

func write(t *testing.T, name string, data []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestLoad(t *testing.T) {
	// The name says nothing: the bytes decide.
	files := []string{
		write(t, "a.json", sample), write(t, "a.json.gz", zstded(t, sample)),
		write(t, "b.zst", gzipped(t, sample)), write(t, ".json", []byte(" 1 \n")),
	}
	docs, err := loadDocuments(t.Context(), files)
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"a", "a_2", "b", ".json"} {
		if docs[i].Name != name || i < 3 && !bytes.Equal(docs[i].Data, sample) {
			t.Errorf("document %d is %s with %d bytes", i, docs[i].Name, len(docs[i].Data))
		}
	}
}

func TestCorpus(t *testing.T) {
	docs, err := loadDocuments(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, d := range docs {
		if d.Name != corpus[i] || len(d.Data) < 100_000 {
			t.Errorf("document %d is %s with %d bytes", i, d.Name, len(d.Data))
		}
	}
	var tax taxFlags
	if err := tax.findInput(t.Context()); err != nil {
		t.Fatal(err)
	}
	docs, err = loadDocuments(t.Context(), tax.Input)
	if err != nil {
		t.Fatal(err)
	}
	for i, d := range docs {
		if d.Name != smallCorpus[i] || len(d.Data) > 64<<10 {
			t.Errorf("small document %d is %s with %d bytes", i, d.Name, len(d.Data))
		}
	}
}

func TestNoCorpus(t *testing.T) {
	t.Setenv("PATH", "")
	t.Setenv("GOROOT", t.TempDir())
	for _, name := range []string{"compare", "immortality-tax"} {
		code, stdout, stderr := call(t, name)
		if code != command.ExitUsage || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "-input FILE") {
			t.Errorf("%s: exit %d, stdout %q, stderr %q", name, code, stdout, stderr)
		}
	}
}

func TestBadInput(t *testing.T) {
	folder := t.TempDir()
	gz, zst := gzipped(t, sample), zstded(t, sample)
	broken := bytes.Clone(gz)
	broken[len(broken)/2] ^= 0xff
	for name, c := range map[string]struct{ file, want string }{
		"truncated":     {write(t, "x", []byte(`{"a": [1, 2`)), "byte 11: expected ',' or ']' after an array element, found end of file"},
		"binary":        {write(t, "x", []byte("\x00\x01garbage")), "byte 0: expected a JSON value, found 0x00"},
		"empty":         {write(t, "x", nil), "byte 0: expected a JSON value, found end of file"},
		"empty gz":      {write(t, "x", gzipped(t, nil)), "byte 0: expected a JSON value, found end of file"},
		"byte order":    {write(t, "x", []byte("\xef\xbb\xbf{}")), "byte 0: expected a JSON value, found a UTF-8 byte order mark"},
		"missing":       {filepath.Join(folder, "none.json"), "byte 0: expected a file, found none: "},
		"below a file":  {filepath.Join(write(t, "x", nil), "y"), "byte 0: expected a file, found none: "},
		"folder":        {folder, "byte 0: expected a file, found a folder"},
		"truncated gz":  {write(t, "x", gz[:len(gz)-10]), "expected the rest of a gzip stream, found end of file at compressed byte "},
		"gz header":     {write(t, "x", gz[:5]), "byte 0: expected the rest of a gzip stream, found end of file at compressed byte 5"},
		"broken gz":     {write(t, "x", broken), "expected the rest of a gzip stream, found a broken one before compressed byte "},
		"truncated zst": {write(t, "x", zst[:len(zst)-10]), "expected the rest of a zstd stream, found end of file at compressed byte "},
		"zst header":    {write(t, "x", zst[:4]), "byte 0: expected the rest of a zstd stream, found end of file at compressed byte 4"},
		"json in gz":    {write(t, "x", gzipped(t, []byte(`[1,]`))), "byte 3: expected an array element after ',', found ']'"},
		"line in name":  {filepath.Join(folder, "a\nb"), "byte 0: expected a file, found none: "},
	} {
		code, stdout, stderr := call(t, "compare", "-input", c.file)
		if code != command.ExitUsage || stdout != "" || strings.Count(stderr, "\n") != 1 ||
			!strings.HasPrefix(stderr, "bench: ") || !strings.Contains(stderr, ": byte ") || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: exit %d, stdout %q, stderr %q, want %q", name, code, stdout, stderr, c.want)
		}
	}
}

func TestUnreadableFile(t *testing.T) {
	file := write(t, "x.json", []byte("1"))
	switch {
	case runtime.GOOS == "linux":
		file = "/proc/self/mem" // byte 0 of it cannot be read, by root neither
	case os.Geteuid() == 0 || runtime.GOOS == "windows":
		t.Skip("SKIPPED: every file can be read here, so an unreadable one is not tried")
	default:
		if err := os.Chmod(file, 0); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := loadDocuments(t.Context(), []string{file}); err == nil || !strings.Contains(err.Error(), "expected a file that can be read") {
		t.Error(err)
	}
}

func TestSizeLimitIsForAllFiles(t *testing.T) {
	file := write(t, "x.json.zst", zstded(t, sample))
	if _, err := loadFiles(t.Context(), []string{file, file}, int64(2*len(sample))); err != nil {
		t.Error(err)
	}
	_, err := loadFiles(t.Context(), []string{file, file}, int64(2*len(sample)-1))
	if err == nil || !strings.Contains(err.Error(), "expected at most 1024 MiB of JSON in all files together, found more") {
		t.Error(err)
	}
}

func TestLoadIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if docs, err := loadDocuments(ctx, []string{write(t, "x.json", sample)}); err != context.Canceled {
		t.Errorf("%d documents, %v", len(docs), err)
	}
}
