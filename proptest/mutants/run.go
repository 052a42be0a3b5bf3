package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// config has the settings of a run.
type config struct {
	root     string   // the module's folder
	module   []string // folders of all packages to mutate, from which the sample is drawn
	packages []string // the packages of this run, from module
	testers  []tester
	own      bool // run the package's own tests
	files    *regexp.Regexp
	tests    *regexp.Regexp
	sample   int // number of mutants of the operators that are not in inFull; 0 for all
	seed     uint64
	repeat   int
	workers  int
	folder   string
	fresh    bool
	kills    bool
	short    bool
	race     bool          // run the package's own tests under the race detector, too
	patience time.Duration // time limit of a test, beyond five times its time without a mutant
	spare    int64         // memory limit in bytes, beyond four times its use without a mutant
	budget   time.Duration // test time for a mutant
	listed   []equivalent
	killers  killers
	log      io.Writer
}

// runAll runs the mutants of the packages and reports the results. good says whether enough were
// killed.
func runAll(ctx context.Context, w io.Writer, c *config) (good bool, err error) {
	sources, err := load(ctx, c.root, c.module)
	if err != nil {
		return false, err
	}
	var ins []*instrumented
	for _, s := range sources {
		in, err := instrument(s)
		if err != nil {
			return false, err
		}
		ins = append(ins, in)
	}
	drawn := c.draw(ins)
	j, err := openJournal(filepath.Join(c.folder, "journal.jsonl"), c.fresh, c.kills)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, j.close()) }()
	var results []result
	var stopped error
	for _, in := range ins {
		if !slices.Contains(c.packages, in.rel) || stopped != nil {
			continue
		}
		part, err := c.runPackage(ctx, in, drawn, j)
		if err != nil && ctx.Err() == nil {
			return false, err
		}
		results, stopped = append(results, part...), err
	}
	r := newReport(c, ins, results)
	if err := r.write(w); err != nil {
		return false, err
	}
	if stopped != nil {
		return false, fmt.Errorf("%w: the results above are those known by then", stopped)
	}
	return r.good(), nil
}

// draw returns the mutants to run: all of some operators, and a sample of the others. The rank of
// a mutant depends on itself alone, so the sample changes little when code is added.
func (c *config) draw(ins []*instrumented) map[Mutant]bool {
	drawn := map[Mutant]bool{}
	type ranked struct {
		rank uint64
		m    Mutant
	}
	var others []ranked
	for _, in := range ins {
		for _, m := range in.mutants {
			if inFull[m.Op] {
				drawn[m.id()] = true
				continue
			}
			h := fnv.New64a()
			fmt.Fprint(h, c.seed, m.id())
			others = append(others, ranked{mix(h.Sum64()), m.id()})
		}
	}
	slices.SortStableFunc(others, func(a, b ranked) int {
		if a.rank < b.rank {
			return -1
		}
		return 1
	})
	if c.sample > 0 && len(others) > c.sample {
		others = others[:c.sample]
	}
	for _, x := range others {
		drawn[x.m] = true
	}
	return drawn
}

// mix spreads the bits of a hash (the end of MurmurHash3).
func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// runPackage runs the drawn mutants of a package. If it is interrupted, it returns the results so
// far together with the error.
func (c *config) runPackage(ctx context.Context, in *instrumented, drawn map[Mutant]bool, j *journal) ([]result, error) {
	bins, err := c.build(ctx, in)
	if err != nil {
		return nil, err
	}
	suite := c.tests.String() + fmt.Sprint(c.short, c.repeat, c.budget)
	for _, b := range bins {
		suite += b.hash
	}
	suite = hash([]byte(suite))
	var mutants []Mutant
	for _, m := range in.mutants {
		if drawn[m.id()] && c.files.MatchString(m.File) {
			mutants = append(mutants, m)
		}
	}
	results := make([]result, len(mutants))
	var open []int
	for i, m := range mutants {
		r, ok := j.find(m, suite)
		switch results[i] = r; {
		case !ok:
			open = append(open, i)
		case r.Verdict == killed:
			c.killers.add(m, r.By)
		}
	}
	if len(open) == 0 {
		return results, nil
	}
	var leaves []*leaf
	for _, b := range bins {
		fmt.Fprintf(c.log, "%s: measuring which mutants the tests of %s reach\n", in.rel, b)
		more, err := c.measure(ctx, in, b)
		if err != nil {
			return nil, err
		}
		leaves = append(leaves, more...)
	}
	begin, done := time.Now(), 0
	counted := make(chan verdict, c.workers)
	finished := make(chan bool)
	go func() {
		left := 0
		last := begin
		for v := range counted {
			if done++; v != killed {
				left++
			}
			if now := time.Now(); now.Sub(last) > 10*time.Second || done == len(open) {
				last = now
				fmt.Fprintf(c.log, "%s: %d of %d mutants, %d not killed, %.0f s\n", in.rel, done, len(open), left, now.Sub(begin).Seconds())
			}
		}
		close(finished)
	}()
	g, inner := errgroup.WithContext(ctx)
	g.SetLimit(c.workers)
	for _, i := range open {
		g.Go(func() error {
			if inner.Err() != nil {
				return inner.Err()
			}
			r, err := c.try(inner, mutants[i], leaves)
			if err != nil {
				return err
			}
			r.Source, r.Suite = mutants[i].source, suite
			results[i] = r
			counted <- r.Verdict
			return j.add(r)
		})
	}
	err = g.Wait()
	close(counted)
	<-finished
	return slices.DeleteFunc(results, func(r result) bool { return r.Verdict == "" }), err
}

// Fast tests share a process.
const (
	batchTime  = 500 * time.Millisecond
	batchTests = 40
)

// batches groups tests of one binary, in order.
func batches(leaves []*leaf) [][]*leaf {
	var all [][]*leaf
	open := map[*binary]int{} // index of the batch that has room
	took := map[*binary]time.Duration{}
	for _, l := range leaves {
		i, ok := open[l.bin]
		if !ok || took[l.bin]+l.Took > batchTime || len(all[i]) == batchTests {
			i = len(all)
			all = append(all, nil)
			open[l.bin], took[l.bin] = i, 0
		}
		all[i] = append(all[i], l)
		took[l.bin] += l.Took
	}
	return all
}

// try runs the tests that reach a mutant, batch by batch, until one fails.
func (c *config) try(ctx context.Context, m Mutant, leaves []*leaf) (result, error) {
	begin := time.Now()
	r := result{Mutant: m, Verdict: survived}
	left := c.killers.first(m, reaching(leaves, m.N))
	r.Tests = len(left)
	if len(left) == 0 {
		r.Verdict = unreached
		return r, nil
	}
	used := time.Duration(0)
	for queue := batches(left); len(queue) > 0; {
		batch := queue[0]
		queue = queue[1:]
		if used > c.budget {
			if r.Verdict == survived {
				r.Verdict = cutShort
			}
			break
		}
		for _, l := range batch {
			used += l.Took
		}
		e, err := c.runBatch(ctx, m, batch, 1)
		if err != nil {
			return r, err
		}
		if e.how == passed {
			continue
		}
		killers, rest := culprit(batch, e.out)
		fails, runs := 1, 1
		for runs <= c.repeat && fails == runs {
			again, err := c.runBatch(ctx, m, killers, runs+1)
			if err != nil {
				return r, err
			}
			if runs++; again.how != passed {
				fails++
			}
		}
		if fails == runs || r.Fails*runs < fails*r.Runs || r.Runs == 0 {
			r.How, r.Fails, r.Runs, r.By = e.how, fails, runs, names(killers)
		}
		if fails == runs {
			r.Verdict = killed
			c.killers.add(m, r.By)
			break
		}
		r.Verdict = chance
		if len(rest) > 0 {
			queue = append([][]*leaf{rest}, queue...)
		}
	}
	r.Seconds = time.Since(begin).Seconds()
	return r, nil
}

// culprit returns the failed test of a batch, or the whole batch if the output does not name
// it, and the other tests.
func culprit(batch []*leaf, out string) (killers, rest []*leaf) {
	for line := range strings.Lines(out) {
		name, ok := strings.CutPrefix(strings.TrimSpace(line), "--- FAIL: ")
		if !ok {
			continue
		}
		name, _, _ = strings.Cut(name, " ")
		for _, l := range batch {
			if l.Name == name || strings.HasPrefix(name, l.Name+"/") {
				killers = append(killers, l)
			}
		}
		if len(killers) > 0 {
			break
		}
	}
	if len(killers) == 0 {
		return batch, nil
	}
	return killers, slices.DeleteFunc(slices.Clone(batch), func(l *leaf) bool { return slices.Contains(killers, l) })
}

func names(leaves []*leaf) string {
	var all []string
	for _, l := range leaves {
		all = append(all, l.String())
	}
	if len(all) > 3 {
		all = append(all[:3], "…")
	}
	return strings.Join(all, ", ")
}

// runBatch runs tests with a mutant. Their runs without one determine the limits. If the tests
// seem to hang, runBatch measures them again without the mutant, because the machine may be
// busy, and repeats the run with the new limit.
func (c *config) runBatch(ctx context.Context, m Mutant, batch []*leaf, seed int) (ended, error) {
	var patterns []string
	took, memory := time.Duration(0), int64(0)
	for _, l := range batch {
		patterns = append(patterns, l.pattern())
		took += l.Took
		memory = max(memory, l.Memory)
	}
	run := child{bin: batch[0].bin, pattern: strings.Join(patterns, "|"), mutant: m.N, seed: seed}
	run.limit, run.memory = 5*took+c.patience, 4*memory+c.spare
	e, err := run.run(ctx)
	if err != nil || e.how != hanging {
		return e, err
	}
	without := run
	without.mutant, without.limit = 0, 10*run.limit
	calm, err := without.run(ctx)
	if err != nil || calm.took < run.limit/2 {
		return e, err
	}
	run.limit = 5 * calm.took
	return run.run(ctx)
}
