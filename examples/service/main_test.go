package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// writeImage replaces the image with that of a document.
func writeImage(t *testing.T, path, json string) {
	t.Helper()
	r, err := rt.New(rt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	err = r.Do(func(th *rt.Thread) error {
		doc, err := objects.FromJSON(th, strings.NewReader(json))
		if err != nil {
			return err
		}
		defer th.DecRef(doc)
		frozen, err := th.Freeze(doc)
		if err != nil {
			return err
		}
		return frozen.WriteFile(path)
	})
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
}

// newService returns a service, and a function that sends it a request and returns the
// status and the body. Nothing may be held or left when the test ends.
func newService(t *testing.T, json string, o rt.Options) (s *service, send func(method, target, body string) string) {
	t.Helper()
	image := filepath.Join(t.TempDir(), "catalog.img")
	writeImage(t, image, json)
	return serve(t, image, o)
}

// serve is newService with an image that exists, or none.
func serve(t *testing.T, image string, o rt.Options) (s *service, send func(method, target, body string) string) {
	t.Helper()
	s, err := open(image, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // t.Context has ended
		defer cancel()
		if err := s.close(ctx); err != nil && !errors.Is(err, rt.ErrClosed) { // the test may have closed it
			t.Error(err)
		}
	})
	routes := s.routes()
	return s, func(method, target, body string) string {
		w := httptest.NewRecorder()
		routes.ServeHTTP(w, httptest.NewRequest(method, target, strings.NewReader(body)))
		return fmt.Sprint(w.Code, " ", strings.TrimSpace(w.Body.String()))
	}
}

func TestService(t *testing.T) {
	s, send := newService(t, `{"tea": {"price": 3}, "milk": 2}`, rt.Options{MemoryLimit: 8 << 20})
	image := s.image
	want := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	want(send("GET", "/item?key=tea", ""), `200 {"item":{"price":3}}`)
	want(send("GET", "/item?key=beer", ""), `404 ichor: no key "beer"`)
	want(send("POST", "/note?key=tea", "too hot"), "200 ")
	want(send("GET", "/item?key=tea", ""), `200 {"item":{"price":3},"note":"too hot"}`)
	want(send("POST", "/note?key=tea", strings.Repeat("x", maxNote+1)), "413 http: request body too large")

	writeImage(t, image, `{"tea": 4}`)
	want(send("POST", "/reload", ""), "200 ")
	want(send("GET", "/item?key=tea", ""), `200 {"item":4,"note":"too hot"}`)
	want(send("GET", "/item?key=milk", ""), `404 ichor: no key "milk"`)

	if err := os.Rename(image, image+".gone"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(image, []byte("no image"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := send("POST", "/reload", ""); !strings.HasPrefix(got, "409 ") {
		t.Errorf("a file that is not an image: %s", got)
	}
	want(send("GET", "/item?key=tea", ""), `200 {"item":4,"note":"too hot"}`)
}

// TestLimit: notes take all memory. The service returns errors for further notes, and still
// answers reads.
func TestLimit(t *testing.T) {
	_, send := newService(t, `{"tea": 3}`, rt.Options{MemoryLimit: 2 << 20})
	note := strings.Repeat("x", maxNote)
	for i := range 2000 {
		got := send("POST", fmt.Sprint("/note?key=", i), note)
		if got == "507 ichor: memory limit reached" {
			break
		}
		if got != "200 " || i == 1999 {
			t.Fatalf("note %d: %s", i, got)
		}
	}
	if got := send("GET", "/item?key=beer", ""); got != `404 ichor: no key "beer"` {
		t.Errorf("at the limit: %s", got)
	}
}

// TestManyRequests has requests read and write while the image is replaced.
func TestManyRequests(t *testing.T) {
	s, send := newService(t, `{"tea": 0}`, rt.Options{})
	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() {
			for i := range 100 {
				if got := send("GET", "/item?key=tea", ""); !strings.HasPrefix(got, `200 {"item":`) {
					t.Errorf("item: %s", got)
				}
				if got := send("POST", fmt.Sprint("/note?key=", i%7), fmt.Sprint(worker)); got != "200 " {
					t.Errorf("note: %s", got)
				}
			}
		})
	}
	for i := range 10 {
		writeImage(t, s.image, fmt.Sprintf(`{"tea": %d}`, i))
		if got := send("POST", "/reload", ""); got != "200 " {
			t.Errorf("reload: %s", got)
		}
	}
	all.Wait()
	if got := send("GET", "/item?key=tea", ""); got != fmt.Sprint(http.StatusOK, ` {"item":9}`) {
		t.Errorf("in the end: %s", got)
	}
}
