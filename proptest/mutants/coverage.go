package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// tester is a package whose tests may reach the mutants.
type tester struct {
	rel, tags string
	race      bool // run under the race detector, with -short
}

// binary is the test binary of a package, built with the mutants of one package.
type binary struct {
	tester
	path, dir string
	hash      string
	rapid     bool // it has rapid's flags
	short     bool
}

// file returns a name for files about the binary.
func (b *binary) file() string { return strings.NewReplacer("/", "-", " ", "-").Replace(b.String()) }

func (b *binary) String() string {
	if b.race {
		return "race " + b.rel
	}
	return b.rel
}

// leaf is a test, or a subtest, that runs in a process of its own.
type leaf struct {
	Name    string        `json:"name"`    // as go test prints it
	Took    time.Duration `json:"took"`    // without a mutant
	Memory  int64         `json:"memory"`  // likewise
	Reached []int         `json:"reached"` // numbers of mutants, in order

	bin *binary
}

// pattern returns the value of -test.run for the leaf.
func (l *leaf) pattern() string { return pattern(l.Name) }

func pattern(name string) string {
	parts := strings.Split(name, "/")
	for i, p := range parts {
		parts[i] = "^" + regexp.QuoteMeta(p) + "$"
	}
	return strings.Join(parts, "/")
}

func (l *leaf) String() string { return l.bin.String() + " " + l.Name }

// testersOf returns the packages whose tests run for the mutants of a package.
func (c *config) testersOf(rel string) (testers []tester) {
	if c.own {
		testers = append(testers, tester{rel: rel})
	}
	if c.own && c.race {
		testers = append(testers, tester{rel: rel, race: true})
	}
	for _, t := range c.testers {
		if t.rel != rel {
			testers = append(testers, t)
		}
	}
	return testers
}

// build compiles the tests of those testers that depend on the package.
func (c *config) build(ctx context.Context, in *instrumented) ([]*binary, error) {
	folder := filepath.Join(c.folder, strings.ReplaceAll(in.rel, "/", "-"))
	overlay, err := in.save(folder)
	if err != nil {
		return nil, err
	}
	var bins []*binary
	for _, t := range c.testersOf(in.rel) {
		list := exec.CommandContext(ctx, "go", "list", "-test", "-deps", "-tags="+t.tags, "./"+t.rel)
		list.Dir = c.root
		deps, err := list.Output()
		if err != nil {
			return nil, fmt.Errorf("go list ./%s: %w", t.rel, err)
		}
		if !slices.Contains(strings.Fields(string(deps)), in.pkg.Path()) {
			continue
		}
		b := &binary{tester: t, dir: filepath.Join(c.root, filepath.FromSlash(t.rel)), short: c.short || t.race}
		b.path = filepath.Join(folder, b.file()+".test")
		b.rapid = slices.Contains(strings.Fields(string(deps)), "pgregory.net/rapid")
		args := []string{"test", "-c", "-buildvcs=false", "-overlay=" + overlay, "-tags=" + t.tags, "-o", b.path}
		if t.race {
			args = append(args, "-race")
		}
		cmd := exec.CommandContext(ctx, "go", append(args, "./"+t.rel)...)
		cmd.Dir = c.root
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("build %s: %w\n%s", b, err, shorten(string(out)))
		}
		text, err := os.ReadFile(b.path)
		if os.IsNotExist(err) {
			continue // it has no tests
		}
		if err != nil {
			return nil, err
		}
		b.hash = hash(text)
		bins = append(bins, b)
	}
	return bins, nil
}

// splitAfter is the time after which a test is split into its subtests.
const splitAfter = time.Second

// measure runs each test of a binary in a process of its own, without a mutant. It returns the
// tests that pass, with the mutants that they reach. The result is cached by binary.
func (c *config) measure(ctx context.Context, in *instrumented, b *binary) ([]*leaf, error) {
	memory := filepath.Join(filepath.Dir(b.path), fmt.Sprintf("reached-%s-%s.json", b.file(), hash([]byte(b.hash+c.tests.String()+fmt.Sprint(c.short)))))
	var leaves []*leaf
	if text, err := os.ReadFile(memory); err == nil && json.Unmarshal(text, &leaves) == nil {
		for _, l := range leaves {
			l.bin = b
		}
		return leaves, nil
	}
	list := exec.CommandContext(ctx, b.path, "-test.list=.")
	list.Dir = b.dir
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("list the tests of %s: %w", b.rel, err)
	}
	var names []string
	for _, name := range strings.Fields(string(out)) {
		if !strings.HasPrefix(name, "Benchmark") && c.tests.MatchString(name) {
			names = append(names, name)
		}
	}
	parts := make([][]*leaf, len(names))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(c.workers)
	for i, name := range names {
		g.Go(func() (err error) {
			parts[i], err = c.measureTest(ctx, in, b, name)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	leaves = slices.Concat(parts...)
	text, err := json.Marshal(leaves)
	if err != nil {
		return nil, err
	}
	return leaves, os.WriteFile(memory, text, 0o666)
}

// measureTest runs a test or a subtest. It replaces a long test by its subtests, if each of
// them passes alone.
func (c *config) measureTest(ctx context.Context, in *instrumented, b *binary, name string) ([]*leaf, error) {
	file, err := os.CreateTemp(c.folder, "reached")
	if err != nil {
		return nil, err
	}
	defer os.Remove(file.Name()) //nolint:errcheck // it is not needed any more
	err = file.Truncate(int64(len(in.mutants) + 1))
	if err := cmp.Or(err, file.Close()); err != nil {
		return nil, err
	}
	run := child{bin: b, pattern: pattern(name), reached: file.Name(), verbose: true, limit: 10 * time.Minute}
	e, err := run.run(ctx)
	if err != nil {
		return nil, err
	}
	if e.how != passed {
		fmt.Fprintf(c.log, "not used, since it fails without a mutant: %s %s: %s\n", b, name, e.how)
		return nil, nil
	}
	note, err := os.ReadFile(file.Name())
	if err != nil {
		return nil, err
	}
	l := &leaf{Name: name, Took: e.took, Memory: e.memory, bin: b}
	for n, hit := range note {
		if hit != 0 {
			l.Reached = append(l.Reached, n)
		}
	}
	if len(l.Reached) == 0 {
		return nil, nil
	}
	if l.Took > splitAfter {
		if parts, err := c.measureParts(ctx, in, b, name, e.out); err != nil || len(parts) > 1 {
			return parts, err
		}
	}
	return []*leaf{l}, nil
}

// measureParts runs the subtests of a test. out is the test's verbose output.
func (c *config) measureParts(ctx context.Context, in *instrumented, b *binary, name, out string) ([]*leaf, error) {
	var parts []*leaf
	for line := range strings.Lines(out) {
		sub, ok := strings.CutPrefix(strings.TrimSpace(line), "=== RUN   ")
		rest, below := strings.CutPrefix(sub, name+"/")
		if !ok || !below || strings.Contains(rest, "/") && !c.deeper(out, name, rest) {
			continue
		}
		more, err := c.measureTest(ctx, in, b, sub)
		if err != nil {
			return nil, err
		}
		parts = append(parts, more...)
	}
	return parts, nil
}

// deeper reports whether the name of a subtest contains a slash itself.
func (c *config) deeper(out, name, rest string) bool {
	first, _, _ := strings.Cut(rest, "/")
	return !strings.Contains(out, "=== RUN   "+name+"/"+first+"\n")
}

// reaching returns the tests that reach a mutant, fastest first.
func reaching(leaves []*leaf, n int) []*leaf {
	var is []*leaf
	for _, l := range leaves {
		if _, ok := slices.BinarySearch(l.Reached, n); ok {
			is = append(is, l)
		}
	}
	slices.SortStableFunc(is, func(a, b *leaf) int { return cmp.Compare(a.Took, b.Took) })
	return is
}
