package experiment

import (
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/ichor-go/ichor/bench/internal/cpu"
)

const ms = time.Millisecond

// fakeTimes makes WatchCPU return the given times, one for each goroutine.
func fakeTimes(t *testing.T, times ...cpu.Time) {
	real := watch
	t.Cleanup(func() { watch = real })
	watch = func(goroutines int) func() []cpu.Time {
		return func() []cpu.Time { return times[:min(goroutines, len(times))] }
	}
}

func TestGot(t *testing.T) {
	if got := got([]CPUTime{{30 * ms, 0}, {10 * ms, 60 * ms}}); got != 0.4 {
		t.Errorf("got %v", got)
	}
	if got := got(nil); !math.IsNaN(got) {
		t.Errorf("without times: %v", got)
	}
	// The median of the samples with measured times.
	row := &Row{Samples: []Sample{{Threads: []CPUTime{{1 * ms, 9 * ms}}}, {}, {Threads: []CPUTime{{9 * ms, 1 * ms}}}, {Threads: []CPUTime{{10 * ms, 0}}}}}
	if row.Got() != 0.9 || row.Starved() {
		t.Errorf("%v of a row that got enough CPU time", row.Got())
	}
	row.Samples[2].Threads[0].CPU = 8 * ms
	if !row.Starved() {
		t.Errorf("%v of a row that got too little CPU time", row.Got())
	}
	if row := (&Row{Samples: []Sample{{}}}); !math.IsNaN(row.Got()) || row.Starved() {
		t.Errorf("%v of a row without measured times", row.Got())
	}
}

// A lane that began late asked for nothing, and what a hypervisor took was asked for.
func TestLateAndStolen(t *testing.T) {
	sample := func(late float64, stolen time.Duration) Sample {
		return Sample{Threads: []CPUTime{{10 * ms, 0}}, Load: Load{Late: late, All: time.Second, Own: 800*ms - stolen, Stolen: stolen}}
	}
	for _, c := range []struct {
		sample  Sample
		got     float64
		starved bool
	}{{sample(0, 0), 1, false}, {sample(0.05, 0), 0.95, false}, {sample(0.4, 0), 0.6, true}, {sample(0, 160*ms), 0.8, true}} {
		row := &Row{Samples: []Sample{c.sample}}
		if math.Abs(row.Got()-c.got) > 1e-9 || row.Starved() != c.starved {
			t.Errorf("%+v: got %v, starved %t", c.sample.Load, row.Got(), row.Starved())
		}
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	for _, c := range []struct {
		lanes []Lane
		want  float64
	}{
		{[]Lane{{end: 900 * ms, began: 90 * ms}, {end: 100 * ms}, {end: 100 * ms, began: 60*ms + wakeUp}}, 0.3}, // of those two that began first
		{[]Lane{{end: 100 * ms, began: wakeUp}}, 0},
		{[]Lane{{end: 1, began: 100 * ms}}, 1}, // there is no more than all
	} {
		if got := late(c.lanes); got != c.want {
			t.Errorf("%d lanes on two cores were late by %v, want %v", len(c.lanes), got, c.want)
		}
	}
}

// Samples know what the cores did.
func TestSamplesKnowTheMachine(t *testing.T) {
	real := watchMachine
	defer func() { watchMachine = real }()
	want := cpu.Machine{All: 4 * ms, Own: 1 * ms, Others: 2 * ms, Stolen: 1 * ms}
	watchMachine = func() func() cpu.Machine { return func() cpu.Machine { return want } }
	s, err := OpsPerSecond(t.Context(), Budget{Ops: 1}, 1, 1, func(l *Lane) error {
		for l.Next() {
		}
		return nil
	})
	if err != nil || s.Load.machine() != want || s.Load.Elapsed <= 0 {
		t.Errorf("%+v, %v", s.Load, err)
	}
}

// Samples of lanes have the times that their threads asked for.
func TestLanesAreWatched(t *testing.T) {
	body := func(l *Lane) error {
		for l.Next() {
		}
		return nil
	}
	fakeTimes(t, cpu.Time{CPU: 10 * ms}, cpu.Time{CPU: 6 * ms, Delay: 3 * ms})
	s, err := OpsPerSecond(t.Context(), Budget{Ops: 1}, 2, 1, body)
	if want := []CPUTime{{10 * ms, 0}, {6 * ms, 3 * ms}}; err != nil || !slices.Equal(s.Threads, want) {
		t.Errorf("%v, %v, want %v", s.Threads, err, want)
	}
	s, err = NsPerOp(t.Context(), Budget{Ops: 1}, 1, body)
	if want := []CPUTime{{10 * ms, 0}}; err != nil || !slices.Equal(s.Threads, want) {
		t.Errorf("%v, %v, want %v", s.Threads, err, want)
	}
}

// burning runs the test binary as a child that burns time on many threads, until its standard
// input ends.
const burning = "ICHOR_BURN"

func TestBurn(t *testing.T) {
	threads, err := strconv.Atoi(os.Getenv(burning))
	if err != nil {
		return // it is only for TestStarved
	}
	runtime.GOMAXPROCS(threads)
	for range threads {
		go func() {
			for n := 0; ; n++ {
			}
		}()
	}
	fmt.Println("burning")
	_, _ = io.Copy(io.Discard, os.Stdin) // until the parent closes it, or ends
	os.Exit(0)
}

// If another process wants all cores, a sample shows that its threads did not get them.
func TestStarved(t *testing.T) {
	if cpu.Measure() == "" {
		t.Skip("SKIPPED: this system does not say what threads ask for")
	}
	burner := exec.Command(os.Args[0], "-test.run=^TestBurn$")
	burner.Env = append(os.Environ(), fmt.Sprintf("%s=%d", burning, 2*runtime.GOMAXPROCS(0)))
	in, err := burner.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := burner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := burner.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = in.Close()
		_ = burner.Wait() // its exit status does not matter
	}()
	if _, err := io.ReadFull(out, make([]byte, len("burning"))); err != nil {
		t.Fatal(err)
	}
	threads := runtime.GOMAXPROCS(0)
	s, err := OpsPerSecond(t.Context(), Budget{Duration: 200 * ms}, threads, 1, func(l *Lane) error {
		for l.Next() {
		}
		return nil
	})
	row := &Row{Samples: []Sample{s}}
	if err != nil || !row.Starved() {
		t.Errorf("%d lanes among twice as many threads that burn time got %v of what they asked for, %v", threads, row.Got(), err)
	}
}
