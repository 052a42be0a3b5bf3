package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"
)

// A table has a figure for each row and column, which a plot shows as bars. If there is a first
// column, it has texts that no plot shows.
type table struct {
	name    string // of the file with the plot
	title   string
	note    string // behind the title, in the text only
	first   string
	columns []string
	unit    string // of the plot's axis
	ratio   bool   // the figures are ratios: bars begin at 1, and their lengths are logarithms
	format  string // of the figures; "%.2f" if empty
	rows    []row
	mean    string // the name of the geometric mean, which is the last row; none if empty
}

type row struct {
	name, first string
	values      []float64
	notes       []string // behind the values, in the text only
}

// report prints tables, and writes plots to a folder unless it is empty.
type report struct {
	w     io.Writer
	plots string
}

// check makes the folder for the plots, and finds out before all measurements whether files can be written
// there.
func (r *report) check() error {
	if r.plots == "" {
		return nil
	}
	if err := os.MkdirAll(r.plots, 0o777); err != nil {
		return err
	}
	f, err := os.CreateTemp(r.plots, ".writable-")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

func (t *table) text(v float64) string {
	if t.format == "" {
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf(t.format, v)
}

// add completes a table, prints it and plots it.
func (r *report) add(t *table) error {
	if t.mean != "" && len(t.rows) > 1 {
		t.rows = append(t.rows, row{name: t.mean, values: means(t.rows)})
	}
	w := tabwriter.NewWriter(r.w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, t.title, t.note, "\t")
	if t.first != "" {
		fmt.Fprint(w, t.first, "\t")
	}
	for _, c := range t.columns {
		fmt.Fprint(w, c, "\t")
	}
	fmt.Fprintln(w)
	for _, x := range t.rows {
		fmt.Fprint(w, x.name, "\t")
		if t.first != "" {
			fmt.Fprint(w, x.first, "\t")
		}
		for i, v := range x.values {
			fmt.Fprint(w, t.text(v))
			if i < len(x.notes) {
				fmt.Fprint(w, " ", x.notes[i])
			}
			fmt.Fprint(w, "\t")
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w)
	if err := w.Flush(); err != nil || r.plots == "" {
		return err
	}
	svg, err := t.plot()
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.plots, t.name+".svg"), svg, 0o666)
}
