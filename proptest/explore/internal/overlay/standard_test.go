package overlay

import (
	"go/ast"
	"go/importer"
	"go/parser"
	"go/types"
	"io"
	"os"
	"testing"
)

// standard are packages of the standard library with much code of the kinds that are
// rewritten.
var standard = []string{"net/http", "os", "os/exec", "database/sql", "context", "time", "testing", "log/slog", "io", "sync",
	"text/template", "encoding/json", "encoding/gob", "go/types", "go/parser", "runtime/pprof", "net/rpc", "crypto/tls", "expvar",
	"maps", "slices", "reflect", "math/big", "bufio", "internal/trace", "cmd/go/internal/work", "cmd/go/internal/modload", "html/template"}

// TestStandardLibrary rewrites packages of the standard library, and checks that the result
// parses and has types. Without the tag explore the twins' types are those of the originals,
// so that packages fit together that are rewritten or not.
func TestStandardLibrary(t *testing.T) {
	if os.Getenv("ICHOR_FULL") == "" {
		t.Skip("checks large packages: set ICHOR_FULL to run it")
	}
	config := &Config{Dir: root(t)}
	arguments := append([]string{"-export", "-deps", "--", shimPath}, standard...)
	for _, twin := range twinPaths {
		arguments = append(arguments, twin)
	}
	all, err := config.goList(arguments...)
	if err != nil {
		t.Fatal(err)
	}
	l := newLoader(config)
	for _, p := range all {
		l.listed[p.ImportPath], l.exports[p.ImportPath] = p, p.Export
	}
	l.gc = importer.ForCompiler(l.fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(l.exports[path]) })
	if err := l.loadTwins(); err != nil {
		t.Fatal(err)
	}
	changed := 0
	for _, path := range standard {
		c := l.checkNew(l.listed[path], true)
		if c.err != nil {
			t.Errorf("%s: %v", path, c.err)
			continue
		}
		texts := map[string]string{}
		l.rewritePackage(c, texts)
		changed += len(texts)
		if err := l.checkTexts(c, texts); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	if changed < 100 {
		t.Errorf("%d files are rewritten", changed)
	}
}

// checkTexts parses and checks the new files of a package.
func (l *loader) checkTexts(c *checked, texts map[string]string) (first error) {
	var files []*ast.File
	for i, name := range c.names {
		syntax := c.syntax[i]
		if text, ok := texts[name]; ok {
			var err error
			if syntax, err = parser.ParseFile(l.fset, name, text, parser.SkipObjectResolution); err != nil {
				return err
			}
		}
		files = append(files, syntax)
	}
	conf := types.Config{Importer: importerFor{l, c.listed}, FakeImportC: true, Sizes: types.SizesFor("gc", "amd64"), Error: func(err error) {
		if first == nil {
			first = err
		}
	}}
	_, _ = conf.Check(c.listed.path(), l.fset, files, nil)
	return first
}
