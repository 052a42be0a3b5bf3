package main

import (
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	var out strings.Builder
	if err := run(&out, 2, 500); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"gil      2 threads: the baskets cost 14000, it took ",
		"lockfree 2 threads: the baskets cost 14000, it took ",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in:\n%s", want, out.String())
		}
	}
}
