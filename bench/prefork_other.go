//go:build !linux

package main

import (
	"context"
	"errors"
	"io"

	"github.com/ichor-go/ichor/bench/experiment"
)

var errPrefork = errors.New("prefork needs Linux: heaps that processes share lie in a memfd, and /proc tells what was copied")

func (a *app) runPrefork(context.Context, *preforkFlags, []experiment.Document) error {
	return errPrefork
}

func serveHeap(context.Context, string, io.Reader, io.Writer) error { return errPrefork }
