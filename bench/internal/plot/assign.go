package plot

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/internal/summary"
)

// assign decides what the settings of the rows become, and sorts the rows into panels and lines.
func (p *draft) assign() {
	p.findX()
	if p.Name != nil { // one panel, with a line or a bar for each name
		if p.Over == "" {
			p.sort("", "", nil, p.allKeys())
		} else {
			p.sortNamed()
		}
		return
	}
	keys := slices.DeleteFunc(p.differing(), func(key string) bool { return key == p.Over })
	if p.Over == "" {
		p.assignBars(keys)
		return
	}
	color, shape := "", ""
	take := func(key string) string {
		if !slices.Contains(keys, key) {
			return ""
		}
		keys = slices.DeleteFunc(keys, func(k string) bool { return k == key })
		return key
	}
	if shape = take(experiment.Immortal); shape != "" && p.count(shape) > len(shapes) {
		keys, shape = append(keys, shape), ""
	}
	if color = take(experiment.Mode); color == "" {
		for _, key := range keys { // the first with few enough values, as its order was chosen by somebody
			if n := p.count(key); n <= maxSeries {
				color = take(key)
				break
			}
		}
	}
	if color == "" { // shapes alone are harder to tell apart
		color, shape = shape, ""
	}
	p.sort(color, shape, keys, nil)
}

// assignBars gives each row a bar: colours for the mode, a band for each value of one other
// setting, and panels for the rest. A few rows with one setting need no colours.
func (p *draft) assignBars(keys []string) {
	if len(keys) < 2 || len(p.rows) <= fewBars {
		p.sort("", "", nil, keys)
		return
	}
	color := keys[0]
	if slices.Contains(keys, experiment.Mode) {
		color = experiment.Mode
	}
	if p.count(color) > maxSeries {
		p.sort("", "", keys[:len(keys)-1], keys[len(keys)-1:])
		return
	}
	keys = slices.DeleteFunc(keys, func(k string) bool { return k == color })
	band := 0
	for i, key := range keys {
		if p.count(key) > p.count(keys[band]) {
			band = i
		}
	}
	p.sort(color, "", slices.Delete(slices.Clone(keys), band, band+1), keys[band:band+1])
}

// fewBars is the greatest number of bars that are understood without colours and panels. A guess.
const fewBars = 12

// findX finds the values on the x-axis. Rows without the setting are left out.
func (p *draft) findX() {
	if p.Over == "" {
		return
	}
	p.rows = slices.DeleteFunc(p.rows, func(row *experiment.Row) bool {
		x, ok := row.Config.Get(p.Over).(int)
		if ok && !slices.Contains(p.at, x) {
			p.at = append(p.at, x)
		}
		return !ok
	})
	slices.Sort(p.at)
}

// allKeys are the settings of the rows.
func (p *draft) allKeys() (keys []string) {
	for _, row := range p.rows {
		for _, kv := range row.Config {
			if !slices.Contains(keys, kv.Key) {
				keys = append(keys, kv.Key)
			}
		}
	}
	return keys
}

// differing are the settings that are not the same in all rows.
func (p *draft) differing() []string {
	return slices.DeleteFunc(p.allKeys(), func(key string) bool { return p.count(key) < 2 })
}

// count is the number of values of a setting. Not to have it counts as a value.
func (p *draft) count(key string) int {
	var values []any
	for _, row := range p.rows {
		if v := row.Config.Get(key); !slices.Contains(values, v) {
			values = append(values, v)
		}
	}
	return len(values)
}

// sort puts the rows into panels, lines and places.
func (p *draft) sort(color, shape string, panelKeys, bandKeys []string) {
	for _, row := range p.rows {
		c, s := index(&p.colors, p.valueName(row, color)), index(&p.shapes, p.valueName(row, shape))
		title := p.words(row, panelKeys)
		at := slices.IndexFunc(p.panels, func(f panel) bool { return f.title == title })
		if at < 0 {
			at = len(p.panels)
			p.panels = append(p.panels, panel{title: title})
		}
		f := &p.panels[at]
		place := 0
		if p.Over == "" {
			name := p.words(row, bandKeys)
			if p.Name != nil {
				name = p.Name(row.Config)
			}
			place = index(&f.names, name)
		} else {
			place = slices.Index(p.at, row.Config.Get(p.Over).(int))
		}
		f.line(c, s).put(place, row)
	}
	p.findLaws()
}

// sortNamed puts the rows into lines with the names that the caller gives.
func (p *draft) sortNamed() {
	p.panels, p.shapes = []panel{{}}, []string{""}
	for _, row := range p.rows {
		c := index(&p.colors, p.Name(row.Config.Without(p.Over)))
		p.panels[0].line(c%maxSeries, c/maxSeries%len(shapes)).put(slices.Index(p.at, row.Config.Get(p.Over).(int)), row)
	}
	p.findLaws()
}

// findLaws gives the lines over threads their laws.
func (p *draft) findLaws() {
	if p.Over != threads || p.Metric != experiment.OpsS {
		return
	}
	for _, law := range summary.Laws(p.res) {
		for i := range p.panels {
			for k := range p.panels[i].lines {
				l := &p.panels[i].lines[k]
				if row := l.first(); row != nil && slices.Equal(row.Config.Without(threads), law.Config) {
					l.law = &law
				}
			}
		}
	}
}

// index returns where the name is in the list, and appends it if it is new.
func index(list *[]string, name string) int {
	i := slices.Index(*list, name)
	if i < 0 {
		i = len(*list)
		*list = append(*list, name)
	}
	return i
}

// line returns the line of a colour and a shape.
func (f *panel) line(color, shape int) *plotLine {
	for i := range f.lines {
		if f.lines[i].color == color && f.lines[i].shape == shape {
			return &f.lines[i]
		}
	}
	f.lines = append(f.lines, plotLine{color: color, shape: shape})
	return &f.lines[len(f.lines)-1]
}

func (l *plotLine) put(place int, row *experiment.Row) {
	for len(l.rows) <= place {
		l.rows = append(l.rows, nil)
	}
	l.rows[place] = row
}

func (l *plotLine) first() *experiment.Row {
	for _, row := range l.rows {
		if row != nil {
			return row
		}
	}
	return nil
}

// valueName writes a value of a setting: text as it is, and other values with the key.
func (p *draft) valueName(row *experiment.Row, key string) string {
	if key == "" {
		return ""
	}
	switch v := row.Config.Get(key).(type) {
	case nil:
		return "no " + key
	case string:
		return v
	default:
		return fmt.Sprintf("%s %v", key, v)
	}
}

// words writes the settings of a row.
func (p *draft) words(row *experiment.Row, keys []string) string {
	var words []string
	for _, key := range keys {
		if row.Config.Get(key) != nil {
			words = append(words, p.valueName(row, key))
		}
	}
	if len(words) == 0 && len(keys) == 0 && p.Over == "" {
		return p.Metric
	}
	return strings.Join(words, ", ")
}
