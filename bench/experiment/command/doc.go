// Package command makes command lines of scenarios. A program that measures is one call:
//
//	func main() {
//		command.Main("mine", "Measures my idea.", scenario)
//	}
//
// The program has the flags -scenario, -only, -threads, -benchtime, -count, -until, -within,
// -counters, -format, -plots, -cpuprofile, -trace and -progress, and the commands list, help and
// version. It lists its scenarios, prints what it has when it is interrupted, and
// says in one line what is wrong with its flags.
//
// A program with commands of its own embeds [Flags] in the flags of its commands, and puts the
// parts together itself: [Parse] first, [Flags.Measure] for each command, and [Code] at the end.
//
// # Exit codes
//
//	0    all samples were taken, or the reader of the output left
//	1    a scenario failed, as its set-up may
//	2    the command line is wrong; one line says what is
//	130  interrupted; what was measured is printed, and marked as partial
//
// Any goroutine may call each function. The types are plain values: several goroutines may read
// one, or one may change it.
package command
