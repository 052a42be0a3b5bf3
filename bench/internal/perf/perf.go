// Package perf reads the counters of the processor around a sample, where the system allows it.
//
// The counters count user code of all threads of this process, and of threads that they start
// meanwhile: the lanes, and Go's runtime. If the processor has fewer counters than are asked for,
// the kernel lets them take turns, and the figures are scaled up. One goroutine at a time.
package perf

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// An event is something that a processor counts.
type event struct {
	name         string // of the metric, before "/op"
	kind, config uint64 // as in perf_event_open(2)
}

// Kinds and configs of perf_event_open(2).
const (
	kindHardware = 0
	kindSoftware = 1
	kindCache    = 3

	cacheNode  = 6 // loads from memory that belongs to this or to another processor
	cacheRead  = 0 << 8
	cacheMiss  = 1 << 16
	configNode = cacheNode | cacheRead | cacheMiss
)

var events = []event{
	{"cycles", kindHardware, 0},
	{"instructions", kindHardware, 1},
	{"cache-misses", kindHardware, 3},
	{"remote-hits", kindCache, configNode}, // that miss the memory of their own processor
}

// Counters are the events that this system counts.
type Counters struct{ events []event }

// Open returns the counters that this system has. If some or all are missing, the reason says why,
// in one line. The counters are nil if there are none.
func Open() (c *Counters, reason string) { return openOf(events) }

func openOf(events []event) (*Counters, string) {
	var there []event
	var missing, why []string
	for _, e := range events {
		counts, err := start([]event{e})
		if err == nil {
			_, err = counts()
		}
		if err == nil {
			there = append(there, e)
			continue
		}
		missing = append(missing, e.name)
		if !slices.Contains(why, err.Error()) {
			why = append(why, err.Error())
		}
	}
	reason := ""
	if len(missing) > 0 {
		reason = fmt.Sprintf("not counted: %s: %s", strings.Join(missing, ", "), strings.Join(why, "; "))
	}
	if len(there) == 0 {
		return nil, reason
	}
	return &Counters{there}, reason
}

// Start starts to count. The result of stop is by the names of the events.
func (c *Counters) Start() (stop func() (map[string]float64, error), err error) {
	return start(c.events)
}

// errSystem means that the system has no such call.
var errSystem = errors.New("this system has no perf_event_open")

// A count is what a counter counted, and for how long, in nanoseconds: its thread ran for the time
// enabled, and the counter had its turn for the time running.
type count struct{ value, enabled, running uint64 }

func (c count) plus(o count) count {
	return count{c.value + o.value, c.enabled + o.enabled, c.running + o.running}
}

// scaled returns what counters would have counted if they had never had to take turns. An event
// whose counters never had their turn is left out: it is unknown, not 0.
func scaled(counts map[string]count) map[string]float64 {
	all := map[string]float64{}
	for name, c := range counts {
		if c.running > 0 || c.enabled == 0 {
			all[name] = float64(c.value) * float64(c.enabled) / float64(max(c.running, 1))
		}
	}
	return all
}
