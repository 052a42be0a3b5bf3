// Package interruptible lets Ctrl-C end a command at once, even while it does something that cannot
// be interrupted, such as building a large graph.
package interruptible

import "context"

// Run runs f on a goroutine of its own and returns its error. If ctx ends first, Run returns the
// error of ctx while f goes on, so the program should end. If ctx has ended already, f does not run.
// Any goroutine.
func Run(ctx context.Context, f func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
