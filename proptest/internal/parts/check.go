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
		prog, when := drawOps(t, "program", 2*ops), collecting(rapid.Bool().Draw(t, "collects by itself"))
		if when == byItself {
			prog = foretold(prog)
		}
		agree(t, prog, when, o)
	})
}

// agree runs a program with each of the options, and demands that all histories equal
// the model's.
func agree(t *rapid.T, prog []op, when collecting, options ...rt.Options) {
	want := modelled(prog)
	for _, o := range options {
		got, err := sequential(o, when, prog)
		report(t, err)
		if d := got.diff(want, prog); d != "" {
			report(t, propAgree.broken("%s", d))
		}
	}
}

func CheckInterleaved(t *testing.T, o rt.Options, threads, ops int) {
	rapid.Check(t, func(t *rapid.T) {
		report(t, interleaved(o, threads, drawTurns(t, threads, 2*ops)))
	})
}

func CheckConcurrent(t *testing.T, o rt.Options, threads, ops int) {
	rapid.Check(t, func(t *rapid.T) {
		progs := make([]program, threads)
		for i := range progs {
			progs[i] = drawProgram(t, "thread", ops)
		}
		report(t, concurrent(o, progs))
	})
}

// CheckMoved compares the histories of programs whose second part runs on a shared heap
// with those of the model.
func CheckMoved(t *testing.T, o rt.Options, ops int) {
	rapid.Check(t, func(t *rapid.T) {
		before, after := drawOps(t, "before", ops), drawOps(t, "after", ops)
		prog := slices.Concat(before, []op{{code: opCollect}, {code: opLeave}}, after)
		got, err := moved(o, prog, len(before)+1)
		report(t, err)
		if d := got.diff(modelled(prog), prog); d != "" {
			report(t, propAgree.broken("%s", d))
		}
	})
}

// ran counts a program and its operations.
func ran(way string, ops int) {
	count(way+" programs", 1)
	count(way+" programs: operations", ops)
}
