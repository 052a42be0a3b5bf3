// Package ichordebug shows the state of a runtime over HTTP, for people and for machines, and
// serves its profiles. docs/seeing.md explains what it shows. Purposes, histograms and buckets are
// plain values.
package ichordebug

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"html/template"
	"net/http"

	rt "github.com/ichor-go/ichor/runtime"
	"github.com/ichor-go/ichor/runtime/pprof"
)

// The paths that a Handler serves. The first one takes the parameters walk=1, which stops the
// world and walks the heap for the types of objects and the leases of frozen graphs; stacks=1,
// which adds the stacks of threads; and format=json. The profiles take the parameters of
// net/http/pprof: seconds=N, for what has been added within the next N seconds, and debug=1, for
// text.
const (
	Path           = "/debug/ichor/"                 // the state, as a page or as JSON
	HeapPath       = "/debug/pprof/ichor_heap"       // the heap profile, for go tool pprof
	ContentionPath = "/debug/pprof/ichor_contention" // the contention profile
)

// Handler returns a handler that serves the state and the profiles of r at the paths above.
// Without parameters, the state does not stop the world. Whoever can reach the handler sees
// names and stacks of the program and can stop its threads for a while, so do not offer it to
// strangers. Any goroutine, even after Close.
func Handler(r *rt.Runtime) http.Handler {
	mux := http.NewServeMux()
	Handle(mux, r)
	return mux
}

// Handle adds what Handler returns to mux. Any goroutine.
func Handle(mux *http.ServeMux, r *rt.Runtime) {
	mux.HandleFunc("GET "+Path+"{$}", func(w http.ResponseWriter, q *http.Request) { serveState(w, q, r) })
	mux.Handle("GET "+HeapPath, source{r, "ichor_heap", pprof.WriteHeap})
	mux.Handle("GET "+ContentionPath, source{r, "ichor_contention", pprof.WriteContention})
}

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Funcs(functions).Parse(pageText))

// serveState serves the state.
func serveState(w http.ResponseWriter, q *http.Request, r *rt.Runtime) {
	show(w, read(q.Context(), r, q.FormValue("walk") == "1", q.FormValue("stacks") == "1"), q.FormValue("format") == "json")
}

// show answers with a state as JSON, or as a page.
func show(w http.ResponseWriter, s *State, asJSON bool) {
	var b bytes.Buffer
	kind, err := "text/html; charset=utf-8", error(nil)
	if asJSON {
		kind = "application/json"
		err = json.NewEncoder(&b).Encode(s)
	} else {
		err = page.Execute(&b, s)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", kind)
	_, _ = w.Write(b.Bytes()) // the client has gone if it fails
}
