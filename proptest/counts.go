package proptest

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/puzpuzpuz/xsync/v3"

	"github.com/ichor-go/ichor/internal/aligned"
	rt "github.com/ichor-go/ichor/runtime"
)

// counts holds how much the runs of this process have checked, by subject.
var counts = xsync.NewMapOf[string, *aligned.Int64]()

func count(what string, n int) {
	c, _ := counts.LoadOrCompute(what, func() *aligned.Int64 { return new(aligned.Int64) })
	c.Add(int64(n))
}

// ran counts a program and its operations.
func ran(way string, ops int) {
	count(way+" programs", 1)
	count(way+" programs: operations", ops)
}

// modeName returns gil, atomic or biased.
func modeName(o rt.Options) string {
	if o.Mode == rt.LockFree {
		return o.Counting.String()
	}
	return o.Mode.String()
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

// verdicts counts porcupine's verdicts on histories. Porcupine searches for an order of all
// calls, and gives up when that takes too long: such a history has no verdict.
type verdicts struct{ all, none aligned.Int64 }

const searchLimit = 10 * time.Second

// illegal reports whether no order of the calls explains a history.
func (v *verdicts) illegal(m porcupine.Model, seen []porcupine.Operation) bool {
	res, _ := porcupine.CheckOperationsVerbose(m, seen, searchLimit)
	v.all.Inc()
	count("histories", 1)
	count("histories: calls", len(seen))
	if res == porcupine.Unknown {
		v.none.Inc()
		count("histories without a verdict", 1)
	}
	return res == porcupine.Illegal
}

// err returns an error if more than one history in ten has no verdict.
func (v *verdicts) err() error {
	if none, all := v.none.Load(), v.all.Load(); none*10 > all {
		return fmt.Errorf("of %d histories %d have no verdict within %s", all, none, searchLimit)
	}
	return nil
}
