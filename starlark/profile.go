package starlark

import (
	"io"
	"strings"
	"sync"
	"time"

	"github.com/google/pprof/profile"
)

// A Profiler adds up the time that threads spend, by the calls that are in progress. A sample is
// taken at a safe point, each 256 calls and iterations, and has the time since the thread's last
// one. So the time of a builtin that works for long belongs to the calls that follow it.
type Profiler struct {
	mu      sync.Mutex
	began   time.Time
	samples map[string]*sample
}

type sample struct {
	stack []CallFrame
	count int64
	nanos int64
}

// StartProfile makes all threads that the machine starts from now on take samples. Any goroutine.
func (m *Machine) StartProfile() *Profiler {
	p := &Profiler{began: time.Now(), samples: map[string]*sample{}}
	m.profiler.Store(p)
	return p
}

// take adds the time since the thread's last sample.
func (p *Profiler) take(th *Thread) {
	now := time.Now()
	nanos := now.Sub(th.sampled).Nanoseconds()
	th.sampled = now
	stack := th.CallStack()
	var key strings.Builder
	for _, fr := range stack {
		key.WriteString(fr.Pos.String())
		key.WriteByte(' ')
		key.WriteString(fr.Name)
		key.WriteByte('\n')
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.samples[key.String()]
	if s == nil {
		s = &sample{stack: stack}
		p.samples[key.String()] = s
	}
	s.count++
	s.nanos += nanos
}

// Write writes the profile in the format of pprof. Any goroutine.
func (p *Profiler) Write(w io.Writer) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := &profile.Profile{
		SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: "time", Unit: "nanoseconds"}},
		TimeNanos:  p.began.UnixNano(), DurationNanos: int64(time.Since(p.began)),
		PeriodType: &profile.ValueType{Type: "time", Unit: "nanoseconds"},
	}
	type place struct {
		file, name string
	}
	functions := map[place]*profile.Function{}
	locations := map[string]*profile.Location{}
	for _, s := range p.samples {
		v := &profile.Sample{Value: []int64{s.count, s.nanos}}
		for i := len(s.stack) - 1; i >= 0; i-- {
			fr := s.stack[i]
			at := place{fr.Pos.Filename(), fr.Name}
			f := functions[at]
			if f == nil {
				f = &profile.Function{ID: uint64(len(functions) + 1), Name: strings.Trim(fr.Name, "<>"), Filename: at.file}
				functions[at] = f
				out.Function = append(out.Function, f)
			}
			key := fr.Pos.String() + fr.Name
			l := locations[key]
			if l == nil {
				l = &profile.Location{ID: uint64(len(locations) + 1), Line: []profile.Line{{Function: f, Line: int64(fr.Pos.Line)}}}
				locations[key] = l
				out.Location = append(out.Location, l)
			}
			v.Location = append(v.Location, l)
		}
		out.Sample = append(out.Sample, v)
	}
	return out.Write(w)
}
