package main

import (
	"io"
	"strings"
	"testing"

	rt "github.com/ichor-go/ichor/runtime"
)

// TestNoRoom lets memory run out at each possible place: nothing leaks.
func TestNoRoom(t *testing.T) {
	for limit := int64(64 << 10); ; limit += 64 << 10 {
		s, err := newService(rt.Options{MemoryLimit: limit})
		if err == nil {
			if err := s.close(io.Discard); err != nil {
				t.Error(err)
			}
			return
		}
		if err.Error() != rt.ErrMemoryLimit.Error() {
			t.Fatalf("with %d bytes: got %v, want %v alone", limit, err, rt.ErrMemoryLimit)
		}
	}
}

// TestRun is most useful under go test -race: all workers use one dictionary.
func TestRun(t *testing.T) {
	for _, mode := range []rt.Mode{rt.GIL, rt.LockFree} {
		t.Run(mode.String(), func(t *testing.T) {
			var out strings.Builder
			if err := run(&out, mode, 4, 2000); err != nil {
				t.Fatal(err)
			}
			want := "ada: 500 views\nbrian: 500 views\ngrace: 500 views\nken: 500 views\n"
			if out.String() != want {
				t.Errorf("got:\n%swant:\n%s", out.String(), want)
			}
		})
	}
}
