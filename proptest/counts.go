package proptest

import (
	"io"

	"github.com/ichor-go/ichor/proptest/internal/counts"
)

// WriteCounts writes how much the runs of this process have checked so far, one line for each
// count. Call it at the end of a TestMain. Any goroutine.
func WriteCounts(w io.Writer) error { return counts.Write(w) }
