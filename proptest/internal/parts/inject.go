package parts

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/ichor-go/ichor/internal/aligned"
	rt "github.com/ichor-go/ichor/runtime"
)

// Faulty runs a program on a new runtime. The n-th allocation, or system call for memory, fails
// with an error that is injected. faulty returns which call that was, or "" if there were fewer
// calls, and an error if the program has another error or leaves something behind.
func Faulty(o rt.Options, n int64, injected error, program func(*rt.Thread) error) (hit rt.Injection, err error) {
	var calls aligned.Int64
	var armed atomic.Bool
	o.Inject = func(what rt.Injection) error {
		if armed.Load() && calls.Inc() == n {
			hit = what
			Add("errors injected", 1)
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
			return fmt.Errorf("the program's error is another one: %w", err)
		case err != nil && hit == "":
			return fmt.Errorf("the program fails undisturbed: %w", err)
		}
		th.Collect()
		return th.Audit()
	})
	return hit, errors.Join(err, r.Close(), late)
}
