package starlark

import (
	"context"
	"errors"
	"os"
	"regexp"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	rt "github.com/ichor-go/ichor/runtime"
	"go.starlark.net/syntax"
)

var limits = regexp.MustCompile(`limit|too (large|long|big|many|deeply)|overflow|excessive|recursion depth`)

func resident(t *testing.T, field string) int64 {
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip(err)
	}
	for _, l := range strings.Split(string(data), "\n") {
		if f := strings.Fields(l); len(f) > 1 && f[0] == field+":" {
			n, _ := strconv.ParseInt(f[1], 10, 64)
			return n << 10
		}
	}
	t.Skip("no", field)
	return 0
}

var everything = syntax.FileOptions{Set: true, While: true, TopLevelControl: true, GlobalReassign: true, Recursion: true}

// Every attack ends at a limit, with an error that names it, and the machine goes on. Meanwhile
// the process has no more memory than the limit, 1 MiB and 2 % of the limit. Each runs twice:
// alone, and when most of the memory is in use, so that little is left for everything else.
//
// Go's collector lets garbage grow to the size of what is live, and at least to 4 MiB, unless
// it is told not to. Garbage does not count: see account. With two processors in use, other
// processes may keep the collector's from running while the attack's goes on. So Go uses one, on
// which the attack and the collector take turns, however busy the machine is. What is left are
// chances of Go's scheduler, so an attack that exceeds the limit by more is repeated, and fails if
// it does so each time: memory that should count and does not is there each time.
func TestAttacks(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(10))
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	opts := Options{Memory: 16 << 20, Steps: 3_000_000, File: everything}
	for i, a := range attacks {
		src := millions(a.src)
		if testing.Short() && i%4 != 0 {
			continue
		}
		opts.Mode, opts.Counting = modes[i%3].opts.Mode, modes[i%3].opts.Counting
		t.Run(strings.ReplaceAll(a.name, " ", "_"), func(t *testing.T) {
			attack(t, opts, src, limits)
		})
		t.Run(strings.ReplaceAll(a.name, " ", "_")+"/full", func(t *testing.T) {
			attack(t, opts, mostOfTheMemory+src, limits)
		})
	}
}

// mostOfTheMemory fills 11.5 MB of 16 MiB.
const mostOfTheMemory = "most = 'x' * 11500000\n"

// millions returns a program with a million copies of what is between two @.
func millions(src string) string {
	if parts := strings.Split(src, "@"); len(parts) == 3 {
		return parts[0] + strings.Repeat(parts[1], 1e6) + parts[2]
	}
	return src
}

var anything = regexp.MustCompile("")

// maxMessage is more than the length of any error: it is that of a part of a text, each byte of which
// is quoted by four.
const maxMessage = 20_000

// An error about something large says a part of it, and to find its text takes no memory that does
// not count.
func TestLargeMistakes(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(10))
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	opts := Options{Memory: 16 << 20, Steps: 3_000_000, File: everything}
	for i, a := range mistakes {
		if testing.Short() && i%4 != 0 {
			continue
		}
		opts.Mode, opts.Counting = modes[i%3].opts.Mode, modes[i%3].opts.Counting
		t.Run(strings.ReplaceAll(a.name, " ", "_"), func(t *testing.T) {
			attack(t, opts, millions(a.src), anything)
		})
		t.Run(strings.ReplaceAll(a.name, " ", "_")+"/full", func(t *testing.T) {
			attack(t, opts, mostOfTheMemory+millions(a.src), anything)
		})
	}
}

// attack runs a program, which has to end with an error that matches want.
func attack(t *testing.T, opts Options, src string, want *regexp.Regexp) {
	const tries = 4
	most := 1<<20 + opts.Memory/50
	for i := range tries {
		over := attackOnce(t, opts, src, want)
		if over <= most || t.Failed() {
			return
		}
		if i == tries-1 {
			t.Errorf("%d KiB more memory than the limit were resident, want at most %d", over>>10, most>>10)
		}
	}
}

// attackOnce returns by how much the resident memory exceeded the limit.
func attackOnce(t *testing.T, opts Options, src string, want *regexp.Regexp) int64 {
	debug.FreeOSMemory()
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
	before := resident(t, "VmRSS")
	m, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	start := time.Now()
	err = m.Do(ctx, func(th *Thread) error {
		mod, err := th.Exec("attack.star", src)
		if mod != nil {
			th.Clear(mod)
		}
		return err
	})
	if err == nil || !want.MatchString(err.Error()) || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%.200v, want an error that matches %s", err, want)
	} else if n := len(err.Error()); n > maxMessage {
		t.Errorf("the error has %d bytes: %.200v", n, err)
	}
	used := resident(t, "VmHWM") - before
	over := used - opts.Memory
	t.Logf("%s, %d KiB (%d over the limit), %.200v", time.Since(start).Round(time.Millisecond), used>>10, over>>10, err)
	if m.rt.Memory().Backing == rt.GoBacking {
		over = 0 // Go's collector frees it
	}
	if n := m.account.held.Load(); n != 0 {
		t.Errorf("%d bytes of Go memory count after the attack", n)
	}
	err = m.Do(context.Background(), func(th *Thread) error {
		_, err := th.Exec("after.star", "[str(x) for x in range(1000)]")
		return err
	})
	if err != nil {
		t.Errorf("the machine after the attack: %v", err)
	}
	if err := m.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	return over
}

// Garbage that consists of cycles does not count for ever.
func TestCyclesWithinLimit(t *testing.T) {
	forModes(t, func(t *testing.T, opts Options) {
		opts.Memory, opts.File = 8<<20, everything
		m := open(t, opts)
		do(t, m, func(th *Thread) error {
			_, err := th.Exec("cycles.star", "for i in range(200000):\n    l = [i] * 10\n    l.append(l)\nfor i in range(200):\n    l = [i] * 100000\n    l.append(l)\n")
			return err
		})
	})
}

// A machine does not notice that another one reaches its limit.
func TestNeighbours(t *testing.T) {
	quiet := open(t, Options{Memory: 16 << 20, File: everything})
	loud := open(t, Options{Memory: 16 << 20, File: everything, Runtime: rt.Options{Name: "loud"}})
	done := make(chan error, 1)
	go func() {
		done <- loud.Do(context.Background(), func(th *Thread) error {
			_, err := th.Exec("loud.star", "l = []\nwhile True:\n    l.append('x' * 1000)")
			return err
		})
	}()
	do(t, quiet, func(th *Thread) error {
		_, err := th.Exec("quiet.star", "def f():\n    t = 0\n    for i in range(300000):\n        t += len(str(i))\n    return t\nx = f()\n")
		return err
	})
	if err := <-done; err == nil || !errors.Is(err, rt.ErrMemoryLimit) {
		t.Errorf("%v, want ErrMemoryLimit", err)
	}
	runtime.GC()
}
