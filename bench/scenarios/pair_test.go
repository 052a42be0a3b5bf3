package scenarios

import (
	"testing"

	"github.com/ichor-go/ichor/bench/experiment"
)

// An owned object without a mode is one under the GIL.
func TestPair(t *testing.T) {
	res := shortRun(t, Pair(), func(c experiment.Config) bool { return c.Get("temp") == "hot" })
	for _, want := range []struct {
		mode  any
		asked experiment.Config
	}{
		{modeGIL, experiment.Cfg("state", "owned", "temp", "hot")},
		{modeBiased, experiment.Cfg("state", "owned", "mode", modeBiased, "temp", "hot")},
		{modeAtomic, experiment.Cfg("state", "shared", "temp", "hot")},
		{nil, experiment.Cfg("state", "loads", "temp", "hot")},
	} {
		row := res.Find(want.asked)
		if row == nil || row.Config.Get("mode") != want.mode || row.Config.Get("call") != nil {
			t.Errorf("asked for %v, found %v", want.asked, row)
		}
	}
}
