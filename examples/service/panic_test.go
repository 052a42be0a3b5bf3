package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"

	"go.uber.org/atomic"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// The modes that a service may run in.
var modes = map[string]rt.Options{
	"gil":     {Mode: rt.GIL},
	"atomic":  {Mode: rt.LockFree, Counting: rt.Atomic},
	"biased":  {Mode: rt.LockFree, Counting: rt.Biased},
	"checked": {Checked: true},
}

// ways are the ways in which a request ends without returning.
var ways = map[string]func(s *service, t *rt.Thread, sc *rt.Scope){
	"panic":   func(*service, *rt.Thread, *rt.Scope) { panic("in the scope") },
	"abort":   func(*service, *rt.Thread, *rt.Scope) { panic(http.ErrAbortHandler) },
	"goexit":  func(*service, *rt.Thread, *rt.Scope) { runtime.Goexit() },
	"blocked": func(_ *service, t *rt.Thread, _ *rt.Scope) { t.Blocking(func() { panic("outside the world") }) },
	"nested": func(_ *service, t *rt.Thread, _ *rt.Scope) {
		_ = t.Scope(func(inner *rt.Scope) { // not reached: it panics
			inner.Own(objects.NewList(t))
			panic("in two scopes")
		})
	},
	"stopped": func(_ *service, t *rt.Thread, _ *rt.Scope) {
		t.StopTheWorld(func() { panic("with the world stopped") })
	},
}

// abandon is a request that ends in one of these ways in the middle of its work.
func (s *service) abandon(t *rt.Thread, catalog objects.Dict, way, _ string) ([]byte, error) {
	return nil, t.Scope(func(sc *rt.Scope) {
		value := sc.Own(catalog.Get(t, rt.Own(objects.NewString(t, "tea")).In(sc)))
		held := rt.Own(objects.NewList(t)).In(sc)
		sc.Check(held.Append(t, value)) // refers into the catalog
		sc.Check(s.notes.Set(t, rt.Own(objects.NewString(t, way)).In(sc), rt.Own(objects.NewString(t, "begun")).In(sc)))
		ways[way](s, t, sc)
	})
}

// newServer starts a net/http server, which recovers from panics. The client opens a
// connection for each request, because a panic closes its own.
func newServer(t *testing.T, s *service) (send func(method, target, body string) string) {
	mux := http.NewServeMux()
	mux.Handle("/", s.routes())
	mux.HandleFunc("GET /abandon", s.handle(s.abandon))
	server := httptest.NewUnstartedServer(mux)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Start()
	t.Cleanup(server.Close)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	return func(method, target, body string) string {
		q, err := http.NewRequest(method, server.URL+target, strings.NewReader(body))
		if err != nil {
			return err.Error()
		}
		w, err := client.Do(q)
		if err != nil {
			return "no answer"
		}
		defer w.Body.Close()
		text, err := io.ReadAll(w.Body)
		if err != nil {
			return err.Error()
		}
		return fmt.Sprint(w.StatusCode, " ", strings.TrimSpace(string(text)))
	}
}

// TestAbandonedRequest: a request that does not return gives back its lease, its thread,
// and all references. The next reload does not wait, and finds no reference into the old
// catalog.
func TestAbandonedRequest(t *testing.T) {
	for mode, o := range modes {
		for way := range ways {
			t.Run(mode+"/"+way, func(t *testing.T) {
				s, _ := newService(t, `{"tea": {"price": 3}}`, o)
				send := newServer(t, s)
				if got := send("GET", "/abandon?key="+way, ""); got != "no answer" {
					t.Errorf("the request returned: %s", got)
				}
				if got := send("POST", "/reload", ""); got != "200 " {
					t.Errorf("reload: %s", got)
				}
				if got, want := send("GET", "/item?key=tea", ""), `200 {"item":{"price":3}}`; got != want {
					t.Errorf("got %s, want %s", got, want)
				}
			})
		}
	}
}

// TestRequestsUnderReloads: requests read, write and end without returning while the
// catalog is replaced again and again. None is lost: each request that can return does so,
// with the price of a catalog that was current at some time during the request.
func TestRequestsUnderReloads(t *testing.T) {
	for mode, o := range modes {
		t.Run(mode, func(t *testing.T) {
			s, _ := newService(t, `{"tea": {"price": 0}}`, o)
			send := newServer(t, s)
			var began, done atomic.Int64 // prices whose reload has begun, and is done
			var over atomic.Bool
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() {
					for !over.Load() {
						for way := range ways {
							if got := send("GET", "/abandon?key="+way, ""); got != "no answer" {
								t.Errorf("%s: the request returned: %s", way, got)
							}
							oldest := done.Load()
							var price int64
							got := send("GET", "/item?key=tea", "")
							if _, err := fmt.Sscanf(got, `200 {"item":{"price":%d}}`, &price); err != nil || price < oldest || price > began.Load() {
								t.Errorf("item: %s, and prices from %d to %d were current", got, oldest, began.Load())
							}
							if got := send("POST", "/note?key="+way, "done"); got != "200 " {
								t.Errorf("note: %s", got)
							}
						}
					}
				})
			}
			for price := range int64(20) {
				writeImage(t, s.image, fmt.Sprintf(`{"tea": {"price": %d}}`, price))
				began.Store(price)
				if got := send("POST", "/reload", ""); got != "200 " {
					t.Errorf("reload: %s", got)
				}
				done.Store(price)
			}
			over.Store(true)
			all.Wait()
			if n := len(s.r.Frozen()); n != 1 {
				t.Errorf("%d catalogs are loaded", n)
			}
		})
	}
}

// atWork is a request that waits until it is released, then reads the catalog that it began
// with, and stores a note.
func (s *service) atWork() (letGo func() error) {
	begun, resume, answered := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		_, err := s.work(context.Background(), func(t *rt.Thread, catalog objects.Dict, key, body string) ([]byte, error) {
			close(begun)
			t.Blocking(func() { <-resume })
			text, err := s.item(t, catalog, key, body)
			if string(text) != `{"item":3}` {
				err = errors.Join(err, fmt.Errorf("the catalog has changed: %s", text))
			}
			_, noted := s.note(t, catalog, key, body)
			return nil, errors.Join(err, noted)
		}, "tea", "the dict is still there")
		answered <- err
	}()
	<-begun
	return func() error {
		close(resume)
		return <-answered
	}
}

// waits starts fn, and returns when so reports true, before fn has ended.
func waits(t *testing.T, fn func() error, so func() bool) (ended chan error) {
	t.Helper()
	ended = make(chan error, 1)
	go func() { ended <- fn() }()
	for !so() {
		select {
		case err := <-ended:
			t.Fatalf("it did not wait: %v", err)
		default:
			runtime.Gosched()
		}
	}
	if len(ended) > 0 {
		t.Fatalf("it did not wait: %v", <-ended)
	}
	return ended
}

// price returns the price of tea that a new request gets.
func (s *service) price(t *testing.T) string {
	text, err := s.work(t.Context(), s.item, "tea", "")
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// TestReloadWaits: the old catalog is unloaded when no request uses it any more. New
// requests get the new catalog at once. A second reload comes after the first.
func TestReloadWaits(t *testing.T) {
	for mode, o := range modes {
		t.Run(mode, func(t *testing.T) {
			s, _ := newService(t, `{"tea": 3}`, o)
			letGo := s.atWork()
			writeImage(t, s.image, `{"tea": 4}`)
			reload := func() error { return s.reload(t.Context()) }
			ended := waits(t, reload, func() bool { return s.price(t) == `{"item":4}` })
			if s.reloading.TryLock() {
				t.Error("a second reload would overtake the first")
				s.reloading.Unlock()
			}
			if err := errors.Join(letGo(), <-ended); err != nil {
				t.Error(err)
			}
			if n := len(s.r.Frozen()); n != 1 {
				t.Errorf("%d catalogs are loaded", n)
			}
		})
	}
}

// TestReloadGivenUp: a client that does not wait for the end of its reload leaves the old
// catalog to the next reload.
func TestReloadGivenUp(t *testing.T) {
	s, _ := newService(t, `{"tea": 3}`, rt.Options{})
	letGo := s.atWork()
	writeImage(t, s.image, `{"tea": 4}`)
	ctx, cancel := context.WithCancel(t.Context())
	ended := waits(t, func() error { return s.reload(ctx) }, func() bool { return s.price(t) == `{"item":4}` })
	cancel()
	if err := <-ended; !errors.As(err, new(*rt.StillLoadedError)) || !errors.Is(err, context.Canceled) {
		t.Errorf("reload: %v", err)
	}
	if err := s.reload(ctx); !errors.Is(err, context.Canceled) || len(s.r.Frozen()) != 2 {
		t.Errorf("reload by a client that has left: %v, %d catalogs are loaded", err, len(s.r.Frozen()))
	}
	if err := errors.Join(letGo(), s.reload(t.Context())); err != nil {
		t.Error(err)
	}
	if n := len(s.r.Frozen()); n != 1 {
		t.Errorf("%d catalogs are loaded", n)
	}
}

// TestCloseWaits: close waits for a request in progress, and later requests are refused.
func TestCloseWaits(t *testing.T) {
	for mode, o := range modes {
		t.Run(mode, func(t *testing.T) {
			s, send := newService(t, `{"tea": 3}`, o)
			letGo := s.atWork()
			refused := func() bool { return s.price(t) == rt.ErrCurrentClosed.Error() }
			ended := waits(t, func() error { return s.close(t.Context()) }, refused)
			if err := errors.Join(letGo(), <-ended); err != nil {
				t.Error(err)
			}
			for target, method := range map[string]string{"/item?key=tea": "GET", "/note?key=tea": "POST", "/reload": "POST"} {
				if got := send(method, target, ""); got != "503 ichor: runtime is closed" {
					t.Errorf("%s of a closed service: %s", target, got)
				}
			}
		})
	}
}

// TestCloseGivenUp: a close that is given up leaves the objects that a request in progress
// needs.
func TestCloseGivenUp(t *testing.T) {
	s, send := newService(t, `{"tea": 3}`, rt.Options{})
	letGo := s.atWork()
	ctx, cancel := context.WithCancel(t.Context())
	ended := waits(t, func() error { return s.close(ctx) }, func() bool { return s.price(t) == rt.ErrCurrentClosed.Error() })
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("close: %v", err)
	}
	if got := send("GET", "/item?key=tea", ""); got != "503 ichor: the Current is closed" {
		t.Errorf("item: %s", got)
	}
	if got := send("POST", "/reload", ""); got != "503 ichor: the Current is closed" {
		t.Errorf("reload: %s", got)
	}
	if n := len(s.r.Frozen()); n != 1 {
		t.Errorf("%d catalogs are loaded", n)
	}
	if err := letGo(); err != nil {
		t.Error(err)
	}
}
