package scenarios

import (
	"testing"

	"github.com/ichor-go/ichor/bench/experiment"
)

// TestProfiled runs the scenario, and checks that there is a profile where the config says so, and
// that the work takes samples.
func TestProfiled(t *testing.T) {
	env := &experiment.Env{Threads: []int{1}, Documents: []experiment.Document{{Name: "small", Data: []byte(everyKind)}}}
	p, err := Profiled().Plan(env)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Variants) != 2*2*len(modes) {
		t.Errorf("%d rows", len(p.Variants))
	}
	for _, profile := range []int64{0, 1 << 10} {
		tree := &treeRun{modeRun{mode: modeAtomic, profile: profile}}
		requests := &requestsRun{mode: modeBiased, immortal: immortalNone, profile: profile, docs: env.Documents}
		for _, err := range []error{tree.setup(t.Context()), requests.setup(t.Context())} {
			if err != nil {
				t.Fatal(err)
			}
		}
		b := experiment.Budget{Ops: 20 * treeNodes}
		for _, sample := range []func() (experiment.Sample, error){
			func() (experiment.Sample, error) { return tree.sampler(1)(t.Context(), b) },
			func() (experiment.Sample, error) { return requests.sampler(1)(t.Context(), b) },
		} {
			if s, err := sample(); err != nil || s.Ops < b.Ops {
				t.Errorf("%+v, %v", s, err)
			}
		}
		for i, r := range []int{len(tree.r.HeapProfile()), len(requests.r.HeapProfile())} {
			if (r > 0) != (profile > 0) {
				t.Errorf("run %d with a sample for each %d bytes: %d records", i, profile, r)
			}
		}
		for _, err := range []error{tree.close(), requests.close()} {
			if err != nil {
				t.Error(err)
			}
		}
	}
}
