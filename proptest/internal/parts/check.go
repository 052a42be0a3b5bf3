package parts

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	rt "github.com/ichor-go/ichor/runtime"
)

// CheckSequential compares the histories of one thread with those of the model.
func CheckSequential(t *testing.T, o rt.Options, ops int) {
	rapid.Check(t, func(t *rapid.T) {
		prog, when := DrawOps(t, "program", 2*ops), Collecting(rapid.Bool().Draw(t, "collects by itself"))
		if when == ByItself {
			prog = foretold(prog)
		}
		agree(t, prog, when, o)
	})
}

// agree runs a program with each of the options, and demands that all histories equal
// the model's.
func agree(t *rapid.T, prog []Op, when Collecting, options ...rt.Options) {
	want := Run(prog)
	for _, o := range options {
		got, err := sequential(o, when, prog)
		Report(t, err)
		if d := got.Diff(want, prog); d != "" {
			Report(t, Agree.Broken("%s", d))
		}
	}
}

func CheckInterleaved(t *testing.T, o rt.Options, threads, ops int) {
	rapid.Check(t, func(t *rapid.T) {
		Report(t, interleaved(o, threads, DrawTurns(t, threads, 2*ops)))
	})
}

func CheckConcurrent(t *testing.T, o rt.Options, threads, ops int) {
	rapid.Check(t, func(t *rapid.T) {
		progs := make([]Program, threads)
		for i := range progs {
			progs[i] = DrawProgram(t, "thread", ops)
		}
		Report(t, concurrent(o, progs))
	})
}

// CheckMoved compares the histories of programs whose second part runs on a shared heap
// with those of the model.
func CheckMoved(t *testing.T, o rt.Options, ops int) {
	rapid.Check(t, func(t *rapid.T) {
		before, after := DrawOps(t, "before", ops), DrawOps(t, "after", ops)
		prog := slices.Concat(before, []Op{{Code: OpCollect}, {Code: OpLeave}}, after)
		got, err := moved(o, prog, len(before)+1)
		Report(t, err)
		if d := got.Diff(Run(prog), prog); d != "" {
			Report(t, Agree.Broken("%s", d))
		}
	})
}

// ran counts a program and its operations.
func ran(way string, ops int) {
	Add(way+" programs", 1)
	Add(way+" programs: operations", ops)
}
