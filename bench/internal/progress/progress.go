// Package progress draws the progress bar of commands that measure.
package progress

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// A Bar is a progress bar on standard error. It is drawn between samples only, and starts no
// goroutine, so that it takes no time from a measurement. One goroutine at a time, but for
// Logf.
type Bar struct {
	w    io.Writer
	name string
	on   bool

	mu    sync.Mutex // scenarios log from goroutines of their own
	bar   *progressbar.ProgressBar
	drawn bool
}

// New decides by mode, auto, on or off, whether there is a bar. Lines that are logged
// begin with the name.
func New(w io.Writer, name, mode string) *Bar {
	on := mode == "on"
	if f, ok := w.(*os.File); ok && mode == "auto" {
		on = term.IsTerminal(int(f.Fd()))
	}
	return &Bar{w: w, name: name, on: on}
}

// Show draws that done of total samples are taken, and what is next.
func (p *Bar) Show(done, total int, next string) {
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

// Logf writes one line in place of the bar, which comes back with the next sample.
func (p *Bar) Logf(format string, args ...any) {
	p.Clear()
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.w, p.name+": "+format+"\n", args...)
}

// Clear takes the bar off the line, before something else is written.
func (p *Bar) Clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.drawn {
		_ = p.bar.Clear()
		p.drawn = false
	}
}
