//go:build !js

package command

import (
	"os/signal"
	"syscall"
)

// ignoreBrokenPipes makes a write to a reader that has left fail with EPIPE. Otherwise a signal would
// end the program.
func ignoreBrokenPipes() { signal.Ignore(syscall.SIGPIPE) }
