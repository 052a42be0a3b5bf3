package pprof

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"testing"

	"github.com/google/pprof/profile"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newProfile returns the heap profile of a runtime that has run f, as text and decoded.
func newProfile(t *testing.T, ctx context.Context, f func(th *rt.Thread) error) ([]byte, *profile.Profile) {
	t.Helper()
	r, err := rt.New(rt.Options{HeapProfileRate: 1})
	ok(t, err)
	ok(t, r.DoContext(ctx, f))
	var b bytes.Buffer
	ok(t, WriteHeap(r, &b))
	ok(t, r.Close())
	p, err := profile.ParseData(b.Bytes())
	ok(t, err)
	ok(t, p.CheckValid())
	return b.Bytes(), p
}

func makeList(th *rt.Thread) error {
	list, err := objects.NewList(th, rt.None)
	if err != nil {
		return err
	}
	th.DecRef(list)
	return nil
}

// TestWriteHeap checks the contents of a profile: values with names and units, labels, and
// stacks that begin with what users have called.
func TestWriteHeap(t *testing.T) {
	ctx := pprof.WithLabels(context.Background(), pprof.Labels("tenant", "a", "type", "not this"))
	_, p := newProfile(t, ctx, makeList)
	names := ""
	for _, v := range p.SampleType {
		names += v.Type + "/" + v.Unit + " "
	}
	if want := "alloc_objects/count alloc_space/bytes inuse_objects/count inuse_space/bytes "; names != want || p.DefaultSampleType != "inuse_space" {
		t.Errorf("it measures %s, %s by default", names, p.DefaultSampleType)
	}
	if p.Period != 1 || p.PeriodType.Type != "space" || p.PeriodType.Unit != "bytes" || p.TimeNanos == 0 {
		t.Errorf("period: %d %v at %d", p.Period, p.PeriodType, p.TimeNanos)
	}
	found := map[string]bool{}
	for _, s := range p.Sample {
		what := fmt.Sprint(s.Label["type"], s.Value[0], s.Value[2], s.Label["tenant"], s.NumLabel["bytes"][0] == s.Value[1], s.NumUnit["bytes"])
		found[what] = true
		if first := s.Location[0].Line[0].Function; !strings.HasPrefix(first.Name, module+"objects.") || !strings.HasSuffix(first.Filename, ".go") {
			t.Errorf("%s begins at %s in %s", what, first.Name, first.Filename)
		}
		if !slices.ContainsFunc(s.Location, func(l *profile.Location) bool {
			return strings.HasSuffix(l.Line[0].Function.Name, "pprof.makeList") && l.Line[0].Line > 0
		}) {
			t.Errorf("%s: makeList is missing", what)
		}
	}
	if got := fmt.Sprint(slices.Sorted(maps.Keys(found))); got != "[[block] 1 0 [a] true [bytes] [list] 1 0 [a] true [bytes]]" {
		t.Errorf("samples: %s", got)
	}
}

// TestInside checks a stack of nothing but the runtime's own frames: the outermost one stays.
func TestInside(t *testing.T) {
	b := newBuilder("space", "bytes", 1)
	s := b.sample(rt.Place{Stack: []uintptr{}}, 1)
	if len(s.Location) != 0 {
		t.Errorf("no frames are %d", len(s.Location))
	}
	r, err := rt.New(rt.Options{HeapProfileRate: 1})
	ok(t, err)
	ok(t, r.Do(makeList))
	for _, x := range r.HeapProfile() {
		s := b.sample(rt.Place{Stack: x.Stack[:2]}, 1)
		if len(s.Location) != 1 || !strings.HasPrefix(s.Location[0].Line[0].Function.Name, module+"runtime.") {
			t.Errorf("%d frames are left", len(s.Location))
		}
	}
	ok(t, r.Close())
}

// TestSubtract checks that a profile less itself is nothing, even if one line calls a constructor
// in several places: pprof -base and a request for seconds=N rely on it.
func TestSubtract(t *testing.T) {
	r, err := rt.New(rt.Options{HeapProfileRate: 1})
	ok(t, err)
	ok(t, r.Do(func(th *rt.Thread) error { return errors.Join(makeList(th), makeList(th), makeList(th)) }))
	for range 20 { // records come in another order each time
		var both []*profile.Profile
		for range 2 {
			var b bytes.Buffer
			ok(t, WriteHeap(r, &b))
			p, err := profile.Parse(&b)
			ok(t, err)
			both = append(both, p)
		}
		both[0].Scale(-1)
		p, err := profile.Merge(both)
		ok(t, err)
		if len(p.Sample) != 0 {
			t.Fatalf("%d samples are left: %s", len(p.Sample), p)
		}
	}
	ok(t, r.Close())
}

// TestTool has go tool pprof read a profile.
func TestTool(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("SKIPPED: there is no go command")
	}
	text, _ := newProfile(t, context.Background(), makeList)
	file := filepath.Join(t.TempDir(), "heap")
	ok(t, os.WriteFile(file, text, 0o600))
	out, err := exec.Command("go", "tool", "pprof", "-top", "-sample_index=alloc_objects", file).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if !strings.Contains(string(out), "objects.NewList") {
		t.Errorf("no constructor in:\n%s", out)
	}
}

// TestOff checks that there is no profile of a runtime that keeps none.
func TestOff(t *testing.T) {
	r, err := rt.New(rt.Options{})
	ok(t, err)
	for _, write := range []func(*rt.Runtime, io.Writer) error{WriteHeap, WriteContention} {
		if err := write(r, &bytes.Buffer{}); !errors.Is(err, ErrOff) {
			t.Error(err)
		}
	}
	ok(t, r.Close())
}

// TestWriteContention checks the contents of a contention profile.
func TestWriteContention(t *testing.T) {
	r, err := rt.New(rt.Options{Mode: rt.GIL, ContentionProfileRate: 1})
	ok(t, err)
	ok(t, r.Run(context.Background(), 2, func(_ context.Context, th *rt.Thread, _ int) error {
		for r.GILStats().Switches == 0 {
			runtime.Gosched() // also with one core, the other comes to wait
			th.Checkpoint()
		}
		return nil
	}))
	var b bytes.Buffer
	ok(t, WriteContention(r, &b))
	ok(t, r.Close())
	p, err := profile.Parse(&b)
	ok(t, err)
	if p.DefaultSampleType != "delay" || p.SampleType[0].Type != "contentions" || p.SampleType[1].Unit != "nanoseconds" || p.Period != 1 || len(p.Sample) == 0 {
		t.Errorf("%v, %s by default, period %d, %d samples", p.SampleType, p.DefaultSampleType, p.Period, len(p.Sample))
	}
	for _, s := range p.Sample {
		if s.Value[0] < 1 || s.Value[1] < 1 || s.Label["for"][0] != "GIL" {
			t.Errorf("%v %v", s.Value, s.Label)
		}
	}
}
