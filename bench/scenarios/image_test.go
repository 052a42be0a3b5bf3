package scenarios

import (
	"context"
	"errors"
	"io"
	"os"
	"testing"
	"testing/iotest"
	"time"

	"github.com/ichor-go/ichor/bench/experiment"
)

func TestImageScenario(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir()) // files left there fail the test
	res := shortRun(t, Image(), nil, experiment.Document{Name: "small", Data: []byte(everyKind)}, experiment.Document{Name: "number", Data: []byte(" 1.5 ")})
	for _, row := range res.Rows {
		// It is at least as large as requested, and at most one round of documents larger.
		if n := row.Samples[0].Extra["image-bytes"]; n < 1<<20 || n > 1<<20+4096 {
			t.Errorf("%s: an image of %v bytes", row.Config, n)
		}
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("in the folder for temporary files: %v, %v", left, err)
	}
}

// An interrupted image scenario leaves no file, even if it is not closed.
func TestImageLeavesNoFile(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	run := &imageRun{docs: []experiment.Document{{Name: "small", Data: []byte(everyKind)}}, size: 1 << 16}
	if err := run.setup(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(run.file); err != nil {
		t.Error(err)
	}
	cancel()
	for begin := time.Now(); ; time.Sleep(time.Millisecond) {
		left, err := os.ReadDir(os.TempDir())
		if err == nil && len(left) == 0 {
			break
		}
		if time.Since(begin) > time.Minute {
			t.Fatalf("left after the end: %v, %v", left, err)
		}
	}
	if _, err := run.timeParse(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("parsing goes on: %v", err)
	}
	if err := run.r.Close(); err != nil {
		t.Error(err)
	}
}

func TestRepeated(t *testing.T) {
	docs := []experiment.Document{{Data: []byte(`{}`)}, {Data: nil}, {Data: []byte(`3`)}}
	for i, want := range []string{"[{}]", "[{},]", "[{},,3]", "[{},,3,{}]"} {
		n := i + 1
		r := &repeated{ctx: t.Context(), docs: docs, n: n}
		got, err := io.ReadAll(iotest.OneByteReader(r))
		if err != nil || string(got) != want || r.read != int64(len(want)) {
			t.Errorf("%d documents: %q, %d bytes, %v; want %q", n, got, r.read, err, want)
		}
	}
}
