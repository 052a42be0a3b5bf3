package format

import (
	"io"
	"math"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/internal/summary"
)

// jsonReporter writes one object a line:
//
//	{"scenario":"pair","config":{"state":"address","temp":"hot","threads":1},"metrics":{"ns/op":{"median":0.93,"min":0.91,"max":1.02,"n":10,"low":0.92,"high":0.99}},"ratio":{"median":1.16,"min":1.1,"max":1.2,"n":10,"low":1.12,"high":1.18}}
//
// low and high are the ends of the median's 95 % interval; they need six samples. The ratio is
// that to the row's baseline. "cpu" is the share of the CPU time asked for that the row's threads
// got, if it is known. "busy" is the share of the cores' time that other programs had, and "stolen"
// what a hypervisor took, if it is not 0. A row in doubt has "starved":true or "apart":true, and no ratio. After the
// rows of a scenario come its warnings and its laws, if it has any:
//
//	{"scenario":"tree","config":{},"metrics":{},"warnings":["4 threads have 2 cores: ..."]}
//
// There is no peak if more threads always do more:
//
//	{"scenario":"tree","config":{"mode":"atomic"},"law":{"rate":21.5e6,"contention":0.02,"coherence":0.001,"deviation":0.004,"peak":31,"threads":[1,2,4],"cores":4,"crowded":false}}
//
// It writes everything at the end. If the run was interrupted or failed, every line has "partial":true.
type jsonReporter struct{ w io.Writer }

func (j *jsonReporter) Begin(*experiment.Env) error     { return nil }
func (j *jsonReporter) Result(*experiment.Result) error { return nil }

func (j *jsonReporter) End(report *experiment.Report) error {
	var b []byte
	for _, res := range report.Results {
		for _, row := range res.Rows {
			if len(row.Samples) > 0 {
				b = appendRow(b, res.Scenario.Name, row, res.Ratio(row), report.Partial)
			}
		}
		if lines := res.Warnings(); len(lines) > 0 {
			b = appendWarnings(b, res.Scenario.Name, lines, report.Partial)
		}
		for _, law := range summary.Laws(res) {
			b = appendLaw(b, res.Scenario.Name, &law, report.Partial)
		}
	}
	_, err := j.w.Write(b)
	return err
}

// appendConfig begins a line with the scenario and the config.
func appendConfig(b []byte, scenario string, c experiment.Config) []byte {
	b = append(b, `{"scenario":`...)
	b = appendString(b, scenario)
	b = append(b, `,"config":{`...)
	for i, kv := range c {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, kv.Key)
		b = append(b, ':')
		switch v := kv.Value.(type) {
		case int:
			b = strconv.AppendInt(b, int64(v), 10)
		case bool:
			b = strconv.AppendBool(b, v)
		case string:
			b = appendString(b, v)
		}
	}
	return append(b, '}')
}

// appendEnd ends a line.
func appendEnd(b []byte, partial bool) []byte {
	if partial {
		b = append(b, `,"partial":true`...)
	}
	return append(b, '}', '\n')
}

func appendStat(b []byte, s experiment.Stat) []byte {
	b = append(b, `{"median":`+significant(s.Median)+`,"min":`+significant(s.Min)+`,"max":`+significant(s.Max)+`,"n":`...)
	b = strconv.AppendInt(b, int64(s.N), 10)
	if !math.IsNaN(s.Low) {
		b = append(b, `,"low":`+significant(s.Low)+`,"high":`+significant(s.High)...)
	}
	return append(b, '}')
}

func appendRow(b []byte, scenario string, row *experiment.Row, ratio experiment.Stat, partial bool) []byte {
	b = appendConfig(b, scenario, row.Config)
	b = append(b, `,"metrics":{`...)
	for i, s := range row.Stats() {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, s.Metric)
		b = appendStat(append(b, ':'), s)
	}
	b = append(b, '}')
	if ratio.N > 0 {
		b = appendStat(append(b, `,"ratio":`...), ratio)
	}
	if got := row.Got(); !math.IsNaN(got) {
		b = append(b, `,"cpu":`+significant(got)...)
	}
	if busy, stolen := row.Busy(), row.Stolen(); busy > 0 || stolen > 0 {
		b = append(b, `,"busy":`+significant(busy)+`,"stolen":`+significant(stolen)...)
	}
	if doubt := row.Doubt(); doubt != "" {
		b = append(b, `,"`+doubt+`":true`...)
	}
	return appendEnd(b, partial)
}

func appendWarnings(b []byte, scenario string, lines []string, partial bool) []byte {
	b = append(b, `{"scenario":`...)
	b = append(appendString(b, scenario), `,"config":{},"metrics":{},"warnings":[`...)
	for i, line := range lines {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, line)
	}
	return appendEnd(append(b, ']'), partial)
}

func appendLaw(b []byte, scenario string, l *summary.Law, partial bool) []byte {
	b = appendConfig(b, scenario, l.Config)
	b = append(b, `,"law":{"rate":`+significant(l.Rate)+`,"contention":`+significant(l.Contention)+
		`,"coherence":`+significant(l.Coherence)+`,"deviation":`+significant(l.Deviation)...)
	if !math.IsInf(l.Peak, 0) {
		b = append(b, `,"peak":`+significant(l.Peak)...)
	}
	b = append(b, `,"threads":[`...)
	for i, n := range l.Threads {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(n), 10)
	}
	b = append(b, `],"cores":`...)
	b = strconv.AppendInt(b, int64(l.Cores), 10)
	b = append(b, `,"crowded":`...)
	b = strconv.AppendBool(b, l.Crowded)
	return appendEnd(append(b, '}'), partial)
}

// appendString appends s as a JSON string; invalid UTF-8 becomes U+FFFD.
func appendString(b []byte, s string) []byte {
	b, _ = jsontext.AppendQuote(b, s)
	return b
}
