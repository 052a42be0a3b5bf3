package parts

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"

	"github.com/puzpuzpuz/xsync/v3"

	"github.com/ichor-go/ichor/internal/aligned"
)

// counts holds how much the runs of this process have checked, by subject.
var counts = xsync.NewMapOf[string, *aligned.Int64]()

func Add(what string, n int) {
	c, _ := counts.LoadOrCompute(what, func() *aligned.Int64 { return new(aligned.Int64) })
	c.Add(int64(n))
}

// WriteCounts writes how much the runs of this process have checked so far, one line for each
// count. Call it at the end of a TestMain. Any goroutine.
func WriteCounts(w io.Writer) error {
	all := map[string]int64{}
	counts.Range(func(what string, n *aligned.Int64) bool { all[what] = n.Load(); return true })
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, what := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(tab, "%d\t %s\n", all[what], what)
	}
	return tab.Flush()
}
