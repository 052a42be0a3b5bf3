package experiment

import (
	"context"
	"runtime"
)

// Metrics that reports know the direction and the scale of.
const (
	NsOp = "ns/op" // lower is better
	OpsS = "ops/s" // all threads together; higher is better
)

// A Scenario is one question, answered by one table.
type Scenario struct {
	Name     string // as -scenario takes it: lower case, one word
	Question string // one line for `list` and above the table

	// Documents says that Plan reads Env.Documents. Without it they may be empty.
	Documents bool

	// Plan lists the variants. It is called before anything is measured and must be
	// cheap: what takes time or memory belongs into Plan.Setup or Variant.Setup.
	Plan func(env *Env) (*Plan, error)

	// Baseline maps a row to the row that its ratio is taken to; a nil func, a nil
	// result or a result that is no row of the scenario gives no ratio.
	Baseline func(c Config) Config
	// BaselineName says in the table's caption what Baseline chooses: "mode=gil with
	// the same threads".
	BaselineName string

	// Conclude turns the finished table into lines of plain text: who is faster and
	// why. Conclusions calls it, with a result that is sound: figures that are NaN are
	// missing, and Say leaves their sentences out.
	Conclude func(res *Result) []string

	// Exact says that values are counted, such as bytes, and do not vary: one sample tells.
	Exact bool
}

// A Plan is a scenario made concrete for one Env.
type Plan struct {
	Variants []Variant
	Setup    func(ctx context.Context) error // builds what variants share; may be nil
	Close    func() error                    // runs at the end, even if Setup failed or was not reached; may be nil
}

// A Variant is one row. All variants of a scenario are set up at the same time,
// since their samples interleave.
type Variant struct {
	Config Config
	Metric string                          // NsOp, OpsS, or a unit of the scenario's own
	Setup  func(ctx context.Context) error // after Plan.Setup; may be nil
	Close  func() error                    // before Plan.Close, even if Setup failed or was not reached; may be nil

	// Sample measures once. It returns soon after ctx ends, with any error. Most
	// scenarios return what OpsPerSecond or NsPerOp give.
	Sample func(ctx context.Context, b Budget) (Sample, error)
}

// A Sample is one measurement.
type Sample struct {
	Value float64            // in the variant's metric
	Ops   int64              // operations behind Value
	Extra map[string]float64 // other metrics by unit, such as "B/op"; may be nil

	Threads []CPUTime // what the threads that did the work asked for, see WatchCPU; nil if nobody knows
}

// A Document is one JSON text, decompressed and known to be valid.
type Document struct {
	Name string // the file's name without folders and .json, .gz, .zst
	Data []byte // read only
}

// Env is what a scenario may depend on.
type Env struct {
	Documents []Document
	Threads   []int                            // thread counts to measure, without repetitions
	Budget    Budget                           // length of one sample
	Count     int                              // samples a row
	Size      int64                            // bytes of what scenarios of one size make; 0 is each one's own
	Logf      func(format string, args ...any) // one line on standard error; any goroutine, not during a sample
}

// defaultThreads returns 1 and GOMAXPROCS.
func defaultThreads() []int {
	if n := runtime.GOMAXPROCS(0); n > 1 {
		return []int{1, n}
	}
	return []int{1}
}
