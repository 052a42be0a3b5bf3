package starlark

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	rt "github.com/ichor-go/ichor/runtime"
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
	forModes(t, func(t *testing.T, opts Options) {
		for _, c := range conformance {
			conform(t, opts, c.file, c.passes, 1)
			if !testing.Short() || c.file == "dict" {
				conform(t, opts, c.file, c.passes, 4)
			}
		}
	})
}

// In checked mode the runtime validates each access to an object.
func TestConformanceChecked(t *testing.T) {
	forModes(t, func(t *testing.T, opts Options) {
		opts.Runtime = rt.Options{Checked: true}
		for _, c := range conformance {
			if !testing.Short() || c.file == "dict" {
				conform(t, opts, c.file, c.passes, 1)
				conform(t, opts, c.file, c.passes, 4)
			}
		}
	})
}

// conform runs a file of the suite on some threads of one machine at the same time.
func conform(t *testing.T, opts Options, name string, passes bool, threads int) {
	dir, err := suite()
	if err != nil || dir == "" {
		t.Skip("the sources of go.starlark.net are not here:", err)
	}
	t.Run(fmt.Sprintf("%s/threads=%d", name, threads), func(t *testing.T) {
		file := filepath.Join(dir, "starlark", "testdata", name+".star")
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
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
		if passes && n > 0 {
			all := strings.Join(problems[0], "\n")
			if all == "" {
				all = strings.Join(problems[threads-1], "\n")
			}
			t.Errorf("%d problems\n%s", n, all)
		}
		if !passes && n == 0 {
			t.Errorf("%s passes: say so in the table", name)
		}
	})
}
