package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress is a bar on standard error. It is drawn between samples only, and
// starts no goroutine, so that it takes no time from a measurement.
type progress struct {
	w  io.Writer
	on bool

	mu    sync.Mutex // scenarios log from goroutines of their own
	bar   *progressbar.ProgressBar
	drawn bool
}

// newProgress decides by mode, auto, on or off, whether there is a bar.
func newProgress(w io.Writer, mode string) *progress {
	on := mode == "on"
	if f, ok := w.(*os.File); ok && mode == "auto" {
		on = term.IsTerminal(int(f.Fd()))
	}
	return &progress{w: w, on: on}
}

func (p *progress) show(done, total int, next string) {
	if !p.on {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar == nil {
		p.bar = progressbar.NewOptions(total,
			progressbar.OptionSetWriter(p.w),
			progressbar.OptionSetWidth(30),
			progressbar.OptionShowCount(),
			progressbar.OptionSetPredictTime(true),
			progressbar.OptionThrottle(100*time.Millisecond),
		)
	}
	p.bar.Describe(next)
	_ = p.bar.Set(done) // the bar cannot be drawn: nothing depends on it
	p.drawn = true
}

// logf writes one line in place of the bar, which comes back with the next sample.
func (p *progress) logf(format string, args ...any) {
	p.clear()
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.w, "bench: "+format+"\n", args...)
}

// clear takes the bar off the line, before something else is written.
func (p *progress) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.drawn {
		_ = p.bar.Clear()
		p.drawn = false
	}
}
