// Package browsertest looks at pages in a real browser: Chromium without a window. It finds what a
// reader would complain about and no test of a page's text can see: texts that overlap, are cut off,
// leave their figure, lie on a mark of it, or cannot be told from their background, and pages that scroll
// sideways. A page may be a picture alone.
//
// Each page is shown in frames of the widths of a phone and of a screen, once in light and once in
// dark colours. A script in the page around the frames measures all texts in them, and sends what
// it finds to the test.
package browsertest

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A Page is what to look at.
type Page struct {
	Name    string       // a path without a slash at its end
	Handler http.Handler // is asked for paths below Name
	Steps   []Step       // what to do on the page before looking; then it is looked at again after each
	Figures int          // the least number of figures with texts
}

// A Step changes a page as its reader would.
type Step struct {
	Name string
	Do   string // JavaScript, with doc, the document
	Wait string // a selector of what is there at the end
}

// widths are those of a phone and of a screen, in pixels.
var widths = []int{360, 1280}

// schemes are the colour schemes, with the number that Chromium has for each.
var schemes = map[string]int{"dark": 0, "light": 1}

//go:embed look.html
var lookHTML []byte

//go:embed look.js
var lookJS []byte

// look is what the script sends for a page in one of its states.
type look struct {
	Page     string   `json:"page"`
	Step     string   `json:"step"`
	Width    int      `json:"width"`
	Height   int      `json:"height"` // of the whole page
	Texts    int      `json:"texts"`
	Figures  int      `json:"figures"` // that have texts
	Problems []string `json:"problems"`
}

// Look fails the test for each problem of the pages. It skips the test if there is no browser. If
// shots is a folder, it puts a picture of each page there.
func Look(t *testing.T, shots string, pages ...Page) {
	t.Helper()
	browser := Find(t)
	for scheme := range schemes {
		looks, err := see(t.Context(), browser, t.TempDir(), scheme, pages)
		if errors.Is(err, errNoStart) {
			t.Skipf("SKIPPED: nobody has looked at the pages: %v", err)
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range looks {
			name := fmt.Sprintf("%s%s, %s, %d px wide", l.Page, l.Step, scheme, l.Width)
			t.Logf("%s: %d texts, %d figures with texts, %d px high", name, l.Texts, l.Figures, l.Height)
			for _, p := range l.Problems {
				t.Errorf("%s: %s", name, p)
			}
		}
		if shots != "" {
			if err := photograph(t.Context(), browser, t.TempDir(), shots, scheme, pages, looks); err != nil {
				t.Error(err)
			}
		}
	}
}

// Find returns the browser's program, and skips the test if there is none.
func Find(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("SKIPPED: nobody has looked at the pages, since there is no Chromium here (Debian's package is called chromium)")
	return ""
}

// errNoStart means that the browser has not even asked for the page.
var errNoStart = errors.New("the browser does not start")

// Times to wait for the browser. Guesses: it needs a second or two, and more on a busy machine.
const (
	startTime = time.Minute
	lookTime  = 4 * time.Minute
)

// patience is how long a page may take to get where a step leads. The test of this package has less.
var patience = time.Minute

// see looks at all pages with one colour scheme. The browser keeps its files in folder.
func see(ctx context.Context, browser, folder, scheme string, pages []Page) ([]look, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	started, result := make(chan struct{}, 1), make(chan []byte, 1)
	server := httptest.NewServer(handler(pages, started, result))
	defer server.Close()
	defer server.CloseClientConnections()
	cmd := command(ctx, browser, folder, scheme, "--remote-debugging-port=0", server.URL+"/")
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoStart, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	defer func() {
		cancel()
		<-ended
	}()
	starting := time.After(startTime)
	for {
		select {
		case <-started:
			starting = nil
		case <-starting:
			return nil, errNoStart
		case err := <-ended:
			ended <- err
			return nil, fmt.Errorf("%w: it ends at once: %w: %s", errNoStart, err, last(said.String()))
		case <-ctx.Done():
			return nil, fmt.Errorf("the browser does not answer: %w", ctx.Err())
		case b := <-result:
			var looks []look
			if err := json.Unmarshal(b, &looks); err != nil {
				return nil, fmt.Errorf("the browser has sent %q: %w", b, err)
			}
			return looks, nil
		}
	}
}

// last is the end of a long text.
func last(text string) string { return text[max(0, len(text)-500):] }

// command starts the browser without a window. Its sandbox does not work for root or in a
// container, and the pages are the test's own.
func command(ctx context.Context, browser, folder, scheme string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, browser, append([]string{
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run",
		"--user-data-dir=" + folder, fmt.Sprintf("--blink-settings=preferredColorScheme=%d", schemes[scheme]),
	}, args...)...)
	cmd.WaitDelay = 10 * time.Second // processes of the browser may hold its pipe a little longer
	return cmd
}

// handler serves the page with the frames, the pages in them, and takes the result.
func handler(pages []Page, started chan<- struct{}, result chan<- []byte) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		select {
		case started <- struct{}{}:
		default:
		}
		_, _ = w.Write(lookHTML) // the browser may have left
	})
	mux.HandleFunc("GET /look.js", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		_, _ = w.Write(lookJS) // the browser may have left
	})
	mux.HandleFunc("GET /pages.json", func(w http.ResponseWriter, _ *http.Request) {
		type page struct {
			Name    string
			Steps   []Step
			Figures int
		}
		var list []page
		for _, p := range pages {
			list = append(list, page{p.Name, p.Steps, p.Figures})
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"pages": list, "widths": widths, "patience": patience.Milliseconds()}) // the browser may have left
	})
	mux.HandleFunc("POST /result", func(_ http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			b = []byte(err.Error())
		}
		select {
		case result <- b:
		default:
		}
	})
	for _, p := range pages {
		mux.Handle("/"+p.Name+"/", http.StripPrefix("/"+p.Name, p.Handler))
	}
	return mux
}

// photograph puts a picture of each state of each page into the folder shots.
func photograph(ctx context.Context, browser, folder, shots, scheme string, pages []Page, looks []look) error {
	if err := os.MkdirAll(shots, 0o777); err != nil {
		return err
	}
	server := httptest.NewServer(handler(pages, make(chan struct{}, 1), make(chan []byte, 1)))
	defer server.Close()
	defer server.CloseClientConnections()
	for _, l := range looks {
		step := strings.TrimPrefix(l.Step, ": ")
		for from := 0; from < l.Height; from += piece {
			name := fmt.Sprintf("%s-%s-%s-%d-%d.png", l.Page, step, scheme, l.Width, from/piece)
			ctx, cancel := context.WithTimeout(ctx, startTime)
			defer cancel()
			cmd := command(ctx, browser, folder, scheme,
				fmt.Sprintf("--window-size=%d,%d", max(l.Width, leastWindow), max(min(l.Height-from, piece), leastWindow)), "--virtual-time-budget=20000",
				"--screenshot="+filepath.Join(shots, name),
				fmt.Sprintf("%s/#show=%s&step=%s&width=%d&from=%d", server.URL, l.Page, step, l.Width, from))
			if out, err := cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("%s: %w: %s", name, err, last(string(out)))
			}
		}
	}
	return nil
}

// Sizes of pictures, in pixels.
const (
	piece       = 2600 // the height of a part of a page
	leastWindow = 500  // a smaller window hangs, or becomes larger by itself
)

// HTML is a handler of one page.
func HTML(page []byte) http.Handler { return serve("text/html; charset=utf-8", page) }

// SVG is a handler of one picture.
func SVG(picture []byte) http.Handler { return serve("image/svg+xml", picture) }

func serve(contentType string, b []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		_, _ = w.Write(b) // the browser may have left
	})
}
