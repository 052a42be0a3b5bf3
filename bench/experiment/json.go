package experiment

import (
	"io"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// JSON returns a reporter that writes one object a line:
//
//	{"scenario":"pair","config":{"state":"address","temp":"hot","threads":1},"metrics":{"ns/op":{"median":0.93,"min":0.91,"max":1.02,"n":10}}}
//
// It writes at the end: if the run was interrupted, every row says "partial":true.
func JSON(w io.Writer) Reporter { return &jsonReporter{w: w} }

type jsonReporter struct{ w io.Writer }

func (j *jsonReporter) Begin(*Env) error     { return nil }
func (j *jsonReporter) Result(*Result) error { return nil }

func (j *jsonReporter) End(report *Report) error {
	var b []byte
	for _, res := range report.Results {
		for _, row := range res.Rows {
			if len(row.Samples) > 0 {
				b = appendRow(b, res.Scenario.Name, row, report.Partial)
			}
		}
	}
	_, err := j.w.Write(b)
	return err
}

func appendRow(b []byte, scenario string, row *Row, partial bool) []byte {
	b = append(b, `{"scenario":`...)
	b = appendString(b, scenario)
	b = append(b, `,"config":{`...)
	for i, kv := range row.Config {
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
	b = append(b, `},"metrics":{`...)
	for i, s := range row.Stats() {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, s.Metric)
		b = append(b, `:{"median":`+significant(s.Median)+`,"min":`+significant(s.Min)+`,"max":`+significant(s.Max)+`,"n":`...)
		b = strconv.AppendInt(b, int64(s.N), 10)
		b = append(b, '}')
	}
	b = append(b, '}')
	if partial {
		b = append(b, `,"partial":true`...)
	}
	return append(b, '}', '\n')
}

// appendString appends s as a JSON string; invalid UTF-8 becomes U+FFFD.
func appendString(b []byte, s string) []byte {
	b, _ = jsontext.AppendQuote(b, s)
	return b
}
