// Package interruptible runs what cannot be interrupted, such as building a large graph, in
// commands that Ctrl-C ends at once.
package interruptible

import "context"

// Run runs f on a goroutine of its own and returns its error, or that of ctx if ctx ends
// first. Then f goes on, so the program should end.
func Run(ctx context.Context, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
