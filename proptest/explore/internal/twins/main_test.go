package main

import (
	"bytes"
	"go/types"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const above = "../.."

// TestGenerated compares the generated files with what the generator writes.
func TestGenerated(t *testing.T) {
	for _, x := range List {
		both, off, err := x.Files()
		if err != nil {
			t.Fatal(err)
		}
		texts := map[string][]byte{"both.go": both, "off.go": off}
		if strings.HasSuffix(x.Folder, "atomic") {
			if texts["on.go"], err = x.Atomics(); err != nil {
				t.Fatal(err)
			}
		}
		for name, want := range texts {
			got, err := os.ReadFile(filepath.Join(above, x.Folder, name))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s/%s is not what go run ./proptest/explore/internal/twins writes", x.Folder, name)
			}
		}
	}
}

// TestComplete demands that each twin has all names of its original in both builds, and that its
// types have all methods with the same parameters and results.
func TestComplete(t *testing.T) {
	for _, x := range List {
		original, err := load("", x.Original)
		if err != nil {
			t.Fatal(err)
		}
		for _, tags := range []string{"", "explore"} {
			twin, err := load(tags, "github.com/ichor-go/ichor/proptest/explore/"+x.Folder)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range original.Scope().Names() {
				o := original.Scope().Lookup(name)
				if !o.Exported() {
					continue
				}
				own := twin.Scope().Lookup(name)
				if own == nil {
					t.Errorf("%s lacks %s with tags %q", x.Folder, name, tags)
					continue
				}
				want, got := shape(o), shape(own)
				for method, text := range want {
					if got[method] != text {
						t.Errorf("%s.%s with tags %q: %s is %q, want %q", x.Folder, name, tags, method, got[method], text)
					}
				}
			}
		}
	}
}

// shape returns the methods and fields of a type, or the type of what is none, as text without the
// packages of what is its own.
func shape(o types.Object) map[string]string {
	text := func(t types.Type) string {
		bare := types.TypeString(t, func(p *types.Package) string {
			if slices.Contains([]string{"sync", "atomic", "time", "context", "errgroup", "semaphore", "uatomic"}, p.Name()) {
				return ""
			}
			return p.Name()
		})
		return bare
	}
	n, isNamed := types.Unalias(o.Type()).(*types.Named)
	if _, isType := o.(*types.TypeName); !isType || !isNamed {
		if s, ok := o.Type().(*types.Signature); ok {
			return map[string]string{"it": signature(s, text)}
		}
		return map[string]string{"it": ""} // constants and variables
	}
	m := map[string]string{}
	set := types.NewMethodSet(types.NewPointer(n))
	for i := range set.Len() {
		if f := set.At(i).Obj(); f.Exported() {
			m[f.Name()] = signature(set.At(i).Type().(*types.Signature), text)
		}
	}
	if s, ok := n.Underlying().(*types.Struct); ok {
		for f := range s.Fields() {
			if f.Embedded() {
				continue // its methods are above
			}
			if f.Exported() {
				m[f.Name()] = text(f.Type())
			}
		}
	}
	return m
}

// signature returns the types of parameters and results.
func signature(s *types.Signature, text func(types.Type) string) string {
	list := ""
	for v := range s.Params().Variables() {
		list += text(v.Type()) + ", "
	}
	list += "-> "
	for v := range s.Results().Variables() {
		list += text(v.Type()) + ", "
	}
	return list
}
