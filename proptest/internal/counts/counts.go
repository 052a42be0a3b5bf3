// Package counts has how much the runs of this process have checked.
package counts

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"

	"github.com/puzpuzpuz/xsync/v3"

	"github.com/ichor-go/ichor/internal/aligned"
)

// counts has a count for each thing that is checked.
var counts = xsync.NewMapOf[string, *aligned.Int64]()

// Add adds n to the count of what.
func Add(what string, n int) {
	c, _ := counts.LoadOrCompute(what, func() *aligned.Int64 { return new(aligned.Int64) })
	c.Add(int64(n))
}

// Write writes the counts, one line for each.
func Write(w io.Writer) error {
	all := map[string]int64{}
	counts.Range(func(what string, n *aligned.Int64) bool { all[what] = n.Load(); return true })
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, what := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(tab, "%d\t %s\n", all[what], what)
	}
	return tab.Flush()
}
