//go:build !linux

package pagemap

import (
	"errors"
	"fmt"
	goruntime "runtime"
)

// Watch finds stores to memory of this process. Linux only.
type Watch struct{}

// NewWatch returns an errors.ErrUnsupported.
func NewWatch() (*Watch, error) {
	return nil, fmt.Errorf("pagemap: watch: %s: %w", goruntime.GOOS, errors.ErrUnsupported)
}

func (w *Watch) Add(start, end uintptr) error { return errors.ErrUnsupported }
func (w *Watch) Written() ([]uintptr, error)  { return nil, errors.ErrUnsupported }
func (w *Watch) Close() error                 { return nil }

// Seal makes pages read-only. Linux only.
type Seal struct{ Watch }

// NewSeal returns an errors.ErrUnsupported.
func NewSeal() (*Seal, error) {
	_, err := NewWatch()
	return nil, err
}
