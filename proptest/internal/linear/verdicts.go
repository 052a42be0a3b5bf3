// Package linear checks property (i): it searches for an order of concurrent calls that explains
// what each of them has returned. Its tests check the library's own types; package trials checks
// those of a Subject.
package linear

import (
	"fmt"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/ichor-go/ichor/internal/aligned"
	"github.com/ichor-go/ichor/proptest/internal/counts"
)

// Verdicts counts porcupine's verdicts on histories. Porcupine searches for an order of all
// calls, and gives up when that takes too long: such a history has no verdict.
type Verdicts struct{ all, none aligned.Int64 }

const searchLimit = 10 * time.Second

// Illegal reports whether no order of the calls explains a history.
func (v *Verdicts) Illegal(m porcupine.Model, seen []porcupine.Operation) bool {
	res, _ := porcupine.CheckOperationsVerbose(m, seen, searchLimit)
	v.all.Inc()
	counts.Add("histories", 1)
	counts.Add("histories: calls", len(seen))
	if res == porcupine.Unknown {
		v.none.Inc()
		counts.Add("histories without a verdict", 1)
	}
	return res == porcupine.Illegal
}

// Err returns an error if more than one history in ten has no verdict.
func (v *Verdicts) Err() error {
	if none, all := v.none.Load(), v.all.Load(); none*10 > all {
		return fmt.Errorf("%d of %d histories have no verdict within %s", none, all, searchLimit)
	}
	return nil
}
