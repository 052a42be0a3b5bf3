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

// A Bar is a progress bar on standard error. It is drawn only between samples, and starts no
// goroutine, so it takes no time from a sample. One goroutine at a time; Logf, any goroutine.
type Bar struct {
	w    io.Writer
	name string
	on   bool

	mu    sync.Mutex // scenarios log from goroutines of their own
	bar   *progressbar.ProgressBar
	drawn bool
}

// New returns a bar that is on, off, or, with the mode auto, on if w is a terminal. Logged lines
// begin with the name.
func New(w io.Writer, name, mode string) *Bar {
	on := mode == "on"
	if f, ok := w.(*os.File); ok && mode == "auto" {
		on = term.IsTerminal(int(f.Fd()))
	}
	return &Bar{w: w, name: name, on: on}
}

// Show shows that done of total samples were taken, and what comes next.
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
	if p.bar.GetMax() != total { // there will be more samples than planned at first
		p.bar.ChangeMax(total)
	}
	p.bar.Describe(next)
	_ = p.bar.Set(done) // nothing depends on the bar
	p.drawn = true
}

// Logf writes a line in place of the bar. The next sample draws the bar again.
func (p *Bar) Logf(format string, args ...any) {
	p.Clear()
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.w, p.name+": "+format+"\n", args...)
}

// Clear removes the bar, so that something else can be written.
func (p *Bar) Clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.drawn {
		_ = p.bar.Clear()
		p.drawn = false
	}
}
