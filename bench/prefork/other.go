//go:build !linux

package prefork

import (
	"context"
	"io"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/internal/progress"
)

func measure(context.Context, string, *Flags, []experiment.Document, io.Writer, io.Writer) error {
	return ErrSystem
}

// Measure fails with ErrSystem.
func Measure(context.Context, *Flags, []experiment.Document, *progress.Bar) (all, few *experiment.Result, err error) {
	return nil, nil, ErrSystem
}

// Serve fails with ErrSystem.
func Serve(context.Context, string, io.Reader, io.Writer) error { return ErrSystem }
