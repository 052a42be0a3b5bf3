// Command bench measures Ichor, and says what is faster and why.
//
//	go run ./bench                                  # compare the modes, half a minute
//	go run ./bench -input a.json b.json.gz          # the same with your own documents
//	go run ./bench list                             # the scenarios and their questions
//	go run ./bench run -scenario pair -format json  # some scenarios, for programs
//	go run ./bench report                           # everything, as a page with plots: a quarter of an hour
//	go run ./bench report -quick                    # the same in two minutes
//	go run ./bench immortality-tax                  # what the test for immortality costs mortals, see docs/benchmarks.md
//	go run ./bench compare-commits main .           # a commit and the working tree, with benchstat's statistics
//	go run ./bench prefork                          # HTTP workers that share a heap, see docs/prefork.md
//	go run ./bench image build -o a.img a.json      # a frozen graph as a file, see docs/images.md
//	go run ./bench heap a.heap                      # what is in a heap snapshot, as a page, see docs/heap.md
//
// This package is only the command line. The parts of the command are folders:
//
//	scenarios    what run, compare and report measure, one scenario in each file
//	report       the page about all measurements, with plots
//	tax          immortality-tax: compares two builds of the command
//	commits      compare-commits: builds two commits and runs them in turns
//	prefork      HTTP workers that share a heap
//	image        frozen graphs as files
//	heap         heap snapshots
//	documents    the JSON that scenarios work on
//	page         results as HTML and as Markdown
//	experiment   the harness, which programs of your own can use
//	internal     what the harness and the commands share: tables, formats, plots, counters
//	peers        measurements of other libraries, a module of its own
//
// The command imports its parts, and the parts import experiment. No import points back.
//
// # Exit codes
//
//	0    all samples were taken, or the reader of the output left
//	1    a scenario failed, an image is not sound, or has nothing at a path
//	2    a wrong command line or a wrong input file; one line says what
//	130  interrupted: what was measured is printed and marked as partial
package main
