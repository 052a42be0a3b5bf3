package documents

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/ichor-go/ichor/bench/experiment/command"
)

// corpus are documents that come with every Go 1.26 toolchain. In this order they are mostly
// small objects, text, nested records, a tree of short strings, and numbers.
var corpus = []string{"citm_catalog", "twitter_status", "synthea_fhir", "golang_source", "canada_geometry"}

// smallCorpus are documents in the same folder that fit the first caches.
var smallCorpus = []string{"string_escaped", "string_unicode"}

const corpusFolder = "src/encoding/json/internal/jsontest/testdata"

// SmallFiles finds documents that come with Go and fit the first caches.
func SmallFiles(ctx context.Context) ([]string, error) { return corpusFiles(ctx, smallCorpus) }

// corpusFiles finds the documents in the first toolchain that has them all.
func corpusFiles(ctx context.Context, names []string) ([]string, error) {
	roots := goRoots(ctx)
	for _, root := range roots {
		files := make([]string, len(names))
		missing := false
		for i, name := range names {
			files[i] = filepath.Join(root, filepath.FromSlash(corpusFolder), name+".json.zst")
			if _, err := os.Stat(files[i]); err != nil {
				missing = true
			}
		}
		if !missing {
			return files, nil
		}
	}
	looked := "no Go toolchain was found"
	if len(roots) > 0 {
		looked = "not in " + strings.Join(roots, ", ")
	}
	return nil, command.UsageError{Err: fmt.Errorf("the documents that come with Go 1.26 (GOROOT/%s) were not found (%s): name others with -input FILE",
		corpusFolder, looked)}
}

// goRoots lists the places where a toolchain may be: where the environment says, where the go
// command says, and above the go command.
func goRoots(ctx context.Context) []string {
	var roots []string
	add := func(root string) {
		if root != "" {
			roots = append(roots, root)
		}
	}
	add(os.Getenv("GOROOT"))
	tool, err := exec.LookPath("go")
	if err != nil {
		return roots
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if out, err := exec.CommandContext(ctx, tool, "env", "GOROOT").Output(); err == nil {
		add(strings.TrimSpace(string(out)))
	}
	if real, err := filepath.EvalSymlinks(tool); err == nil {
		add(filepath.Dir(filepath.Dir(real)))
	}
	return roots
}
