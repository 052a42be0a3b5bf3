package main

import (
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

// ways are those in which a request ends that does not return.
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

// abandon is a request that is in the midst of its work when it ends in one of the ways.
func (s *service) abandon(t *rt.Thread, way, _ string) ([]byte, error) {
	return nil, t.Scope(func(sc *rt.Scope) {
		value := sc.Own(objects.Dict(s.catalog.Root()).Get(t, sc.Own(objects.NewString(t, "tea"))))
		held := objects.List(sc.Own(objects.NewList(t)))
		sc.Check(held.Append(t, value)) // refers into the catalog
		sc.Check(objects.Dict(s.notes).Set(t, sc.Own(objects.NewString(t, way)), sc.Own(objects.NewString(t, "begun"))))
		ways[way](s, t, sc)
	})
}

// newServer has net/http serve, which recovers; the client opens a connection for each
// request, since a panic closes its own.
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

// A request that does not return gives back the lock, the thread, and all references: the
// next reload need not wait, and finds nothing that refers into the old catalog.
func TestAbandonedRequest(t *testing.T) {
	for mode, o := range modes {
		for way := range ways {
			t.Run(mode+"/"+way, func(t *testing.T) {
				s, _ := newService(t, `{"tea": {"price": 3}}`, o)
				send := newServer(t, s)
				if got := send("GET", "/abandon?key="+way, ""); got != "no answer" {
					t.Errorf("the request returned: %s", got)
				}
				if !s.mu.TryLock() {
					t.Fatal("the lock is held")
				}
				s.mu.Unlock()
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

// Requests that do not return stand between others, while the catalog is swapped.
func TestAbandonedRequests(t *testing.T) {
	for mode, o := range modes {
		t.Run(mode, func(t *testing.T) {
			s, _ := newService(t, `{"tea": {"price": 0}}`, o)
			send := newServer(t, s)
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() {
					for range 5 {
						for way := range ways {
							if got := send("GET", "/abandon?key="+way, ""); got != "no answer" {
								t.Errorf("%s: the request returned: %s", way, got)
							}
							if got := send("GET", "/item?key=tea", ""); !strings.HasPrefix(got, `200 {"item":{"price":`) {
								t.Errorf("item: %s", got)
							}
							if got := send("POST", "/note?key="+way, "done"); got != "200 " {
								t.Errorf("note: %s", got)
							}
						}
					}
				})
			}
			for price := range 20 {
				writeImage(t, s.image, fmt.Sprintf(`{"tea": {"price": %d}}`, price))
				if got := send("POST", "/reload", ""); got != "200 " {
					t.Errorf("reload: %s", got)
				}
			}
			all.Wait()
			if got, want := send("GET", "/item?key=tea", ""), `200 {"item":{"price":19}}`; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

// atWork is a request that waits until it is let go, and then keeps a note.
func (s *service) atWork() (letGo func() error) {
	begun, resume, answered := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		answered <- s.work(func(t *rt.Thread) error {
			close(begun)
			t.Blocking(func() { <-resume })
			_, err := s.note(t, "tea", "the dict is still there")
			return err
		})
	}()
	<-begun
	return func() error {
		close(resume)
		return <-answered
	}
}

// waitsForRequest starts fn, and returns when it waits for the request at work.
func (s *service) waitsForRequest(t *testing.T, fn func() error) (ended chan error) {
	t.Helper()
	ended = make(chan error, 1)
	go func() { ended <- fn() }()
	for s.mu.TryRLock() { // which fails as soon as somebody wants to write
		s.mu.RUnlock()
		select {
		case err := <-ended:
			t.Fatalf("it did not wait for the request: %v", err)
		default:
			runtime.Gosched()
		}
	}
	return ended
}

// The old catalog is unloaded when no request is at work any more, by one reload at a time.
func TestReloadWaits(t *testing.T) {
	s, _ := newService(t, `{"tea": 3}`, rt.Options{})
	letGo := s.atWork()
	ended := s.waitsForRequest(t, s.reload)
	if s.reloading.TryLock() {
		t.Error("a second reload would overtake the first")
		s.reloading.Unlock()
	}
	if err := errors.Join(letGo(), <-ended); err != nil {
		t.Error(err)
	}
}

// close waits for a reload and for a request at work; what comes later is refused.
func TestCloseWaits(t *testing.T) {
	for mode, o := range modes {
		t.Run(mode, func(t *testing.T) {
			s, send := newService(t, `{"tea": 3}`, o)
			letGo := s.atWork()
			s.reloading.Lock() // as a reload does
			closing := make(chan error, 1)
			go func() { closing <- s.close() }()
			for range 100 {
				runtime.Gosched()
			}
			if !s.mu.TryRLock() {
				t.Fatal("it did not wait for the reload")
			}
			s.mu.RUnlock()
			ended := s.waitsForRequest(t, func() error {
				s.reloading.Unlock()
				return <-closing
			})
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
