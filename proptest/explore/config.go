package explore

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"
)

// Search is a way to choose the schedules.
type Search string

const (
	// SearchBounded is the default: all schedules without preemptions, then those with one, and so on up to
	// Config.Bound. The first failure has the fewest preemptions. If the time is up before the
	// search is complete, the rest of it goes to schedules at random.
	SearchBounded Search = "bounded"
	// SearchAll runs all schedules, except those that differ from others only in the order of independent
	// steps. It is for small programs, of at most 64 goroutines.
	SearchAll Search = "all"
	// SearchPCT runs schedules in which goroutines have random priorities, with Config.Bound changes.
	SearchPCT Search = "pct"
	// SearchPOS runs schedules in which the steps have random priorities.
	SearchPOS Search = "pos"
)

// Config says how to explore. Its zero value is right for most tests. The environment has the last
// word: EXPLORE_BOUND, EXPLORE_TIME, EXPLORE_SCHEDULES, EXPLORE_SEARCH, EXPLORE_SEED.
type Config struct {
	Search    Search        // SearchBounded if empty
	Bound     int           // the most preemptions; 0 means 2, a negative number none
	Time      time.Duration // for the whole search; 0 means 10 seconds
	Schedules int64         // the most schedules; 0 means no limit
	Seed      uint64        // of random schedules
}

// Variable is the environment variable with the schedule to run.
const Variable = "EXPLORE_REPLAY"

// Test explores fn, and fails the test if a schedule fails. *Any goroutine.*
func Test(t testing.TB, fn func(e *E)) {
	t.Helper()
	TestWith(t, Config{}, fn)
}

// filled returns the configuration with defaults and what the environment says.
func (c Config) filled() (Config, error) {
	switch {
	case c.Bound == 0:
		c.Bound = 2
	case c.Bound < 0:
		c.Bound = 0
	}
	if c.Time == 0 {
		c.Time = 10 * time.Second
	}
	if c.Search == "" {
		c.Search = SearchBounded
	}
	var err error
	read := func(name string, set func(string) error) {
		if v := os.Getenv(name); v != "" && err == nil {
			if e := set(v); e != nil {
				err = fmt.Errorf("explore: %s=%q: %w", name, v, e)
			}
		}
	}
	read("EXPLORE_BOUND", func(v string) (e error) { c.Bound, e = strconv.Atoi(v); return e })
	read("EXPLORE_TIME", func(v string) (e error) { c.Time, e = time.ParseDuration(v); return e })
	read("EXPLORE_SCHEDULES", func(v string) (e error) { c.Schedules, e = strconv.ParseInt(v, 10, 64); return e })
	read("EXPLORE_SEED", func(v string) (e error) { c.Seed, e = strconv.ParseUint(v, 10, 64); return e })
	read("EXPLORE_SEARCH", func(v string) error { c.Search = Search(v); return nil })
	switch c.Search {
	case SearchBounded, SearchAll, SearchPCT, SearchPOS:
	default:
		err = fmt.Errorf("explore: there is no search %q: bounded, all, pct or pos", c.Search)
	}
	return c, err
}
