// Package experiment measures scenarios and reports what it found.
//
// # Terms
//
//   - A [Scenario] is one question put to the machine, such as "what does a
//     reference count cost?".
//   - A [Variant] is one configuration of a scenario: one row of its table.
//   - A [Workload] is a scenario on Ichor's objects in three parts: a function that makes
//     what the threads share, one that does the work of a thread, and the axes to compare.
//   - A [Sample] is one measurement of one variant, lasting one [Budget].
//   - A round takes one sample of every variant of a scenario.
//
// # Interleaving
//
// [Run] takes round after round, so that two variants are compared with what
// their neighbour in time measured, not with a machine that was in another mood
// a minute earlier. The order rotates and turns round from round to round, so
// that no variant always follows the same one. The ratio of two rows is the
// median over rounds of the ratios within a round. Before the first round every
// variant takes one shorter sample that is thrown away; before every sample the
// Go collector runs, outside the timing.
//
// # Threads that were starved
//
// Others on the machine take cores from the threads that a sample runs on. Where the kernel says how
// long threads that could run waited for a core (Linux: run-queue delays), a row is marked if
// its threads got less than 90 % of what they asked for, in the median of its samples. Waiting for
// a lock, or for each other, is no such delay; what a hypervisor takes is not seen. A row that is
// marked has no ratio, is in no law, and nothing is concluded from it; see [Conclusions]. With
// fewer than [MinSamples] samples nothing is concluded at all.
//
// # Samples
//
// [OpsPerSecond] and [NsPerOp] take a sample from a body that runs on one or
// more goroutines and does its work in batches:
//
//	func(l *experiment.Lane) error {
//		for l.Next() {
//			work(l.N())
//		}
//		return nil
//	}
//
// The clock and the stop flag are read between batches only, and batches grow
// to a tenth of a millisecond, so the harness costs nothing per operation.
//
// # Reports
//
// [Text] writes tables, [JSON] one object a line, [Bench] the Go benchmark
// format, which benchstat reads. Medians, and those of ratios, come with their
// 95 % confidence interval from six samples on: it supposes nothing of how samples
// are distributed. Rows that differ in the setting threads alone get the terms of the
// Universal Scalability Law, see [Law], if there are three counts or more.
//
// [Plot] draws a result as SVG, with the predictions of its laws.
//
// Package command makes a command line of scenarios, with progress, formats and plots.
//
// # Profiles
//
// What a sample runs bears the labels scenario, variant and phase in CPU profiles. In
// execution traces it is a task, with a region for each lane. See [StartCPUProfile] and
// [StartTrace].
//
// # Who may call what
//
// Any goroutine may call each function, but for [Run]: one run at a time, or each
// measures the other. What a function is given it does not change. Structs without hidden
// fields are plain values: several goroutines may read one, or one may change it. Run calls
// the functions of scenarios and of its [Options] one after the other, on whatever goroutine;
// the body of a sample runs on all of its lanes at once.
//
// # What it does not do
//
// It does not pin threads, and does not set GOMAXPROCS.
package experiment
