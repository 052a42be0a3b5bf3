package scenarios

import (
	"testing"

	"github.com/ichor-go/ichor/bench/experiment"
)

func TestDict(t *testing.T) {
	res := shortRun(t, Dict(), nil)
	if res.Find(experiment.Cfg("map", "ichor", "reads", 95, "threads", 2)) == nil ||
		res.Find(experiment.Cfg("map", DictCounted, "reads", 95, "threads", 2)) == nil {
		t.Error("a row of Ichor's dict is missing")
	}
}
