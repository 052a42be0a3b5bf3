package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// Hostile programs end with an error that names a limit, or says what is frozen. Friendly ones
// that run at the same time get their answers.
func TestServer(t *testing.T) {
	s, err := newServer(t.TempDir(), 4, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(s)
	defer web.Close()
	var wg sync.WaitGroup
	for _, program := range hostile {
		wg.Go(func() {
			status, text, err := post(web.URL, program)
			if err != nil || status != http.StatusUnprocessableEntity ||
				!strings.Contains(text, "limit") && !strings.Contains(text, "too") && !strings.Contains(text, "frozen") {
				t.Errorf("%s: %d %q %v, want an error that names a limit", program, status, text, err)
			}
		})
		wg.Go(func() {
			status, text, err := post(web.URL, friendly)
			if err != nil || status != http.StatusOK || text != friendlyAnswer {
				t.Errorf("a friendly program: %d %q %v", status, text, err)
			}
		})
	}
	wg.Wait()
	// A program that needs more steps than most, and prints, is answered once.
	slow := "print('one')\nt = 0\nfor i in range(200000):\n    t += i\nprint(t)\n"
	if status, text, err := post(web.URL, slow); err != nil || status != http.StatusOK || text != "one\n19999900000\n" {
		t.Errorf("a slow program: %d %q %v", status, text, err)
	}
	if status, text, err := post(web.URL, "x = = 1"); err != nil || status != http.StatusUnprocessableEntity || !strings.Contains(text, "request.star:1:5") {
		t.Errorf("an error of syntax: %d %q %v", status, text, err)
	}
}

// The load prints a line for each kind of neighbours.
func TestLoad(t *testing.T) {
	s, err := newServer(t.TempDir(), 4, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := measure(&out, s, 500*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"beside 0 hostile clients (0 programs ended)", "beside 2 hostile clients ("} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("printed %q, want %q", out.String(), want)
		}
	}
}
