package scenarios

import (
	"testing"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/internal/benchtest"
	rt "github.com/ichor-go/ichor/runtime"
)

func TestBirth(t *testing.T) {
	res := shortRun(t, Birth(), nil)
	if want := len(birthKinds) * (len(modes) + 1); len(res.Rows) < want {
		t.Errorf("%d rows, want at least %d", len(res.Rows), want)
	}
	if lines := res.Scenario.Conclude(res); len(lines) != len(birthKinds) {
		t.Errorf("%q", lines)
	}
}

// Each kind makes what its name says, anew each time.
func TestBirthKinds(t *testing.T) {
	want := map[string]rt.TypeID{"float": rt.TypeFloat, "tuple2": rt.TypeTuple, "dict": rt.TypeDict, "string11": rt.TypeString, "list3": rt.TypeList}
	r, err := experiment.NewRuntime(modeAtomic)
	if err != nil {
		t.Fatal(err)
	}
	err = r.Do(func(th *rt.Thread) error {
		for _, k := range birthKinds {
			a, err := k.new(th, 1)
			if err != nil {
				return err
			}
			b, err := k.new(th, 2)
			if err != nil {
				return err
			}
			if id := th.TypeOf(a).ID(); a == b || want[k.name] != 0 && id != want[k.name] || th.IsImmortal(a) {
				t.Errorf("%s: %s and %s, of type %d", k.name, a, b, id)
			}
			th.DecRefs([]rt.Ref{a, b})
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func TestJSON(t *testing.T) {
	noRaces(t)
	res := shortRun(t, JSON(), nil, experiment.Document{Name: "large", Data: benchtest.Large})
	if len(res.Rows) != 4 {
		t.Errorf("%d rows, want two parsers in two directions", len(res.Rows))
	}
	for _, row := range res.Rows {
		if v := row.Stat().Median; v <= 0 || v > 1e5 || row.Metric != mbs {
			t.Errorf("%v: %v %s", row.Config, v, row.Metric)
		}
	}
}
