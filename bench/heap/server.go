package heap

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/ichor-go/ichor/bench/experiment/command"
	"github.com/ichor-go/ichor/internal/heapgraph"
)

//go:embed page.html
var pageHTML []byte

// serve serves the page until ctx ends, which is the usual way to end it.
func serve(ctx context.Context, address string, views []*view, stdout io.Writer) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return command.UsageError{Err: err}
	}
	s := &server{v: views[len(views)-1]}
	if len(views) == 2 {
		s.older = views[0]
	}
	go s.v.prepare()
	if _, err := fmt.Fprintf(stdout, "http://%s/  (Ctrl-C ends it)\n", l.Addr()); err != nil {
		return errors.Join(err, l.Close())
	}
	web := &http.Server{Handler: s.handler(l.Addr()), ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = web.Close() }) // Serve returns the error
	defer stop()
	if err := web.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// server answers the page's questions. All answers are JSON.
type server struct {
	v     *view
	older *view // to compare with; may be nil
}

// Most objects in an answer.
const (
	foundObjects = 200
	manyPaths    = 20
	neighbours   = 100
)

// handler serves everything. Only a browser that asks for the address by number, or for localhost,
// gets an answer: the page of another site cannot have its own name lead here.
func (s *server) handler(at net.Addr) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'")
		_, _ = w.Write(pageHTML) // the browser may have left
	})
	answer := func(name string, f func(q func(string) string) (any, error)) {
		mux.HandleFunc("GET /api/"+name, func(w http.ResponseWriter, r *http.Request) {
			x, err := f(r.URL.Query().Get)
			w.Header().Set("Content-Type", "application/json")
			if err != nil {
				w.WriteHeader(http.StatusBadRequest)
				x = map[string]string{"error": err.Error()}
			}
			_ = json.NewEncoder(w).Encode(x) // the browser may have left
		})
	}
	answer("info", s.info)
	answer("types", s.types)
	answer("search", func(q func(string) string) (any, error) { return orEmpty(s.v.search(q("q"), foundObjects)), nil })
	answer("held", func(func(string) string) (any, error) { return orEmpty(s.v.heldByCode(foundObjects)), nil })
	answer("object", s.object)
	answer("treemap", s.treemap)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if tcp, ok := at.(*net.TCPAddr); ok && tcp.IP.IsLoopback() && host != "localhost" && net.ParseIP(host) == nil {
			http.Error(w, "this name does not belong here", http.StatusForbidden)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// orEmpty returns a list that JSON does not write as null.
func orEmpty[T any](list []T) []T { return append([]T{}, list...) }

func (s *server) info(func(string) string) (any, error) {
	x := struct {
		Name  string `json:"name"`
		Text  string `json:"text"`
		Older string `json:"older,omitempty"`
		Ready bool   `json:"ready"` // retained bytes are known
	}{Name: s.v.name, Text: s.v.describe(), Ready: s.v.ready.Load()}
	if s.older != nil {
		x.Older = s.older.name
		x.Text = s.older.describe() + "\n→ " + x.Text
	}
	return x, nil
}

func (s *server) types(func(string) string) (any, error) {
	list := s.v.types(s.v.ready.Load())
	if s.older != nil {
		list = difference(s.older.types(false), list)
	}
	return orEmpty(list), nil
}

// object answers with all about one object.
func (s *server) object(q func(string) string) (any, error) {
	n, err := s.v.find(q("ref"))
	if err != nil {
		return nil, err
	}
	g := s.v.g
	some := func(nodes []heapgraph.Node) []object {
		list := []object{}
		for _, n := range nodes {
			if n != heapgraph.None && len(list) < neighbours {
				list = append(list, s.v.object(n))
			}
		}
		return list
	}
	return struct {
		object
		Paths   []path   `json:"paths"`
		Refers  []object `json:"refers"`
		Holders []object `json:"holders"`
		RefersN int      `json:"refersTotal"`
		HoldsN  int      `json:"holdersTotal"`
	}{s.v.object(n), orEmpty(s.v.paths(n, manyPaths)), some(g.Edges(n)), some(g.Sources(n)), len(g.Edges(n)), len(g.Sources(n))}, nil
}

// treemap answers with tiles and the objects around them.
func (s *server) treemap(q func(string) string) (any, error) {
	if !s.v.ready.Load() {
		return nil, errors.New("retained bytes are not known yet")
	}
	n := heapgraph.None
	if q("ref") != "" {
		var err error
		if n, err = s.v.find(q("ref")); err != nil {
			return nil, err
		}
	}
	var sides [2]float64
	for i, name := range []string{"w", "h"} {
		v, err := strconv.Atoi(q(name))
		if err != nil || v < 1 || v > 10_000 {
			return nil, fmt.Errorf("%s=%q is not a number from 1 to 10000", name, q(name))
		}
		sides[i] = float64(v)
	}
	around := []object{}
	for at := n; at != heapgraph.None; at = s.v.g.Tree().Dominator[at] {
		if around = append(around, s.v.object(at)); len(around) == neighbours {
			break
		}
	}
	return struct {
		Tiles  []tile   `json:"tiles"`
		Around []object `json:"around"` // innermost first
	}{orEmpty(s.v.treemap(n, sides[0], sides[1])), around}, nil
}
