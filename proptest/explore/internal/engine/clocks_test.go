//go:build explore

package engine

import (
	"strings"
	"testing"

	"github.com/ichor-go/ichor/internal/point"
)

// shared is memory that the programs of TestClocks access.
type shared struct {
	mu   point.Mutex
	flag word
	x    uint64
	b    [8]byte
}

func (s *shared) read()  { point.Read(&s.x) }
func (s *shared) write() { point.Write(&s.x) }

// TestClocks explores programs whose plain accesses are marked, and compares what is reported with what
// Go's memory model orders.
func TestClocks(t *testing.T) {
	if Racy {
		t.Skip("the race detector judges in place of the clocks")
	}
	for _, x := range []struct {
		name    string
		threads []func(s *shared)
		says    string // part of the error, or empty
	}{
		{"two reads", []func(*shared){(*shared).read, (*shared).read}, ""},
		{"a read and a write", []func(*shared){(*shared).read, (*shared).write}, "race: plain"},
		{"two writes", []func(*shared){(*shared).write, (*shared).write}, "race: plain write, not in order with the plain write"},
		{"a lock", []func(*shared){
			func(s *shared) { s.mu.Lock(); s.write(); s.mu.Unlock() },
			func(s *shared) { s.mu.Lock(); s.write(); s.mu.Unlock() },
		}, ""},
		{"a write behind the lock", []func(*shared){
			func(s *shared) { s.mu.Lock(); s.flag.load(); s.mu.Unlock(); s.write() },
			func(s *shared) { s.mu.Lock(); s.write(); s.mu.Unlock() },
		}, "race: plain write"},
		{"a flag", []func(*shared){
			func(s *shared) { s.write(); s.flag.store(1) },
			func(s *shared) {
				if s.flag.load() == 1 {
					s.read()
				}
			},
		}, ""},
		{"a flag that is set too early", []func(*shared){
			func(s *shared) { s.flag.store(1); s.write() },
			func(s *shared) {
				if s.flag.load() == 1 {
					s.read()
				}
			},
		}, "race: plain"},
		{"a flag that another thread has changed", []func(*shared){
			func(s *shared) { s.write(); s.flag.add(1) },
			func(s *shared) { s.flag.add(2) },
			func(s *shared) {
				if s.flag.load() == 3 {
					s.read()
				}
			},
		}, ""},
		{"a flag that another thread has set", []func(*shared){
			func(s *shared) { s.write(); s.flag.store(1) },
			func(s *shared) { s.flag.store(2) },
			func(s *shared) {
				if s.flag.load() == 2 {
					s.read()
				}
			},
		}, "race: plain"},
		{"an atomic load of what is written plainly", []func(*shared){
			func(s *shared) { point.Load(&s.x) },
			(*shared).write,
		}, "race:"},
		{"bytes beside each other", []func(*shared){
			func(s *shared) { point.Write(&s.b[2]) },
			func(s *shared) { point.Write(&s.b[3]) },
		}, ""},
		{"bytes that overlap", []func(*shared){
			func(s *shared) { point.Write(&s.b[3]) },
			func(s *shared) { point.Write((*[4]byte)(s.b[:])) },
		}, "race: plain write"},
		{"a hand-over", []func(*shared){
			func(s *shared) { s.write(); point.Send(&s.b); s.b[0] = 1 },
			func(s *shared) { point.Receive(&s.b, func() bool { return s.b[0] == 1 }); s.read() },
		}, ""},
		{"memory that was given back", []func(*shared){
			func(s *shared) { s.flag.store(1); point.Freed(&s.x, 8) },
			func(s *shared) {
				if s.flag.load() == 1 {
					point.Load(&s.x)
				}
			},
		}, "memory that was given back"},
		{"memory that was given back and taken again", []func(*shared){
			func(s *shared) { s.write(); point.Freed(&s.x, 8); point.Born(&s.x, 8); s.flag.store(1) },
			func(s *shared) {
				if s.flag.load() == 1 {
					s.read()
				}
			},
		}, ""},
		{"a thread that is started afterwards", []func(*shared){
			func(s *shared) { s.write(); Me().Go("", s.read) },
		}, ""},
		{"a thread that is started before", []func(*shared){
			func(s *shared) { Me().Go("", func() { s.flag.load(); s.read() }); s.write() },
		}, "race: plain"},
	} {
		t.Run(x.name, func(t *testing.T) {
			res := Bounded(func() Program {
				s := &shared{}
				p := Program{}
				for _, f := range x.threads {
					p.Threads = append(p.Threads, func() { f(s) })
				}
				return p
			}, 2)
			switch {
			case x.says == "" && res.Failure != nil:
				t.Errorf("in order, and reported: %v", res.Failure)
			case x.says != "" && (res.Failure == nil || !strings.Contains(res.Failure.Err.Error(), x.says)):
				t.Errorf("want %q, found %v", x.says, res.Failure)
			}
		})
	}
}
