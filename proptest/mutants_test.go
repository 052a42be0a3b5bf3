package proptest

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ichor-go/ichor/internal/mutant"
)

// The tests that a planted bug is run against. All but two are deterministic, given
// rapid's seed: one goroutine does it all.
const (
	underGIL  = "^TestPrograms$/^gil$/^checked=false$/^sequential$"
	lockFree  = "^TestPrograms$/^atomic$/^checked=false$/^sequential$"
	inTurns   = "^TestPrograms$/^atomic$/^checked=false$/^interleaved$"
	checked   = "^TestPrograms$/^atomic$/^checked=true$/^interleaved$"
	biased    = "^TestPrograms$/^biased$/^checked=false$/^interleaved$"
	overwrite = "^TestScenarios$/^gil$/^checked=false$/^overwrite_itself$"
	dropped   = "^TestScenarios$/^gil$/^checked=false$/^drop_all$"
	popped    = "^TestScenarios$/^atomic$/^checked=true$/^pop_what_is_borrowed$"
	replaced  = "^TestScenarios$/^atomic$/^checked=true$/^overwrite_what_is_borrowed$"
	held      = "^TestScenarios$/^atomic$/^checked=false$/^collect_what_is_held$"
	once      = "^TestScenarios$/^gil$/^checked=false$/^finalize_once$"
	shared    = "^TestScenarios$/^atomic$/^checked=false$/^freeze_what_is_shared$"
	queued    = "^TestScenarios$/^biased$/^checked=false$/^drop_what_is_queued$"

	inCells = "^TestHistories$/^atomic$/^checked=false$/^cell$"

	// These race. They were seen to find their bugs in each of 20 runs on an idle
	// machine, and are run again if they do not: see racing.
	dying  = "^TestScenarios$/^biased$/^checked=false$/^follow_what_is_dying$"
	merged = "^TestScenarios$/^biased$/^checked=false$/^drop_what_is_merged$"
)

// racing reports whether a test may find a bug in one run and not in another.
func racing(test string) bool { return test == dying || test == merged || test == inCells }

// or stands between the properties that may find a planted bug.
const or = " or "

// kills says which test finds a planted bug, and by which property.
var kills = []struct {
	bug      mutant.ID
	test     string
	property string
}{
	{mutant.SkipImmortalTest, underGIL, propHeaders},
	{mutant.SkipImmortalTest, lockFree, propHeaders},
	{mutant.SkipImmortalTest, inTurns, propHeaders},
	{mutant.DoubleRelease, underGIL, propAlive},
	{mutant.DoubleRelease, overwrite, propAudit},
	{mutant.NoRetire, checked, propAlive},
	{mutant.NoRetire, replaced, propAlive},
	{mutant.PopHandsOver, checked, propAlive},
	{mutant.PopHandsOver, popped, propAlive},
	{mutant.ForgottenIncRef, underGIL, propAudit},
	{mutant.DeadKeysLost, lockFree, propAudit},
	{mutant.BlockLost, lockFree, propAudit},
	{mutant.QueueSubtracts, biased, propAlive},
	{mutant.ChildKept, dropped, propAudit},
	{mutant.ChildKept, lockFree, propAudit},
	{mutant.MemoryKept, dropped, propNone},
	{mutant.WrongPlace, lockFree, propAgree},
	{mutant.EdgeTwice, held, propAudit},
	{mutant.FrozenWritten, underGIL, propFrozen},
	{mutant.FrozenWritten, lockFree, propFrozen},
	{mutant.FrozenWritten, shared, propFrozen},
	{mutant.CopiedTwice, shared, propAgree},
	{mutant.FinalizesTwice, once, propFinal},
	{mutant.OwnerFreesQueued, queued, propAlive},
	{mutant.WeakFromZero, dying, propAlive},
	{mutant.CASLies, inCells, propLinear},
	{mutant.MergeLate, merged, propAlive + or + propAudit}, // whichever looks first
}

// unitKills are planted bugs that random programs cannot reach, as the runtime
// drains its queues whenever one goroutine could stop the world: a test of package
// runtime finds them, with these words.
var unitKills = []struct {
	bug  mutant.ID
	test string
	says string
}{
	{mutant.MergeForgets, "^TestImmortalizeQueued$", "headers of immortals changed"},
}

// TestPlantedBugs runs each planted bug, in a child process, and passes if the
// property that claims to find it fails.
func TestPlantedBugs(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: -short runs no planted bugs, so nothing shows that the properties can fail")
	}
	binary, out, err := build(t, ".", "-tags=mutant")
	if err != nil {
		t.Fatalf("go test -c: %v\n%s", err, out)
	}
	found := map[mutant.ID]bool{}
	for _, k := range kills {
		found[k.bug] = true
		t.Run(string(k.bug)+"/"+strings.NewReplacer("^", "", "$", "").Replace(k.test), func(t *testing.T) {
			out, err := child(t, binary, k.test, k.bug, "2000")
			for i := 1; err == nil && racing(k.test) && i < 10; i++ { // its threads may not have met
				out, err = child(t, binary, k.test, k.bug, "2000")
			}
			if err == nil {
				t.Errorf("nothing failed:\n%s", out)
			} else if !slices.ContainsFunc(strings.Split(k.property, or), func(p string) bool { return strings.Contains(out, ": "+p) }) {
				t.Errorf("something else failed than %s:\n%s", k.property, out)
			}
		})
	}
	unit, out, err := build(t, "../runtime", "-tags=mutant")
	if err != nil {
		t.Fatalf("go test -c: %v\n%s", err, out)
	}
	for _, k := range unitKills {
		found[k.bug] = true
		t.Run(string(k.bug)+"/"+k.test, func(t *testing.T) {
			if out, err := child(t, unit, k.test, "", ""); err != nil {
				t.Errorf("without the planted bug: %v\n%s", err, out)
			}
			if out, err := child(t, unit, k.test, k.bug, ""); err == nil || !strings.Contains(out, k.says) {
				t.Errorf("something else failed than %s:\n%s", k.says, out)
			}
		})
	}
	for _, id := range mutant.All {
		if !found[id] {
			t.Errorf("no test runs the planted bug %s", id)
		}
	}
	t.Run("none", func(t *testing.T) {
		if out, err := child(t, binary, "^(TestPrograms|TestScenarios)$", "", "50"); err != nil {
			t.Errorf("without a planted bug: %v\n%s", err, out)
		}
	})
}

// build builds a package's tests, and returns what the toolchain printed.
func build(t *testing.T, pkg, flag string) (binary, out string, err error) {
	binary = filepath.Join(t.TempDir(), "mutant.test.exe")
	text, err := exec.Command("go", "test", "-c", "-o", binary, flag, pkg).CombinedOutput()
	return binary, string(text), err
}

// child runs tests of a binary, and returns all that it printed. checks is how
// many programs rapid draws for a property; "" if the tests have none.
func child(t *testing.T, binary, tests string, bug mutant.ID, checks string) (string, error) {
	args := []string{"-test.run=" + tests, "-test.timeout=2m"}
	if checks != "" {
		args = append(args, "-rapid.checks="+checks, "-rapid.seed=1", "-rapid.shrinktime=1ms", "-rapid.nofailfile")
	}
	cmd := exec.Command(binary, args...)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), mutant.Variable+"="+string(bug))
	out, err := cmd.CombinedOutput()
	return string(out), err
}
