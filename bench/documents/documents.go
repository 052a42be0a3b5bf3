// Package documents loads the JSON that scenarios work on, and builds objects from it. The JSON
// is in files, or in the documents that come with every Go toolchain.
//
// Any goroutine may call each function.
package documents

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/experiment/command"
	"github.com/ichor-go/ichor/bench/internal/interruptible"
	"github.com/ichor-go/ichor/internal/jsonpos"
)

// inputLimit bounds the decompressed size of all documents together: a compressed file of a few
// kilobytes can hold more than fits into memory.
const inputLimit = 1 << 30

// An inputError is a document that cannot be used.
type inputError struct {
	File string
	jsonpos.Fault
}

func (e *inputError) Error() string {
	file := e.File
	if strings.ContainsFunc(file, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		file = fmt.Sprintf("%q", file)
	}
	return file + ": " + e.Fault.String()
}

// Load reads and checks the files, or, if there are none, the documents that come with Go. It
// returns when ctx ends, even if it waits for a file, such as a pipe. The error is a
// command.UsageError if a file cannot be used.
func Load(ctx context.Context, files []string) ([]experiment.Document, error) {
	var docs []experiment.Document
	err := interruptible.Run(ctx, func() (err error) {
		if len(files) == 0 {
			if files, err = corpusFiles(ctx, corpus); err != nil {
				return err
			}
		}
		docs, err = loadFiles(ctx, files, inputLimit)
		return err
	})
	if err != nil {
		return nil, err // the goroutine may still write docs
	}
	return docs, nil
}

func loadFiles(ctx context.Context, files []string, limit int64) ([]experiment.Document, error) {
	var docs []experiment.Document
	taken := map[string]bool{}
	for _, file := range files {
		data, f := readText(ctx, file, limit)
		if f == nil {
			limit -= int64(len(data))
			f = jsonpos.Check(ctx, data)
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if f != nil {
			return nil, command.UsageError{Err: &inputError{file, *f}}
		}
		docs = append(docs, experiment.Document{Name: documentName(file, taken), Data: data})
	}
	return docs, nil
}

// documentName is the name of the file without folders and endings, made unique.
func documentName(file string, taken map[string]bool) string {
	base := filepath.Base(file)
	for _, end := range []string{".gz", ".zst", ".json"} {
		if short := strings.TrimSuffix(base, end); short != "" {
			base = short
		}
	}
	name := base
	for i := 2; taken[name]; i++ {
		name = fmt.Sprintf("%s_%d", base, i)
	}
	taken[name] = true
	return name
}

// readText reads a file and decompresses it. The text may have limit bytes.
func readText(ctx context.Context, file string, limit int64) ([]byte, *jsonpos.Fault) {
	f, err := os.Open(file)
	if err != nil {
		return nil, openFault(err)
	}
	defer f.Close()
	size := int64(0)
	if info, err := f.Stat(); err == nil {
		if info.IsDir() {
			return nil, &jsonpos.Fault{Expected: "a file", Found: "a folder"}
		}
		size = info.Size()
	}
	text, err := newDecompressor(f)
	if err != nil {
		return nil, openFault(err)
	}
	defer text.close()

	data := make([]byte, 0, min(max(size, 4096), limit)+1)
	for {
		if ctx.Err() != nil {
			return nil, nil
		}
		if len(data) == cap(data) {
			data = append(data, 0)[:len(data)]
		}
		// Read a piece at a time, and check ctx before each.
		n, err := text.Read(data[len(data):min(cap(data), len(data)+1<<20)])
		data = data[:len(data)+n]
		switch {
		case int64(len(data)) > limit:
			return nil, &jsonpos.Fault{
				Offset:   limit,
				Expected: fmt.Sprintf("at most %d MiB of JSON in all files together", int64(inputLimit)>>20),
				Found:    "more",
			}
		case err == io.EOF:
			return data, nil
		case err != nil:
			return nil, text.fault(int64(len(data)), err)
		}
	}
}

func openFault(err error) *jsonpos.Fault {
	what := jsonpos.Shorten(err.Error())
	var path *fs.PathError
	if errors.As(err, &path) {
		what = path.Err.Error()
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return &jsonpos.Fault{Expected: "a file", Found: "none: " + what}
	}
	return &jsonpos.Fault{Expected: "a file that can be read", Found: what}
}
