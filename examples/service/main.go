// Command service shows how to serve many requests from much data: an HTTP server that
// answers from an image, which is mapped and not parsed, and keeps notes in a dict that all
// requests write to. docs/services.md explains it. Without an image it makes a catalog of its
// own.
//
//	go run ./bench image build -o catalog.img catalog.json
//	go run ./examples/service -image catalog.img
//	curl 'localhost:8080/item?key=tea'
//	curl -d 'too hot' 'localhost:8080/note?key=tea'
//	curl -X POST localhost:8080/reload          # after the image was replaced
//	curl localhost:8080/debug/vars              # statistics
//	curl localhost:8080/debug/ichor/            # the state, as a page
//	go tool pprof localhost:8080/debug/pprof/ichor_heap
package main

import (
	"context"
	"errors"
	"expvar"
	"flag"
	"fmt"
	"io"
	"net/http"
	_ "net/http/pprof" // Go's own profiles, and execution traces
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	ichordebug "github.com/ichor-go/ichor/debug/ichor"
	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
	"github.com/ichor-go/ichor/runtime/metrics"
)

func main() {
	image := flag.String("image", "", "the image of a JSON object; if empty, the service makes a catalog of its own")
	addr := flag.String("addr", "localhost:8080", "where to listen")
	limit := flag.Int64("memory", 64<<20, "bytes that notes and answers may take, not counting the image")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	if err := run(ctx, *image, *addr, *limit); err != nil {
		fmt.Fprintln(os.Stderr, "service:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, image, addr string, limit int64) error {
	s, err := open(image, rt.Options{MemoryLimit: limit, HeapProfileRate: rt.DefaultHeapProfileRate, ContentionProfileRate: time.Microsecond})
	if err != nil {
		return err
	}
	if image == "" {
		if err := s.addNotes(); err != nil {
			return errors.Join(err, s.close(ctx))
		}
	}
	expvar.Publish("ichor", metrics.Expvar(s.r))
	ichordebug.Handle(http.DefaultServeMux, s.r)
	http.Handle("/", s.routes()) // beside /debug/vars and /debug/pprof/
	server := &http.Server{Addr: addr}
	ended := make(chan error, 1)
	context.AfterFunc(ctx, func() {
		late, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		ended <- server.Shutdown(late) // waits for requests
	})
	fmt.Println("listening on", addr)
	if err = server.ListenAndServe(); errors.Is(err, http.ErrServerClosed) {
		err = <-ended
	}
	late, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return errors.Join(err, s.close(late))
}

// patience is how long a shutdown waits for requests.
const patience = 5 * time.Second

// service is the state that all requests share.
type service struct {
	r       *rt.Runtime
	image   string
	catalog *rt.Current  // a frozen dict, which reload replaces
	notes   objects.Dict // the service owns it until close

	reloading sync.Mutex // held by reload: the image that was opened last stays
}

// open makes a service with the catalog in the image.
func open(image string, o rt.Options) (s *service, err error) {
	r, err := rt.New(o)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Close())
		}
	}()
	frozen, err := load(r, image)
	if err != nil {
		return nil, err
	}
	catalog, err := rt.NewCurrent(frozen)
	if err != nil {
		return nil, err
	}
	notes, err := rt.DoValue(r, objects.NewDict)
	if err != nil {
		return nil, err
	}
	return &service{r: r, image: image, catalog: catalog, notes: notes}, nil
}

// load maps the image. Apart from the checks, this takes as long for a gigabyte as for a page.
func load(r *rt.Runtime, image string) (*rt.Frozen, error) {
	if image == "" {
		return makeCatalog(r)
	}
	return r.OpenImage(image)
}

// close waits until no request is in progress, and reports leaks. Later requests are
// refused.
func (s *service) close(ctx context.Context) error {
	if err := s.catalog.Close(ctx); err != nil {
		return err // a request is still in progress, and may use the notes
	}
	err := s.r.Do(func(t *rt.Thread) error {
		t.DecRef(s.notes)
		return nil
	})
	return errors.Join(err, s.r.CloseContext(ctx))
}

func (s *service) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /item", s.handle(s.item))
	mux.HandleFunc("POST /note", s.handle(s.note))
	mux.HandleFunc("POST /reload", func(w http.ResponseWriter, q *http.Request) { answer(w, nil, s.reload(q.Context())) })
	return mux
}

// maxNote bounds the size of the note in one request.
const maxNote = 4 << 10

// serveFunc answers a request from the catalog and the notes.
type serveFunc func(t *rt.Thread, catalog objects.Dict, key, body string) ([]byte, error)

// handle reads the request before it attaches, and writes the answer after it has detached:
// an attached thread never waits for the network.
func (s *service) handle(serve serveFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, q.Body, maxNote))
		key := q.FormValue("key")
		var text []byte
		if err == nil {
			text, err = s.work(q.Context(), serve, key, string(body))
		}
		answer(w, text, err)
	}
}

// work serves a request on a thread of its own. The catalog that it begins with stays
// loaded until it ends, even by a panic: net/http recovers, and the service goes on.
func (s *service) work(ctx context.Context, serve serveFunc, key, body string) (text []byte, err error) {
	err = s.r.DoContext(ctx, func(t *rt.Thread) error {
		return s.catalog.Use(t, func(root rt.Ref) (err error) {
			text, err = serve(t, objects.Dict(root), key, body)
			return err
		})
	})
	return text, err
}

// item returns the JSON of an entry of the catalog and of its note. Reading frozen objects
// takes no lock and no count. The note, too, is found without a lock.
func (s *service) item(t *rt.Thread, catalog objects.Dict, key, _ string) (text []byte, err error) {
	err = t.Scope(func(sc *rt.Scope) {
		name := rt.Own(objects.NewString(t, key)).In(sc)
		value := sc.Own(catalog.Get(t, name))
		pair := rt.Own(objects.NewDict(t)).In(sc)
		sc.Check(pair.Set(t, rt.Own(objects.Intern(t, "item")).In(sc), value))
		if note, ok := s.notes.Lookup(t, name); ok {
			sc.Check(pair.Set(t, rt.Own(objects.Intern(t, "note")).In(sc), note))
		}
		text, err = objects.AppendJSON(t, nil, pair)
		sc.Check(err)
	})
	return text, err
}

// note stores a text for a key. It fails if there is no memory.
func (s *service) note(t *rt.Thread, _ objects.Dict, key, body string) ([]byte, error) {
	return nil, t.Scope(func(sc *rt.Scope) {
		name := rt.Own(objects.NewString(t, key)).In(sc)
		sc.Check(s.notes.Set(t, name, rt.Own(objects.NewString(t, body)).In(sc)))
	})
}

// reload opens the image again, after a user has replaced it by renaming. It returns when
// no request uses the old image any more, and the old image has been unloaded.
func (s *service) reload(ctx context.Context) error {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	next, err := load(s.r, s.image)
	if err != nil {
		return err // the service goes on with the old image
	}
	err = s.catalog.Replace(ctx, next)
	if err != nil && !errors.As(err, new(*rt.StillLoadedError)) { // which the next reload unloads
		err = errors.Join(err, s.r.Unload(next))
	}
	return err
}

// answer writes a text, or the HTTP status for an error.
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
	case errors.Is(err, rt.ErrCurrentClosed), errors.Is(err, rt.ErrClosed):
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	default:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}
