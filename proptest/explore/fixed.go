package explore

import "time"

// Fixed is a program whose goroutines are known before it starts. Only they are explored: not what
// makes the program, and not Check.
type Fixed struct {
	Threads []func()
	Check   func() error // checks what must be true when all have ended; may be nil

	// Tick is the advance of the clock of package internal/point whenever a thread reads it.
	Tick time.Duration
}
