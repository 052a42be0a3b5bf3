// Package heap is the command that shows what is in a heap snapshot: in the terminal, on a page
// that it serves, or to Chrome's developer tools.
//
// One goroutine at a time calls it.
package heap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/ichor-go/ichor/bench/experiment/command"
	"github.com/ichor-go/ichor/bench/internal/interruptible"
	"github.com/ichor-go/ichor/internal/newfile"
)

// Flags are those of `bench heap`.
type Flags struct {
	Files  []string      `arg:"" name:"files" help:"A heap snapshot, or two to compare, the older one first."`
	HTTP   string        `name:"http" default:"127.0.0.1:0" placeholder:"ADDR" help:"Where to serve the page (default: 127.0.0.1, on a free port)."`
	Top    bool          `help:"Print the types in descending order of bytes, and what Go code holds, and serve nothing."`
	Paths  string        `placeholder:"REF" help:"Print what keeps the object with this reference alive, such as 0x00001000, and serve nothing."`
	Lines  command.Count `name:"n" default:"20" placeholder:"N" help:"Lines in each table that is printed (default: 20)."`
	Export string        `placeholder:"FILE" help:"Write the snapshot to FILE, which ends in .heapsnapshot, for the memory tab of Chrome's developer tools, and serve nothing."`
}

// Run runs the command.
func Run(ctx context.Context, f *Flags, stdout io.Writer) error {
	if err := f.check(); err != nil {
		return command.UsageError{Err: err}
	}
	var views []*view
	err := interruptible.Run(ctx, func() error {
		for _, name := range f.Files {
			v, err := open(name)
			if err != nil {
				return command.UsageError{Err: err}
			}
			views = append(views, v)
		}
		switch {
		case f.Paths != "":
			return printPaths(stdout, views[0], f.Paths, int(f.Lines))
		case f.Export != "":
			return newfile.Write(ctx, f.Export, func(w io.Writer) error { return export(w, views[0]) })
		case f.Top && len(views) == 2:
			return printDifference(stdout, views, int(f.Lines))
		case f.Top:
			return printTop(stdout, views[0], int(f.Lines))
		}
		return nil
	})
	if err != nil || f.printsOnly() {
		return err
	}
	return serve(ctx, f.HTTP, views, stdout)
}

func (f *Flags) printsOnly() bool { return f.Top || f.Paths != "" || f.Export != "" }

func (f *Flags) check() error {
	several := 0
	for _, set := range []bool{f.Top, f.Paths != "", f.Export != ""} {
		if set {
			several++
		}
	}
	switch {
	case len(f.Files) > 2:
		return fmt.Errorf("%d heap snapshots, want one, or two to compare", len(f.Files))
	case several > 1:
		return errors.New("only one of -top, -paths and -export at a time")
	case len(f.Files) == 2 && (f.Paths != "" || f.Export != ""):
		return errors.New("-paths and -export take one heap snapshot")
	case f.Export != "" && !strings.HasSuffix(f.Export, exportSuffix):
		return fmt.Errorf("-export: %q does not end in %s, which Chrome wants", f.Export, exportSuffix)
	}
	if f.Export != "" {
		if err := command.CheckFile(f.Export); err != nil { // found now, and not after a long look at the heap
			return fmt.Errorf("-export: %w", err)
		}
	}
	for _, name := range f.Files {
		if in, err := os.Stat(name); err == nil && f.Export != "" {
			if out, err := os.Stat(f.Export); err == nil && os.SameFile(in, out) {
				return fmt.Errorf("-export would replace the heap snapshot %s", name)
			}
		}
	}
	return nil
}

// table prints rows in columns, the numbers right-aligned. The last column has the texts.
func table(w io.Writer, rows [][]string) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, row := range rows {
		last := len(row) - 1
		if _, err := fmt.Fprintf(tw, "%s\t  %s\n", strings.Join(row[:last], "\t"), row[last]); err != nil {
			return err
		}
	}
	return tw.Flush()
}

// printTop prints the types, and the objects that Go code holds.
func printTop(w io.Writer, v *view, most int) error {
	v.prepare()
	_, err := fmt.Fprintf(w, "%s: %s\n\n", v.name, v.describe())
	if err != nil {
		return err
	}
	rows := [][]string{{"bytes", "objects", "retained", "type"}}
	types := v.types(true)
	for _, x := range types[:min(most, len(types))] {
		rows = append(rows, []string{fmt.Sprint(x.Bytes), fmt.Sprint(x.Objects), fmt.Sprint(x.Retained), x.Type})
	}
	if err := table(w, rows); err != nil {
		return err
	}
	held := v.heldByCode(most)
	if len(held) == 0 {
		return nil
	}
	rows = [][]string{{"counts", "retained", "held by Go code"}}
	for _, x := range held {
		rows = append(rows, []string{fmt.Sprint(x.Held), fmt.Sprint(x.Retained), x.Type + " " + x.Ref})
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	return table(w, rows)
}

// printDifference prints the types whose bytes or objects differ, largest differences first.
func printDifference(w io.Writer, views []*view, most int) error {
	for i, v := range views {
		if _, err := fmt.Fprintf(w, "%c %s: %s\n", 'A'+i, v.name, v.describe()); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	rows := [][]string{{"bytes A", "bytes B", "B-A", "objects B-A", "type"}}
	list := difference(views[0].types(false), views[1].types(false))
	for _, x := range list[:min(most, len(list))] {
		rows = append(rows, []string{fmt.Sprint(x.Was.Bytes), fmt.Sprint(x.Bytes), fmt.Sprintf("%+d", x.Bytes-x.Was.Bytes), fmt.Sprintf("%+d", x.Objects-x.Was.Objects), x.Type})
	}
	return table(w, rows)
}

// printPaths prints what keeps an object alive.
func printPaths(w io.Writer, v *view, ref string, most int) error {
	n, err := v.find(ref)
	if err != nil {
		return command.UsageError{Err: err}
	}
	v.prepare()
	o := v.object(n)
	if _, err := fmt.Fprintf(w, "%s %s: %d bytes, retains %d, count %d\n", o.Type, o.Ref, o.Bytes, o.Retained, o.Count); err != nil {
		return err
	}
	for _, p := range v.paths(n, most) {
		if _, err := fmt.Fprintln(w, p.String()); err != nil {
			return err
		}
		if p.History != "" {
			if _, err := fmt.Fprintln(w, p.History); err != nil {
				return err
			}
		}
	}
	return nil
}
