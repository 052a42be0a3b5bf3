package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// Every part prints its tables, with a figure above zero in each place, and writes their plots.
func TestParts(t *testing.T) {
	var out strings.Builder
	dir := t.TempDir()
	r := &report{&out, dir}
	err := errors.Join(
		r.programs(1, time.Millisecond, "range_construction"),
		r.programs(1, time.Millisecond, "calls"),
		r.scaling("calls", 2, time.Millisecond, 3),
		r.images(1, 20),
		r.memory(50_000, time.Millisecond),
	)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"range_construction", "calls", "2 threads", "3 threads", "open the image", "dict of 100", "live bytes", "jsontransform"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("nothing about %q in\n%s", want, out.String())
		}
	}
	var names []string
	files, _ := filepath.Glob(filepath.Join(dir, "*.svg"))
	for _, f := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(f), ".svg"))
		checkXML(t, f)
	}
	want := []string{"bytes", "collector", "document", "images", "programs", "suite", "threads-2", "threads-3"}
	if !slices.Equal(names, want) {
		t.Errorf("plots %q, want %q", names, want)
	}
}

// A folder that cannot be written is found before anything is measured, and nothing is left in one that can.
func TestFolder(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := (&report{plots: file}).check(); err == nil {
		t.Error("a file is no folder")
	}
	made := filepath.Join(dir, "a", "b")
	if err := (&report{plots: made}).check(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(made); err != nil || len(left) > 0 {
		t.Errorf("%v, %v", left, err)
	}
}

func checkXML(t *testing.T, file string) {
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	d := xml.NewDecoder(strings.NewReader(string(data)))
	for {
		if _, err := d.Token(); err == io.EOF {
			return
		} else if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
}

func TestTable(t *testing.T) {
	var out strings.Builder
	x := &table{name: "x", title: "what", note: " (now)", first: "time", columns: []string{"a", "b"}, mean: "mean", rows: []row{
		{name: "one", first: "1s", values: []float64{2, 1}, notes: []string{"(x)"}}, {name: "two", first: "2s", values: []float64{8, 4}}}}
	if err := (&report{w: &out}).add(x); err != nil {
		t.Fatal(err)
	}
	want := "  what (now)  time         a     b\n         one    1s  2.00 (x)  1.00\n         two    2s      8.00  4.00\n        mean            4.00  2.00\n\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

func TestAxis(t *testing.T) {
	for _, c := range []struct {
		low, high float64
		ratio     bool
		marks     []float64
		at        map[float64]float64
	}{
		{1, 3, true, []float64{1, 2, 4}, map[float64]float64{1: 0, 2: 0.5, 4: 1, 9: 1}},
		{0.6, 1, true, []float64{0.5, 1, 2}, map[float64]float64{0.1: 0, 1: 0.5}},
		{1, 1.9, false, []float64{0, 0.5, 1, 1.5, 2}, map[float64]float64{0: 0, 1: 0.5}},
		{1, 8700, false, []float64{0, 2000, 4000, 6000, 8000, 10000}, map[float64]float64{5000: 0.5}},
	} {
		a := newAxis(c.low, c.high, c.ratio)
		ok := len(a.marks) == len(c.marks)
		for i := 0; ok && i < len(a.marks); i++ {
			ok = near(a.marks[i], c.marks[i])
		}
		if !ok {
			t.Errorf("%v: marks %v, want %v", c.high, a.marks, c.marks)
		}
		for v, want := range c.at {
			if got := a.at(v); !near(got, want) {
				t.Errorf("%v of %v is at %v, want %v", v, c.high, got, want)
			}
		}
	}
}

func near(a, b float64) bool { return a-b < 1e-9 && b-a < 1e-9 }
