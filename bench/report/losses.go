package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/internal/summary"
	"github.com/ichor-go/ichor/bench/scenarios"
)

// losses are sentences about the cases in which something else is faster, with the figures of this
// run.
func losses(results map[string]*experiment.Result) []string {
	texts := []string{"Counting has a price, and not every program gains from it. In these cases something else is, or may be, the better choice."}
	for _, name := range slices.Sorted(maps.Keys(results)) {
		if line := summary.TooFew(results[name]); line != "" {
			return append(texts, line)
		}
	}
	var doubtful []string // scenarios with cases that are left out
	ratio := func(scenario string, ours, other experiment.Config, subject, format string) {
		res := results[scenario]
		if res == nil {
			return
		}
		a, b := res.Find(ours), res.Find(other)
		if a == nil || b == nil {
			return
		}
		r := experiment.Ratio(a, b)
		if r.Missing() {
			doubtful = append(doubtful, scenario)
		}
		texts = experiment.Claim(texts, subject, r, format)
	}
	all := scenarios.HandoffShares[len(scenarios.HandoffShares)-1]
	ratio("handoff", experiment.Cfg("mode", experiment.ModeAtomic, "foreign", all, "uses", 0), experiment.Cfg("mode", experiment.ModeAtomic, "foreign", 0, "uses", 0),
		"Objects that a thread other than the maker drops, with atomic counts", "%v times as many in the same time as if the maker drops them.")
	ratio("requests", experiment.Cfg("mode", experiment.ModeAtomic, "immortal", experiment.ImmortalNone, "threads", 1), experiment.Cfg("mode", experiment.ModeGIL, "immortal", experiment.ImmortalNone, "threads", 1),
		"Atomic counting with one thread and nothing immortal", "%v times the requests that the GIL answers with plain counts.")
	ratio("pair", experiment.Cfg("state", "shared", "mode", experiment.ModeAtomic, "temp", "hot"), experiment.Cfg("state", "owned", "mode", experiment.ModeGIL, "temp", "hot"),
		"Atomic counting with one thread, of objects that fit into the L1 cache", "an increment and a decrement take %v times as long as plain ones.")
	if res := results["neighbours"]; res != nil {
		most := scenarios.MostThreads(res)
		ratio("neighbours", experiment.Cfg("gap", 1, "threads", most), experiment.Cfg("gap", 64, "threads", most),
			fmt.Sprintf("%d threads that each count an object of their own, where these share a cache line", most), "%v times the speed of objects that do not.")
	}
	ratio("small", experiment.Cfg("heap", scenarios.HeapIchor, "mode", experiment.ModeAtomic, "threads", 1), experiment.Cfg("heap", scenarios.HeapGo, "threads", 1),
		"Small, short-lived graphs, made and dropped by one thread", "%v times the speed of Go's heap, whose collector has almost nothing to do.")
	if res := results["walk"]; res != nil {
		var slower []string
		for _, row := range res.Rows {
			switch r := res.Ratio(row); {
			case row.Config.Get("heap") != scenarios.HeapFrozen:
			case r.Missing():
				doubtful = append(doubtful, "walk")
			case r.Low > 1:
				slower = append(slower, fmt.Sprintf("%s (%v times the speed)", row.Config.Get("document"), r.Over()))
			}
		}
		if len(slower) > 0 {
			texts = append(texts, "Documents that are read more slowly frozen than as Go's maps: "+strings.Join(slower, "; ")+".")
		}
	}
	if res := results["dict"]; res != nil {
		most := scenarios.MostThreads(res)
		ratio("dict", experiment.Cfg("map", scenarios.DictCounted, "reads", 100, "threads", most), experiment.Cfg("map", "sync.Map", "reads", 100, "threads", most),
			fmt.Sprintf("Reads of a shared dict by %d threads that count the mortal values", most), "%v times the speed of sync.Map.")
	}
	ratio("threads", experiment.Cfg("mode", experiment.ModeAtomic, "goroutine", "same"), experiment.Cfg("mode", experiment.ModeGIL, "goroutine", "same"),
		"Attaching a goroutine, making a string, and detaching the goroutine", "%v times as long as under the GIL.")
	if len(doubtful) > 0 {
		texts = append(texts, "Left out, because threads did not get the CPU time that they asked for, or ended long before others: cases of "+strings.Join(slices.Compact(doubtful), ", ")+".")
	}
	return texts
}
