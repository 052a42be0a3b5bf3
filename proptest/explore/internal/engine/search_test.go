//go:build explore

package engine

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/ichor-go/ichor/internal/point"
)

// word is shared memory with points, like the runtime's.
type word struct{ v int32 }

func (w *word) load() int32 {
	point.Load(&w.v)
	return atomic.LoadInt32(&w.v)
}

func (w *word) store(v int32) {
	point.Store(&w.v)
	atomic.StoreInt32(&w.v, v)
}

func (w *word) add(d int32) int32 {
	point.Update(&w.v)
	return atomic.AddInt32(&w.v, d)
}

func (w *word) cas(old, v int32) bool {
	point.Update(&w.v)
	return atomic.CompareAndSwapInt32(&w.v, old, v)
}

// adders is a program of threads that each add to a word some times: to a shared word,
// or to one of their own.
func adders(threads, times int, private bool) func() Program {
	return func() Program {
		words := make([]word, threads*16) // 64 bytes apart
		p := Program{Check: func() error {
			sum := int32(0)
			for i := range words {
				sum += words[i].v
			}
			if sum != int32(threads*times) {
				return fmt.Errorf("the sum is %d", sum)
			}
			return nil
		}}
		for i := range threads {
			w := &words[0]
			if private {
				w = &words[i*16]
			}
			p.Threads = append(p.Threads, func() {
				for range times {
					w.add(1)
				}
			})
		}
		return p
	}
}

// TestCounts compares the number of schedules with the known number.
func TestCounts(t *testing.T) {
	for _, x := range []struct {
		what string
		got  Result
		want int64
	}{
		{"2 threads of 6 steps: 12 over 6", All(adders(2, 6, false)), 924},
		{"2 threads of 8 steps: 16 over 8", All(adders(2, 8, false)), 12_870},
		{"3 threads of 3 steps: 9!/3!^3", All(adders(3, 3, false)), 1_680},
		{"3 threads of 4 steps: 12!/4!^3", All(adders(3, 4, true)), 34_650},
		{"3 threads of 4 steps, all independent", Unbounded(adders(3, 4, true)), 1},
		{"3 threads of 3 steps, none independent", Unbounded(adders(3, 3, false)), 1_680},
		{"2 threads, no preemption", Bounded(adders(2, 8, false), 0), 2},
		{"2 threads of 8 steps, 1 preemption: 7 places each", Bounded(adders(2, 8, false), 1), 16},
		{"2 threads of 8 steps, 2 preemptions", Bounded(adders(2, 8, false), 2), 114},
		{"3 threads of 8 steps, 2 preemptions", Bounded(adders(3, 8, false), 2), 2_022},
	} {
		if x.got.Failure != nil {
			t.Errorf("%s: %v", x.what, x.got.Failure)
		}
		if x.got.Schedules != x.want {
			t.Errorf("%s: %d schedules, want %d", x.what, x.got.Schedules, x.want)
		}
	}
}

// TestSleepSets compares the outcomes of all schedules with those of the schedules that
// sleep sets leave.
func TestSleepSets(t *testing.T) {
	outcomes := func(search func(func() Program) Result) (seen []string, n int64) {
		res := search(func() Program {
			var a, b struct {
				word
				_ [60]byte
			}
			got := [3]int32{}
			return Program{
				Threads: []func(){
					func() { a.store(1); got[0] = b.load() },
					func() { b.store(1); got[1] = a.load() },
					func() { a.add(2); got[2] = b.add(2) },
				},
				Check: func() error {
					s := fmt.Sprint(got, a.v, b.v)
					if !slices.Contains(seen, s) {
						seen = append(seen, s)
					}
					return nil
				},
			}
		})
		if res.Failure != nil {
			t.Fatal(res.Failure)
		}
		slices.Sort(seen)
		return seen, res.Schedules
	}
	all, n := outcomes(All)
	few, m := outcomes(Unbounded)
	if !slices.Equal(all, few) {
		t.Errorf("all schedules end in\n%v\nthose that sleep sets leave in\n%v", all, few)
	}
	if n != 90 || m >= n {
		t.Errorf("%d and %d schedules, want 90 and fewer", n, m)
	}
}

// TestDeadlock makes two threads take two locks in opposite orders.
func TestDeadlock(t *testing.T) {
	build := func(inOrder bool) func() Program {
		return func() Program {
			var a, b point.Mutex
			n := 0
			both := func(x, y *point.Mutex) func() {
				return func() {
					x.Lock()
					y.Lock()
					n++
					y.Unlock()
					x.Unlock()
				}
			}
			first, second := both(&a, &b), both(&b, &a)
			if inOrder {
				second = first
			}
			return Program{Threads: []func(){first, second}}
		}
	}
	wantFailure(t, Bounded(build(false), 1), "deadlock")
	wantFailure(t, Unbounded(build(false)), "deadlock")
	wantNone(t, Bounded(build(true), 3))
	wantNone(t, Unbounded(build(true)))
}

// TestWaiting has a thread that waits for a channel, one for a flag, and one forever.
func TestWaiting(t *testing.T) {
	wantNone(t, Bounded(func() Program {
		ready := make(chan struct{}, 1)
		var flag word
		return Program{Threads: []func(){
			func() {
				point.Receive(&ready, func() bool { return len(ready) > 0 })
				<-ready
				flag.store(1)
			},
			func() { point.Send(&ready); ready <- struct{}{} },
			func() { point.Wait(func() bool { return flag.v == 1 }); flag.load() },
		}}
	}, 3))
	wantFailure(t, Bounded(func() Program {
		return Program{Threads: []func(){func() { point.Wait(func() bool { return false }) }}}
	}, 0), "deadlock: thread 0 before waiting")
}

// TestLivelock makes two threads wait for each other in loops.
func TestLivelock(t *testing.T) {
	spin := func(sleep bool) func() Program {
		return func() Program {
			var w word
			return Program{Threads: []func(){
				func() {
					for w.load() == 0 {
						if sleep {
							point.Sleep(1)
						}
					}
				},
				func() { w.store(1) },
			}}
		}
	}
	wantFailure(t, Bounded(spin(false), 0), "livelock")
	wantNone(t, Bounded(spin(true), 2))
}

// TestPanics demands that a panic of a thread is a failure, and that the other threads unwind.
func TestPanics(t *testing.T) {
	unwound := false
	res := Bounded(func() Program {
		var w word
		return Program{Threads: []func(){
			func() {
				defer func() { unwound = true }()
				w.store(1)
				w.store(2)
			},
			func() {
				if w.load() == 1 {
					panic("saw 1")
				}
			},
		}}
	}, 1)
	wantFailure(t, res, "saw 1")
	if !unwound {
		t.Error("the other thread was left where it was")
	}
}

// TestReplay runs a printed schedule again.
func TestReplay(t *testing.T) {
	res := Bounded(lostUpdate, 2)
	wantFailure(t, res, "lost")
	s, err := Parse(res.Failure.Schedule.String())
	if err != nil || !slices.Equal(s, res.Failure.Schedule) {
		t.Fatalf("%s is read as %s, %v", res.Failure.Schedule, s, err)
	}
	wantFailure(t, Replay(lostUpdate, s), "lost")
	wantNone(t, Replay(lostUpdate, nil))
	if len(res.Failure.Trace) != len(s) || !strings.Contains(res.Failure.Trace[0], "lostUpdate") {
		t.Errorf("the trace is %q", res.Failure.Trace)
	}
	for _, bad := range []string{"0", "x", "0x0", "99999x1", "0x1 2y3", "0x9999999999"} {
		if s, err := Parse(bad); err == nil {
			t.Errorf("%q is read as %s", bad, s)
		}
	}
}

// TestTraced demands that the trace of a failure takes the steps of its schedule, for threads that look
// at a word again and again.
func TestTraced(t *testing.T) {
	for _, main := range []bool{false, true} {
		res := Bounded(func() Program {
			var w word
			looks := func() {
				for i := 0; i < 2*fairSpin && !main; i++ { // a thread of a test would wait for a change
					w.load()
				}
				v := w.load()
				w.store(v + 1)
			}
			p := Program{Threads: []func(){looks, looks}, Main: main, Check: func() error {
				if w.v != 2 {
					return fmt.Errorf("the sum is %d", w.v)
				}
				return nil
			}}
			if main {
				p.Threads = []func(){func() {
					for range 2 {
						Me().Go("", looks).Joinable()
					}
					Me().Join()
				}}
			}
			return p
		}, 1)
		if res.Failure == nil {
			t.Fatalf("main %t: nothing was found", main)
		}
		var steps Schedule
		for _, r := range res.Failure.Rows {
			if r.Step > 0 {
				steps = append(steps, Step{Thread: uint16(r.Thread)})
			}
		}
		if !slices.Equal(steps, res.Failure.Schedule) {
			t.Errorf("main %t: the trace takes %v, the schedule is %v", main, steps, res.Failure.Schedule)
		}
	}
}

// TestDrawn has rapid draw schedules until one fails, and checks that rapid shrinks it to one
// preemption.
func TestDrawn(t *testing.T) {
	var failed *Failure
	rec := &recorder{}
	for name, value := range map[string]string{"rapid.seed": "1", "rapid.nofailfile": "true"} {
		if err := flag.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	rapid.Check(rec, func(r *rapid.T) {
		if res := Drawn(r, lostUpdate, 8); res.Failure != nil {
			failed = res.Failure
			r.Fatalf("%v", res.Failure.Err)
		}
	})
	if !rec.failed || failed == nil {
		t.Fatal("nothing was found")
	}
	if s := failed.Schedule.String(); s != "0x1 1x2 0x1" {
		t.Errorf("shrunk to %s", s)
	}
}

// recorder is a test that may fail.
type recorder struct {
	testing.TB
	failed bool
}

func (r *recorder) Helper()               {}
func (r *recorder) Name() string          { return "recorder" }
func (r *recorder) Logf(string, ...any)   {}
func (r *recorder) Log(...any)            {}
func (r *recorder) Skipf(string, ...any)  {}
func (r *recorder) Skip(...any)           {}
func (r *recorder) SkipNow()              {}
func (r *recorder) Errorf(string, ...any) { r.failed = true }
func (r *recorder) Error(...any)          { r.failed = true }
func (r *recorder) Fatalf(string, ...any) { r.failed = true }
func (r *recorder) Fatal(...any)          { r.failed = true }
func (r *recorder) FailNow()              { r.failed = true }
func (r *recorder) Fail()                 { r.failed = true }
func (r *recorder) Failed() bool          { return r.failed }

func wantFailure(t *testing.T, r Result, part string) {
	t.Helper()
	if r.Failure == nil {
		t.Errorf("no failure in %d schedules, want %q", r.Schedules, part)
	} else if !strings.Contains(r.Failure.Error(), part) {
		t.Errorf("want %q, found: %v", part, r.Failure)
	}
}

func wantNone(t *testing.T, r Result) {
	t.Helper()
	if r.Failure != nil {
		t.Error(r.Failure)
	}
}
