// Package pprof writes the profiles of a runtime in the format that go tool pprof reads, in the
// way of the standard library's package of that name. docs/seeing.md explains how to read them.
// Package debug/ichor serves them over HTTP.
package pprof

import (
	"io"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/google/pprof/profile"

	"github.com/ichor-go/ichor/internal/fault"
	rt "github.com/ichor-go/ichor/runtime"
)

// ErrOff says that the runtime does not keep the profile: its rate in rt.Options is 0.
var ErrOff = fault.New("the runtime keeps no such profile: set its rate in Options")

// WriteHeap writes the heap profile of r, compressed: objects and bytes, allocated since the
// runtime was made and in use now, by the stack that allocated them. Each sample has the label
// "type", and those of the thread's context. The numbers are estimates: see rt.HeapRecord.
// The error is ErrOff, or one of w. Any goroutine, attached or not, even after Close.
func WriteHeap(r *rt.Runtime, w io.Writer) error {
	if r.HeapProfileRate() == 0 {
		return ErrOff
	}
	b := newBuilder("space", "bytes", r.HeapProfileRate())
	b.values("alloc_objects", "count", "alloc_space", "bytes", "inuse_objects", "count", "inuse_space", "bytes")
	b.DefaultSampleType = "inuse_space"
	for _, x := range r.HeapProfile() {
		s := b.sample(x.Place, x.Allocated.Objects, x.Allocated.Bytes, x.InUse.Objects, x.InUse.Bytes)
		s.Label["type"] = []string{x.Type}
		if x.Size > 0 {
			s.NumLabel = map[string][]int64{"bytes": {x.Size}}
			s.NumUnit = map[string][]string{"bytes": {"bytes"}}
		}
	}
	return b.Write(w)
}

// WriteContention writes the contention profile of r, compressed: how often and how long
// threads have waited for others, by the stack that waited. Each sample has the label "for",
// which is what it waited for, and those of the thread's context. The numbers are estimates:
// see rt.ContentionRecord. The error is ErrOff, or one of w. Any goroutine, attached or not,
// even after Close.
func WriteContention(r *rt.Runtime, w io.Writer) error {
	if r.ContentionProfileRate() == 0 {
		return ErrOff
	}
	b := newBuilder("contentions", "nanoseconds", int64(r.ContentionProfileRate()))
	b.values("contentions", "count", "delay", "nanoseconds")
	b.DefaultSampleType = "delay"
	for _, x := range r.ContentionProfile() {
		b.sample(x.Place, x.Waits, int64(x.Waited)).Label["for"] = []string{x.For.String()}
	}
	return b.Write(w)
}

// builder builds a profile.
type builder struct {
	*profile.Profile
	frames    map[frame]*profile.Location
	functions map[function]*profile.Function
}

type function struct{ name, file string }

type frame struct {
	function
	line int
}

func newBuilder(period, unit string, every int64) *builder {
	return &builder{
		&profile.Profile{
			PeriodType: &profile.ValueType{Type: period, Unit: unit},
			Period:     every,
			TimeNanos:  time.Now().UnixNano(),
		},
		map[frame]*profile.Location{},
		map[function]*profile.Function{},
	}
}

// values names what is measured: pairs of a type and its unit.
func (b *builder) values(names ...string) {
	for v := range slices.Chunk(names, 2) {
		b.SampleType = append(b.SampleType, &profile.ValueType{Type: v[0], Unit: v[1]})
	}
}

// sample adds the values of one place. The user's labels come first, so that those of this
// package win.
func (b *builder) sample(at rt.Place, values ...int64) *profile.Sample {
	s := &profile.Sample{Value: values, Label: map[string][]string{}}
	for name, value := range at.Labels {
		s.Label[name] = []string{value}
	}
	frames := runtime.CallersFrames(at.Stack)
	inside := true // above are only frames of the runtime itself
	for {
		f, more := frames.Next()
		inside = inside && internal(f)
		if f.Function != "" && (!inside || !more) {
			s.Location = append(s.Location, b.location(f))
		}
		if !more {
			break
		}
	}
	b.Sample = append(b.Sample, s)
	return s
}

// module is the path of the library's module, with a slash at the end.
const module = "github.com/ichor-go/ichor/"

// internal reports whether a frame is one that a profile leaves out where it begins, as Go's
// profiles do with the frames of Go's runtime: what allocates or waits, and not for whom.
func internal(f runtime.Frame) bool {
	in := strings.HasPrefix(f.Function, module+"runtime.") || strings.HasPrefix(f.Function, module+"internal/") || strings.HasPrefix(f.Function, module+"locks.")
	return in && !strings.HasSuffix(f.File, "_test.go")
}

// location returns the location of a frame. Each has one line: inlined calls are frames too. It
// has no address, so that two profiles, and those of two builds, have the same location for the
// same line, and can be subtracted.
func (b *builder) location(f runtime.Frame) *profile.Location {
	in := function{f.Function, f.File}
	at := frame{in, f.Line}
	if l := b.frames[at]; l != nil {
		return l
	}
	fn := b.functions[in]
	if fn == nil {
		fn = &profile.Function{ID: uint64(len(b.Function) + 1), Name: f.Function, SystemName: f.Function, Filename: f.File}
		b.Function = append(b.Function, fn)
		b.functions[in] = fn
	}
	l := &profile.Location{
		ID:   uint64(len(b.Location) + 1),
		Line: []profile.Line{{Function: fn, Line: int64(f.Line)}},
	}
	b.Location = append(b.Location, l)
	b.frames[at] = l
	return l
}
