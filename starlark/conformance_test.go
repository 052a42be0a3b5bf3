package starlark

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// conformance says of each file of starlark-go's suite whether it passes.
var conformance = []struct {
	file   string
	passes bool
}{
	{"assign", true}, {"bool", true}, {"builtins", true}, {"bytes", true}, {"control", true},
	{"dict", true}, {"float", true}, {"function", true}, {"int", true}, {"json", true},
	{"list", true}, {"math", true}, {"misc", true}, {"proto", false}, {"set", true},
	{"string", true}, {"time", true}, {"tuple", true}, {"recursion", true}, {"module", true},
	{"while", true},
}

func TestConformance(t *testing.T) {
	dir, err := suite()
	if err != nil || dir == "" {
		t.Skip("the sources of go.starlark.net are not here:", err)
	}
	forModes(t, func(t *testing.T, opts Options) {
		for _, c := range conformance {
			for _, threads := range []int{1, 4} {
				if testing.Short() && threads > 1 && c.file != "dict" {
					continue
				}
				t.Run(c.file+map[int]string{1: "/threads=1", 4: "/threads=4"}[threads], func(t *testing.T) {
					file := filepath.Join(dir, "starlark", "testdata", c.file+".star")
					text, err := os.ReadFile(file)
					if err != nil {
						t.Fatal(err)
					}
					opts := opts
					opts.Load = loader(t, dir)
					m := open(t, opts)
					problems := make([][]string, threads)
					err = m.Run(context.Background(), threads, func(th *Thread, i int) error {
						problems[i] = runFile(th, file, string(text))
						return nil
					})
					if err != nil {
						t.Fatal(err)
					}
					n := 0
					for _, ps := range problems {
						n += len(ps)
					}
					if c.passes && n > 0 {
						all := strings.Join(problems[0], "\n")
						if all == "" {
							all = strings.Join(problems[threads-1], "\n")
						}
						t.Errorf("%d problems\n%s", n, all)
					}
					if !c.passes && n == 0 {
						t.Errorf("%s passes: say so in the table", c.file)
					}
				})
			}
		}
	})
}
