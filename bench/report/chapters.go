package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/experiment/command"
	"github.com/ichor-go/ichor/bench/internal/plot"
	"github.com/ichor-go/ichor/bench/page"
	"github.com/ichor-go/ichor/bench/prefork"
	"github.com/ichor-go/ichor/bench/scenarios"
)

// A chapter shows a scenario, or the experiment prefork.
type chapter struct {
	name, title string
	headline    string // words of the sentence for the summary; "" is the first sentence
	plots       []plotSpec
	scenario    experiment.Scenario
}

// plotSpec is a plot of a chapter. If the chapter has only one, it needs no name.
type plotSpec struct {
	name, caption string
	plot.Options
}

// chapterGroup are the chapters under one heading.
type chapterGroup struct {
	title    string
	text     func(results map[string]*experiment.Result) []string
	chapters []chapter
}

// reportGroups are the chapters in the order of the report. The workers of prefork answer so many
// requests. Scenarios that are not here follow at the end.
func reportGroups(requests int) []chapterGroup {
	return []chapterGroup{
		{title: "What it is for", chapters: []chapter{
			{name: "ladder", title: "The more threads share, the slower they get", plots: ladderPlots()},
			{name: "requests", title: "Requests from one shared graph, by threads", headline: "born immortal", plots: []plotSpec{{
				caption: "The documents are mortal, or immortal in one of three ways.", Options: plot.Options{Keep: keepRequests},
			}}},
			{name: prefork.Name, title: "How much workers copy of the heap that they share", plots: []plotSpec{{
				caption: "How much a worker has copied by reading, by the number of requests that it has answered.",
				Options: plot.Options{
					Keep: keepPrefork(requests), Over: "requests", Name: func(c experiment.Config) string { return immortalWords(c.Get("immortal")) },
					Unit: "MiB copied", Scale: 1.0 / (1 << 20),
				},
			}}},
			{name: "collect", title: "Pauses of the cycle collector", plots: []plotSpec{{
				caption: "How long the world is stopped, by the number of immortals, for each number of live mortals.",
				Options: plot.Options{Keep: keepCollect, Over: "immortals", Unit: "ms", Scale: 1e-6},
			}}},
			{name: "memory", title: "Memory compared with Go's heap", plots: []plotSpec{{Options: plot.Options{Bars: true, Metric: scenarios.BytesAValue, Unit: "bytes for each JSON value"}}}},
			{name: "walk", title: "Reading compared with Go's heap", plots: []plotSpec{{Options: plot.Options{Bars: true, Unit: "ns for each value"}}}},
			{name: "gcshare", title: "How much time Go's collector takes", plots: []plotSpec{{Options: plot.Options{Bars: true, Unit: "% of all CPU time"}}}},
		}},
		{title: "Where we lose", text: losses, chapters: []chapter{
			{name: "handoff", title: "Objects that one thread makes and another counts", plots: []plotSpec{{
				caption: "By the percentage of objects that the consumer counts, four times up and down each.", Options: plot.Options{Keep: func(c experiment.Config) bool { return c.Get("uses") != 0 }, Over: "foreign"},
			}}},
			{name: "pair", title: "What counting costs on one thread", plots: []plotSpec{{
				caption: "1,024 objects, which fit into the L1 cache.", Options: plot.Options{Bars: true, Keep: func(c experiment.Config) bool { return c.Get("temp") == "hot" }},
			}}},
			{name: "neighbours", title: "Objects that share a cache line", plots: []plotSpec{{
				caption: "Each thread counts an object of its own.", Options: plot.Options{Over: "threads"},
			}}},
			{name: "birth", title: "Small objects that come and go", plots: []plotSpec{{
				caption: "Making one object and dropping the oldest of 1,024.", Options: plot.Options{Bars: true, Keep: func(c experiment.Config) bool { return c.Get("threads") == 1 }},
			}}},
			{name: "small", title: "Small, short-lived graphs", plots: []plotSpec{{caption: "Nodes a second, made and dropped."}}},
		}},
		{title: "The rest", chapters: []chapter{
			{name: "contend", title: "One object that all threads count", plots: []plotSpec{{Options: plot.Options{Name: nameContend}}}},
			{name: "tree", title: "Making and dropping objects"},
			{name: "first", title: "The first objects of a process", plots: []plotSpec{{
				caption: "Making the first 10,000 objects, with their page faults.", Options: plot.Options{Bars: true},
			}}},
			{name: "dict", title: "A shared map compared with Go's", plots: dictPlots()},
			{name: "threads", title: "Attaching a goroutine"},
			{name: "json", title: "Reading and writing JSON", plots: []plotSpec{{Options: plot.Options{Bars: true, Unit: "MB of text a second"}}}},
			{name: "freeze", title: "Freezing a document", plots: []plotSpec{{
				Options: plot.Options{Bars: true, Unit: "MB of JSON a second", Scale: 1e-6},
			}}},
			{name: "image", title: "Opening a file instead of parsing", plots: []plotSpec{{
				Options: plot.Options{Bars: true, Unit: "MB of the image a second", Scale: 1e-6},
			}}},
		}},
	}
}

// chapters returns the chapters that the flags ask for, each with its scenario.
func chapters(f *Flags, all []experiment.Scenario) ([]chapterGroup, error) {
	all = append(slices.Clone(all), experiment.Scenario{Name: prefork.Name})
	chosen, err := command.Chosen(all, f.Scenario)
	if err != nil {
		return nil, err
	}
	groups := reportGroups(f.requests())
	take := func(name string) (s experiment.Scenario, ok bool) {
		i := slices.IndexFunc(chosen, func(s experiment.Scenario) bool { return s.Name == name })
		if i < 0 {
			return s, false
		}
		s = chosen[i]
		chosen = slices.Delete(slices.Clone(chosen), i, i+1)
		return s, true
	}
	for i := range groups {
		var there []chapter
		for _, c := range groups[i].chapters {
			var ok bool
			if c.scenario, ok = take(c.name); ok {
				there = append(there, c)
			}
		}
		groups[i].chapters = there
	}
	last := &groups[len(groups)-1]
	for _, s := range chosen {
		last.chapters = append(last.chapters, chapter{name: s.Name, title: s.Name, scenario: s})
	}
	return groups, nil
}

// plotsOf draws the plots that specs ask for, or a plot of the whole result if there are none. It
// leaves out plots without samples.
func plotsOf(res *experiment.Result, specs []plotSpec) (plots []page.Plot, err error) {
	if len(specs) == 0 {
		specs = []plotSpec{{}}
	}
	var options []plot.Options
	for _, s := range specs {
		options = append(options, s.Options)
	}
	pictures, err := plot.DrawAll(res, options...)
	if err != nil {
		return nil, fmt.Errorf("plot: %w", err)
	}
	for i, s := range specs {
		if pictures[i] != (plot.Picture{}) {
			plots = append(plots, page.Plot{Name: s.name, Caption: s.caption, Picture: pictures[i]})
		}
	}
	return plots, nil
}

// ladderPlots are one plot for each mode, atomic counting first.
func ladderPlots() (plots []plotSpec) {
	rungs := map[any]string{
		scenarios.LadderNothing: "nothing shared", scenarios.LadderObject: "a mortal value", scenarios.LadderDict: "a mortal dict", scenarios.LadderImmortal: "an immortal dict",
	}
	for _, mode := range []string{experiment.ModeAtomic, experiment.ModeBiased, experiment.ModeGIL} {
		words := scenarios.ModeWords(mode)
		plots = append(plots, plotSpec{name: mode, caption: strings.ToUpper(words[:1]) + words[1:] + ". What the threads share is at the end of its line.", Options: plot.Options{
			Keep: func(c experiment.Config) bool { return c.Get("mode") == mode },
			Name: func(c experiment.Config) string { return rungs[c.Get("shared")] },
		}})
	}
	return plots
}

// dictPlots are one plot for each share of reads.
func dictPlots() (plots []plotSpec) {
	for _, reads := range scenarios.DictReads {
		plots = append(plots, plotSpec{name: fmt.Sprint(reads), caption: fmt.Sprintf("%d %% reads.", reads), Options: plot.Options{
			Keep: func(c experiment.Config) bool { return c.Get("reads") == reads },
			Name: func(c experiment.Config) string { return fmt.Sprint(c.Get("map")) },
		}})
	}
	return plots
}

// keepRequests keeps the lines that matter most: all of them would be too many.
func keepRequests(c experiment.Config) bool {
	return c.Get("mode") == experiment.ModeAtomic || c.Get("immortal") == experiment.ImmortalNone || c.Get("mode") == experiment.ModeGIL && c.Get("immortal") == experiment.ImmortalAddress
}

func immortalWords(immortal any) string {
	switch immortal {
	case experiment.ImmortalNone:
		return "mortal"
	case experiment.ImmortalInPlace:
		return "immortal in place"
	case experiment.ImmortalAddress:
		return "immortal by address"
	}
	return fmt.Sprint(immortal)
}

// keepPrefork keeps one worker, at points in equal steps.
func keepPrefork(requests int) func(c experiment.Config) bool {
	return func(c experiment.Config) bool {
		n, _ := c.Get("requests").(int)
		for i := range prefork.PlotSteps + 1 {
			if n == requests*i/prefork.PlotSteps {
				return c.Get("worker") == 0
			}
		}
		return false
	}
}

// keepCollect keeps one core, and objects in the order in which they were made.
func keepCollect(c experiment.Config) bool {
	return c.Get("kind") == experiment.ImmortalAddress && c.Get("order") == scenarios.OrderAllocation && c.Get("cores") == 1
}

func nameContend(c experiment.Config) string {
	switch s := c.Get("state"); s {
	case "address", "inplace":
		return immortalWords(s)
	case "owned":
		return "mortal, GIL"
	case "shared":
		return "mortal, atomic count"
	case "atomic":
		return "for scale: a raw atomic add"
	case "mutex":
		return "for scale: a mutex"
	default:
		return fmt.Sprint(s)
	}
}
