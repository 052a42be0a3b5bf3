package scenarios

import (
	"errors"
	"fmt"
	"io"

	"github.com/ichor-go/ichor/bench/internal/process"
)

// ChildCommand is the command of the child processes that scenarios start. Its arguments are the
// first two of Serve.
const ChildCommand = "scenario-child"

// Serve is a child process of a scenario, for the row with the given heap. It answers the
// questions of its parent.
func Serve(scenario, heap string, stdin io.Reader, stdout io.Writer) error {
	parent := process.NewParent(stdin, stdout)
	var err error
	switch scenario {
	case "first":
		err = serveFirst(heap, parent)
	case "gcshare":
		err = serveGCShare(heap, parent)
	default:
		return fmt.Errorf("scenario %q has no child processes", scenario)
	}
	if errors.Is(err, io.EOF) {
		return nil // the process ends, and its runtime with it
	}
	return err
}
