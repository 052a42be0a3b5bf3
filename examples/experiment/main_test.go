package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/ichor-go/ichor/bench/experiment/command"
)

func TestExperiment(t *testing.T) {
	var out, errs bytes.Buffer
	args := strings.Fields("-benchtime 100x -count 1 -threads 1,2 -format bench")
	if err := command.Run(t.Context(), "experiment", "", args, &out, &errs, baskets.Scenario()); err != nil || errs.Len() > 0 {
		t.Fatal(err, errs.String())
	}
	rows := strings.Count(out.String(), "\nBenchmarkBaskets/")
	if rows != 3*4*2 || !strings.Contains(out.String(), "mode=biased/immortal=frozen/threads=2") {
		t.Errorf("%d rows in:\n%s", rows, out.String())
	}
}
