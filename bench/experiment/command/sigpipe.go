//go:build !js

package command

import (
	"os/signal"
	"syscall"
)

// ignoreBrokenPipes has a write to a reader that left fail with EPIPE, rather than a signal
// end the program.
func ignoreBrokenPipes() { signal.Ignore(syscall.SIGPIPE) }
