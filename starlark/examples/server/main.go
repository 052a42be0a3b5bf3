// Command server answers each request by a Starlark program that the request brings. A program
// runs on a machine of its own, with limits of its own in bytes, steps and time, so a hostile
// one harms nobody. All share a library: its image is written once and mapped by each machine.
//
//	go run ./examples/server -listen localhost:8080
//	curl --data-binary 'load("library.star", "price"); print(price("item3"))' localhost:8080
//	go run ./examples/server -load 5s
package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"time"

	rt "github.com/ichor-go/ichor/runtime"
	"github.com/ichor-go/ichor/starlark"
	"go.starlark.net/syntax"
)

//go:embed library.star
var library string

// server runs programs. Any goroutine.
//
// A program of which nobody knows how long it takes gets a few steps first, which are enough for most. If it
// needs more, it begins again, in the lane of the slow programs, which leave at least one processor to the
// others if there are two. It can begin again because nobody has seen anything of it.
type server struct {
	image   string        // the library's file
	timeout time.Duration // of a program
	limits  starlark.Options
	quick   lane
	slow    lane
}

// A lane runs programs with a bound on their steps, some at the same time.
type lane struct {
	turns chan struct{} // one for each program
	steps uint64
}

// newServer compiles the library, and writes its image into dir.
func newServer(dir string, programs int, timeout time.Duration) (*server, error) {
	s := &server{image: filepath.Join(dir, "library.img"), timeout: timeout}
	s.quick = lane{make(chan struct{}, programs), 50_000}
	s.slow = lane{make(chan struct{}, max(runtime.GOMAXPROCS(0)/2, 1)), 5_000_000}
	s.limits = starlark.Options{
		Memory: 8 << 20, Depth: 1000,
		File: syntax.FileOptions{Set: true, TopLevelControl: true, While: true, Recursion: true, GlobalReassign: true},
	}
	m, err := starlark.New(starlark.Options{})
	if err != nil {
		return nil, err
	}
	err = m.Do(context.Background(), func(th *starlark.Thread) error {
		mod, err := th.Exec("library.star", library)
		if err != nil {
			return err
		}
		defer th.Clear(mod)
		return th.WriteImage(context.Background(), mod, s.image)
	})
	return s, errors.Join(err, m.Close())
}

// run runs a program, and returns what it prints. An error of the program is a
// *starlark.EvalError, or one of its syntax.
func (s *server) run(ctx context.Context, program []byte) (output []byte, err error) {
	output, err = s.runIn(ctx, &s.quick, program)
	if errors.Is(err, starlark.ErrSteps) {
		output, err = s.runIn(ctx, &s.slow, program)
	}
	return output, err
}

func (s *server) runIn(ctx context.Context, l *lane, program []byte) (output []byte, err error) {
	select {
	case l.turns <- struct{}{}:
		defer func() { <-l.turns }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	var out limited
	opts := s.limits
	opts.Steps, opts.Output = l.steps, &out
	opts.Load = func(th *starlark.Thread, name string) (*starlark.Module, error) {
		if name != "library.star" {
			return nil, fmt.Errorf("there is only library.star")
		}
		return th.OpenImage(s.image, rt.ImageOptions{TrustImage: true})
	}
	m, err := starlark.New(opts)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	err = m.Do(ctx, func(th *starlark.Thread) error {
		mod, err := th.Exec("request.star", program)
		if mod != nil {
			th.Clear(mod)
		}
		return err
	})
	return out.Bytes(), err
}

// limited keeps the first bytes that are written.
type limited struct{ bytes.Buffer }

const maxOutput = 64 << 10

func (l *limited) Write(p []byte) (int, error) {
	l.Buffer.Write(p[:min(len(p), maxOutput-l.Len())])
	return len(p), nil
}

// ServeHTTP answers with what the program prints; with status 422 and the error, if it fails.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	program, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 16<<10))
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	out, err := s.run(r.Context(), program)
	if err != nil {
		text := err.Error()
		var e *starlark.EvalError
		if errors.As(err, &e) {
			text = e.Backtrace()
		}
		http.Error(w, text, http.StatusUnprocessableEntity)
		return
	}
	_, _ = w.Write(out)
}

func main() {
	listen := flag.String("listen", "localhost:8080", "the address to listen on")
	programs := flag.Int("programs", 8, "programs that run at the same time")
	timeout := flag.Duration("timeout", 2*time.Second, "how long a program may run")
	load := flag.Duration("load", 0, "do not serve: measure latencies with and without hostile programs, for this long each")
	flag.Parse()
	dir, err := os.MkdirTemp("", "server")
	if err != nil {
		log.Fatal(err)
	}
	s, err := newServer(dir, *programs, *timeout)
	if err == nil && *load > 0 {
		err = measure(os.Stdout, s, *load)
	} else if err == nil {
		log.Printf("listening on %s", *listen)
		err = http.ListenAndServe(*listen, s)
	}
	if err = errors.Join(err, os.RemoveAll(dir)); err != nil {
		log.Fatal(err)
	}
}
