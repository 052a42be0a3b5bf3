// Package faults runs programs in which one allocation, or one system call for memory, fails.
package faults

import (
	"errors"
	"fmt"

	"go.uber.org/atomic"

	"github.com/ichor-go/ichor/internal/aligned"
	"github.com/ichor-go/ichor/proptest/internal/counts"
	rt "github.com/ichor-go/ichor/runtime"
)

// Run runs a program on a new runtime. The n-th allocation, or system call for memory, fails
// with an error that is injected. Run returns which call that was, or "" if there were fewer
// calls. Its error says that the program returns another error, or leaves something behind.
func Run(o rt.Options, n int64, injected error, program func(*rt.Thread) error) (hit rt.Injection, err error) {
	var calls aligned.Int64
	var armed atomic.Bool
	o.Inject = func(what rt.Injection) error {
		if armed.Load() && calls.Inc() == n {
			hit = what
			counts.Add("errors injected", 1)
			return fmt.Errorf("%w: no %s", injected, what)
		}
		return nil
	}
	var late error
	o.OnError = func(err error) { late = err }
	r, err := rt.New(o)
	if err != nil {
		return "", err
	}
	err = r.Do(func(th *rt.Thread) error {
		armed.Store(true)
		err := program(th)
		armed.Store(false)
		switch {
		case err != nil && !errors.Is(err, injected):
			return fmt.Errorf("the program returns another error than the injected one: %w", err)
		case err != nil && hit == "":
			return fmt.Errorf("the program fails without an injected error: %w", err)
		}
		th.Collect()
		return th.Audit()
	})
	return hit, errors.Join(err, r.Close(), late)
}
