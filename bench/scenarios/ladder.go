package scenarios

import (
	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// Values of the config key shared: the rungs of the ladder, from the ground up.
const (
	LadderNothing  = "nothing"
	LadderObject   = "object"
	LadderDict     = "dict"
	LadderImmortal = "immortal"
)

var ladderRungs = []string{LadderNothing, LadderObject, LadderDict, LadderImmortal}

// Ladder asks how much threads slow each other down by counting, as they share more and more.
func Ladder() experiment.Scenario {
	return experiment.Workload{
		Name: "ladder",
		Question: "How much does counting slow threads down as they share more? " +
			"(An op takes a reference to a value that it finds in a dict, and gives it up. shared=nothing: each thread has a dict and a value of its own. object: each thread has a dict of its own, and one mortal value is in all of them. " +
			"dict: all threads share a mortal dict and its value. immortal: the same, immortal in place. Another thread, which waits, made what is shared.)",
		Axes:         []experiment.Axis{experiment.Modes(), {Key: "shared", Values: []any{LadderNothing, LadderObject, LadderDict, LadderImmortal}}},
		Setup:        shareLadder,
		Work:         climbLadder,
		Unit:         ladderBatch,
		Baseline:     func(c experiment.Config) experiment.Config { return c.With("threads", 1) },
		BaselineName: "one thread, same mode and rung",
		Conclude:     concludeLadder,
	}.Scenario()
}

// ladderDictOf is a dict with one value, and its key.
type ladderDictOf struct{ dict, key, value rt.Ref }

// shareLadder makes a dict, and returns a tuple of it, the key and the value.
func shareLadder(t *rt.Thread, c experiment.Config) (rt.Ref, error) {
	d, err := newLadderDict(t, rt.Nil)
	if err != nil {
		return rt.Nil, err
	}
	shared, err := objects.NewTupleSteal(t, d.dict, d.key, d.value)
	if err != nil {
		d.drop(t)
		return rt.Nil, err
	}
	if c.Get("shared") == LadderImmortal {
		if err := t.Immortalize(shared); err != nil {
			t.DecRef(shared)
			return rt.Nil, err
		}
	}
	return shared, nil
}

// climbLadder counts the value, on one of the rungs.
func climbLadder(l *experiment.Lane, t *rt.Thread, c experiment.Config, shared rt.Ref) (err error) {
	items := objects.Tuple(shared).Items(t)
	d := ladderDictOf{items[0], items[1], items[2]}
	switch c.Get("shared") {
	case LadderNothing:
		d, err = newLadderDict(t, rt.Nil)
	case LadderObject:
		d, err = newLadderDict(t, d.value)
	default:
		t.IncRefs(items)
	}
	if err != nil {
		return err
	}
	defer d.drop(t)
	for l.Next() {
		for range l.N() / ladderBatch {
			if err := d.climb(t); err != nil {
				return err
			}
			t.Checkpoint()
		}
	}
	return nil
}

// newLadderDict makes a dict with the value; with a new value for rt.Nil.
func newLadderDict(t *rt.Thread, value rt.Ref) (d ladderDictOf, err error) {
	if value != rt.Nil {
		t.IncRef(value)
		d.value = value
	} else if d.value, err = objects.NewString(t, "what all want"); err != nil {
		return d, err
	}
	if d.key, err = objects.NewString(t, "the key"); err == nil {
		d.dict, err = objects.NewDict(t)
	}
	if err == nil {
		err = objects.Dict(d.dict).Set(t, d.key, d.value)
	}
	if err != nil {
		d.drop(t)
		return ladderDictOf{}, err
	}
	return d, nil
}

// drop gives up the references of d.
func (d ladderDictOf) drop(t *rt.Thread) {
	for _, r := range []rt.Ref{d.dict, d.key, d.value} {
		if r != rt.Nil {
			t.DecRef(r)
		}
	}
}

// ladderBatch is the number of operations between two checkpoints.
const ladderBatch = 256

// climb does ladderBatch operations.
func (d ladderDictOf) climb(t *rt.Thread) error {
	for range ladderBatch {
		v, err := objects.Dict(d.dict).Get(t, d.key)
		if err != nil {
			return err
		}
		t.DecRef(v)
	}
	return nil
}

// concludeLadder compares the most threads with one, on each rung.
func concludeLadder(res *experiment.Result) (lines []string) {
	most := MostThreads(res)
	if most < 2 {
		return []string{"With one thread, nothing is shared."}
	}
	speedup := func(mode, shared string) experiment.Stat {
		return experiment.Ratio(
			res.Find(experiment.Cfg("mode", mode, "shared", shared, "threads", most)),
			res.Find(experiment.Cfg("mode", mode, "shared", shared, "threads", 1)))
	}
	lines = experiment.Say(lines, "Without a lock and with atomic counts, %d threads do %v times the work of one if they share an immortal dict, and %v if the dict is mortal.",
		most, speedup(modeAtomic, LadderImmortal), speedup(modeAtomic, LadderDict)) // in a report's summary
	for _, mode := range []string{modeAtomic, modeBiased, modeGIL} {
		var speed []any
		for _, shared := range ladderRungs {
			speed = append(speed, speedup(mode, shared))
		}
		lines = experiment.Say(lines, "mode=%s: %d threads do %v times the work of one with nothing shared, %v with a shared mortal object, %v with a shared mortal dict, %v with the same dict immortal.",
			append([]any{mode, most}, speed...)...)
	}
	return lines
}
