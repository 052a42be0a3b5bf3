//go:build explore

package explore

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ichor-go/ichor/proptest/explore/internal/engine"
)

// The race detector reports a race once in a process. So to shorten a schedule that races, the test's
// binary runs again for each attempt, with this test alone:
//
//	this process — EXPLORE_TURNS: which call of Test, and the turns to take → the other one
//	the other one — runs that schedule alone; if it races, writes it to EXPLORE_TURNS_FILE

const (
	turnsVariable = "EXPLORE_TURNS"
	turnsFile     = "EXPLORE_TURNS_FILE"
)

// shorteningTime bounds the time for all attempts.
const shorteningTime = 10 * time.Second

// calls counts the calls of Test in each test.
var calls = struct {
	sync.Mutex
	of map[string]int
}{of: map[string]int{}}

// callOf returns the number of the present call in its test.
func callOf(t testing.TB) int {
	calls.Lock()
	defer calls.Unlock()
	name := t.Name()
	if calls.of[name]++; calls.of[name] == 1 {
		t.Cleanup(func() { // the test may run again
			calls.Lock()
			defer calls.Unlock()
			delete(calls.of, name)
		})
	}
	return calls.of[name]
}

// shorten returns the failure with a schedule that has fewer switches, if there is one.
func (s *session) shorten(f *engine.Failure) *engine.Failure {
	if !f.Races() {
		return engine.Shorten(s.build, f)
	}
	dir, err := os.MkdirTemp("", "explore")
	if err != nil {
		s.t.Logf("explore: the schedule is not shortened: %v", err)
		return f
	}
	defer func() { _ = os.RemoveAll(dir) }()
	ctx, cancel := context.WithTimeout(context.Background(), shorteningTime)
	defer cancel()
	n := 0
	return engine.ShortenRace(s.build, f, func(l engine.Turns) (engine.Schedule, bool) {
		n++
		return s.raced(ctx, l, filepath.Join(dir, strconv.Itoa(n)))
	})
}

// raced runs a schedule in another process, and returns it if it races.
func (s *session) raced(ctx context.Context, l engine.Turns, file string) (engine.Schedule, bool) {
	binary, err := os.Executable()
	if err != nil {
		return nil, false
	}
	args := []string{"-test.run=" + pattern(s.t.Name()), "-test.count=1"}
	for _, a := range os.Args[1:] {
		if !strings.HasPrefix(a, "-test.") {
			args = append(args, a) // flags of the test itself
		}
	}
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d %s", turnsVariable, s.call, l), turnsFile+"="+file,
		"GORACE="+os.Getenv("GORACE")+" atexit_sleep_ms=0 halt_on_error=0 log_path=stderr")
	_ = cmd.Run() // it fails if the schedule races, and says so in the file
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, false
	}
	sch, err := engine.Parse(string(text))
	return sch, err == nil
}

// race runs the schedule that another process asks for.
func (s *session) race(text string) {
	s.t.Helper()
	call, text, _ := strings.Cut(text, " ")
	if call != strconv.Itoa(s.call) {
		return
	}
	l, err := engine.ParseTurns(text)
	if err != nil {
		s.t.Fatalf("explore: %s: %v", turnsVariable, err)
	}
	if sch, raced := engine.Race(s.build, l); raced {
		if err := os.WriteFile(os.Getenv(turnsFile), []byte(sch.String()), 0o600); err != nil {
			s.t.Fatalf("explore: %s: %v", turnsFile, err)
		}
	}
}
