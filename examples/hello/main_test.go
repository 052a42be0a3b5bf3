package main

import (
	"strings"
	"testing"

	rt "github.com/ichor-go/ichor/runtime"
)

func TestRun(t *testing.T) {
	for _, opts := range []rt.Options{{Mode: rt.GIL}, {Mode: rt.LockFree}, {Counting: rt.Biased}, {Checked: true}} {
		var out strings.Builder
		if err := run(&out, opts); err != nil {
			t.Errorf("%+v: %v", opts, err)
		}
		if out.String() != "4000 items\n" {
			t.Errorf("%+v: got %q", opts, out.String())
		}
	}
}
