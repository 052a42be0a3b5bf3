//go:build explore

package explore

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ichor-go/ichor/internal/mutant"
)

// planted lists each planted bug, the test of this package that must find it, and the failure's text.
var planted = []struct {
	bug  mutant.ID
	test string
	says string
}{
	{mutant.QueueSubtracts, "^TestPairs$", "and the count is"},
	{mutant.MergeLate, "^TestPairs$", "race: plain write"},
	{mutant.OwnerFreesQueued, "^TestHandedOver$", "it has died 2 times"},
	{mutant.DrainLost, "^TestHandedOver$", "it has died 0 times"},
	{mutant.TryIncThaws, "^TestHeaderEdges$", "references, there are"},
	{mutant.NoRetire, "^TestScenarios$/^list_set_against_get$", "race: plain write"},
	{mutant.PopHandsOver, "^TestScenarios$/^list_pop_against_get$", "race: plain write"},
	{mutant.DictPopHandsOver, "^TestScenarios$/^dict_pop_against_get$", "race: plain write"},
	{mutant.WeakFromZero, "^TestScenarios$/^weak_get_against_the_last_reference$", "more references released than there were"},
	{mutant.MergeForgets, "^TestScenarios$/^immortalize_against_queue$", "it is not immortal"},
	{mutant.CASLies, "^TestScenarios$/^cell_compare_and_swap_against_itself$", "2 have won"},
	{mutant.RootMissed, "^TestScenarios$/^collect_against_dec$", "memory that was given back"},
	{mutant.StoreKeeps, "^TestScenarios$/^cell_store_against_load$", "ichor: audit"},
	{mutant.ChildKept, "^TestScenarios$/^a_death_against_a_reference_to_a_child$", "ichor: audit"},
	{mutant.ExtendUncounted, "^TestScenarios$/^list_extend_against_extend,_crosswise$", "ichor: audit"},
	{mutant.ClearKeeps, "^TestScenarios$/^list_clear_against_get$", "ichor: audit"},
	{mutant.BlockLost, "^TestScenarios$/^list_growth_against_get$", "belongs to no object"},
	{mutant.GrowDrops, "^TestScenarios$/^list_growth_against_append$", "an item is lost"},
	{mutant.FreezeUnvalidated, "^TestScenarios$/^freeze_against_two_sets$", "torn:"},
	{mutant.StopEarly, "^TestLocks$/^stop_against_a_lock_that_is_handed_over$", "race: plain read"},
	{mutant.ReaderAsleep, "^TestLocks$/^grace_period_against_a_dormant_reader$", "race: plain write"},
	{mutant.LentByOwner, "^TestArena$/^lend_against_the_owner's_return$", "race: plain write"},
	{mutant.GraceAtOnce, "^TestLocks$/^grace_period_against_quiescence$", "race: plain write"},
}

// TestPlantedBugs runs each planted bug in a child process, and passes if the test that claims to
// find the bug fails.
func TestPlantedBugs(t *testing.T) {
	if mutant.On || testing.Short() {
		t.Skip("SKIPPED: no planted bug is run, so nothing shows that the scenarios can fail")
	}
	binary := filepath.Join(t.TempDir(), "planted.test.exe")
	if out, err := exec.Command("go", "test", "-c", "-o", binary, "-tags=explore,mutant", ".").CombinedOutput(); err != nil {
		t.Fatalf("go test -c: %v\n%s", err, out)
	}
	for _, x := range planted {
		t.Run(string(x.bug), func(t *testing.T) {
			cmd := exec.Command(binary, "-test.run="+x.test, "-test.timeout=2m")
			cmd.Env = append(os.Environ(), mutant.Variable+"="+string(x.bug))
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), x.says) {
				t.Errorf("want a failure with %q, found: %v\n%s", x.says, err, out)
			}
		})
	}
}
