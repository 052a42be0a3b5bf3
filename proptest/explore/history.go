package explore

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
)

// History is a record of calls. At the end of the schedule, package porcupine searches for an order of
// all calls, each taking effect at some moment between its beginning and its end, in which the model
// returns the same. If there is none, the schedule fails: the calls are not linearizable.
type History struct {
	model porcupine.Model
	calls []porcupine.Operation
	names []string // of those who make the calls
	e     *E
}

// add records a call.
//
//go:norace
func (h *History) add(id int, name string, in, out any, began, ended int64) {
	h.calls = append(h.calls, porcupine.Operation{ClientId: id, Input: in, Output: out, Call: began, Return: ended})
	h.names = append(h.names, name)
}

// historyTime bounds the search for an order of the calls.
const historyTime = 10 * time.Second

// check returns an error if the calls are not linearizable.
func (h *History) check() error {
	result, info := porcupine.CheckOperationsVerbose(h.model, h.calls, historyTime)
	switch result {
	case porcupine.Ok:
		return nil
	case porcupine.Unknown:
		return fmt.Errorf("explore: no order of %d calls was found in %s; make fewer calls", len(h.calls), historyTime)
	}
	text := "the calls are not linearizable:" + h.String()
	if dir := os.Getenv("EXPLORE_OUT"); dir != "" {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("explore: EXPLORE_OUT: %w", err)
		}
		file := filepath.Join(dir, "history.html")
		if err := porcupine.VisualizePath(h.model, info, file); err != nil {
			return fmt.Errorf("explore: %w", err)
		}
		text += "\na picture is in " + file
	}
	return fmt.Errorf("%s", text)
}

// String returns the calls, a line for each, in the order in which they began.
func (h *History) String() string {
	describe := h.model.DescribeOperation
	if describe == nil {
		describe = func(in, out any) string { return fmt.Sprintf("%v -> %v", in, out) }
	}
	order := make([]int, len(h.calls))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return int(h.calls[a].Call - h.calls[b].Call) })
	var b strings.Builder
	for _, i := range order {
		c := h.calls[i]
		fmt.Fprintf(&b, "\n  from %d to %d, %s: %s", c.Call, c.Return, h.names[i], describe(c.Input, c.Output))
	}
	return b.String()
}
