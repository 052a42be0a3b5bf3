package ichordebug

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/google/pprof/profile"

	rt "github.com/ichor-go/ichor/runtime"
	"github.com/ichor-go/ichor/runtime/pprof"
)

// source is a profile of a runtime that is served.
type source struct {
	r     *rt.Runtime
	name  string
	write func(*rt.Runtime, io.Writer) error
}

// ServeHTTP serves the profile with the parameters of net/http/pprof: debug=1 for text, and
// seconds=N for what has been added within the next N seconds.
func (s source) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	text, given := q.FormValue("debug"), q.FormValue("seconds")
	asText := text != "" && text != "0"
	seconds, err := strconv.ParseInt(given, 10, 32)
	switch {
	case given == "":
		seconds = 0
	case err != nil || seconds <= 0:
		http.Error(w, fmt.Sprintf("seconds=%q is not a positive integer", given), http.StatusBadRequest)
		return
	case asText:
		http.Error(w, "seconds and debug do not go together", http.StatusBadRequest)
		return
	}
	name := s.name
	if seconds > 0 {
		name += "-delta"
		moreTime(w, q, time.Duration(seconds)*time.Second)
	}
	p, err := s.read(q.Context(), time.Duration(seconds)*time.Second)
	var b bytes.Buffer
	switch {
	case errors.Is(err, pprof.ErrOff):
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	case err != nil:
	case asText:
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, err = io.WriteString(&b, p.String())
	default:
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", name))
		err = p.Write(&b)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = w.Write(b.Bytes()) // the client has gone if it fails
}

// moreTime lets the server take that much longer for the answer.
func moreTime(w http.ResponseWriter, q *http.Request, d time.Duration) {
	if s, ok := q.Context().Value(http.ServerContextKey).(*http.Server); ok && s.WriteTimeout > 0 {
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(s.WriteTimeout + d)) // without it, the answer may be cut
	}
}

// read returns the profile; if d > 0, what the profile gets more or less within that time.
func (s source) read(ctx context.Context, d time.Duration) (*profile.Profile, error) {
	p, err := s.now()
	if d == 0 || err != nil {
		return p, err
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(d):
	}
	later, err := s.now()
	if err != nil {
		return nil, err
	}
	began, ended := p.TimeNanos, later.TimeNanos
	p.Scale(-1)
	delta, err := profile.Merge([]*profile.Profile{p, later})
	if err != nil {
		return nil, err
	}
	delta.TimeNanos, delta.DurationNanos = ended, ended-began
	return delta, nil
}

func (s source) now() (*profile.Profile, error) {
	var b bytes.Buffer
	if err := s.write(s.r, &b); err != nil {
		return nil, err
	}
	return profile.ParseData(b.Bytes())
}
