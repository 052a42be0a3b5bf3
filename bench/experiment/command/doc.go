// Package command is the command line of programs that measure: those of Ichor, and yours.
//
// A program of scenarios is one call:
//
//	func main() {
//		command.Main("mine", "Measures my idea.", scenario)
//	}
//
// and knows the flags -scenario, -threads, -benchtime, -count, -format, -plots,
// -cpuprofile, -trace and -progress, lists its scenarios, prints what it has when it is
// interrupted, and says in one line what is wrong with its flags.
//
// A program with commands of its own embeds [Flags] in theirs and puts the parts together:
// [Parse], [Flags.Measure], and [Code] at the end.
//
// # Exit codes
//
//	0    all samples were taken, or the reader of the output left
//	1    a scenario failed
//	2    a wrong command line; one line says what
//	130  interrupted: what was measured is printed and marked as partial
//
// Any goroutine may call each function. What has methods serves one goroutine at a time.
package command
