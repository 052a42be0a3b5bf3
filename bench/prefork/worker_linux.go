package prefork

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// hello is the line that tells the parent that the worker answers requests.
type hello struct {
	Address string
	Ranges  []rt.SharedRange // the addresses at which it maps the heap of the parent
}

// Serve is a worker. It opens the heap in file descriptor 3, and answers requests until stdin
// ends. That happens at the latest when the parent ends.
func Serve(ctx context.Context, mode string, stdin io.Reader, stdout io.Writer) error {
	o, err := experiment.ModeOptions(mode)
	if err != nil {
		return err
	}
	file := os.NewFile(3, "heap")
	r, roots, err := rt.OpenShared(file, o)
	if err == nil {
		err = file.Close()
	}
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	h := &heapHandler{r, roots[0]}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", h.part)
	mux.HandleFunc("GET /all", h.all)
	s := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		_, _ = io.Copy(io.Discard, stdin)
		_ = s.Close()
	}()
	context.AfterFunc(ctx, func() { _ = s.Close() })
	if err := json.NewEncoder(stdout).Encode(hello{l.Addr().String(), r.SharedRanges()}); err != nil {
		return err
	}
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil // the process ends, and the runtime with it
}

// heapHandler answers requests from the heap. Each request attaches a thread.
type heapHandler struct {
	r    *rt.Runtime
	root rt.Ref // a list of documents
}

// part answers GET /?part=N with a part of the documents. The number N chooses it.
func (h *heapHandler) part(w http.ResponseWriter, req *http.Request) {
	n, err := strconv.ParseUint(req.FormValue("part"), 10, 64)
	if err != nil {
		http.Error(w, fmt.Sprintf("part=%q is no number", req.FormValue("part")), http.StatusBadRequest)
		return
	}
	var body []byte
	err = h.r.Do(func(t *rt.Thread) error {
		p := part{t: t, random: n | 1}
		body, err = p.answer(h.root)
		return err
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body) // fails if the client is gone
}

// all takes a reference to each value in turn, and answers GET /all with their number.
func (h *heapHandler) all(w http.ResponseWriter, _ *http.Request) {
	left := math.MaxInt
	err := h.r.Do(func(t *rt.Thread) error {
		p := part{t: t}
		t.IncRef(h.root)
		p.count(h.root, &left)
		t.DecRef(h.root)
		return nil
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = fmt.Fprintln(w, math.MaxInt-left) // fails if the client is gone
}

// maxPart is the greatest number of values in an answer.
const maxPart = 300

// part chooses a part. It takes a reference to everything that it looks at, like code that is
// not written to save counts.
type part struct {
	t      *rt.Thread
	random uint64
}

// draw returns a number below n (xorshift64).
func (p *part) draw(n int) int {
	p.random ^= p.random << 13
	p.random ^= p.random >> 7
	p.random ^= p.random << 17
	return int(p.random >> 33 % uint64(n))
}

// answer goes down from root at random until it finds something small enough, and returns the
// JSON of that.
func (p *part) answer(root rt.Ref) ([]byte, error) {
	t := p.t
	t.IncRef(root)
	r := root
	for {
		left := maxPart
		if p.count(r, &left); left > 0 {
			break
		}
		child := p.child(r)
		t.DecRef(r)
		r = child
	}
	defer t.DecRef(r)
	return objects.AppendJSON(t, nil, r)
}

// count walks r and what it contains, and subtracts the number of values from left. It stops when
// nothing is left.
func (p *part) count(r rt.Ref, left *int) {
	*left--
	for c := range p.children(r) {
		if *left <= 0 {
			return
		}
		p.t.IncRef(c)
		p.count(c, left)
		p.t.DecRef(c)
	}
}

// child returns a new reference to one of the values in r, which is not empty.
func (p *part) child(r rt.Ref) rt.Ref {
	if n := objects.List(r).Len(p.t); n > 0 {
		c, _ := objects.List(r).At(p.t, p.draw(n))
		p.t.IncRef(c)
		return c
	}
	i := p.draw(objects.Dict(r).Len(p.t))
	for c := range p.children(r) {
		if i--; i < 0 {
			p.t.IncRef(c)
			return c
		}
	}
	return rt.None // not reached: nothing changes the documents
}

// children yields borrowed references to the values in a list or a dict.
func (p *part) children(r rt.Ref) iter.Seq[rt.Ref] {
	return func(yield func(rt.Ref) bool) {
		switch p.t.Kind(r) {
		case rt.TypeList:
			for _, c := range objects.List(r).All(p.t) {
				if !yield(c) {
					return
				}
			}
		case rt.TypeDict:
			for _, c := range objects.Dict(r).All(p.t) {
				if !yield(c) {
					return
				}
			}
		}
	}
}
