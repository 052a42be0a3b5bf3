//go:build !linux

package main

import (
	"context"
	"io"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/experiment/command"
)

func (a *app) runPrefork(context.Context, *preforkFlags, []experiment.Document) error {
	return errPrefork
}

func preforkResult(context.Context, *preforkFlags, []experiment.Document, *command.Bar) (all, few *experiment.Result, err error) {
	return nil, nil, errPrefork
}

func serveHeap(context.Context, string, io.Reader, io.Writer) error { return errPrefork }
