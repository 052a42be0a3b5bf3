package scenarios

import (
	"context"
	"fmt"

	"github.com/ichor-go/ichor/bench/experiment"
	rt "github.com/ichor-go/ichor/runtime"
)

// Short names for values of the config keys mode and immortal.
const (
	modeGIL    = experiment.ModeGIL
	modeAtomic = experiment.ModeAtomic
	modeBiased = experiment.ModeBiased

	immortalNone    = experiment.ImmortalNone
	immortalInPlace = experiment.ImmortalInPlace
	immortalAddress = experiment.ImmortalAddress
)

// modes are all modes, the baseline first.
var modes = []string{modeGIL, modeAtomic, modeBiased}

// ModeWords describes a mode in words.
func ModeWords(mode any) string {
	switch mode {
	case modeGIL:
		return "GIL"
	case modeAtomic:
		return "lock-free, atomic counts"
	case modeBiased:
		return "lock-free, biased counts"
	}
	return fmt.Sprint(mode)
}

// Values of the config key heap: where a document or a graph is.
const (
	HeapIchor  = "ichor"
	HeapGo     = "go"
	HeapFrozen = "frozen"
	heapEmpty  = "empty" // there is none
)

// inTotal is the name of the rows for all documents together.
const inTotal = "total"

// rowName is the name of the rows for a document. It is never inTotal.
func rowName(d experiment.Document) string {
	if d.Name == inTotal {
		return d.Name + ".json"
	}
	return d.Name
}

// MostThreads is the greatest thread count in the table.
func MostThreads(res *experiment.Result) (most int) {
	for _, row := range res.Rows {
		if n, ok := row.Config.Get("threads").(int); ok {
			most = max(most, n)
		}
	}
	return most
}

// extraOf sums up the samples of a row in an extra metric. The result is Missing if the row is nil
// or has none.
func extraOf(row *experiment.Row, unit string) experiment.Stat {
	for _, s := range row.Stats() {
		if s.Metric == unit {
			return s
		}
	}
	var none *experiment.Row
	return none.Stat()
}

// tenants counts the rows that share something. The first row sets it up, and the last row
// closes it.
type tenants int

func (n *tenants) first() bool { *n++; return *n == 1 }
func (n *tenants) last() bool  { *n--; return *n == 0 }

// newRuntime makes a runtime for a mode, with a heap profile at the given rate.
func newRuntime(mode string, profile int64) (*rt.Runtime, error) {
	return experiment.NewRuntime(mode, func(o *rt.Options) { o.HeapProfileRate = profile })
}

// modeRun is an empty runtime. The rows with its mode share it.
type modeRun struct {
	mode    string
	profile int64 // rt.Options.HeapProfileRate
	rows    tenants
	r       *rt.Runtime
}

func (c *modeRun) setup(context.Context) (err error) {
	if c.rows.first() {
		c.r, err = newRuntime(c.mode, c.profile)
	}
	return err
}

func (c *modeRun) close() error {
	if !c.rows.last() || c.r == nil {
		return nil
	}
	return c.r.Close()
}
