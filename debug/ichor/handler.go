// Package ichordebug shows the state of a runtime over HTTP, for people and for machines, and
// serves its profiles. docs/seeing.md explains what it shows.
package ichordebug

import (
	"errors"
	"io"
	"net/http"

	rt "github.com/ichor-go/ichor/runtime"
	"github.com/ichor-go/ichor/runtime/pprof"
)

// The paths that a Handler serves.
const (
	HeapPath = "/debug/pprof/ichor_heap" // the heap profile, for go tool pprof
)

// Handler returns a handler that serves the state and the profiles of r at the paths above. A
// page takes some ten microseconds, and no lock that threads wait for. Whoever can reach the handler sees
// names and stacks of the program, so do not offer it to strangers. Any goroutine, even after
// Close.
func Handler(r *rt.Runtime) http.Handler {
	mux := http.NewServeMux()
	Handle(mux, r)
	return mux
}

// Handle adds what Handler returns to mux. Any goroutine.
func Handle(mux *http.ServeMux, r *rt.Runtime) {
	mux.HandleFunc("GET "+HeapPath, profile(r, pprof.WriteHeap))
}

// profile serves what write writes.
func profile(r *rt.Runtime, write func(*rt.Runtime, io.Writer) error) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/octet-stream")
		if err := write(r, w); errors.Is(err, pprof.ErrOff) {
			http.Error(w, err.Error(), http.StatusNotFound)
		}
	}
}
