package runtime

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ichor-go/ichor/internal/traces"
)

// spinInDo, spinInRun and spinAttached keep the world waiting. They are functions of their own
// so that a warning can name them.
//
//go:noinline
func spinInDo(_ *Thread, warned *atomic.Bool) error {
	for !warned.Load() {
	}
	return nil
}

//go:noinline
func spinInRun(_ *Thread, warned *atomic.Bool) error {
	for !warned.Load() {
	}
	return nil
}

//go:noinline
func spinAttached(t *Thread, x Ref, warned *atomic.Bool) {
	for !warned.Load() {
		t.IncRef(x)
		t.DecRef(x)
	}
}

// TestStallWarning has a thread reach no checkpoint while another one wants to stop the world,
// or waits for the GIL: the warning names the function that does not reach one.
func TestStallWarning(t *testing.T) {
	needsThreads(t)
	defer func(d time.Duration) { stallWarning = d }(stallWarning)
	stallWarning = 20 * time.Millisecond

	spins := []struct {
		name string
		run  func(r *Runtime, begun chan<- bool, warned *atomic.Bool) error
	}{
		{"spinInDo", func(r *Runtime, begun chan<- bool, warned *atomic.Bool) error {
			return r.Do(func(t *Thread) error {
				close(begun)
				return spinInDo(t, warned)
			})
		}},
		{"spinInRun", func(r *Runtime, begun chan<- bool, warned *atomic.Bool) error {
			return r.Run(context.Background(), 1, func(_ context.Context, t *Thread, _ int) error {
				close(begun)
				return spinInRun(t, warned)
			})
		}},
		{"spinAttached", func(r *Runtime, begun chan<- bool, warned *atomic.Bool) error {
			th := must(r.Attach())
			defer th.Detach()
			x := newLeaf(th)
			close(begun)
			spinAttached(th, x, warned)
			th.DecRef(x)
			return nil
		}},
	}
	forModes(t, func(t *testing.T, o Options) {
		for _, spin := range spins {
			t.Run(spin.name, func(t *testing.T) {
				text := warningOf(t, o, spin.name, spin.run)
				wantIn(t, text, "level=WARN", "ichor: a thread keeps the", "goroutine ")
				for _, other := range spins {
					if other.name != spin.name && strings.Contains(text, other.name) {
						t.Errorf("the stack has %s as well:\n%s", other.name, text)
					}
				}
				if o.Mode == LockFree {
					wantIn(t, text, "thread=")
				}
			})
		}
	})
}

// warningOf has run keep a runtime from being stopped until there is a warning with the given
// name, which it returns. Late warnings may come from earlier runtimes.
func warningOf(t *testing.T, o Options, name string, run func(*Runtime, chan<- bool, *atomic.Bool) error) string {
	t.Helper()
	var warned atomic.Bool
	lines := make(chan string, 100)
	restore := captureLog(func(line []byte) {
		lines <- string(line)
		if bytes.Contains(line, []byte(name)) {
			warned.Store(true)
		}
	})
	defer restore()

	r := newRuntime(t, o)
	begun, ended := make(chan bool), make(chan error)
	go func() { ended <- run(r, begun, &warned) }()
	<-begun
	give := time.AfterFunc(20*time.Second, func() { warned.Store(true) })
	defer give.Stop()
	err := r.Do(func(th *Thread) error {
		th.StopTheWorld(func() {})
		return nil
	})
	if err := errors.Join(err, <-ended, r.Close()); err != nil {
		t.Error(err)
	}
	all := ""
	for range len(lines) {
		line := <-lines
		if strings.Contains(line, name) {
			return line
		}
		all += line
	}
	t.Fatalf("no warning in 20 seconds, but\n%s", all)
	return ""
}

// captureLog passes each record of slog's default logger to fn, as text.
func captureLog(fn func(line []byte)) (restore func()) {
	logger, out, flags := slog.Default(), log.Writer(), log.Flags()
	slog.SetDefault(slog.New(slog.NewTextHandler(writerFunc(fn), nil)))
	return func() {
		slog.SetDefault(logger)
		log.SetOutput(out) // SetDefault has redirected package log
		log.SetFlags(flags)
	}
}

type writerFunc func([]byte)

func (f writerFunc) Write(p []byte) (int, error) {
	f(p)
	return len(p), nil
}

// TestStackOf checks what is said of a thread whose goroutine is not found.
func TestStackOf(t *testing.T) {
	th := &Thread{}
	if got := stackOf(th, []byte("goroutine 1 [running]:\nmain.f(0x1)")); got != fmt.Sprintf("not found: no goroutine's stack shows the thread at %p", th) {
		t.Errorf("of a thread that no goroutine has: %q", got)
	}
	if got := stackOf(nil, nil); got != "the thread has gone on in the meantime" {
		t.Errorf("of a thread that went on: %q", got)
	}
}

// TestOwnerWarning has a thread keep its queue full: the thread that fills it goes on, and a
// warning names the owner.
func TestOwnerWarning(t *testing.T) {
	needsThreads(t)
	defer func(d time.Duration) { stallWarning = d }(stallWarning)
	stallWarning = 20 * time.Millisecond
	o := Options{Mode: LockFree, Counting: Biased, DeferredBytes: 100, CollectAfter: -1}
	text := warningOf(t, o, "spinInDo", func(r *Runtime, begun chan<- bool, warned *atomic.Bool) error {
		give := time.AfterFunc(20*time.Second, func() { warned.Store(true) })
		defer give.Stop()
		made := make(chan []Ref)
		ended := make(chan error)
		go func() {
			ended <- r.Do(func(t *Thread) error {
				refs := <-made
				q := r.queueOf(t.header(refs[0]).Owner())
				t.DecRefs(refs) // queued for the owner
				for !warned.Load() {
					t.behind = q // as one more drop would do
					t.Checkpoint()
				}
				return nil
			})
		}()
		err := r.Do(func(t *Thread) error {
			var refs []Ref
			for range 10 {
				refs = append(refs, newLeaf(t))
			}
			made <- refs
			return spinInDo(t, warned)
		})
		close(begun)
		return errors.Join(err, <-ended)
	})
	wantIn(t, text, "level=WARN", "does not merge", "thread=", "bytes=")
}

// TestStallReport checks that Options.OnStall gets both threads, with the user's functions, and
// that warnings go to Options.Logger without it.
func TestStallReport(t *testing.T) {
	needsThreads(t)
	for _, o := range []Options{{Mode: GIL}, {Mode: LockFree}} {
		var warned atomic.Bool
		reports := make(chan StallReport, 100)
		o.Name, o.StallAfter = "stalled", 10*time.Millisecond
		o.OnStall = func(s StallReport) {
			reports <- s
			warned.Store(true)
			panic("a panic of OnStall ends nothing")
		}
		restore := captureLog(func(line []byte) { t.Errorf("the log has %s", line) })
		stall(t, o, &warned)
		restore()
		s := <-reports
		what, waiter := stallsWorld, "stopInDo"
		if o.Mode == GIL {
			what, waiter = stallsGIL, "stall"
		}
		if s.Runtime != "stalled" || s.What != what || !strings.HasSuffix(s.Thread, `"spinner"`) || s.Waited <= 0 || s.Bytes != 0 {
			t.Errorf("%+v", s)
		}
		for _, stack := range []struct{ text, want string }{{s.Stack, "spinInDo"}, {s.Waiter, waiter}} {
			lines := strings.Split(stack.text, "\n")
			if len(lines) < 2 || !strings.HasPrefix(lines[0], "goroutine ") || !strings.Contains(lines[1], stack.want) {
				t.Errorf("%s is not on top of\n%s", stack.want, stack.text)
			}
		}
		wantIn(t, s.String(), "ichor: "+what+": "+s.Thread+` of runtime "stalled", for `, s.Stack, "waiting:\n"+s.Waiter)

		warned.Store(false)
		lines := make(chan string, 100)
		o.OnStall = nil
		o.Logger = slog.New(slog.NewTextHandler(writerFunc(func(line []byte) {
			lines <- string(line)
			warned.Store(true)
		}), nil))
		stall(t, o, &warned)
		line := <-lines
		wantIn(t, line, "level=WARN", "ichor: "+what, "runtime=stalled", "spinner", "waited=", "spinInDo", "waiter=")
		if strings.Contains(line, "bytes=") {
			t.Errorf("the log has bytes of a thread that keeps none: %s", line)
		}
	}
}

// TestWarningOfBytes checks that a warning says how many bytes wait to be merged, if there are any.
func TestWarningOfBytes(t *testing.T) {
	for _, n := range []int64{0, 1, 48} {
		var text string
		log := writerFunc(func(line []byte) { text = string(line) })
		r := newRuntime(t, Options{Logger: slog.New(slog.NewTextHandler(log, nil))})
		r.tell(StallReport{Bytes: n})
		if want := fmt.Sprintf("bytes=%d ", n); strings.Contains(text, want) != (n > 0) {
			t.Errorf("%d bytes: %s", n, text)
		}
		must0(t, r.Close())
	}
}

// TestReportOrWarning checks that a report that Options.OnStall gets is not logged too.
func TestReportOrWarning(t *testing.T) {
	log := writerFunc(func(line []byte) { t.Errorf("the log has %s", line) })
	reports := 0
	r := newRuntime(t, Options{OnStall: func(StallReport) { reports++ }, Logger: slog.New(slog.NewTextHandler(log, nil))})
	r.tell(StallReport{})
	if reports != 1 {
		t.Errorf("%d reports", reports)
	}
	must0(t, r.Close())
}

// stall has a thread keep the world waiting until there is a warning.
func stall(t *testing.T, o Options, warned *atomic.Bool) {
	t.Helper()
	r := newRuntime(t, o)
	begun, ended := make(chan bool), make(chan error)
	go func() {
		ended <- r.Do(func(th *Thread) error {
			th.SetName("spinner")
			close(begun)
			return spinInDo(th, warned)
		})
	}()
	<-begun
	give := time.AfterFunc(20*time.Second, func() { warned.Store(true) })
	defer give.Stop()
	must0(t, r.Do(stopInDo))
	must0(t, <-ended)
	must0(t, r.Close())
}

//go:noinline
func stopInDo(t *Thread) error {
	t.StopTheWorld(func() {})
	return nil
}

// TestNoStallReport checks that a negative threshold switches reports off.
func TestNoStallReport(t *testing.T) {
	needsThreads(t)
	for _, o := range []Options{{Mode: GIL, SwitchInterval: time.Millisecond}, {Mode: LockFree}} {
		o.StallAfter = -1
		o.OnStall = func(s StallReport) { t.Errorf("a report: %s", s) }
		r := newRuntime(t, o)
		must0(t, r.Do(func(th *Thread) error {
			other := make(chan error)
			go func() { other <- r.Do(func(th *Thread) error { th.StopTheWorld(func() {}); return nil }) }()
			for o.Mode == GIL && r.GILStats().DropRequests == 0 || o.Mode == LockFree && !th.member.Stopping() {
			}
			var err error
			th.Blocking(func() { err = <-other })
			if q := th.queue; q != nil {
				q.full.Store(1) // in 1970
				r.warnOfOwner(q)
			}
			return err
		}))
		must0(t, r.Close())
	}
}

// TestFramesShowTheThread checks that the frames in which Do and Run call the user's function
// show the thread for certain, whatever the function does with it.
func TestFramesShowTheThread(t *testing.T) {
	r := newRuntime(t, Options{})
	look := func(th *Thread, frame string) {
		for line := range bytes.Lines(traces.All()) {
			if bytes.Contains(line, []byte(frame)) {
				if !traces.HasCall(line, frame, th.address()) || !th.doneIn(line) {
					t.Errorf("%s: the thread is at %s", line, th.address())
				}
				return
			}
		}
		t.Errorf("there is no frame of %s", frame)
	}
	must0(t, r.Do(func(th *Thread) error { look(th, ").do"); return nil }))
	must0(t, r.Run(context.Background(), 1, func(_ context.Context, th *Thread, _ int) error { look(th, ").work"); return nil }))
	must0(t, r.Close())
}

// TestWarningsAreWaitedFor checks that a thread that warns goes on only after the log has the
// warning.
func TestWarningsAreWaitedFor(t *testing.T) {
	begun, told := make(chan bool), false
	restore := captureLog(func([]byte) { close(begun); time.Sleep(10 * time.Millisecond); told = true })
	defer restore()
	r := newRuntime(t, Options{})
	if r.tell(StallReport{What: "a test"}); !told {
		t.Error("the log still gets the report")
	}
	<-begun
	must0(t, r.Close())
}

// TestOwnerWarningsAreRare checks that a queue that stays full is not reported at once, and
// then only now and then.
func TestOwnerWarningsAreRare(t *testing.T) {
	defer func(d time.Duration) { stallWarning = d }(stallWarning)
	stallWarning = time.Hour
	warnings := 0
	var last StallReport
	r, other, owner := biasedPair(t, Options{OnStall: func(s StallReport) { warnings, last = warnings+1, s }})
	q := owner.queue
	q.bytes.Store(48)
	want := func(when string, n int) {
		t.Helper()
		r.warnOfOwner(q)
		if since := time.Since(time.Unix(0, q.full.Load())); warnings != n || since < 0 || since > time.Hour {
			t.Errorf("%s: %d warnings, want %d; it is full since %s", when, warnings, n, since)
		}
	}
	want("at first", 0)
	want("soon after", 0)
	for i := range 2 {
		q.full.Add(-int64(2 * time.Hour))
		want("long after", i+1)
		want("and once more", i+1)
		if last.What != stallsQueue || last.Thread != owner.name() || last.Waited < 2*time.Hour || last.Bytes != 48 {
			t.Errorf("%+v; want the owner, %s", last, owner.name())
		}
	}
	q.bytes.Store(0)
	closePair(t, r, owner, other)
}

// TestNamesOfWaits checks that each kind of wait is called by its name, in profiles and in traces.
func TestNamesOfWaits(t *testing.T) {
	clean(t, Options{}, func(t *testing.T, th *Thread) {
		for what, want := range map[Wait][2]string{
			WaitGIL: {"GIL", "for the GIL"}, WaitLock: {"container lock", "for a container lock"}, WaitWorld: {"stopped world", "in a stopped world"},
			WaitStop: {"stop of the world", "to stop the world"}, WaitGrace: {"grace period", "for a grace period"}, WaitOwner: {"merge queue", "for a merge queue"},
		} {
			if what.String() != want[0] || regions[what] != "ichor wait "+want[1] {
				t.Errorf("%d is %q, in traces %q; want %q", what, what, regions[what], want)
			}
			if what == WaitLock || what == WaitGrace || what == WaitOwner {
				wantIn(t, th.awaits(what), "waits: "+want[0])
			}
		}
	})
}
