package report

import (
	"fmt"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/procfs"

	"github.com/ichor-go/ichor/bench/experiment/command"
	"github.com/ichor-go/ichor/bench/internal/cpu"
	"github.com/ichor-go/ichor/bench/page"
	"github.com/ichor-go/ichor/bench/prefork"
)

const reportTitle = "Ichor, measured"

var reportLead = []string{
	"Ichor is a Go library: a runtime for reference-counted objects that many goroutines share, outside Go's heap. This page has the measurements of one command on one machine.",
	"The rows are sampled in turns, round after round. The tables show the median of each row and, with enough samples, how far its 95 % interval extends. Ratios are taken within rounds.",
}

// reportSummary are the chapters whose figures matter most. The last is one in which we lose.
var reportSummary = []string{"ladder", "requests", "prefork", "walk", "handoff"}

var reportTerms = []page.Fact{
	{Name: "mode=gil", Value: "one thread at a time, with plain counts, as in CPython"},
	{Name: "mode=atomic", Value: "no global lock, and atomic counts"},
	{Name: "mode=biased", Value: "no global lock; the thread that made an object counts it plainly, others count it atomically"},
	{Name: "immortal=none", Value: "everything is mortal, and is counted"},
	{Name: "immortal=inplace", Value: "shared objects were made immortal in place, as their headers say"},
	{Name: "immortal=address", Value: "shared objects were born immortal, as the references to them say"},
	{Name: "immortal=frozen", Value: "shared objects are sealed copies, as the references to them say"},
}

// facts are facts about the machine and the run.
func (r *reportRun) facts() []page.Fact {
	processor := cpu.Name()
	if processor == "" {
		processor = "unknown"
	}
	facts := []page.Fact{
		{Name: "processor", Value: processor},
		{Name: "cores", Value: fmt.Sprintf("%d (GOMAXPROCS %d)", runtime.NumCPU(), runtime.GOMAXPROCS(0))},
		{Name: "system", Value: runtime.GOOS + "/" + runtime.GOARCH},
		{Name: "Go", Value: runtime.Version()},
		{Name: "commit", Value: commit()},
		{Name: "date", Value: time.Now().UTC().Format("2006-01-02 15:04 MST")},
		{Name: "command", Value: "go run ./bench " + strings.Join(r.args, " ")},
		{Name: "samples", Value: r.samples()},
		{Name: "documents", Value: r.documents()},
	}
	measure := cpu.Measure()
	if measure == "" {
		measure = "unknown on this system, so no row is marked"
	}
	facts = append(facts, page.Fact{Name: "CPU time", Value: measure})
	if load := loadBefore(); load != "" {
		facts = append(facts, page.Fact{Name: "load before", Value: load})
	}
	return facts
}

func (r *reportRun) samples() string {
	text := fmt.Sprintf("%d of %s a row", r.env.Count, r.env.Budget)
	if r.env.Until > 0 {
		text += fmt.Sprintf(" or more, until no median's interval extends beyond ±%s", r.f.Until)
	}
	return text
}

// loadBefore is the load average of the last minute, where the system tells it. Other threads take
// time from those that are measured.
func loadBefore() string {
	proc, err := procfs.NewDefaultFS()
	if err != nil {
		return ""
	}
	load, err := proc.LoadAvg()
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%.2f threads on average, in the minute before", load.Load1)
}

func (r *reportRun) documents() string {
	size := 0
	for _, d := range r.env.Documents {
		size += len(d.Data)
	}
	from := "come with Go"
	if len(r.f.Input) > 0 {
		from = "were given"
	}
	return fmt.Sprintf("%d that %s, %.1f MiB of JSON", len(r.env.Documents), from, float64(size)/(1<<20))
}

// commit is the commit that this program was built from, as the go tool noted it. Otherwise it is
// that of the current folder, if the folder is in this module.
func commit() string {
	revision, changed := "", false
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				revision = s.Value
			case "vcs.modified":
				changed = s.Value == "true"
			}
		}
		if revision == "" {
			revision, changed = checkedOut(info.Main.Path)
		}
	}
	if revision == "" {
		return "unknown"
	}
	if revision = revision[:min(len(revision), 12)]; changed {
		revision += ", with changes"
	}
	return revision
}

// checkedOut asks git for the commit of the current folder, if the folder is in the module.
func checkedOut(module string) (revision string, changed bool) {
	out := func(program string, args ...string) string {
		b, err := exec.Command(program, args...).Output()
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(b))
	}
	if module == "" || out("go", "list", "-m") != module {
		return "", false
	}
	return out("git", "rev-parse", "HEAD"), out("git", "status", "--porcelain", "-uno") != ""
}

// command is the command that repeats one chapter.
func (r *reportRun) command(c chapter) string {
	words := []string{"go run ./bench"}
	if c.name == prefork.Name {
		f := r.preforkFlags()
		words = append(words, fmt.Sprintf("prefork -size %s -requests %d", f.Size, f.Requests))
	} else {
		var counts []string
		for _, n := range r.env.Threads {
			counts = append(counts, fmt.Sprint(n))
		}
		words = append(words, fmt.Sprintf("run -scenario %s -threads %s -benchtime %s -count %d", c.name, strings.Join(counts, ","), r.env.Budget, r.env.Count))
		if r.f.Until > 0 {
			words = append(words, "-until "+r.f.Until.String())
		}
		if r.f.Within > 0 {
			words = append(words, "-within "+r.f.Within.String())
		}
		if r.env.Size > 0 && slices.Contains([]string{"image", "gcshare"}, c.name) {
			words = append(words, "-size "+command.Bytes(r.env.Size).String())
		}
	}
	if len(r.f.Input) > 0 {
		words = append(words, "-input "+strings.Join(r.f.Input, " "))
	}
	return strings.Join(words, " ")
}
