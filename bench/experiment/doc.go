// Package experiment measures code under different settings and compares them.
//
// # Terms
//
//   - A [Scenario] is one question, such as "what does a reference count cost?". One table
//     answers it.
//   - A [Variant] is one configuration of a scenario, and one row of its table.
//   - A [Workload] is a scenario on Ichor's objects. It has three parts: a function that makes
//     what the threads share, a function that does the work of one thread, and the axes to
//     compare.
//   - A [Sample] is one measurement of one variant. It takes one [Budget].
//   - A round takes one sample of every variant.
//
// # Use
//
// Write a Workload, or a Scenario where a Workload is too narrow, and hand it to package
// command. Its Main makes a command line of scenarios, which prints tables, JSON or the Go
// benchmark format, draws plots, and shows progress. [Run] is for programs that want the
// figures themselves.
//
// # Interleaving
//
// A machine is faster in one minute than in the next. So Run takes round after round, and
// the ratio of two rows is the median of the ratios within a round: it compares samples that
// were taken within moments of each other. The order of the variants rotates and reverses
// from round to round, so that each comes first, last and after each other one as often.
//
// Which memory a variant gets when it is set up is luck, and the first one tends to be lucky. So
// each round makes the plan anew and sets its variants up, in the order of its samples, unless that
// takes longer than half of the samples do: then a warning says that they were set up once. After
// a set-up, each variant takes a shorter sample that is thrown away. Before each sample the Go
// collector runs, outside the timing.
//
// # Samples
//
// [OpsPerSecond] and [NsPerOp] take a sample of a body. The body runs on one or more
// goroutines and works in batches:
//
//	func(l *experiment.Lane) error {
//		for l.Next() {
//			work(l.N())
//		}
//		return nil
//	}
//
// The clock and the stop flag are read only between batches. Batches grow to a tenth of a
// millisecond, so the harness adds nothing to the cost of an operation.
//
// # Intervals
//
// Medians, and medians of ratios, come with their 95 % confidence interval if there are six
// samples or more. The interval assumes nothing about the distribution of samples, but that
// samples do not depend on each other. With fewer samples, reports draw no conclusions. Up to five
// of a hundred intervals miss: so of twenty comparisons of equals, one may show a difference.
//
// [Claim], [Item] and [Say] write what an interval supports. If the interval of a ratio includes
// 1, the sentence says that no difference was shown, and how many samples would show one if the
// median stayed where it is.
//
// With Env.Until, rounds go on until the intervals of all medians are narrow enough two times in a
// row, or until a time limit. Looking at the intervals to decide when to stop makes them a little
// too narrow: in simulations, 94 % of them and more enclosed the median. So choose Count for a
// figure that matters.
//
// # Rows in doubt
//
// Other programs take cores from the threads of a sample. Linux says how long a thread that
// could run waited for a core, and what a hypervisor took. Lanes say how long Go let them wait
// before they began. A row is starved if its threads got less than 90 % of the CPU time that
// they asked for. Waiting for a lock or for another thread is no such wait. Other systems do
// not say what threads asked for, so no row is starved there.
//
// A row is apart if some of its threads ended when others had more than a tenth of the sample's
// time to go, as with operations that take longer than the sample. Its rate is then not that of all
// threads at once.
//
// Reports mark such rows, compute no ratio and fit no law with them, and draw no conclusion from
// them.
//
// # Warnings
//
// [Result.Warnings] says what makes a result doubtful: samples of less than two turns of Go's
// scheduler, more threads than cores, other programs, a hypervisor that takes time, and a machine
// whose speed changes. A loop of arithmetic measures the speed at the start of each round.
//
// # Roles, latencies and other metrics
//
// A Workload may have [Role]s, such as readers and writers, each with lanes and a rate of its
// own: what they reach, or what they are asked for. [Lane.Took] notes latencies, which become
// percentiles beside the rate, and [Lane.Add] other metrics. Env.Counters adds cycles,
// instructions, cache misses and hits in the memory of other processors, where the system lets
// a program read the counters of the processor.
//
// # Profiles
//
// In CPU profiles, a sample has the labels scenario, variant and phase. In execution traces
// it is a task, with a region for each lane. Package command has flags for both.
//
// # Thread safety
//
// Any goroutine may call each function, but only one Run at a time makes sense: two would
// measure each other. Functions do not change their arguments. Structs without hidden fields
// are plain values: several goroutines may read one, or one may change it. Run calls the
// functions of scenarios and of its [Options] one after the other, on any goroutine. The
// body of a sample runs on all of its lanes at once.
//
// # What it does not do
//
// It does not pin threads to cores, and does not set GOMAXPROCS.
package experiment
