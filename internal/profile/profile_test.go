package profile

import (
	"context"
	"fmt"
	"maps"
	"math"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"testing"
	"time"
)

func labelled(labels ...string) context.Context {
	return pprof.WithLabels(context.Background(), pprof.Labels(labels...))
}

// innermost returns the name of the function that a stack begins in.
func innermost(stack []uintptr) string {
	f, _ := runtime.CallersFrames(stack).Next()
	return f.Function[strings.LastIndexByte(f.Function, '.')+1:]
}

//go:noinline
func makes(p *Heap, ctx context.Context, h uint32, kind HeapKind) {
	p.Born(ctx, h, kind, Weight{10, 320})
}

//go:noinline
func makesToo(p *Heap, ctx context.Context, h uint32, kind HeapKind) {
	p.Born(ctx, h, kind, Weight{1, 32})
}

// TestHeap checks that there is a record for each place, kind and set of labels, and that what is
// freed is taken from the record of its birth, once.
func TestHeap(t *testing.T) {
	p := NewHeap()
	leaf, node := HeapKind{"leaf", 32}, HeapKind{"node", 32}
	for range 2 { // one call each, so one place
		for i, ctx := range []context.Context{nil, context.Background(), labelled("b", "2", "a", ""), labelled("a", "", "b", "2")} {
			for j, kind := range []HeapKind{leaf, node, {"leaf", 48}} {
				h := uint32(10*i + j)
				p.Free(h)
				makes(p, ctx, h, kind)
			}
		}
	}
	makesToo(p, nil, 100, leaf)
	p.Free(101) // which has no sample
	var got []string
	for _, x := range p.Records() {
		labels := slices.Sorted(maps.Keys(x.Labels()))
		if x.Labels() != nil && (x.Labels()["a"] != "" || x.Labels()["b"] != "2") {
			t.Errorf("labels %v", x.Labels())
		}
		got = append(got, fmt.Sprintf("%s %v %v: %v, %v in use, %d samples", innermost(x.Stack), x.Kind, labels, x.Sum.All, x.Sum.InUse(), x.Samples))
	}
	slices.Sort(got)
	want := []string{
		"makes {leaf 32} []: {40 1280}, {20 640} in use, 4 samples",
		"makes {leaf 32} [a b]: {40 1280}, {20 640} in use, 4 samples",
		"makes {leaf 48} []: {40 1280}, {20 640} in use, 4 samples",
		"makes {leaf 48} [a b]: {40 1280}, {20 640} in use, 4 samples",
		"makes {node 32} []: {40 1280}, {20 640} in use, 4 samples",
		"makes {node 32} [a b]: {40 1280}, {20 640} in use, 4 samples",
		"makesToo {leaf 32} []: {1 32}, {1 32} in use, 1 samples",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for h := range uint32(102) {
		p.Free(h)
		p.Free(h)
	}
	for _, x := range p.Records() {
		if x.Sum.InUse() != (Weight{}) {
			t.Errorf("left: %+v", x)
		}
	}
	if len(p.live) != 0 {
		t.Errorf("%d handles are left", len(p.live))
	}
}

// TestAdd checks that what was added without a handle is there until it is removed.
func TestAdd(t *testing.T) {
	p := NewHeap()
	kind := HeapKind{What: "frozen graph"}
	x := p.Add(labelled("who", "I"), kind, Weight{5, 500})
	if all := p.Records(); len(all) != 1 || all[0].Sum.InUse() != (Weight{5, 500}) || all[0].Samples != 1 || innermost(all[0].Stack) != "TestAdd" || all[0].Labels()["who"] != "I" {
		t.Errorf("%+v", all)
	}
	p.Remove(x, Weight{5, 500})
	if all := p.Records(); all[0].Sum != (Allocations{Weight{5, 500}, Weight{5, 500}}) {
		t.Errorf("%+v", all)
	}
}

// TestCollision checks that places with the same hash have records of their own.
func TestCollision(t *testing.T) {
	r := records[uint8, int]{}
	places := []*place{{frames: 1}, {frames: 2}, {frames: 2, labels: "a\x00b\x00"}, {frames: 2}}
	places[3].pcs[1] = 1
	for range 2 {
		for i, p := range places {
			for kind := range uint8(2) {
				x := r.at(7, p, kind)
				if x.Samples++; x.Sum != 0 && x.Sum != 1+2*i+int(kind) {
					t.Errorf("place %d has the record of another one", i)
				}
				x.Sum = 1 + 2*i + int(kind)
			}
		}
	}
	if all := r.all(); len(r) != 1 || len(all) != 8 || slices.ContainsFunc(all, func(x Record[uint8, int]) bool { return x.Samples != 2 }) {
		t.Errorf("%+v", all)
	}
	hashes := map[uint64]bool{}
	for _, p := range places {
		hashes[p.hash()] = true
	}
	if len(hashes) != len(places) {
		t.Errorf("%d hashes of %d places", len(hashes), len(places))
	}
}

// TestDeep checks that a place has the innermost frames if there are too many.
func TestDeep(t *testing.T) {
	p := NewHeap()
	var deep func(n int)
	deep = func(n int) {
		if n == 0 {
			makes(p, nil, 1, HeapKind{})
			return
		}
		deep(n - 1)
	}
	deep(2 * maxStack)
	if x := p.Records()[0]; len(x.Stack) != maxStack || innermost(x.Stack) != "makes" {
		t.Errorf("%d frames, from %s on", len(x.Stack), innermost(x.Stack))
	}
}

//go:noinline
func waits(p *Waits, what uint8, waited time.Duration) { p.Add(labelled("who", "waits"), what, waited) }

// TestWaits checks that short waits are recorded by chance, in proportion to their length, and
// count for as many more. The bound is five standard deviations.
func TestWaits(t *testing.T) {
	p := NewWaits(time.Millisecond)
	if all := p.Records(); len(all) != 0 {
		t.Errorf("before all waits: %+v", all)
	}
	const n = 100_000
	for range n {
		waits(p, 1, 10*time.Microsecond)
	}
	waits(p, 2, time.Hour)
	waits(p, 3, 0)
	seen := 0
	for _, x := range p.Records() {
		seen += int(x.Kind)
		if innermost(x.Stack) != "waits" || x.Labels()["who"] != "waits" {
			t.Errorf("%+v", x)
		}
		switch short := float64(x.Samples); {
		case x.Kind == 1 && (math.Abs(short-n/100) > 5*math.Sqrt(n/100) || math.Abs(x.Sum.Waits-100*short) > 1e-3 || math.Abs(x.Sum.Time/(short*1e6)-1) > 1e-9):
			t.Errorf("%d short waits: %+v", n, x)
		case x.Kind == 2 && x.Sum != Waiting{1, float64(time.Hour)}:
			t.Errorf("a long wait: %+v", x)
		}
	}
	if seen != 1+2 {
		t.Errorf("records %+v", p.Records())
	}
}
