package runtime

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/ichor-go/ichor/sched"
)

// TestOptionsErrors checks that a refused option is named, with its value and the accepted
// ones.
func TestOptionsErrors(t *testing.T) {
	inject := func(Injection) error { return nil }
	for want, o := range map[string]Options{
		"Mode is Mode(9), want LockFree or GIL":                                        {Mode: 9},
		"Counting is Counting(9), want AutoCounting, Atomic or Biased":                 {Counting: 9},
		"Backing is Backing(9), want AutoBacking, SystemBacking, ":                     {Backing: 9},
		"MemoryLimit is -1, want 0 for no limit, or at least a span of 65536 bytes":    {MemoryLimit: -1},
		"MemoryLimit is 65535, want 0 for no limit, or at least a span of 65536 bytes": {MemoryLimit: 65535},
		"AddressSpace is -1, want 0 for the default":                                   {AddressSpace: -1},
		"SwitchInterval is -1ns, want 0 for the default":                               {SwitchInterval: -1},
		"PauseBudget is -0.5, want a share of time, from 0 to 1":                       {PauseBudget: -0.5},
		"PauseBudget is 1.5, want a share of time, from 0 to 1":                        {PauseBudget: 1.5},
		"PauseBudget is NaN, want a share of time, from 0 to 1":                        {PauseBudget: math.NaN()},
		"CollectWorkers is -1, want 0 for GOMAXPROCS, or a number of goroutines":       {CollectWorkers: -1},
		"Inject is set, want Checked with it":                                          {Inject: inject},
		"DeferredBytes is -1, want 0 for the default":                                  {DeferredBytes: -1},
	} {
		_, err := New(o)
		var e *OptionsError
		if !errors.As(err, &e) || !strings.HasPrefix(err.Error(), "ichor: option "+want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	o := Options{}
	must0(t, o.validate())
	if o.StallAfter != stallWarning || o.Counting != Atomic || o.DeferredBytes != 1<<20 {
		t.Errorf("the defaults are %s", o)
	}
	o = Options{StallAfter: -time.Second}
	if must0(t, o.validate()); o.StallAfter != -time.Second {
		t.Errorf("the threshold is %s", o.StallAfter)
	}
}

// TestSizeErrors checks that an error about a size that is too large or negative has the
// bounds.
func TestSizeErrors(t *testing.T) {
	clean(t, Options{}, func(t *testing.T, th *Thread) {
		_, _, err := th.New(leafType, -1)
		_, _, block := th.NewBlock(Nil, -1)
		for want, err := range map[string]error{
			fmt.Sprintf("ichor: body of a leaf of -1 bytes, want 0 to %d", maxBody): err,
			fmt.Sprintf("ichor: block of -1 bytes, want 0 to %d", maxBody):          block,
		} {
			var e *SizeError
			if !errors.As(err, &e) || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
		}
	})
}

// TestAllocErrors checks that a limit is the sentinel itself, and that the system's error has
// the prefix.
func TestAllocErrors(t *testing.T) {
	system := errors.New("no memory")
	for _, c := range []struct{ err, want error }{
		{nil, nil},
		{ErrMemoryLimit, ErrMemoryLimit},
		{fmt.Errorf("of a thing: %w", ErrMemoryLimit), ErrMemoryLimit},
		{fmt.Errorf("of a thing: %w", ErrAddressSpace), ErrAddressSpace},
	} {
		if got := allocError(c.err); got != c.want {
			t.Errorf("%v becomes %v", c.err, got)
		}
	}
	if err := allocError(fmt.Errorf("commit: %w", system)); err.Error() != "ichor: commit: no memory" || !errors.Is(err, system) {
		t.Errorf("the system's error becomes %v", err)
	}
	if err := limitError(system); err != system {
		t.Errorf("it becomes %v", err)
	}
}

// TestLoggerOfPanics checks that Options.Logger gets panics at safe points, with the name of
// the runtime.
func TestLoggerOfPanics(t *testing.T) {
	var lines []string
	o := Options{Name: "logged", Logger: slog.New(slog.NewTextHandler(writerFunc(func(line []byte) { lines = append(lines, string(line)) }), nil))}
	clean(t, o, func(t *testing.T, th *Thread) {
		th.Later(func(*Thread) { panic("a broken callback") })
		th.Checkpoint()
	})
	if len(lines) != 1 {
		t.Fatalf("%d lines: %q", len(lines), lines)
	}
	wantIn(t, lines[0], "level=ERROR", `msg="ichor: user code panicked at a safe point"`, "runtime=logged", "where=callback", "a broken callback")
	err := &PanicError{Where: "release", Value: fmt.Errorf("x: %w", ErrClosed)}
	if got := err.Error(); got != "ichor: release: panic: x: ichor: runtime is closed" {
		t.Errorf("the message of user code was changed: %s", got)
	}
}

// TestRareMessages checks messages that other tests meet by chance, if at all.
func TestRareMessages(t *testing.T) {
	if got := (&PanicError{Where: "callback", Value: sched.ErrGoexit}).Error(); got != "ichor: callback: runtime.Goexit was called" {
		t.Errorf("of Goexit: %s", got)
	}
	if got := (*Thread)(nil).nameIfAny("unknown thread"); got != "unknown thread" {
		t.Errorf("no thread: %s", got)
	}
	_, th := checkedThread(t, LockFree)
	x := newLeaf(th)
	m := misuseIn(t, func() { th.misuse(x, "a mistake") })
	wantIn(t, m.Error(), "ichor: a mistake: ", " of leaf "+x.String()+"; want "+wantAlive, "born at")
	m = misuseIn(t, func() { th.check.misuse(Ref{x.Handle + 1}, "a mistake") })
	if m.Type != "" || m.On != "object "+(Ref{x.Handle + 1}).String() || m.History != "" {
		t.Errorf("of a reference to no object: %+v", m)
	}
}
