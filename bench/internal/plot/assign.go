package plot

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/internal/summary"
)

// assign decides what the settings of the rows become, and sorts the rows into panels and lines.
// A figure whose x-axis was asked for has it in any case.
func (p *draft) assign(asked bool) {
	if p.Name != nil { // one panel, with a line or a bar for each name
		if p.Over == "" {
			p.sort(nil, nil, nil, p.allKeys())
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
	var color, shape []string
	if slices.Contains(keys, experiment.Immortal) && p.count(experiment.Immortal) <= len(marks) {
		shape, keys = []string{experiment.Immortal}, without(keys, experiment.Immortal)
	}
	color, keys = p.takeColor(keys)
	if color == nil && shape == nil && len(keys) > 0 && len(p.at) <= maxSeries && !asked {
		p.Over, p.at = "", nil // a panel for each line would hide which one is higher
		p.assignBars(p.differing())
		return
	}
	if color == nil { // shapes alone are harder to tell apart
		color, shape = shape, nil
	}
	p.sort(color, shape, keys, nil)
}

// takeColor returns the settings that are the colour, and the others: the mode, or the first setting
// that has few enough values, as its order was chosen by somebody. Settings that follow from it are
// a part of it: if only rows of Go's heap have no mode, the colours are those of "ichor, gil" and "go".
func (p *draft) takeColor(keys []string) (color, rest []string) {
	key := ""
	if slices.Contains(keys, experiment.Mode) {
		key = experiment.Mode
	} else if i := slices.IndexFunc(keys, func(k string) bool { return p.count(k) <= maxSeries }); i >= 0 {
		key = keys[i]
	} else {
		return nil, keys
	}
	for _, k := range keys {
		if k == key || p.follows(k, key) {
			color = append(color, k)
		} else {
			rest = append(rest, k)
		}
	}
	return color, rest
}

// follows reports whether a setting has one value for each value of another.
func (p *draft) follows(key, other string) bool {
	seen := map[any]any{}
	for _, row := range p.rows {
		v := row.Config.Get(key)
		if before, ok := seen[row.Config.Get(other)]; ok && before != v {
			return false
		}
		seen[row.Config.Get(other)] = v
	}
	return true
}

func without(keys []string, key string) []string {
	return slices.DeleteFunc(slices.Clone(keys), func(k string) bool { return k == key })
}

// assignBars gives each row a bar: colours for the mode, a band for each value of one other
// setting, and panels for the rest. It needs no colours if there is only one setting, or if most
// combinations of settings do not occur: then each row has a band, with all its settings.
func (p *draft) assignBars(keys []string) {
	if len(keys) == 0 {
		keys = p.allKeys() // of the only row
	}
	if len(keys) < 2 {
		p.sort(nil, nil, nil, keys)
		return
	}
	color, rest := p.takeColor(keys)
	combinations := len(p.named(func(row *experiment.Row) string { return p.words(row, color, p.valueName) }))
	for _, key := range rest {
		combinations *= p.count(key)
	}
	switch {
	case len(rest) == 0 || len(p.rows) <= fewBars && 2*len(p.rows) <= combinations:
		p.sort(nil, nil, nil, keys)
		return
	case color == nil:
		p.sort(nil, nil, keys[:len(keys)-1], keys[len(keys)-1:])
		return
	case !slices.Contains(color, experiment.Mode):
		for _, key := range rest { // a few colours and many bands are easier than the reverse
			if p.count(key) <= p.count(color[0]) {
				color, rest = []string{key}, without(keys, key)
			}
		}
	}
	band := rest[0]
	for _, key := range rest {
		if p.count(key) > p.count(band) {
			band = key
		}
	}
	p.sort(color, nil, without(rest, band), []string{band})
}

// fewBars is the greatest number of bars that are understood without colours and panels. A guess.
const fewBars = 24

// findX finds the values on the x-axis. Rows without the setting are left out.
func (p *draft) findX() {
	if p.Over == "" {
		return
	}
	for _, row := range p.rows {
		if x, ok := row.Config.Get(p.Over).(int); ok && !slices.Contains(p.at, x) {
			p.at = append(p.at, x)
		}
	}
	slices.Sort(p.at)
	missing := func(row *experiment.Row) bool {
		_, ok := row.Config.Get(p.Over).(int)
		return !ok
	}
	p.rows, p.listed = slices.DeleteFunc(p.rows, missing), slices.DeleteFunc(p.listed, missing)
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
func (p *draft) sort(color, shape, panelKeys, bandKeys []string) {
	p.colorKey, p.shapeKey = strings.Join(color, ", "), strings.Join(shape, ", ")
	by := func(keys []string, name func(key string, value any) string) func(row *experiment.Row) string {
		return func(row *experiment.Row) string { return p.words(row, keys, name) }
	}
	band := by(bandKeys, p.valueName)
	if p.Name != nil {
		band = func(row *experiment.Row) string { return p.Name(row.Config) }
	}
	if i := slices.IndexFunc(panelKeys, func(key string) bool { return p.count(key) == 2 }); i >= 0 { // two in a row: its values are columns
		panelKeys = append(without(panelKeys, panelKeys[i]), panelKeys[i])
	}
	p.place(by(color, p.valueName), by(shape, p.valueName), by(panelKeys, p.titleName), band)
	p.sortPanels(panelKeys)
}

// sortPanels puts the panels in the order of the values of the settings, the last of which changes first.
func (p *draft) sortPanels(keys []string) {
	order := func(row *experiment.Row) (ranks []int) {
		for _, key := range keys {
			value := row.Config.Get(key)
			ranks = append(ranks, slices.IndexFunc(p.listed, func(row *experiment.Row) bool { return row.Config.Get(key) == value }))
		}
		return ranks
	}
	slices.SortStableFunc(p.panels, func(a, b panel) int {
		return slices.Compare(order(a.lines[0].first()), order(b.lines[0].first()))
	})
}

// sortNamed puts the rows into lines with the names that the caller gives.
func (p *draft) sortNamed() {
	none := func(*experiment.Row) string { return "" }
	p.place(func(row *experiment.Row) string { return p.Name(row.Config.Without(p.Over)) }, none, none, none)
}

// place puts the rows into the panels, lines and places that they have by name.
func (p *draft) place(color, shape, title, band func(row *experiment.Row) string) {
	p.colors, p.shapes = p.named(color), p.named(shape)
	p.inks = make([]ink, len(p.colors))
	places := len(p.at)
	if p.Over == "" {
		p.bands = p.named(band)
		places = len(p.bands)
	}
	titles := p.named(title)
	for _, t := range titles {
		p.panels = append(p.panels, panel{title: t})
	}
	next := 0 // of the series that are no mode's
	for i, name := range p.colors {
		row := p.rows[slices.IndexFunc(p.rows, func(row *experiment.Row) bool { return color(row) == name })]
		p.inks[i] = p.inkOf(row, &next)
	}
	for _, row := range p.rows {
		c, s := slices.Index(p.colors, color(row)), slices.Index(p.shapes, shape(row))
		if p.Name != nil && p.Over != "" {
			s = c / maxSeries
		}
		at := 0
		if p.Over == "" {
			at = slices.Index(p.bands, band(row))
		} else {
			at = slices.Index(p.at, row.Config.Get(p.Over).(int))
		}
		p.panels[slices.Index(titles, title(row))].line(c, s, p.inks[c], places).rows[at] = row
	}
	for i := range p.panels {
		slices.SortStableFunc(p.panels[i].lines, func(a, b plotLine) int { return cmp.Or(a.color-b.color, a.shape-b.shape) })
	}
	p.findLaws()
}

// named are the names of the rows, each once, in the order of all rows, also of those without a mark: so the
// order does not depend on which are missing.
func (p *draft) named(name func(row *experiment.Row) string) (names []string) {
	used := map[string]bool{}
	for _, row := range p.rows {
		used[name(row)] = true
	}
	for _, row := range p.listed {
		if n := name(row); used[n] {
			names, used[n] = append(names, n), false
		}
	}
	return names
}

// inkOf chooses the ink of a row of a new colour. A mode has the same colour in all figures, and others get
// the rest in turn; next is how many they have.
func (p *draft) inkOf(row *experiment.Row, next *int) ink {
	modes := experiment.Modes().Values
	mode := func(row *experiment.Row) int { return slices.Index(modes, row.Config.Get(experiment.Mode)) }
	first := 0
	if strings.Contains(p.colorKey, experiment.Mode) && slices.ContainsFunc(p.rows, func(row *experiment.Row) bool { return mode(row) >= 0 }) {
		if i := mode(row); i >= 0 {
			return ink(i)
		}
		first = len(modes)
	}
	*next++
	return ink((first + *next - 1) % maxSeries)
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

// line returns the line of a colour and a shape, with room for as many rows as there are places.
func (f *panel) line(color, shape int, ink ink, places int) *plotLine {
	for i := range f.lines {
		if f.lines[i].color == color && f.lines[i].shape == shape {
			return &f.lines[i]
		}
	}
	f.lines = append(f.lines, plotLine{color: color, shape: shape, ink: ink, rows: make([]*experiment.Row, places)})
	return &f.lines[len(f.lines)-1]
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
func (p *draft) valueName(key string, value any) string {
	switch v := value.(type) {
	case string:
		if strings.TrimSpace(v) == "" {
			return strconv.Quote(v)
		}
		return v
	case int:
		return key + " " + axisCount(v)
	default:
		return fmt.Sprintf("%s %v", key, v)
	}
}

// titleName writes a setting for the title of a panel.
func (p *draft) titleName(key string, value any) string {
	if v, ok := value.(int); ok {
		value = axisCount(v)
	}
	return fmt.Sprintf("%s: %v", key, value)
}

// words writes the settings of a row that it has.
func (p *draft) words(row *experiment.Row, keys []string, name func(key string, value any) string) string {
	var words []string
	for _, key := range keys {
		if v := row.Config.Get(key); v != nil {
			words = append(words, name(key, v))
		}
	}
	if len(words) == 0 && len(keys) > 0 {
		return "no " + strings.Join(keys, ", ")
	}
	return strings.Join(words, ", ")
}
