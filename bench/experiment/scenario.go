package experiment

import (
	"context"
	"runtime"
	"time"
)

// Metrics for which reports know which way is better.
const (
	NsOp = "ns/op" // lower is better
	OpsS = "ops/s" // all threads together; higher is better
)

// MaxNs is the extra metric of the greatest latency that lanes noted in a sample, see [Lane.Took].
const MaxNs = "max-ns"

// A Scenario is one question, answered by one table.
type Scenario struct {
	Name     string // one word in lower case, for -scenario
	Question string // a line for lists, and above the table

	// Documents says that Plan reads Env.Documents. If it is false, there may be none.
	Documents bool

	// Plan lists the variants. It is called before anything is measured, and again for each
	// round that sets the variants up anew. It lists the same variants each time, and must be
	// cheap: what takes time or memory belongs in Plan.Setup or Variant.Setup.
	Plan func(env *Env) (*Plan, error)

	// Baseline maps the config of a row to that of the row that it is compared with. There
	// is no ratio if Baseline is nil, or if its result is nil or not the config of a row.
	Baseline func(c Config) Config
	// BaselineName says in the caption of the table what Baseline chooses, such as "mode=gil
	// with the same threads".
	BaselineName string

	// Conclude turns the finished table into lines of plain text: what is faster, and why.
	// In the result that it is given, rows in doubt have no samples, see Row.Doubt. Figures
	// of such rows are NaN, and Say leaves out sentences with them.
	Conclude func(res *Result) []string

	// Exact says that values are counted, such as bytes, and do not vary: one sample is
	// enough to conclude from.
	Exact bool
}

// A Plan is a scenario made concrete for one Env.
type Plan struct {
	Variants []Variant
	Setup    func(ctx context.Context) error // builds what the variants share; may be nil
	Close    func() error                    // runs after all Variant.Close, even if Setup failed or did not run; may be nil
}

// A Variant is one row. All variants of a scenario are set up before the first sample of a round,
// since their samples interleave.
type Variant struct {
	Config Config
	Metric string                          // NsOp, OpsS, or another unit
	Setup  func(ctx context.Context) error // runs after Plan.Setup; may be nil
	Close  func() error                    // runs before Plan.Close, even if Setup failed or did not run; may be nil

	// Sample measures once. When ctx ends, it returns soon, with any error. Most scenarios
	// return the result of OpsPerSecond or NsPerOp.
	Sample func(ctx context.Context, b Budget) (Sample, error)
}

// A Sample is one measurement. Any goroutine may read it, while none changes it.
type Sample struct {
	Value float64            // in the variant's metric
	Ops   int64              // operations that were measured
	Extra map[string]float64 // other metrics by unit, such as "B/op"; may be nil

	Threads []CPUTime // CPU time of the threads that did the work, see WatchCPU; nil if unknown
	Load    Load      // what else the machine did

	sums []string // the units of Extra that lanes have added to
}

// A Document is a JSON text that is valid.
type Document struct {
	Name string // of its file, without folders and .json, .gz, .zst
	Data []byte // read-only
}

// Env is the environment of a scenario: what its Plan may depend on.
type Env struct {
	Documents []Document
	Threads   []int                            // thread counts to measure, each once; nil is 1 and GOMAXPROCS
	Budget    Budget                           // the length of one sample
	Count     int                              // samples of each row; the least number if Until is set
	Until     float64                          // take more samples until no median's interval extends further, as a share of it; 0 is never
	Limit     time.Duration                    // take no more after so long in one scenario because of Until; 0 is a minute
	Counters  bool                             // count cycles and the like around samples of lanes; Logf says why, if the system does not
	Only      Selection                        // which variants to measure; nil is all
	Size      int64                            // how many bytes to build, for scenarios that have a size; 0 is their default
	Logf      func(format string, args ...any) // logs a line; any goroutine, not during a sample; nil logs nothing
}

// defaultThreads returns 1 and GOMAXPROCS.
func defaultThreads() []int {
	if n := runtime.GOMAXPROCS(0); n > 1 {
		return []int{1, n}
	}
	return []int{1}
}
