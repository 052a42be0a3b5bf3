package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/ichor-go/ichor/bench/experiment"
)

// measureFlags are common to compare and run.
type measureFlags struct {
	Input      []string          `sep:"none" placeholder:"FILE..." help:"JSON documents, plain, .gz or .zst, instead of the corpus that comes with Go."`
	Benchtime  experiment.Budget `placeholder:"TIME" help:"Length of one sample: 100ms, or 1000x for that many operations a thread."`
	Count      count             `placeholder:"N" help:"Samples for each row."`
	Threads    threadList        `placeholder:"N,..." help:"Thread counts (default: 1 and GOMAXPROCS)."`
	Format     string            `enum:"text,json,bench" default:"text" placeholder:"text|json|bench" help:"Tables, one object a line, or lines for benchstat (default: text)."`
	Plots      string            `placeholder:"FOLDER" help:"Draw each scenario, as NAME.svg in the folder."`
	CPUProfile string            `name:"cpuprofile" placeholder:"FILE" help:"Write a CPU profile; its labels are scenario, variant and phase."`
	Trace      string            `placeholder:"FILE" help:"Write an execution trace; each sample is a task, with a region for each thread."`
	Progress   string            `enum:"auto,on,off" default:"auto" placeholder:"auto|on|off" help:"Progress bar on standard error: auto (the default) means if it is a terminal."`
}

type cli struct {
	Compare struct {
		measureFlags
	} `cmd:"" default:"withargs" help:"Run the same requests in every mode and compare (the default)."`
	Run struct {
		measureFlags
		Scenario []string  `placeholder:"NAME" help:"Scenarios to run (default: all)."`
		Size     byteCount `placeholder:"BYTES" help:"How large image (default: 256MiB) and gcshare (default: 1GiB) make their graphs."`
	} `cmd:"" help:"Run scenarios."`
	List    struct{}     `cmd:"" help:"List the scenarios and their questions."`
	Image   imageFlags   `cmd:"" help:"Build and look at images: frozen graphs as files."`
	Prefork preforkFlags `cmd:"" help:"Start HTTP workers that share a heap, and ask the kernel what they copy of it. Linux."`
	Worker  struct {
		Mode string `arg:""`
	} `cmd:"" name:"prefork-worker" hidden:""`
	GCChild struct {
		Heap string `arg:""`
	} `cmd:"" name:"gcshare-child" hidden:""`
}

// count is the number of samples a row.
type count int

// maxCount bounds memory; more samples say nothing new.
const maxCount = 100_000

func (c *count) UnmarshalText(text []byte) error {
	n, err := strconv.Atoi(string(text))
	if err != nil || n < 1 || n > maxCount {
		return fmt.Errorf("%q is not a number from 1 to %d", text, maxCount)
	}
	*c = count(n)
	return nil
}

// threadList is a list of thread counts without repetitions, in the order given.
type threadList []int

// maxThreads bounds a slip of the keyboard; a guess.
const maxThreads = 1024

func (l *threadList) UnmarshalText(text []byte) error {
	*l = nil
	for word := range strings.SplitSeq(string(text), ",") {
		n, err := strconv.Atoi(word)
		if err != nil || n < 1 || n > maxThreads {
			return fmt.Errorf("%q is not a number of threads from 1 to %d", word, maxThreads)
		}
		if !slices.Contains(*l, n) {
			*l = append(*l, n)
		}
	}
	return nil
}

// errHelp says that help was asked for and printed.
var errHelp = errors.New("help was printed")

// helpDashes shows flags as the go tool has them, and keeps the columns.
var helpDashes = strings.NewReplacer("> --help", "> -help", "--", " -")

// parse reads the command line. Help goes to stdout, with errHelp.
func parse(args []string, stdout io.Writer) (command string, c *cli, err error) {
	args, err = goFlags(args)
	if err != nil {
		return "", nil, err
	}
	c = new(cli)
	var help bytes.Buffer
	type exit struct{}
	parser, err := kong.New(c,
		kong.Name("bench"),
		kong.Description("Measures Ichor: who is faster, and why.\n\nWithout a command it compares; \"bench compare -h\" lists the flags."),
		kong.Writers(&help, &help),
		kong.Exit(func(int) { panic(exit{}) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
	if err != nil {
		return "", nil, err
	}
	defer func() {
		switch r := recover().(type) {
		case nil:
		case exit:
			if _, err = io.WriteString(stdout, helpDashes.Replace(help.String())); err == nil {
				err = errHelp
			}
		default:
			panic(r)
		}
	}()
	ctx, err := parser.Parse(args)
	if err != nil {
		return "", nil, errors.New(strings.ReplaceAll(err.Error(), "--", "-"))
	}
	return ctx.Command(), c, nil
}

// chosen returns the scenarios with the given names, each once; all for no names.
func chosen(all []experiment.Scenario, names []string) ([]experiment.Scenario, error) {
	if len(names) == 0 {
		return all, nil
	}
	var out []experiment.Scenario
	for _, name := range names {
		i := slices.IndexFunc(all, func(s experiment.Scenario) bool { return s.Name == name })
		if i < 0 {
			var known []string
			for _, s := range all {
				known = append(known, s.Name)
			}
			return nil, fmt.Errorf("unknown scenario %q; known: %s", name, strings.Join(known, ", "))
		}
		if !slices.ContainsFunc(out, func(s experiment.Scenario) bool { return s.Name == name }) {
			out = append(out, all[i])
		}
	}
	return out, nil
}

// env fills in what was not given: samples of compare are longer, since it is for
// reading, and fewer, since it is to end within a minute.
func (f *measureFlags) env(command string) experiment.Env {
	e := experiment.Env{Threads: f.Threads, Budget: f.Benchtime, Count: int(f.Count)}
	budget, samples := 100*time.Millisecond, 10
	if command == "compare" {
		budget, samples = 250*time.Millisecond, 5
	}
	if e.Budget.IsZero() {
		e.Budget.Duration = budget
	}
	if e.Count == 0 {
		e.Count = samples
	}
	if len(e.Threads) == 0 {
		e.Threads = experiment.DefaultThreads()
	}
	return e
}
