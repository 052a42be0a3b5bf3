package experiment

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"go.uber.org/atomic"
)

func TestLanes(t *testing.T) {
	for _, b := range []Budget{{Duration: 2 * time.Millisecond}, {Ops: 1000}} {
		var mu sync.Mutex
		total := 0
		s, err := OpsPerSecond(t.Context(), b, 3, 7, func(l *Lane) error {
			for l.Next() {
				if l.N()%7 != 0 {
					return fmt.Errorf("a batch of %d", l.N())
				}
				mu.Lock()
				total += l.N()
				mu.Unlock()
			}
			return nil
		})
		if err != nil || int(s.Ops) != total || s.Value <= 0 {
			t.Errorf("%v: err %v, %d operations of %d, %v ops/s", b, err, s.Ops, total, s.Value)
		}
		if b.Ops > 0 && total != 3*1001 {
			t.Errorf("%v did %d operations, want 1000 a lane, in sevens", b, total)
		}
	}
	s, err := NsPerOp(t.Context(), Budget{Ops: 5}, 1, func(l *Lane) error {
		for l.Next() {
		}
		return nil
	})
	if err != nil || s.Ops != 5 || s.Value <= 0 {
		t.Errorf("err %v, sample %+v", err, s)
	}
}

func TestLanesStop(t *testing.T) {
	spin := func(l *Lane) error {
		for l.Next() {
		}
		return nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(time.Millisecond, cancel)
	hour := Budget{Duration: time.Hour}
	if _, err := OpsPerSecond(ctx, hour, 2, 1, spin); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled sample gives %v", err)
	}
	boom := errors.New("boom")
	if _, err := OpsPerSecond(t.Context(), hour, 2, 1, func(l *Lane) error {
		if l.Index == 1 {
			return boom
		}
		return spin(l)
	}); err != boom {
		t.Errorf("a failing lane gives %v", err)
	}
	// A body that leaves before its time has no rate, however it leaves.
	for name, body := range map[string]func(l *Lane) error{
		"does not loop":      func(*Lane) error { return nil },
		"leaves":             func(l *Lane) error { l.Next(); l.Next(); return nil },
		"ends its goroutine": func(l *Lane) error { l.Next(); l.Next(); runtime.Goexit(); return nil },
	} {
		if s, err := OpsPerSecond(t.Context(), hour, 2, 1, func(l *Lane) error {
			if l.Index == 1 {
				return body(l)
			}
			return spin(l)
		}); err != errLeftEarly {
			t.Errorf("a body that %s gives %v, %v", name, s.Value, err)
		}
	}
	if _, err := OpsPerSecond(t.Context(), hour, 0, 1, spin); err == nil {
		t.Error("a sample on no thread gives no error")
	}
}

// Next stays false, and the time of a lane ends when it is false first.
func TestNextStaysFalse(t *testing.T) {
	l := Lane{unit: 1, target: time.Second, budget: Budget{Ops: 2}, start: time.Now(), stopped: new(atomic.Bool)}
	for l.Next() {
	}
	end := l.end
	time.Sleep(time.Millisecond)
	if l.Next() || l.end != end || l.ops != 2 || l.N() != 0 {
		t.Errorf("asked again, the lane ends at %v and not at %v, after %d operations", l.end, end, l.ops)
	}
}

// Lanes that do their operations one after the other do no more in a second than one of them, and
// the sample says that they did not run together.
func TestOneAfterTheOther(t *testing.T) {
	const each = 20 * time.Millisecond
	for name, take := range map[string]func(body func(l *Lane) error) (value float64, s Sample, err error){
		"rate": func(body func(l *Lane) error) (float64, Sample, error) {
			s, err := OpsPerSecond(t.Context(), Budget{Ops: 1}, 2, 1, body)
			return s.Value / 2, s, err
		},
		"time": func(body func(l *Lane) error) (float64, Sample, error) {
			s, err := NsPerOpEach(t.Context(), Budget{Ops: 1}, 2, 1, body)
			return 1e9 / s.Value, s, err
		},
	} {
		var turn sync.Mutex
		value, s, err := take(func(l *Lane) error {
			turn.Lock()
			defer turn.Unlock()
			for l.Next() {
				time.Sleep(each)
			}
			return nil
		})
		if most := 1 / (2 * each).Seconds(); err != nil || value > most {
			t.Errorf("%s: a lane does %v ops/s, but has no more than %v; %v", name, value, most, err)
		}
		if s.Load.Apart == 0 || s.Load.Lanes != 2 || s.Load.Elapsed < 2*each {
			t.Errorf("%s: %+v", name, s.Load)
		}
	}
	lanes := []Lane{{Role: "a", end: 10 * ms}, {Role: "a", end: 40 * ms}, {Role: "b", end: 20 * ms}}
	if longest, share := apart(lanes); longest != 40*ms || share != 0.75 {
		t.Errorf("%v, apart for %v", longest, share)
	}
	together(lanes)
	if lanes[0].end != 40*ms || lanes[2].end != 20*ms {
		t.Errorf("together, lanes end at %v and %v", lanes[0].end, lanes[2].end)
	}
}

// Batches grow while they are short, shrink while they are long, and stay multiples of the unit.
func TestBatches(t *testing.T) {
	const target = 100 * time.Hour // so that the time of the test itself does not count
	for _, c := range []struct {
		n    int64
		took time.Duration
		want int
	}{
		{0, 0, 3}, // the first one
		{6, 0, 12}, {6, 49 * time.Hour, 12}, {6, 51 * time.Hour, 6}, {6, 199 * time.Hour, 6}, {6, 201 * time.Hour, 3},
		{9, 201 * time.Hour, 3}, {24, 201 * time.Hour, 12}, {3, 201 * time.Hour, 3}, {maxBatch - 1, 0, 2*maxBatch - 2}, {maxBatch, 0, maxBatch},
	} {
		l := &Lane{unit: 3, n: c.n, mark: -c.took, target: target, budget: Budget{Duration: 1e6 * time.Hour}, start: time.Now(), stopped: new(atomic.Bool)}
		if !l.Next() || l.N() != c.want || l.ops != c.n || l.mark < 0 {
			t.Errorf("after a batch of %d in %s: %d, want %d; %d operations", c.n, c.took, l.N(), c.want, l.ops)
		}
	}
}

// A lane that starts when the time is over does one batch, unless the sample has been stopped.
func TestLateLane(t *testing.T) {
	for _, stopped := range []bool{false, true} {
		l := &Lane{unit: 3, target: time.Hour, budget: Budget{Duration: time.Second}, start: time.Now().Add(-time.Hour), stopped: atomic.NewBool(stopped)}
		batches := 0
		for l.Next() {
			batches++
		}
		if stopped != (batches == 0) || l.ops != int64(3*batches) || batches > 1 || l.end < time.Hour || !l.ended || l.N() != 0 {
			t.Errorf("stopped: %t: %d batches, %+v", stopped, batches, l)
		}
	}
}

// The figures follow from the operations and the time that they took.
func TestFigures(t *testing.T) {
	const ops, threads = 10, 2
	body := func(l *Lane) error {
		for l.Next() {
			time.Sleep(time.Microsecond)
		}
		return nil
	}
	lanes, s, err := runLanes(t.Context(), Budget{Ops: ops}, []Crew{{"", threads, 1, body}})
	for i := range lanes {
		if l := &lanes[i]; err != nil || l.Index != i || l.ops != ops || l.began <= 0 && runtime.GOOS == "linux" || l.end < l.began || l.end > s.Load.Elapsed { // other clocks may be coarse
			t.Errorf("lane %d, %v: %+v", i, err, l)
		}
	}
	s, err = NsPerOp(t.Context(), Budget{Ops: ops}, 1, body)
	if took := float64(s.Load.Elapsed); err != nil || s.Value*ops < took*0.999 || s.Value*ops > took*1.001 {
		t.Errorf("%v ns for each of %d operations in %s, %v", s.Value, ops, s.Load.Elapsed, err)
	}
	// The longest lane takes no less than the mean, and no more than all lanes together.
	s, err = NsPerOpEach(t.Context(), Budget{Ops: ops}, threads, 1, body)
	if took := float64(s.Load.Elapsed); err != nil || s.Value*ops > took*1.001 || s.Value*ops*threads < took*0.999 {
		t.Errorf("%v ns for each of %d operations on each of %d lanes in %s, %v", s.Value, ops, threads, s.Load.Elapsed, err)
	}
	s, err = OpsPerSecond(t.Context(), Budget{Ops: ops}, threads, 1, body)
	if took := s.Load.Elapsed.Seconds(); err != nil || s.Ops != ops*threads || s.Value*took < ops*threads*0.999 {
		t.Errorf("%v operations a second, after %d in %s, %v", s.Value, s.Ops, s.Load.Elapsed, err)
	}
}
