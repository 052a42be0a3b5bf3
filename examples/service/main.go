// Command service is for somebody who has much data and many requests: an HTTP server that answers
// from an image, which is mapped and not parsed, and keeps notes in a dict that all requests
// write to. docs/services.md is its guide.
//
//	go run ./bench image build -o catalog.img catalog.json
//	go run ./examples/service -image catalog.img
//	curl 'localhost:8080/item?key=tea'
//	curl -d 'too hot' 'localhost:8080/note?key=tea'
//	curl -X POST localhost:8080/reload          # after the image was replaced
//	curl localhost:8080/debug/vars              # statistics
package main

import (
	"context"
	"errors"
	"expvar"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
	"github.com/ichor-go/ichor/runtime/metrics"
)

func main() {
	image := flag.String("image", "", "the image of a JSON object")
	addr := flag.String("addr", "localhost:8080", "where to listen")
	limit := flag.Int64("memory", 64<<20, "bytes that notes and answers may take; the image is not among them")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	if err := run(ctx, *image, *addr, *limit); err != nil {
		fmt.Fprintln(os.Stderr, "service:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, image, addr string, limit int64) error {
	s, err := open(image, rt.Options{MemoryLimit: limit})
	if err != nil {
		return err
	}
	expvar.Publish("ichor", metrics.Expvar(s.r))
	http.Handle("/", s.routes()) // beside /debug/vars
	server := &http.Server{Addr: addr}
	ended := make(chan error, 1)
	context.AfterFunc(ctx, func() {
		late, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		ended <- server.Shutdown(late) // waits for requests
	})
	fmt.Println("listening on", addr)
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return errors.Join(err, s.close())
	}
	return errors.Join(<-ended, s.close())
}

// service is what all requests share.
type service struct {
	r     *rt.Runtime
	image string
	notes rt.Ref // a dict, which the service owns

	mu      sync.RWMutex // held for reading while a request is at work
	catalog *rt.Frozen

	reloading sync.Mutex // held to replace the catalog, and taken before mu
}

// open maps the image: that takes as long for a gigabyte as for a page, but for the checks.
func open(image string, o rt.Options) (*service, error) {
	r, err := rt.New(o)
	if err != nil {
		return nil, err
	}
	s := &service{r: r, image: image}
	if s.catalog, err = r.OpenImage(image); err == nil {
		err = r.Do(func(t *rt.Thread) (err error) {
			s.notes, err = objects.NewDict(t)
			return err
		})
	}
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return s, nil
}

// close waits for what is at work, and says what leaked, if something did. What comes later is
// refused.
func (s *service) close() error {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.r.Do(func(t *rt.Thread) error {
		t.DecRef(s.notes)
		return nil
	})
	return errors.Join(err, s.r.Close())
}

func (s *service) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /item", s.handle(s.item))
	mux.HandleFunc("POST /note", s.handle(s.note))
	mux.HandleFunc("POST /reload", func(w http.ResponseWriter, _ *http.Request) { answer(w, nil, s.reload()) })
	return mux
}

// maxNote bounds what a stranger can have the service keep in one request.
const maxNote = 4 << 10

// handle reads the request first, then attaches, and writes the answer when it has detached:
// a thread that is attached never waits for the network.
func (s *service) handle(serve func(t *rt.Thread, key, body string) ([]byte, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, q.Body, maxNote))
		key := q.FormValue("key")
		var text []byte
		if err == nil {
			err = s.work(func(t *rt.Thread) (err error) {
				text, err = serve(t, key, string(body))
				return err
			})
		}
		answer(w, text, err)
	}
}

// work runs fn on a thread of its own, with the catalog in place until it returns. If fn panics,
// net/http recovers and the service goes on: so whatever is taken here is given back by defer.
func (s *service) work(fn func(t *rt.Thread) error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.r.Do(fn)
}

// item returns the JSON of an entry of the catalog and of its note. Reading what is frozen takes
// no lock and no count; the note is found without a lock, too.
func (s *service) item(t *rt.Thread, key, _ string) (text []byte, err error) {
	err = t.Scope(func(sc *rt.Scope) {
		name := sc.Own(objects.NewString(t, key))
		value := sc.Own(objects.Dict(s.catalog.Root()).Get(t, name))
		pair := objects.Dict(sc.Own(objects.NewDict(t)))
		sc.Check(pair.Set(t, sc.Own(objects.Intern(t, "item")), value))
		if note, ok := objects.Dict(s.notes).Lookup(t, name); ok {
			sc.Check(pair.Set(t, sc.Own(objects.Intern(t, "note")), note))
		}
		text, err = objects.AppendJSON(t, nil, pair)
		sc.Check(err)
	})
	return text, err
}

// note keeps a text for a key, as long as there is memory.
func (s *service) note(t *rt.Thread, key, body string) ([]byte, error) {
	return nil, t.Scope(func(sc *rt.Scope) {
		name := sc.Own(objects.NewString(t, key))
		sc.Check(objects.Dict(s.notes).Set(t, name, sc.Own(objects.NewString(t, body))))
	})
}

// reload opens the image again, which somebody has replaced by renaming, and lets go of the old
// one once no request looks at it.
func (s *service) reload() error {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	next, err := s.r.OpenImage(s.image)
	if err != nil {
		return err // the service goes on with what it has
	}
	return s.r.Unload(s.swap(next))
}

// swap puts the next catalog in place, and returns the old one when no request looks at it.
func (s *service) swap(next *rt.Frozen) (old *rt.Frozen) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, s.catalog = s.catalog, next
	return old
}

// answer writes a text, or the status that an error stands for.
func answer(w http.ResponseWriter, text []byte, err error) {
	var key *objects.KeyError
	var image *rt.ImageError
	var large *http.MaxBytesError
	switch {
	case err == nil:
		_, _ = w.Write(text)
	case errors.As(err, &key):
		http.Error(w, err.Error(), http.StatusNotFound)
	case errors.As(err, &large):
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
	case errors.As(err, &image):
		http.Error(w, err.Error(), http.StatusConflict)
	case errors.Is(err, rt.ErrMemoryLimit):
		http.Error(w, err.Error(), http.StatusInsufficientStorage)
	case errors.Is(err, rt.ErrClosed):
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	default:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}
