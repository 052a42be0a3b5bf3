package main

import (
	"context"
	"strings"
	"testing"

	rt "github.com/ichor-go/ichor/runtime"
)

// TestSample: without an image, the service answers from a catalog of its own.
func TestSample(t *testing.T) {
	s, send := serve(t, "", rt.Options{})
	if err := s.addNotes(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		got := send("GET", "/item?key=item7", "")
		if !strings.HasPrefix(got, `200 {"item":{"price":7,"stock":0,"tags":["sample"]},"note":"a sample note `) {
			t.Errorf("item7: %s", got)
		}
		if got := send("POST", "/reload", ""); got != "200 " {
			t.Errorf("reload: %s", got)
		}
	}
}

// TestSampleFails: without memory for its own catalog the service does not start, and leaves
// nothing behind.
func TestSampleFails(t *testing.T) {
	err := run(context.Background(), "", "localhost:0", 1<<20)
	if err == nil || err.Error() != "ichor: memory limit reached" {
		t.Errorf("with 1 MiB: %v", err)
	}
}
